"""What processes tell each other of a service's cool-downs and quotas."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Protocol

from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.operations.durations import format_duration

LONGEST_ASKED_SECONDS = 24 * 3600.0
"""Of what a service asks for no more is heeded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoolDown:
    """``seconds`` are left of it; ``streak`` refusals without a word came one after another."""

    seconds: float
    streak: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CoolDownInForce:
    """``service`` is left alone for ``seconds`` more, of ``whole`` in all."""

    service: str
    seconds: float
    whole: float


def in_words(seconds: float) -> str:
    """``23h59m58s``: of a cool-down, in whole seconds, rounded up; never more than is heeded."""
    return format_duration(_whole(seconds))


def how_long(seconds: float, now: datetime) -> str:
    """``23h59m58s, until 2026-11-22T04:31:23Z``."""
    return f"{in_words(seconds)}, until {rfc3339(now + _whole(seconds))}"


def _whole(seconds: float) -> timedelta:
    return timedelta(seconds=max(1, ceil(min(seconds, LONGEST_ASKED_SECONDS))))


def after_cool_down(service: str) -> str:
    """What to do about a cool-down."""
    return (
        "Run the same command again then. What is left alone is told by: snowload breakers list. "
        f"A wait that makes no sense ends with: snowload breakers reset {shlex.quote(service)}"
    )


class Pace(Protocol):
    """What processes tell each other. All but :meth:`stamp` raise StateError when the state is away."""

    def stamp(self) -> object:
        """Another value than last time when something may have been said since. Cheap: asked before every request."""

    def cool_down(self, service: str) -> CoolDown | None: ...

    def cool(self, service: str, seconds: float, streak: int) -> None:
        """Nobody is to ask for so many seconds; one that is under way is never shortened."""

    def portion(self, service: str, rule: str, limit: int, seconds: float, wanted: int) -> int:
        """So many of ``wanted`` requests are ours, of ``limit`` until the window ends in ``seconds``."""


class OwnPace:
    """For a process that shares its state with no other."""

    def __init__(self) -> None:
        self._used: dict[tuple[str, str], int] = {}

    def stamp(self) -> object:
        return None

    def cool_down(self, service: str) -> CoolDown | None:  # noqa: ARG002
        return None

    def cool(self, service: str, seconds: float, streak: int) -> None:
        """The governor keeps it itself."""

    def portion(self, service: str, rule: str, limit: int, seconds: float, wanted: int) -> int:  # noqa: ARG002
        return wanted
