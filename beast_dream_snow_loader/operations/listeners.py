"""From events to logs and metrics. Listeners are told; they cannot stop what they are told about."""

from __future__ import annotations

from beast_dream_snow_loader.core.events import (
    BreakerChanged,
    ChangeSettled,
    CredentialAccessed,
    Event,
    FindingRaised,
    HealingSettled,
    Listener,
    RequestFinished,
    RetryDecided,
    StepFinished,
    StepStarted,
)
from beast_dream_snow_loader.core.receipts import Outcome
from beast_dream_snow_loader.operations.log_events import Level
from beast_dream_snow_loader.operations.logger import StructuredLogger
from beast_dream_snow_loader.operations.metrics import MetricsCollector

_BAD = frozenset({Outcome.REFUSED, Outcome.UNKNOWN})


def fan_out(*listeners: Listener) -> Listener:
    """One listener that tells them all. One that fails is logged, and the run goes on."""

    def tell(event: Event) -> None:
        for listener in listeners:
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001 - one of the two places: a listener must not end the run
                StructuredLogger("listeners").log_event("listener.failed", error=type(error).__name__)

    return tell


def to_log(logger: StructuredLogger) -> Listener:
    """Steps, findings, secrets read and what went wrong as lines for people; requests and changes at debug level."""

    def listen(event: Event) -> None:
        if isinstance(event, RequestFinished):
            _log_request(logger, event)
        elif isinstance(event, RetryDecided):
            _log_retry(logger, event)
        elif isinstance(event, BreakerChanged | HealingSettled):
            _log_state(logger, event)
        elif isinstance(event, ChangeSettled):
            _log_change(logger, event)
        elif isinstance(event, StepStarted):
            logger.log_operation_start(event.step, {"total": event.total})
        elif isinstance(event, StepFinished):
            _log_step(logger, event)
        elif isinstance(event, FindingRaised):
            _log_finding(logger, event)
        elif isinstance(event, CredentialAccessed):
            details = {"setting": event.setting} | ({"code": event.code} if event.code else {})
            logger.log_credential_access(event.method, event.success, details)

    return listen


def to_metrics(collector: MetricsCollector) -> Listener:
    """Requests by operation, with or without an answer."""

    def listen(event: Event) -> None:
        if not isinstance(event, RequestFinished):
            return
        if event.status is None:
            collector.record_error(event.method, event.operation, event.error, again=event.attempt > 1)
        else:
            milliseconds, again = event.milliseconds, event.attempt > 1
            collector.record_request(event.method, event.operation, event.status, milliseconds, again=again)

    return listen


def _log_step(logger: StructuredLogger, event: StepFinished) -> None:
    context = {"records": event.records} | ({"code": event.error} if event.error else {})
    logger.log_operation_complete(event.step, round(event.seconds * 1000, 3), not event.error, context)


def _log_finding(logger: StructuredLogger, event: FindingRaised) -> None:
    found = event.finding
    details = {"key": found.record, "severity": found.severity.value, "field": found.field, "message": found.message}
    logger.log_data_quality_issue(found.rule, 1, details)


def _log_change(logger: StructuredLogger, event: ChangeSettled) -> None:
    receipt = event.receipt
    level: Level | None = "WARNING" if receipt.outcome in _BAD else None
    logger.log_event("change.settled", level, key=receipt.subject, outcome=receipt.outcome.value, code=receipt.code)


def _log_breaker(logger: StructuredLogger, event: BreakerChanged) -> None:
    logger.log_event(
        "breaker.changed",
        "WARNING" if event.after == "open" else None,
        name=event.name,
        before=event.before,
        after=event.after,
        reason=event.reason,
        seconds=event.seconds,
        by_hand=event.by_hand,
    )


def _log_request(logger: StructuredLogger, event: RequestFinished) -> None:
    logger.log_event(
        "request.finished",
        "WARNING" if failing(event) else None,
        service=event.service,
        operation=event.operation,
        method=event.method,
        status=event.status,
        milliseconds=event.milliseconds,
        attempt=event.attempt,
        error=event.error,
    )


def _log_retry(logger: StructuredLogger, event: RetryDecided) -> None:
    service, operation, attempt, error = event.service, event.operation, event.attempt, event.error
    if event.seconds is None:
        logger.log_event("retry.refused", service=service, operation=operation, attempt=attempt, error=error)
        return
    seconds = round(event.seconds, 3)
    logger.log_event(
        "retry.planned", service=service, operation=operation, attempt=attempt, seconds=seconds, error=error
    )


def _log_state(logger: StructuredLogger, event: BreakerChanged | HealingSettled) -> None:
    if isinstance(event, BreakerChanged):
        _log_breaker(logger, event)
    else:
        _log_healing(logger, event)


def _log_healing(logger: StructuredLogger, event: HealingSettled) -> None:
    logger.log_event(
        "healing.settled",
        None if event.verified else "WARNING",
        healing=event.what,
        subject=event.subject,
        detected=event.detected,
        done=event.done,
        verified=event.verified,
        undone=event.undone,
    )


def failing(event: RequestFinished) -> bool:
    """Whether the exchange itself went wrong; that a record or a right is missing is an answer like any other."""
    return event.status is None or event.status >= 500 or event.status in (401, 429)
