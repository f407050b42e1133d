"""Points that mean something, found among the calls of a command that was told call by call."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from tests.crash.harness import Action, Arm, Kinds

Told = Sequence[str]


def is_write(line: str) -> bool:
    """Whether a told call is the beginning of a request that changes something in ServiceNow."""
    _, name, *sent = line.split()
    if name != "send" or len(sent) < 2 or sent[0] not in ("POST", "PATCH", "DELETE"):
        return False
    return sent[1].startswith("/api/now/") and not sent[1].partition("?")[0].endswith(("/queryEnhanced", "/v1/batch"))


def syncs_log(line: str) -> bool:
    """Whether a told call makes durable what was written to the log of a database."""
    return line.split()[1] == "fsync" and line.endswith("-wal")


def writes(told: Told) -> list[int]:
    """The calls in which such requests begin."""
    return [_number(line) for line in told if is_write(line)]


def unsent(told: Told) -> Arm:
    """Intended, and killed just before the first write leaves."""
    return Arm(at=writes(told)[0], action=Action.KILL_BEFORE)


def answered(told: Told) -> Arm:
    """Done in ServiceNow, and killed before that is written down."""
    return Arm(at=_next(told, "recv", writes(told)[0]), action=Action.KILL_AFTER)


def waited_for(told: Told, write: int) -> int:
    """The call at which the answer to a write is first waited for: the request has left as a whole."""
    return _next(told, "recv", write)


def settled(told: Told) -> Arm:
    """Killed as soon as something was written down of the first write's outcome."""
    return Arm(at=_next(told, "fsync", answered(told).at), action=Action.KILL_AFTER)


def half_intended(told: Told) -> Arm:
    """Killed between the last two things written down before the first write."""
    before = [_number(line) for line in told if " fsync" in line and _number(line) < writes(told)[0]]
    return Arm(at=before[-2], action=Action.KILL_AFTER)


def away_from(nth: int, told: Told) -> Arm:
    """From the ``nth`` write on, and for the rest of the command, the network is gone."""
    at = writes(told)[nth]
    return Arm(at=at, action=Action.FAIL_FOREVER, failing=Kinds.SOCKETS, number=errno.ECONNREFUSED)


def at(told: Told, text: str, nth: int = 0) -> Arm:
    """Killed just before this request leaves."""
    return Arm(at=[_number(line) for line in told if text in line][nth], action=Action.KILL_BEFORE)


def _next(told: Told, name: str, after: int) -> int:
    return next(_number(line) for line in told if line.split()[1] == name and _number(line) > after)


def _number(line: str) -> int:
    return int(line.split()[0])
