"""The log kept beside the console: whole lines, private, rotated, also when several processes write to one file."""

from __future__ import annotations

import errno
import logging
import os
import stat
import sys
import threading
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from beast_dream_snow_loader.operations.private_paths import foreign_link

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
_LOCK_SECONDS = 2.0
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class PrivateFile(logging.Handler):
    """Readable by its owner only, after every rotation too. A disk that takes no more costs the lines, not the run.

    Each line is appended by one call, so that lines of two processes never mix; a rotation by another process is
    noticed before the next line. OSError when the file cannot be opened for another reason than want of room.
    """

    def __init__(self, file: Path, *, max_bytes: int, backups: int) -> None:
        super().__init__()
        self._file, self._max_bytes, self._backups = file, max_bytes, backups
        self._descriptor: int | None = None
        self._told = False
        self._writing = threading.Lock()
        self._emitting = threading.local()
        try:
            self._open()
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            self._tell(error)

    def emit(self, record: logging.LogRecord) -> None:
        """A line said while this thread is writing one is dropped: the lock for a rotation has a log of its own."""
        if getattr(self._emitting, "now", False):
            return
        self._emitting.now = True
        try:
            self._write(record)
        finally:
            self._emitting.now = False

    def _write(self, record: logging.LogRecord) -> None:
        line = self.format(record).encode("utf-8", "backslashreplace") + b"\n"
        try:
            with self._writing:
                append_whole(self._ready(len(line)), line)
        except OSError as error:
            self._tell(error)

    def close(self) -> None:
        with self._writing:
            self._shut()
        super().close()

    def _ready(self, more: int) -> int:
        """The descriptor to write to, with room for ``more`` bytes."""
        descriptor = self._followed()
        if self._is_full(descriptor, more):
            self._rotate(more)
            descriptor = self._followed()
        return descriptor

    def _followed(self) -> int:
        """The file that has the name now, should another process have rotated it."""
        if self._descriptor is not None:
            with suppress(FileNotFoundError):
                named, ours = self._file.stat(), os.fstat(self._descriptor)
                if (named.st_ino, named.st_dev) == (ours.st_ino, ours.st_dev):
                    return self._descriptor
            self._shut()
        return self._open()

    def _open(self) -> int:
        _refuse_foreign_link(self._file)
        descriptor = os.open(self._file, _FLAGS, 0o600)
        self._descriptor = descriptor
        if stat.S_ISREG(os.fstat(descriptor).st_mode) and hasattr(os, "fchmod"):
            with suppress(PermissionError):  # another's file that we may write to
                os.fchmod(descriptor, 0o600)
        return descriptor

    def _shut(self) -> None:
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None

    def _is_full(self, descriptor: int, more: int) -> bool:
        found = os.fstat(descriptor)
        return stat.S_ISREG(found.st_mode) and found.st_size > 0 and found.st_size + more > self._max_bytes

    def _rotate(self, more: int) -> None:
        """By whoever gets the lock first; where that does not work the file grows on."""
        lock = FileLock(self._file.with_name(f".{self._file.name}.lock"), mode=0o600, timeout=_LOCK_SECONDS)
        try:
            with lock:
                if self._is_full(self._followed(), more):
                    self._shut()
                    self._shift()
        except (OSError, Timeout) as error:
            self._tell(error if isinstance(error, OSError) else OSError(errno.EAGAIN, "another process holds its lock"))

    def _shift(self) -> None:
        for number in range(self._backups - 1, 0, -1):
            with suppress(FileNotFoundError):
                self._numbered(number).replace(self._numbered(number + 1))
        if self._backups:
            self._file.replace(self._numbered(1))
        else:
            self._file.unlink()

    def _numbered(self, number: int) -> Path:
        return self._file.with_name(f"{self._file.name}.{number}")

    def _tell(self, error: OSError) -> None:
        """Once: the run goes on, and so would the complaint."""
        if not self._told:
            self._told = True
            sys.stderr.write(
                f"snowload: The log file {self._file} cannot be written: {error.strerror}. The run goes on; lines are "
                "missing there.\n"
            )


def _refuse_foreign_link(file: Path) -> None:
    if (owner := foreign_link(file)) is not None:
        raise OSError(errno.EPERM, f"it is a link that belongs to user {owner}; remove it", str(file))


def append_whole(descriptor: int, line: bytes) -> None:
    """The whole line or nothing of it: half a line would spoil the next one."""
    done = 0
    try:
        while done < len(line):
            done += os.write(descriptor, line[done:])
    except OSError:
        if done:
            _take_back(descriptor, done)
        raise


def _take_back(descriptor: int, done: int) -> None:
    with suppress(OSError):
        end = os.lseek(descriptor, 0, os.SEEK_CUR)
        if os.fstat(descriptor).st_size == end:  # nobody wrote behind it
            os.ftruncate(descriptor, end - done)
