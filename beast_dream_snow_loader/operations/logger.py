"""Structured logging: one chain of processors for our own lines and for those of the libraries beneath.

Events are named noun.verb; the whole list is :data:`EVENTS`. What a line may carry is an allow-list: a value under any
other name is hidden, and text from devices is shown escaped.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.errors import ConfigurationError
from beast_dream_snow_loader.operations.correlation import correlation_id
from beast_dream_snow_loader.redaction import allow

if TYPE_CHECKING:
    from beast_dream_snow_loader.operations.config import LoggingConfig
    from beast_dream_snow_loader.operations.error_handler import ErrorContext

EVENTS: Mapping[str, str] = {
    "operation.started": "a step or command begins",
    "operation.completed": "it ended, well or not",
    "error.captured": "something failed; category, severity and the message for people",
    "credential.accessed": "a login was tried, never with what",
    "data.questioned": "records do not fit a rule",
    "metric.recorded": "a number worth keeping",
    "request.finished": "one HTTP exchange",
    "change.settled": "what became of one change",
}

# fmt: off
LOGGED = frozenset(
    {
        "affected_records", "attempt", "category", "change", "code", "correlation_id", "count", "duration_ms",
        "environment", "error", "event", "field", "issue_type", "key", "kind", "level", "logger", "message",
        "method", "metric", "milliseconds", "name", "next_step", "operation", "outcome", "records", "rule",
        "run_id", "service", "severity", "site", "status", "step", "success", "timestamp", "total", "unit",
        "value"
    }
)
# fmt: on
"""Names whose values a log line may show."""

_TEXT_MAX = 2000


class StructuredLogger:
    """The front for our own code. Lines go wherever :func:`logging_to` has opened, else nowhere above ``level``."""

    def __init__(self, name: str, level: str = "INFO") -> None:
        import structlog

        logger = logging.getLogger(f"snowload.{name}")
        logger.setLevel(level)
        self._logger = structlog.wrap_logger(
            logger,
            processors=[
                structlog.stdlib.filter_by_level,
                *_shared(),
                structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
            ],
            wrapper_class=structlog.stdlib.BoundLogger,
        )

    def log_operation_start(self, operation: str, context: Mapping[str, Any]) -> None:
        self._logger.info("operation.started", **{**context, "operation": operation})

    def log_operation_complete(
        self, operation: str, duration_ms: float, success: bool, context: Mapping[str, Any]
    ) -> None:
        log = self._logger.info if success else self._logger.error
        log(
            "operation.completed", **{**context, "operation": operation, "duration_ms": duration_ms, "success": success}
        )

    def log_error(self, error_context: ErrorContext) -> None:
        """Without its stack trace, which is for the report."""
        self._logger.error(
            "error.captured",
            operation=error_context.operation,
            category=error_context.category.value,
            severity=error_context.severity.value,
            message=error_context.error_message,
        )

    def log_credential_access(self, method: str, success: bool, details: Mapping[str, Any] | None = None) -> None:
        log = self._logger.info if success else self._logger.warning
        log("credential.accessed", **{**(details or {}), "method": method, "success": success})

    def log_data_quality_issue(self, issue_type: str, affected_records: int, details: Mapping[str, Any]) -> None:
        values = {**details, "issue_type": issue_type, "affected_records": affected_records}
        self._logger.warning("data.questioned", **values)

    def log_performance_metric(self, metric_name: str, value: float, unit: str, context: Mapping[str, Any]) -> None:
        values = {**context, "metric": metric_name, "value": value, "unit": unit}
        self._logger.info("metric.recorded", **values)

    def log_event(self, event: str, **values: Any) -> None:
        """At debug level: what happens too often to be read by people."""
        self._logger.debug(event, **values)


@contextmanager
def logging_to(config: LoggingConfig, stream: TextIO | None = None) -> Iterator[None]:
    """Lines to ``stream`` (stderr) and, as JSON, to ``config.file``, for as long as the context lasts."""
    root = logging.getLogger()
    before, handlers = root.level, _handlers(config, stream or sys.stderr)
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(config.level)
    try:
        yield
    finally:
        root.setLevel(before)
        for handler in handlers:
            root.removeHandler(handler)
            with suppress(OSError):  # a full disk costs the last lines of the log, not the run
                handler.close()


class PrivateFile(RotatingFileHandler):
    """Readable by its owner only, after every rotation too. A disk that takes no more costs the lines, not the run."""

    _told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's own name
        """Once, in words: logging itself would print a traceback for every line."""
        error = sys.exc_info()[1]
        if not self._told and isinstance(error, OSError):
            self._told = True
            sys.stderr.write(f"snowload: The log file {self.baseFilename} cannot be written: {error.strerror}.\n")
        elif not isinstance(error, OSError):
            super().handleError(record)

    def _open(self) -> Any:
        path = Path(self.baseFilename)
        path.touch(mode=0o600)
        path.chmod(0o600)
        return super()._open()


def _handlers(config: LoggingConfig, stream: TextIO) -> list[logging.Handler]:
    console = logging.StreamHandler(stream)
    as_json = config.format == "json" or (config.format == "auto" and not stream.isatty())
    console.setFormatter(_formatter(as_json=as_json, colours=stream.isatty()))
    handlers: list[logging.Handler] = [console]
    if config.file:
        handlers.append(_kept(config, config.file))
    return handlers


def _kept(config: LoggingConfig, file: Path) -> logging.Handler:
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept = PrivateFile(file, maxBytes=config.max_bytes, backupCount=config.backups, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"The log file {file} cannot be written: {error.strerror}.",
            next_step="Name another with --log-file or logging.file.",
        ) from None
    kept.setFormatter(_formatter(as_json=True, colours=False))
    return kept


def _formatter(*, as_json: bool, colours: bool) -> logging.Formatter:
    import structlog

    render = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=colours)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared(),
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
    )


def _shared() -> list[Any]:
    import structlog

    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _correlated,
        _redacted,
    ]


def _correlated(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if current := correlation_id():
        event.setdefault("correlation_id", current)
    return event


def _redacted(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog's own entries begin with an underscore and never reach a sink."""
    for name, value in event.items():
        if not name.startswith("_"):
            event[name] = _escaped(allow({name: value}, LOGGED)[name])
    return event


def _escaped(value: Any) -> Any:
    return shown(value, limit=_TEXT_MAX) if isinstance(value, str) else value
