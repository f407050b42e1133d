"""A secret in a file: read once, and only where nobody else could have read or changed it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

_MOST_BYTES = 64 * 1024
_MOUNTED = Path("/run/secrets")
"""Where container engines mount secrets, readable by everybody in the container."""


class Unsafe(Exception):
    """Others may read or change the file: with the command that mends it."""


def secret_in(name: str) -> str:
    """The file's text without its last line end. A link is followed, for that is how Kubernetes lays out secrets; what
    it points to is judged. OSError, ValueError when it is no text, or Unsafe."""
    file = _resolved(name)
    descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as opened:
        found = os.fstat(opened.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("no file")
        _refuse(file, found)
        text = opened.read(_MOST_BYTES + 1)
    if len(text) > _MOST_BYTES:
        raise ValueError("too long")
    return text.decode("utf-8").rstrip("\r\n")


def _resolved(name: str) -> Path:
    try:
        return Path(name).expanduser().resolve()
    except RuntimeError:  # the home of nobody, or links in a circle
        raise FileNotFoundError(name) from None


def credential_of_systemd(name: str, environ: Mapping[str, str]) -> str:
    """What the unit's ``LoadCredential=`` passed under this name (systemd.exec, CREDENTIALS_DIRECTORY)."""
    directory = environ.get("CREDENTIALS_DIRECTORY", "")
    if not directory or not name or Path(name).name != name or name == "..":
        raise FileNotFoundError
    return secret_in(str(Path(directory) / name))


def _refuse(file: Path, found: os.stat_result) -> None:
    """The group may read: an orchestrator's way to share a secret with one service."""
    if hasattr(os, "geteuid") and found.st_uid not in (0, os.geteuid()):
        raise Unsafe(f"the file {file} belongs to user {found.st_uid}: run chown {os.geteuid()} {file}")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Unsafe(f"others may change the file {file}: run chmod 600 {file}, and change the secret")
    if found.st_mode & stat.S_IROTH and not (found.st_uid == 0 and file.is_relative_to(_MOUNTED)):
        raise Unsafe(f"every user of this machine may read the file {file}: run chmod 600 {file}")
