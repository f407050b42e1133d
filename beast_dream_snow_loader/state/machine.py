"""Which machine this is, as far as process numbers and monotonic clocks can be compared: a name may be several's."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_PROCESSES = Path("/proc/self/ns/pid")


@cache
def boot_id() -> str:
    """This boot of this machine; empty where the system does not tell."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


@cache
def processes() -> str:
    """Within what process numbers mean the same: this machine since it was started, and in it this container.
    ``host/9f0c1d2e:4026531836``; people need only what stands before the stroke."""
    try:
        space = "".join(filter(str.isdigit, str(_PROCESSES.readlink())))
    except OSError:
        space = ""
    return f"{platform.node()}/{boot_id()[:8]}:{space}"
