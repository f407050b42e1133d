"""Who hears of a run: the progress display, and the log with the run's id on every line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from beast_dream_snow_loader.app.config import Settings
from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.app.places import state_directory
from beast_dream_snow_loader.core.events import Event, FindingRaised, Listener
from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.operations.config import ConfigurationManager, LoggingConfig, RetryConfig
from beast_dream_snow_loader.operations.correlation import correlated
from beast_dream_snow_loader.operations.listeners import fan_out, to_log
from beast_dream_snow_loader.operations.logger import StructuredLogger, logging_to
from beast_dream_snow_loader.state.private_files import private_directory


class Heard:
    """Findings that were raised as events on the way, by transports and clients; each once."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def append_of(self, event: Event) -> None:
        if isinstance(event, FindingRaised) and event.finding not in self.findings:
            self.findings.append(event.finding)


@contextmanager
def listening(here: Ground, run_id: str, progress: Listener, findings: Heard, verbosity: int = 0) -> Iterator[Listener]:
    """JSON lines go to a rotated file (R1.2) in any case, to stderr from ``-v`` on."""
    config = log_config(here, verbosity)
    with ExitStack() as stack:
        stream = sys.stderr if verbosity else stack.enter_context(open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123
        stack.enter_context(correlated(run_id))
        stack.enter_context(logging_to(config, stream))
        yield fan_out(progress, to_log(StructuredLogger("snowload", config.level)), findings.append_of)


def log_config(here: Ground, verbosity: int = 0) -> LoggingConfig:
    """The usual level unless a setting or ``-vv`` says otherwise; a file in the state directory if none is named."""
    mine = here.settings.logging
    usual = ConfigurationManager.load_configuration(environment=here.environment).logging
    file = mine.file or private_directory(state_directory(here.settings) / "log") / "snowload.jsonl"
    level = "DEBUG" if verbosity > 1 else (mine.level or usual.level)
    return usual.model_copy(update={"level": level, "format": mine.format, "file": file})


def retry_config(settings: Settings) -> RetryConfig:
    """The environment's number of attempts unless a setting says otherwise."""
    mine = settings.retry
    usual = ConfigurationManager.load_configuration(environment=settings.environment.value).retry
    return usual.model_copy(
        update={
            "max_attempts": mine.max_attempts or usual.max_attempts,
            "base_delay_seconds": mine.base_delay_seconds,
            "max_delay_seconds": mine.max_delay_seconds,
        }
    )
