"""Who hears of a run: the progress display, and the log with the run's id on every line."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from beast_dream_snow_loader.app.config import Settings, metrics_on
from beast_dream_snow_loader.app.errors_told import tell_incidents
from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.app.options import Place
from beast_dream_snow_loader.app.places import log_file
from beast_dream_snow_loader.app.tracing import traced
from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.core.events import BreakerChanged, Event, FindingRaised, HealingSettled, Listener
from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.report import RunReport, status_of
from beast_dream_snow_loader.core.run import RunStatus
from beast_dream_snow_loader.errors import BadArgument, ConfigurationError, SnowloadError, Stopped
from beast_dream_snow_loader.operations.breaker_memory import CircuitState
from beast_dream_snow_loader.operations.config import ConfigurationManager, LoggingConfig, RetryConfig
from beast_dream_snow_loader.operations.correlation import correlated, trace_id
from beast_dream_snow_loader.operations.listeners import fan_out, to_log, to_metrics
from beast_dream_snow_loader.operations.log_events import Level
from beast_dream_snow_loader.operations.log_sinks import SILENT, logging_to
from beast_dream_snow_loader.operations.logger import StructuredLogger
from beast_dream_snow_loader.operations.metrics import MetricsCollector
from beast_dream_snow_loader.operations.troubles import Troubles
from beast_dream_snow_loader.state.private_files import private_directory


class Heard:
    """Findings that were raised as events on the way, by transports and clients, each once; what breakers did; what
    went wrong; and how the run ended."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.breakers: list[BreakerChanged] = []
        self.troubles = Troubles(SystemClock())
        self.metrics = MetricsCollector()
        self.report: RunReport | None = None

    def append_of(self, event: Event) -> None:
        if isinstance(event, FindingRaised) and event.finding not in self.findings:
            self.findings.append(event.finding)
        elif isinstance(event, BreakerChanged):
            self.breakers.append(event)

    def left_alone(self) -> frozenset[str]:
        """The breakers that are not closed after all, by name."""
        last = {event.name: event.after for event in self.breakers}
        return frozenset(name for name, state in last.items() if state != CircuitState.CLOSED.value)


@contextmanager
def listening(
    here: Ground, run_id: str, progress: Listener, heard: Heard, *, place: Place, command: str
) -> Iterator[Listener]:
    """JSON lines go to a rotated file (R1.2) in any case; to stderr with ``-v``, or when their form was asked for."""
    config, console = log_config(here, place.verbosity), console_level(here, place)
    _refuse_pipe(config.file, place)
    level = min(logging.getLevelNamesMapping()[config.level], console)
    with ExitStack() as stack:
        stack.enter_context(correlated(run_id))
        libraries = logging.DEBUG if place.verbosity > 1 else logging.WARNING
        stack.enter_context(logging_to(config, sys.stderr, console=console, libraries=libraries))
        logger = StructuredLogger("snowload", logging.getLevelName(level))
        heard.troubles = Troubles(here.clock, environment=here.environment, logger=logger)
        traces = stack.enter_context(traced(here, run_id, command, heard, fan_out(to_log(logger), heard.append_of)))
        stack.enter_context(_told(logger, here, run_id, heard, command))
        counted = [to_metrics(heard.metrics)] if metrics_on(here.settings) else []
        yield fan_out(progress, to_log(logger), heard.append_of, heard.troubles, *counted, *traces)


def healings_to_log(here: Ground) -> Listener:
    """For a look that is no run: what was put right, and what breakers did, into the log. It is opened for a line, as a
    look has none as a rule."""
    lock = threading.Lock()

    def listen(event: Event) -> None:
        if isinstance(event, HealingSettled | BreakerChanged):
            config = log_config(here)
            if config.file is not None and _no_regular(config.file):
                return  # a load refuses it; a look would wait for whoever reads it
            with lock, logging_to(config, sys.stderr, console=SILENT):
                to_log(StructuredLogger("snowload", config.level))(event)

    return fan_out(listen)


@contextmanager
def logging_after(here: Ground, place: Place, run_id: str) -> Iterator[None]:
    """For what is still to be said once the log of the run is closed."""
    config, console = log_config(here, place.verbosity), console_level(here, place)
    with correlated(run_id or here.environment), logging_to(config, sys.stderr, console=console):
        yield


def log_config(here: Ground, verbosity: int = 0) -> LoggingConfig:
    """The usual level unless a setting or ``-vv`` says otherwise; a file in the state directory if none is named."""
    mine = here.settings.logging
    usual = ConfigurationManager.load_configuration(environment=here.environment).logging
    level = "DEBUG" if verbosity > 1 else (mine.level or usual.level)
    kept = {"max_bytes": mine.max_bytes, "backups": mine.backups}
    return usual.model_copy(update={"level": level, "format": mine.format, "file": _log_file(here.settings), **kept})


def _log_file(settings: Settings) -> Path | None:
    if not settings.features.log_file:
        return None
    if settings.logging.file is None:
        private_directory(log_file(settings).parent)
    return log_file(settings)


def _refuse_pipe(file: Path | None, place: Place) -> None:
    """A pipe or a socket is no log file: the run would wait for whoever reads it, and cannot be rotated."""
    if file is None or not _no_regular(file):
        return
    what = f"{file} is a {'directory' if file.is_dir() else 'pipe or a socket'}, and a log is kept in a file."
    step = "Name a file; the log also goes to stderr with --log-format json: `snowload load --log-format json`."
    if place.log_file is not None:
        raise BadArgument(f"--log-file: {what}", next_step=step)
    raise ConfigurationError(f"logging.file: {what}", next_step=step)


def _no_regular(file: Path) -> bool:
    return file.is_fifo() or file.is_socket() or file.is_dir()


def console_level(here: Ground, place: Place) -> int:
    """``--quiet``: nothing but errors; ``-v`` INFO, ``-vv`` DEBUG; the file's level when a form was asked for."""
    if place.quiet:
        return logging.ERROR if place.log_format else SILENT
    if place.verbosity:
        return logging.DEBUG if place.verbosity > 1 else logging.INFO
    asked = place.log_format or here.settings.logging.format != "auto"
    return logging.getLevelNamesMapping()[log_config(here).level] if asked else SILENT


@contextmanager
def _told(logger: StructuredLogger, here: Ground, run_id: str, heard: Heard, command: str) -> Iterator[None]:
    """The first and the last line of a run."""
    begun, code, broken = here.clock.monotonic(), "", RunStatus.FAILED
    environment, trace = here.environment, trace_id(run_id)
    logger.log_event("run.started", command=command, run_id=run_id, environment=environment, trace_id=trace)
    try:
        yield
    except SnowloadError as error:
        code, broken = error.code, RunStatus.INTERRUPTED if isinstance(error, Stopped) else broken
        raise
    finally:
        spent = round((here.clock.monotonic() - begun) * 1000, 3)
        if heard.report is not None:
            tell_incidents(heard.report.incidents, logger)
            _measured(logger, heard)
        status, exit_code = status_of(heard.report) if heard.report is not None else (RunStatus.OK, 0)
        status = broken if code else status
        level: Level | None = "WARNING" if code or exit_code else None
        logger.log_event(
            "run.finished",
            level,
            command=command,
            run_id=run_id,
            status=status.value,
            exit_code=None if code else int(exit_code),
            code=code,
            duration_ms=spent,
        )


def _measured(logger: StructuredLogger, heard: Heard) -> None:
    """Requests by what became of them; bad answers and errors of the last hour by category; how long 95 of 100 requests
    of each operation took at most, and how many of 100 failed."""
    requests = heard.report.requests if heard.report is not None else {}
    counts = {f"requests.{name}": count for name, count in requests.items() if isinstance(count, int)}
    counts |= {f"errors.{name}": count for name, count in heard.troubles.handler.aggregate_errors().items()}
    for name, count in counts.items():
        logger.log_performance_metric(name, count, "1", {})
    for one in heard.metrics.operations():
        named = {"name": one.operation_name}
        logger.log_performance_metric("request.p95", one.p95_response_time_ms, "ms", named)
        logger.log_performance_metric("request.failed", one.error_rate_percent, "%", named)


def retry_config(settings: Settings) -> RetryConfig:
    """The environment's number of attempts unless a setting says otherwise."""
    mine = settings.retry
    usual = ConfigurationManager.load_configuration(environment=settings.environment.value).retry
    return usual.model_copy(
        update={
            "max_attempts": mine.max_attempts or usual.max_attempts,
            "base_delay_seconds": mine.base_delay_seconds,
            "max_delay_seconds": mine.max_delay_seconds,
            "exponential_base": mine.exponential_base,
            "jitter": mine.jitter,
        }
    )
