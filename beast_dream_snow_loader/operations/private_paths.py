"""Directories that are their owner's alone, and links that another user laid."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def make_private(directory: Path) -> None:
    """``directory`` and what of the way to it is missing, none of it open to others. OSError when it cannot be made."""
    for missing in reversed([p for p in (directory, *directory.parents) if not p.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
        missing.chmod(0o700)  # a umask may have taken even the owner's rights


def foreign_link(file: Path) -> int | None:
    """The user who laid ``file`` where it is a symbolic link neither of ours nor of root's: it leads where he wants."""
    try:
        found = file.lstat()
    except OSError:
        return None
    foreign = hasattr(os, "geteuid") and found.st_uid not in (0, os.geteuid())
    return found.st_uid if foreign and stat.S_ISLNK(found.st_mode) else None
