"""The database file, its directory and what is written beside: nobody else's, with the mode that was said, whatever the
umask."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from beast_dream_snow_loader.errors import StateError
from beast_dream_snow_loader.operations.private_paths import foreign_link, make_private
from beast_dream_snow_loader.state.faults import RIGHTS, telling, undone

COMPANIONS = ("-wal", "-shm", "-journal")
"""What SQLite lays beside its file; it gives them the file's own mode."""

_BESIDE = ".snowload-"
"""Begins the name of a file that is written beside its target."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def refuse_foreign_link(file: Path) -> None:
    """StateError for a symbolic link that another user laid: it leads where he wants. Root's is as good as ours."""
    if (owner := foreign_link(file)) is not None:
        raise _foreign(file, owner)


def private_directory(directory: Path) -> Path:
    """The directory. Make ``directory`` with mode 0700, or see that nobody else may put files into it.

    An empty directory was made for us and is narrowed to 0700. StateError when it is another user's or others may
    write to it, with the command that mends it, or the system does not let us.
    """
    with telling(f"Directory {directory} cannot be used", RIGHTS):
        return _private(directory)


def _private(directory: Path) -> Path:
    if not directory.exists():
        _make(directory)
    found = directory.stat()
    if not stat.S_ISDIR(found.st_mode):
        raise StateError(f"{directory} is not a directory.", next_step="Name another with SNOWLOAD_STATE_DIR.")
    _refuse_foreign(directory, found, and_root=True)
    if found.st_mode & _OTHERS and not any(directory.iterdir()) and found.st_uid == _me():
        directory.chmod(0o700)
    elif found.st_mode & _OTHERS_WRITE and not found.st_mode & stat.S_ISVTX:
        raise StateError(
            f"Directory {directory} can be written by other users, who could replace the database in it.",
            next_step=f"Run `chmod go-w {directory}` and look who put what there.",
        )
    return directory


def private_file(file: Path) -> None:
    """Make ``file`` empty with mode 0600, or see that it is ours and narrow it to 0600.

    StateError when it or one of SQLite's companions is a symbolic link or another user's.
    """
    with telling(f"Database {file} cannot be opened", RIGHTS):
        _made_private(file)


def replace_file(target: Path, data: bytes | Iterable[bytes], mode: int = 0o600) -> None:
    """``target`` anew with this mode: written beside, then renamed, so that a reader sees the old file or the new one.
    OSError when the system does not let us."""
    if not target.parent.exists():
        private_directory(target.parent)
    descriptor, name = tempfile.mkstemp(prefix=_BESIDE, dir=target.parent)  # new, mode 0600
    beside = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if hasattr(os, "fchmod"):
                os.fchmod(descriptor, mode)  # a umask may have taken even the owner's rights
            file.writelines([data] if isinstance(data, bytes) else data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def left_behind(directory: Path, before: float) -> list[Path]:
    """Files of ours that :func:`replace_file` had begun beside their targets, here or one folder below, and that
    were last written before ``before`` (seconds since the epoch): their writer was killed."""
    found = (file for pattern in (f"{_BESIDE}*", f"*/{_BESIDE}*") for file in directory.glob(pattern))
    return sorted(file for file in found if _abandoned(file, before))


def _abandoned(file: Path, before: float) -> bool:
    try:
        there = file.lstat()
    except OSError:
        return False
    return stat.S_ISREG(there.st_mode) and there.st_uid == _me() and there.st_mtime < before


def _made_private(file: Path) -> None:
    for suffix in COMPANIONS:
        _refuse_link(file.with_name(file.name + suffix))
    _refuse_link(file)
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError:
        if file.exists():
            _refuse_foreign(file, file.stat())
        raise
    try:
        found = os.fstat(descriptor)
        _refuse_foreign(file, found)
        if stat.S_IMODE(found.st_mode) != 0o600:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _make(directory: Path) -> None:
    try:
        make_private(directory)
    except OSError as error:
        mend = "Name another with SNOWLOAD_STATE_DIR."
        raise undone(f"Directory {directory} cannot be made", error, mend) from None


def _refuse_link(file: Path) -> None:
    if file.is_symlink():
        raise StateError(
            f"{file} is a symbolic link; what it points to could be anybody's.",
            next_step=f"Run `rm {file}`, or name the real file in SNOWLOAD_STATE_URL.",
        )


def _refuse_foreign(path: Path, found: os.stat_result, *, and_root: bool = False) -> None:
    """``and_root``: root's is as good as ours."""
    if found.st_uid != _me() and not (and_root and found.st_uid == 0):
        raise _foreign(path, found.st_uid)


def _foreign(path: Path, owner: int) -> StateError:
    return StateError(
        f"{path} belongs to user {owner}, this program runs as user {_me()}.",
        next_step=f"Run as that user, or hand it over with `chown {_me()} {path}`.",
    )


def _me() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0
