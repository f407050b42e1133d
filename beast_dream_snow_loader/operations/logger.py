"""The front of the log for our own code. ``log_sinks`` opens where lines go; every event is in ``log_events``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from beast_dream_snow_loader.operations.log_events import EVENTS, Level
from beast_dream_snow_loader.operations.log_lines import shared

if TYPE_CHECKING:
    from beast_dream_snow_loader.operations.error_handler import ErrorContext

_BY_SEVERITY: Mapping[str, Level] = {"low": "INFO", "medium": "WARNING", "high": "ERROR", "critical": "CRITICAL"}


class StructuredLogger:
    """Lines go wherever ``logging_to`` has opened, else nowhere; what is below ``level`` is not even made."""

    def __init__(self, name: str, level: str = "INFO") -> None:
        import structlog

        self._stdlib = logging.getLogger(name if name == "snowload" else f"snowload.{name}")
        self._stdlib.setLevel(level)
        self._logger = structlog.wrap_logger(
            self._stdlib,
            processors=[*shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
            wrapper_class=structlog.stdlib.BoundLogger,
        )

    def log_operation_start(self, operation: str, context: Mapping[str, Any]) -> None:
        self._say("operation.started", {**context, "operation": operation})

    def log_operation_complete(
        self, operation: str, duration_ms: float, success: bool, context: Mapping[str, Any]
    ) -> None:
        values = {**context, "operation": operation, "duration_ms": duration_ms, "success": success}
        self._say("operation.completed", values, None if success else "ERROR")

    def log_error(self, error_context: ErrorContext) -> None:
        """Without its stack trace, which is for the report."""
        values = {
            "operation": error_context.operation,
            "category": error_context.category.value,
            "severity": error_context.severity.value,
            "message": error_context.error_message,
        }
        self._say("error.captured", values, _BY_SEVERITY[error_context.severity.value])

    def log_credential_access(self, method: str, success: bool, details: Mapping[str, Any] | None = None) -> None:
        values = {**(details or {}), "method": method, "success": success}
        self._say("credential.accessed", values, None if success else "WARNING")

    def log_data_quality_issue(self, issue_type: str, affected_records: int, details: Mapping[str, Any]) -> None:
        self._say("data.questioned", {**details, "issue_type": issue_type, "affected_records": affected_records})

    def log_performance_metric(self, metric_name: str, value: float, unit: str, context: Mapping[str, Any]) -> None:
        self._say("metric.recorded", {**context, "metric": metric_name, "value": value, "unit": unit})

    def log_event(self, event: str, level: Level | None = None, **values: Any) -> None:
        """Any event of the list; KeyError for one that is not. ``level`` in place of the event's usual one."""
        self._say(event, values, level)

    def _say(self, event: str, values: Mapping[str, Any], level: Level | None = None) -> None:
        number = logging.getLevelNamesMapping()[level or EVENTS[event].level]
        if self._stdlib.isEnabledFor(number):
            self._logger.log(number, event, **values)
