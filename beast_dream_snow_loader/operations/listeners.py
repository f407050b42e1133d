"""From events to logs and metrics. Listeners are told; they cannot stop what they are told about."""

from __future__ import annotations

import logging

from beast_dream_snow_loader.core.events import (
    ChangeSettled,
    Event,
    FindingRaised,
    Listener,
    RequestFinished,
    RetryDecided,
    StepFinished,
    StepStarted,
)
from beast_dream_snow_loader.operations.logger import StructuredLogger
from beast_dream_snow_loader.operations.metrics import MetricsCollector

_log = logging.getLogger("snowload.listeners")


def fan_out(*listeners: Listener) -> Listener:
    """One listener that tells them all. One that fails is logged, and the run goes on."""

    def tell(event: Event) -> None:
        for listener in listeners:
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001 - one of the two places: a listener must not end the run
                _log.error("listener failed: %s", type(error).__name__)

    return tell


def to_log(logger: StructuredLogger) -> Listener:
    """Steps and findings as lines for people, requests and changes at debug level."""

    def listen(event: Event) -> None:
        if isinstance(event, StepStarted):
            logger.log_operation_start(event.step, {"total": event.total})
        elif isinstance(event, StepFinished):
            logger.log_operation_complete(event.step, event.seconds * 1000, True, {"records": event.records})
        elif isinstance(event, FindingRaised):
            _log_finding(logger, event)
        elif isinstance(event, RequestFinished):
            _log_request(logger, event)
        elif isinstance(event, RetryDecided):
            _log_retry(logger, event)
        elif isinstance(event, ChangeSettled):
            receipt = event.receipt
            logger.log_event("change.settled", key=receipt.subject, outcome=receipt.outcome.value, code=receipt.code)

    return listen


def to_metrics(collector: MetricsCollector) -> Listener:
    """Requests by operation, with or without an answer."""

    def listen(event: Event) -> None:
        if not isinstance(event, RequestFinished):
            return
        if event.status is None:
            collector.record_error(event.method, event.operation, event.error)
        else:
            collector.record_request(event.method, event.operation, event.status, event.milliseconds)

    return listen


def _log_finding(logger: StructuredLogger, event: FindingRaised) -> None:
    found = event.finding
    details = {"key": found.record, "severity": found.severity.value, "field": found.field, "message": found.message}
    logger.log_data_quality_issue(found.rule, 1, details)


def _log_request(logger: StructuredLogger, event: RequestFinished) -> None:
    logger.log_event(
        "request.finished",
        service=event.service,
        operation=event.operation,
        method=event.method,
        status=event.status,
        milliseconds=event.milliseconds,
        attempt=event.attempt,
        error=event.error,
    )


def _log_retry(logger: StructuredLogger, event: RetryDecided) -> None:
    logger.log_event(
        "request.retry" if event.seconds is not None else "request.retry_refused",
        service=event.service,
        operation=event.operation,
        attempt=event.attempt,
        seconds=event.seconds,
        error=event.error,
    )
