"""Files with data in them: for the owner only, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from beast_dream_snow_loader.errors import StateError
from beast_dream_snow_loader.state.private_files import private_directory


def write_private(path: Path, data: bytes) -> None:
    """Write beside, then rename: a reader sees the old file or the new one. Mode 0600.

    Raises StateError naming the file when it cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if not path.parent.exists():
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
