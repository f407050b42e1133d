"""Every exception snowload raises, as one tree.

    SnowloadError
    ├─ ConfigurationError         mend the setup
    │  ├─ UnknownDataSource       register the discovery source, or set back the one that was used
    │  └─ OtherInstance           set the instance back, name another state, or adopt
    ├─ BadArgument                mend the command line
    ├─ SourceError
    │  ├─ SourceUnavailable       later, or a stale snapshot
    │  └─ SourceDataInvalid       skip this record, report it
    ├─ MappingError               skip this record, report it
    ├─ TransportError
    │  ├─ NotSent                 nothing left this machine: safe to send again
    │  ├─ Throttled               the server asks to wait
    │  ├─ ServerFault             5xx: later
    │  ├─ OutcomeUnknown          sent, no answer: look before repeating
    │  ├─ Rejected                the server said no to this request
    │  ├─ NotAuthenticated        who are you
    │  ├─ NotAuthorised           you may not
    │  ├─ CircuitBreakerOpen      not even tried: queue
    │  ├─ BulkheadFull            no place became free in time: queue
    │  ├─ RequestLimitReached     --max-requests: queue
    │  └─ ReadOnlyMode            the operator holds writes back: queue
    ├─ CmdbAsleep                 the instance hibernates: queue, tell a person
    ├─ CmdbError
    │  ├─ SeveralRecords          a person decides
    │  ├─ WriteNotKept            fields dropped: name them
    │  └─ ClassMissing            fall back
    ├─ StateError
    │  ├─ StateLocked             another run holds the target
    │  ├─ StateFull               the disk is full: free space
    │  ├─ StateAbsent             there is none, and whoever only looks makes none
    │  ├─ QueueFull               more would wait than may: drain, or allow more
    │  ├─ AuditDamaged            the audit trail cannot be gone on with: look into it first
    │  ├─ StateTooNew             this program is older than the database
    │  └─ StateDamaged            the database does not read
    ├─ Stopped                    a signal asked the run to end: finish it later
    ├─ PlanDamaged                a saved plan does not verify or does not read here: make a new one
    ├─ Refused
    │  ├─ EmptySource             the source shows nothing: refuse to act on it
    │  ├─ StalePlan               a saved plan no longer fits: make a new one
    │  └─ TooManyRetirements      more would go than the guard allows
    └─ OperationalError           any of the above with its context (operations/error_handler.py)

A class exists only if somebody acts differently on it. ``code`` is stable and documented; message text is for people
and is never decided upon.
"""

from __future__ import annotations

from typing import ClassVar


class SnowloadError(Exception):
    """Root of the tree. ``message`` says what happened and to what; ``next_step`` what to do now."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}".rstrip()


class ConfigurationError(SnowloadError):
    """The setup is incomplete or wrong. ``problems`` lists every one found, each a full sentence."""

    code = "config.invalid"

    def __init__(self, message: str, *, next_step: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(message, next_step=next_step)
        self.problems = problems


class UnknownDataSource(ConfigurationError):
    """The discovery source is not registered in the instance, or not the one under which our native keys are there."""

    code = "config.data_source"


class OtherInstance(ConfigurationError):
    """The state belongs to another instance than the settings name."""

    code = "config.other_instance"


class BadArgument(SnowloadError):
    """An argument of the command names nothing, or has not the expected form."""

    code = "usage.bad_argument"


class SourceError(SnowloadError):
    code = "source.error"


class SourceUnavailable(SourceError):
    """``unaccepted``: a login that one of the sources did not take, whatever kept the others from answering."""

    code = "source.unavailable"

    def __init__(self, message: str, *, next_step: str = "", unaccepted: NotAuthenticated | None = None) -> None:
        super().__init__(message, next_step=next_step)
        self.unaccepted = unaccepted


class SourceDataInvalid(SourceError):
    """A payload or record does not parse. ``path`` names the place: ``devices[14].uplink.mac``."""

    code = "source.invalid"

    def __init__(self, message: str, *, next_step: str = "", path: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.path = path


class MappingError(SnowloadError):
    code = "mapping.error"


class TransportError(SnowloadError):
    code = "transport.error"


class NotSent(TransportError):
    """No byte of the request reached the server (DNS, connect, TLS): nothing happened there."""

    code = "transport.not_sent"


class Throttled(TransportError):
    """429. ``retry_after`` is in seconds, None when the server sent no header."""

    code = "transport.throttled"

    def __init__(self, message: str, *, next_step: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, next_step=next_step)
        self.retry_after = retry_after


class ServerFault(TransportError):
    """A 5xx answer. For a write the outcome is unknown unless the caller knows better.

    ``retry_after`` is in seconds, None when the server did not say.
    """

    code = "transport.server_fault"

    def __init__(
        self, message: str, *, next_step: str = "", status: int = 500, retry_after: float | None = None
    ) -> None:
        super().__init__(message, next_step=next_step)
        self.status = status
        self.retry_after = retry_after


class OutcomeUnknown(TransportError):
    """Sent, and no whole answer. ``repeat_helps`` False: another try would end the same way (an answer too large)."""

    code = "transport.outcome_unknown"

    def __init__(self, message: str, *, next_step: str = "", repeat_helps: bool = True) -> None:
        super().__init__(message, next_step=next_step)
        self.repeat_helps = repeat_helps


class Rejected(TransportError):
    """The server refused this request: ``status`` and its own words in ``detail``."""

    code = "transport.rejected"

    def __init__(self, message: str, *, next_step: str = "", status: int = 400, detail: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.status = status
        self.detail = detail


class NotAuthenticated(TransportError):
    code = "auth.not_authenticated"


class NotAuthorised(TransportError):
    """The account is known but may not do this. ``detail`` is the server's reason."""

    code = "auth.not_authorised"

    def __init__(self, message: str, *, next_step: str = "", detail: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.detail = detail


class CircuitBreakerOpen(TransportError):
    """The breaker refused the call. ``retry_in`` is in seconds."""

    code = "transport.breaker_open"

    def __init__(self, message: str, *, next_step: str = "", retry_in: float = 0.0) -> None:
        super().__init__(message, next_step=next_step)
        self.retry_in = retry_in


class BulkheadFull(TransportError):
    """Too many requests of our own to this service wait already, or for too long; nothing was sent."""

    code = "transport.bulkhead_full"


class RequestLimitReached(TransportError):
    """As many requests were sent as ``--max-requests`` allows; nothing more was."""

    code = "transport.request_limit"


class ReadOnlyMode(TransportError):
    """The setting ``servicenow.mode`` holds writes back; nothing was sent."""

    code = "servicenow.read_only"

    def __init__(self, message: str, again: str = "snowload replay-queue") -> None:
        """``again``: the command to give then."""
        super().__init__(message, next_step=f'Set servicenow.mode to "normal", then run: {again}')


class CmdbAsleep(SnowloadError):
    code = "cmdb.asleep"


class CmdbError(SnowloadError):
    code = "cmdb.error"


class SeveralRecords(CmdbError):
    code = "cmdb.several_records"


class WriteNotKept(CmdbError):
    code = "cmdb.write_not_kept"


class ClassMissing(CmdbError):
    code = "cmdb.class_missing"


class StateError(SnowloadError):
    code = "state.error"


class StateLocked(StateError):
    code = "state.locked"


class StateFull(StateError):
    """The disk has no room for the state. What is there stays; what was not saved was not done."""

    code = "state.full"


class StateUnavailable(StateError):
    """The disk or the server that holds the state fails. No setting is wrong; what was not saved was not done."""

    code = "state.unavailable"


class StateAbsent(StateError):
    """There is no state where it is looked for, and it is not to be made."""

    code = "state.absent"


class QueueFull(StateError):
    """A write could not be queued for want of room. What is queued stays."""

    code = "queue.full"


class AuditDamaged(StateError):
    """The audit trail is not what was written, or its key is not here. No change is made without an entry in it."""

    code = "audit.damaged"


class StateTooNew(StateError):
    code = "state.too_new"


class StateDamaged(StateError):
    code = "state.damaged"


class PlanDamaged(SnowloadError):
    """The digest of a saved plan does not verify, or this program cannot read its form."""

    code = "plan.damaged"


class Stopped(SnowloadError):
    """A signal asked the run to end, and the next step of it was not begun."""

    code = "run.stopped"


class Refused(SnowloadError):
    code = "refused"


class EmptySource(Refused):
    code = "refused.empty_source"


class StalePlan(Refused):
    """A saved plan, or a part of it, is for another place or no longer fits what is there."""

    code = "plan.stale"


class TooManyRetirements(Refused):
    code = "refused.too_many_retirements"


NOTHING_SENT = (
    NotSent,
    Throttled,
    CircuitBreakerOpen,
    BulkheadFull,
    RequestLimitReached,
    ReadOnlyMode,
    CmdbAsleep,
)
"""The far side has done nothing about the request; later it may."""
