"""The exit codes: one enum from which code, documentation and help are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum

from beast_dream_snow_loader.core.next_steps import with_command
from beast_dream_snow_loader.errors import (
    AuditDamaged,
    BadArgument,
    CmdbAsleep,
    CmdbError,
    ConfigurationError,
    MappingError,
    NotAuthenticated,
    NotAuthorised,
    PlanDamaged,
    QueueFull,
    Refused,
    SnowloadError,
    SourceDataInvalid,
    SourceError,
    StateDamaged,
    StateError,
    StateFull,
    StateLocked,
    StateTooNew,
    StateUnavailable,
    TransportError,
)


class ExitCode(IntEnum):
    """All commands but ``health``. The text after each is what ``docs/reference/exit-codes.md`` says."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> ExitCode:
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    OK = 0, "done, also when nothing had to change"
    ERROR = 1, "unexpected: our bug"
    USAGE = 2, "bad arguments"
    PARTIAL = 3, "finished; some records refused, failed, held or dead-lettered, the rest done"
    REFUSED = 4, "a guard said no: empty or incomplete source, too many retirements, stale plan"
    UNAVAILABLE = (
        5,
        "source away with no usable snapshot, target away before anything could be queued, queue or disk full, "
        "the disk or server of the state fails",
    )
    CONFIG = 6, "configuration or secret reference invalid, environment not named"
    AUTH = 7, "rejected by UniFi or ServiceNow: not authenticated or not authorised"
    QUEUED = 8, "target away or read-only mode: writes are safely queued"
    LOCKED = 9, "another run on the same target holds the lock; `load --lock-timeout 5m` waits for it"
    CHANGES = 10, "only with --detailed-exitcode: the plan is not empty"
    INTEGRITY = 12, "audit chain, database or plan hash does not verify"
    INTERRUPTED = 130, "interrupted by SIGINT: state saved, resumable"
    TERMINATED = 143, "ended by SIGTERM: state saved, resumable"


class HealthCode(IntEnum):
    """``snowload health`` follows the monitoring-plugin convention."""

    HEALTHY = 0
    DEGRADED = 1
    UNHEALTHY = 2
    UNKNOWN = 3


HEALTH = "health"
"""The command with codes of its own."""

SEVEREST_FIRST = (
    ExitCode.INTEGRITY,
    ExitCode.ERROR,
    ExitCode.USAGE,
    ExitCode.CONFIG,
    ExitCode.AUTH,
    ExitCode.REFUSED,
    ExitCode.UNAVAILABLE,
    ExitCode.LOCKED,
    ExitCode.PARTIAL,
    ExitCode.QUEUED,
    ExitCode.CHANGES,
    ExitCode.OK,
)
"""When several apply, the first of these is the process's."""


def severest(codes: Iterable[ExitCode]) -> ExitCode:
    """The code to end with; OK when there is none."""
    return min(codes, key=SEVEREST_FIRST.index, default=ExitCode.OK)


_OF_ERROR: tuple[tuple[tuple[type[SnowloadError], ...], ExitCode], ...] = (
    ((BadArgument,), ExitCode.USAGE),
    ((ConfigurationError,), ExitCode.CONFIG),
    ((NotAuthenticated, NotAuthorised), ExitCode.AUTH),
    ((Refused,), ExitCode.REFUSED),
    ((StateLocked,), ExitCode.LOCKED),
    ((AuditDamaged, StateDamaged, StateTooNew, PlanDamaged), ExitCode.INTEGRITY),
    ((QueueFull, StateFull, StateUnavailable), ExitCode.UNAVAILABLE),
    ((StateError,), ExitCode.CONFIG),
    ((SourceDataInvalid, MappingError, CmdbError), ExitCode.PARTIAL),
    ((SourceError, TransportError, CmdbAsleep), ExitCode.UNAVAILABLE),
)


_LOOK_WITH: Mapping[ExitCode, str] = {
    ExitCode.ERROR: "snowload doctor",
    ExitCode.USAGE: "snowload --help",
    ExitCode.PARTIAL: "snowload report",
    ExitCode.REFUSED: "snowload plan",
    ExitCode.UNAVAILABLE: "snowload health",
    ExitCode.CONFIG: "snowload config check",
    ExitCode.AUTH: "snowload doctor",
    ExitCode.LOCKED: "snowload runs list",
    ExitCode.INTEGRITY: "snowload health --check database.pages",
}


def way_on(error: SnowloadError) -> str:
    """Its next step, with a command in it: where the error names none, the one to look further with."""
    return with_command(error.next_step, _LOOK_WITH.get(exit_code_of(error), "snowload health"))


def exit_code_of(error: BaseException) -> ExitCode:
    """How a command ends that this error stopped."""
    return next((code for kinds, code in _OF_ERROR if isinstance(error, kinds)), ExitCode.ERROR)


def code_of_failure(command: str, error: BaseException | None = None) -> ExitCode | HealthCode:
    """How ``command`` ends that ``error``, or a defect of ours, kept from its work. For ``health`` that is *unknown*,
    and says nothing of what it looks at."""
    if command == HEALTH:
        return HealthCode.UNKNOWN
    return exit_code_of(error) if error is not None else ExitCode.ERROR
