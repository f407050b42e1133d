"""Programs of others, started for what they print: no shell, no input, a time limit, and none of our secrets."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.redaction import is_held

MOST_BYTES = 64 * 1024
"""More than any secret. A program that prints for ever costs no memory."""
_CHUNK = 8192
_LAST_SECONDS = 1.0
"""For a program to be gone that was ended."""
_OURS = ("SERVICENOW_", "UNIFI_", "SNOWLOAD_")
_OF_1PASSWORD = ("OP_SERVICE_ACCOUNT_TOKEN", "OP_CONNECT_TOKEN", "OP_SESSION")
"""What opens the whole vault: the two tokens, and ``OP_SESSION_<account>``."""


class TooMuch(Exception):
    """More than :data:`MOST_BYTES`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """How a program ended: its exit code and its standard output. Its standard error is thrown away."""

    code: int
    out: bytes


def environment_of_a_child(
    environ: Mapping[str, str], *, private: Collection[str] = (), vault: bool = False
) -> dict[str, str]:
    """What a child may know: all but our own settings, the variables named in ``private``, and every variable whose
    value is a secret that this process holds. Only with ``vault`` what opens 1Password."""
    return {
        name: value
        for name, value in environ.items()
        if not (name.startswith(_OURS) or name in private or is_held(value))
        if vault or not name.startswith(_OF_1PASSWORD)
    }


def printed_by(command: Sequence[str], environ: Mapping[str, str], *, seconds: float) -> Printed:
    """Run it to its end. TimeoutError after ``seconds``, TooMuch, or OSError when it cannot be started.

    It and its process group are ended then; nobody is waited for who left the group or may not be ended by us, as
    what ``sudo`` starts may not.
    """
    ends = SystemClock().monotonic() + seconds
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(environ),
        process_group=0 if os.name == "posix" else None,
    )
    try:
        out = _read(child, ends)
        code = child.wait(max(0.0, ends - SystemClock().monotonic()))
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    finally:
        _end(child)
    return Printed(code=code, out=out)


def _end(child: subprocess.Popen[bytes]) -> None:
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    with suppress(PermissionError):
        child.kill()
    if child.stdout is not None:
        child.stdout.close()
    with suppress(subprocess.TimeoutExpired):
        child.wait(_LAST_SECONDS)


def _read(child: subprocess.Popen[bytes], ends: float) -> bytes:
    assert child.stdout is not None  # a pipe was asked for
    found = bytearray()
    with selectors.DefaultSelector() as waiting:
        waiting.register(child.stdout, selectors.EVENT_READ)
        while True:
            left = ends - SystemClock().monotonic()
            if left <= 0 or not waiting.select(left):
                raise TimeoutError
            chunk = os.read(child.stdout.fileno(), _CHUNK)
            if not chunk:
                return bytes(found)
            found += chunk
            if len(found) > MOST_BYTES:
                raise TooMuch
