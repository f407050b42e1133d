"""Where log lines go: the console and a file, each from a level of its own, for as long as a command runs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from beast_dream_snow_loader.errors import ConfigurationError
from beast_dream_snow_loader.operations.log_file import PrivateFile
from beast_dream_snow_loader.operations.log_lines import formatter
from beast_dream_snow_loader.operations.private_paths import make_private

if TYPE_CHECKING:
    from beast_dream_snow_loader.operations.config import LoggingConfig

SILENT = logging.CRITICAL + 1
"""Above every level."""


class _Console(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's own name
        """A terminal that is gone costs the line; logging itself would print a traceback for each."""


@contextmanager
def logging_to(
    config: LoggingConfig,
    stream: TextIO | None = None,
    *,
    console: int | str | None = None,
    libraries: int = logging.WARNING,
) -> Iterator[None]:
    """Lines to ``stream`` (stderr) and, as JSON, to ``config.file``, for as long as the context lasts.

    ``console`` is the level of the stream, ``config.level`` if None. Libraries are heard from their own level on;
    warnings of Python join in.
    """
    root = logging.getLogger()
    before, handlers = root.level, list(_handlers(config, stream or sys.stderr, console))
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(libraries)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.setLevel(before)
        for handler in handlers:
            root.removeHandler(handler)
            with suppress(OSError):
                handler.close()


def _handlers(config: LoggingConfig, stream: TextIO, level: int | str | None) -> Iterator[logging.Handler]:
    console = _Console(stream)
    as_json = config.format == "json" or (config.format == "auto" and not stream.isatty())
    console.setFormatter(formatter(as_json=as_json, colours=stream.isatty()))
    console.setLevel(config.level if level is None else level)
    yield console
    if config.file:
        kept = _kept(config, config.file)
        kept.setLevel(config.level)
        yield kept


def _kept(config: LoggingConfig, file: Path) -> logging.Handler:
    try:
        make_private(file.parent)
        kept = PrivateFile(file, max_bytes=config.max_bytes, backups=config.backups)
    except OSError as error:
        raise ConfigurationError(
            f"The log file {file} cannot be written: {error.strerror}.",
            next_step="Name another with --log-file or logging.file.",
        ) from None
    kept.setFormatter(formatter(as_json=True, colours=False))
    return kept
