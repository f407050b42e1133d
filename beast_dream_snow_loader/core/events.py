"""What happens, as frozen values. Logs, metrics and progress are made from them; nothing is decided on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.receipts import Receipt
from beast_dream_snow_loader.errors import SnowloadError


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    step: str
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepAdvanced:
    step: str
    by: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished:
    """``error`` is the code of what broke it off."""

    step: str
    seconds: float
    records: int
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TroubleMet:
    """A step met an error: it broke off, or went on without what it had asked for."""

    step: str
    error: SnowloadError


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialAccessed:
    """``method`` is how the secret of ``setting`` is kept (``op``, ``env``), or the login that was tried."""

    setting: str
    method: str
    success: bool
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRaised:
    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSettled:
    receipt: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFinished:
    """One HTTP exchange. ``status`` is None when there was no answer; ``attempt`` counts from 1. ``origin`` is where it
    went, without path (``https://host:443``); ``span_id`` is in its ``traceparent``."""

    service: str
    operation: str
    method: str
    status: int | None
    milliseconds: float
    attempt: int = 1
    error: str = ""
    origin: str = ""
    span_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryDecided:
    """Attempt ``attempt`` failed with ``error``, a stable code. Another one follows in so many ``seconds``; None: it
    could, but the retry budget of the service is spent."""

    service: str
    operation: str
    attempt: int
    seconds: float | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerChanged:
    """``before`` and ``after``: closed, open, half_open. ``seconds`` is how long the dependency is left alone; None: it
    is not, or until a person says otherwise. ``standing``: nothing changed, it was so when this run came; ``before`` is
    then the same as ``after``."""

    name: str
    before: str
    after: str
    reason: str
    seconds: float | None = None
    by_hand: bool = False
    standing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HealingSettled:
    """Something was put right without a person: ``what`` by name, of ``subject``. ``verified``: it was looked at and is
    well; ``undone`` says why it was taken back."""

    what: str
    subject: str
    detected: str
    done: str
    verified: bool
    undone: str = ""


Event = (
    StepStarted
    | StepAdvanced
    | StepFinished
    | TroubleMet
    | CredentialAccessed
    | FindingRaised
    | ChangeSettled
    | RequestFinished
    | RetryDecided
    | BreakerChanged
    | HealingSettled
)
Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The listener for those who do not listen."""
