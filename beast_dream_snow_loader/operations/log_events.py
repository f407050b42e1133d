"""Every event the log knows, as data. A name that is not here is refused; docs/reference/events.md is made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEvent:
    """``values`` are the names a line of this event may carry beside those of every line; ``raised`` when it is logged
    above ``level``."""

    meaning: str
    level: Level
    values: tuple[str, ...] = ()
    raised: str = ""


ENVELOPE: Mapping[str, str] = {
    "event": "what happened: one of the names below",
    "level": "debug, info, warning, error, critical",
    "logger": "who says it: `snowload`, or a library",
    "timestamp": "RFC 3339, UTC",
    "correlation_id": "the run's id; also in `X-Correlation-ID` of every request and in the journal",
}
"""What every line may carry."""

# fmt: off
EVENTS: Mapping[str, LogEvent] = {
    "run.started": LogEvent(
        meaning="a command begins; `trace_id` is the trace of `traceparent` on its requests",
        level="INFO", values=("command", "run_id", "environment", "trace_id")),
    "run.finished": LogEvent(
        meaning="it ended", level="INFO", values=("command", "run_id", "status", "exit_code", "duration_ms", "code"),
        raised="warning when the exit code is not 0"),
    "operation.started": LogEvent(
        meaning="a step begins; `total` records are expected", level="INFO", values=("operation", "total", "records")),
    "operation.completed": LogEvent(
        meaning="it ended, well or not", level="INFO",
        values=("operation", "duration_ms", "success", "records", "code"), raised="error when `success` is false"),
    "error.captured": LogEvent(
        meaning="something failed; the stack trace is in the report", level="WARNING",
        values=("operation", "category", "severity", "code", "message", "next_step"),
        raised="info, warning, error or critical, by `severity`"),
    "incident.found": LogEvent(
        meaning="errors with one cause, told at the end of a run: how often, and what they hit", level="WARNING",
        values=("incident", "service", "code", "count", "records", "relations", "steps", "recovered"),
        raised="info when `recovered`"),
    "credential.accessed": LogEvent(
        meaning="a secret was read, or a login refused; never with what", level="INFO",
        values=("method", "success", "service", "setting", "code"), raised="warning when `success` is false"),
    "data.questioned": LogEvent(
        meaning="records do not fit a rule", level="WARNING",
        values=("issue_type", "affected_records", "key", "kind", "site", "rule", "field", "severity", "message")),
    "metric.recorded": LogEvent(
        meaning="a number worth keeping", level="INFO", values=("metric", "value", "unit", "step", "service", "name")),
    "request.finished": LogEvent(
        meaning="one HTTP exchange", level="DEBUG",
        values=("service", "operation", "method", "status", "milliseconds", "attempt", "error"),
        raised="warning without an answer, and for 401, 429 and 5xx"),
    "retry.planned": LogEvent(
        meaning="a request is sent again after so many `seconds`", level="INFO",
        values=("service", "operation", "attempt", "seconds", "error")),
    "retry.refused": LogEvent(
        meaning="it could be, but the retry budget of the service is spent", level="WARNING",
        values=("service", "operation", "attempt", "error")),
    "breaker.changed": LogEvent(
        meaning="a circuit breaker opened, is tried or closed; left alone for so many `seconds`", level="INFO",
        values=("name", "before", "after", "reason", "seconds", "by_hand"), raised="warning when it opened"),
    "audit.sealed": LogEvent(
        meaning="the audit trail of a run was signed: the head, to be compared by `snowload audit verify --head`",
        level="INFO", values=("run_id", "chain", "number", "digest")),
    "change.settled": LogEvent(
        meaning="what became of one change", level="DEBUG", values=("key", "change", "outcome", "code"),
        raised="warning when it was refused or its outcome is unknown"),
    "healing.settled": LogEvent(
        meaning="something was put right without a person, and looked at; `undone` says why it was taken back",
        level="INFO", values=("healing", "subject", "detected", "done", "verified", "undone"),
        raised="warning when `verified` is false"),
    "metrics.unwritten": LogEvent(
        meaning="the file of metrics could not be written; the command ended as it would have", level="WARNING",
        values=("code", "message")),
    "notice.sent": LogEvent(
        meaning="a message, or a ping, was handed over", level="INFO", values=("channel", "message"),
        raised="warning when there is something to mend: `message`"),
    "notice.failed": LogEvent(
        meaning="it was not; a message waits for the next run", level="WARNING", values=("channel", "code", "message")),
    "notice.dropped": LogEvent(
        meaning="so many messages were let go: too many waited, for too long, or nobody took them", level="WARNING",
        values=("count",)),
    "listener.failed": LogEvent(
        meaning="a part that only listens to a run broke; the run goes on", level="ERROR", values=("error",)),
    "library.spoke": LogEvent(
        meaning="a line of a library beneath, in its own words; `error` and `trace` of an exception without its text",
        level="DEBUG", values=("message", "error", "trace"), raised="as the library has it"),
}
# fmt: on

LOGGED = frozenset(ENVELOPE) | {name for event in EVENTS.values() for name in event.values}
"""Names whose values a line may show; a value under any other name is hidden."""
