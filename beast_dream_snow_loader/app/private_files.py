"""Files with data in them: for the owner only, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from beast_dream_snow_loader.errors import StateError


def private_directory(path: Path) -> Path:
    """The directory, made with mode 0700 whatever the umask if it is not there."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StateError(
            f"Directory {path} cannot be made: {error.strerror}.",
            next_step="Name another with SNOWLOAD_STATE_DIR.",
        ) from None
    return path


def write_private(path: Path, data: bytes) -> None:
    """Write beside, then rename: a reader sees the old file or the new one. Mode 0600.

    Raises StateError naming the file when it cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        private_directory(path.parent)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise StateError(f"File {path} cannot be written: {error.strerror}.") from None
