"""Files with data in them: for the owner only unless a mode is said, whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from beast_dream_snow_loader.errors import BadArgument, ConfigurationError, StateError
from beast_dream_snow_loader.operations.log_file import append_whole
from beast_dream_snow_loader.state.faults import unwritten
from beast_dream_snow_loader.state.private_files import refuse_foreign_link, replace_file


def refuse_unwritable(*files: Path | None) -> None:
    """BadArgument, before anything is done, for a file that could not be written afterwards."""
    for path in files:
        if path is not None and (why := _why_unwritable(path)):
            raise BadArgument(
                f"File {path} cannot be written: {why}.", next_step="Name a file in a directory of yours."
            )


def _why_unwritable(path: Path) -> str:
    try:
        target = path.resolve()
        if target.is_dir():
            return "it is a directory"
        if target.exists() and not target.is_file():
            return "" if os.access(target, os.W_OK) else "no right to write to it"
        if not target.parent.is_dir():
            return f"there is no directory {target.parent}"
        return "" if os.access(target.parent, os.W_OK | os.X_OK) else f"no right to write to {target.parent}"
    except (OSError, RuntimeError) as error:  # a loop of links
        return str(error)


def refuse_unappendable(file: Path, setting: str) -> None:
    """ConfigurationError, before anything is done, for a file to which :func:`append_private` could write no line."""
    if why := _why_unappendable(file):
        raise ConfigurationError(
            f"{setting}: {file} cannot be written: {why}.",
            next_step="Name a file in a directory of yours, then run `snowload config check`.",
        )
    refuse_foreign_link(file)


def _why_unappendable(file: Path) -> str:
    try:
        if not file.exists():
            return _why_unwritable(file)
        if not file.is_file():
            return "it is no file"
        return "" if os.access(file, os.W_OK) else "no right to write to it"
    except OSError as error:  # a name that is too long
        return str(error)


def append_private(file: Path, line: bytes) -> None:
    """The whole line at the end of the file or nothing of it, on the disk; mode 0600. A link of ours is followed; what
    is no file is not waited for. StateError when it cannot be written, or is another user's link."""
    refuse_foreign_link(file)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0), 0o600)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "it is no file")
            with suppress(PermissionError):  # another's file that we may write to
                os.fchmod(descriptor, 0o600)
            append_whole(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unwritten(file, error) from None


def write_file(path: Path, data: bytes | Iterable[bytes], mode: int = 0o600) -> None:
    """Write beside, then rename: a reader sees the old file or the new one. ``mode``: for what is no secret.

    A link of ours is followed, and a device or a pipe is written through: neither is replaced by a file. Raises
    StateError naming the file when it cannot be written, or is another user's link.
    """
    refuse_foreign_link(path)
    try:
        target = path.resolve()
        if target.exists() and not target.is_file():
            with target.open("wb") as file:
                file.writelines([data] if isinstance(data, bytes) else data)
        else:
            replace_file(target, data, mode)
    except OSError as error:
        raise unwritten(path, error) from None
    except RuntimeError:
        raise StateError(f"File {path} cannot be written: a loop of links.", next_step="Name another file.") from None
