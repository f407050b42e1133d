"""The metrics of a command as a file for node_exporter's textfile collector, however the command ended (R4.5).

The file holds numbers and no secret, and another user reads it: its mode is 0644. Else it is handled as every file of
ours: written beside and renamed, and another user's link is refused.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from beast_dream_snow_loader import __version__
from beast_dream_snow_loader.app.closing import METRICS_FILE
from beast_dream_snow_loader.app.config import metrics_on, setting_as_written
from beast_dream_snow_loader.app.failing import result_of
from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.app.instance_url import instance_url
from beast_dream_snow_loader.app.listening import logging_after
from beast_dream_snow_loader.app.options import Place
from beast_dream_snow_loader.app.places import state_directory
from beast_dream_snow_loader.app.private_files import refuse_unwritable, write_file
from beast_dream_snow_loader.app.result import Result, document
from beast_dream_snow_loader.app.state_facts import common_labels, labels_of, state_facts
from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.core.exit_codes import way_on
from beast_dream_snow_loader.core.measures import Sample
from beast_dream_snow_loader.core.run_samples import run_samples
from beast_dream_snow_loader.core.state_samples import StateFacts, state_samples
from beast_dream_snow_loader.errors import (
    BadArgument,
    ConfigurationError,
    QueueFull,
    SnowloadError,
    StateError,
    StateLocked,
)
from beast_dream_snow_loader.operations.logger import StructuredLogger
from beast_dream_snow_loader.state.private_files import refuse_foreign_link
from beast_dream_snow_loader.state.store import Store

MODE = 0o644
_OF_COMMANDS = ("snowload_run_", "snowload_health_")
_WELL = (StateLocked, QueueFull)
"""These are no words about the database."""
_LOCK_SECONDS = 5.0
_LARGEST = 5_000_000
"""Bytes of an old file that are looked at: ours is some ten thousand."""


@dataclass(slots=True, kw_only=True)
class Exposure:
    """A command whose end is told in a file. ``recorded`` False: it only looks (a dry run), and is told nowhere."""

    command: str
    place: Place
    recorded: bool = True
    _ground: Ground | None = None
    _file: Path | None = None
    _facts: StateFacts = field(default_factory=lambda: _not_looked(SystemClock().now()))
    _kept: list[Sample] = field(default_factory=list)
    _common: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def at(self, here: Ground, store: Store | None = None, *, unreadable: bool = False) -> Iterator[None]:
        """Once the settings are known: BadArgument or ConfigurationError for a file that cannot be used. At the end the
        state is read for it; without ``store`` it is not looked at, or is known to be ``unreadable``."""
        self._ground = here
        self._facts = replace(self._facts, up=False) if unreadable else self._facts
        self._use(self._named(here), common_labels(here))
        try:
            yield
        finally:
            if store is not None and self._file is not None:
                self._facts = _facts(here, store)

    def told(self, result: Result) -> Result:
        """The result, its file written. What keeps it from that is told in the document, in the log and on
        stderr, and changes no exit code: what the command was run for is done."""
        try:
            if self._ground is None:
                self._salvage()
            if self._file is not None:
                with _alone(self._ground):
                    self._use(self._file, self._common)  # another command may have written it meanwhile
                    self._write(self._file, result)
        except SnowloadError as error:
            self._logged(result, error)
            return replace(result, body={**result.body, METRICS_FILE: _told_of(error)})
        return result

    def _logged(self, result: Result, error: SnowloadError) -> None:
        if self._ground is None:
            return
        with suppress(SnowloadError), logging_after(self._ground, self.place, result.run_id):
            StructuredLogger("snowload").log_event("metrics.unwritten", code=error.code, message=error.message)

    def _named(self, here: Ground) -> Path | None:
        mine, flag = here.settings.metrics, self.place.textfile
        if flag is not None and not self.recorded:
            raise BadArgument("A dry run leaves no metrics.", next_step="Leave out --textfile or --dry-run.")
        if flag is not None and not metrics_on(here.settings):
            raise BadArgument(
                "--textfile: metrics are switched off.", next_step="Set metrics.enabled to true, or leave it out."
            )
        return mine.textfile if self.recorded and metrics_on(here.settings) else None

    def _use(self, file: Path | None, common: Mapping[str, str]) -> None:
        """From now on ``file`` is written at the end."""
        if file is None:
            return
        refuse_foreign_link(file)
        try:
            refuse_unwritable(file)
            _refuse_no_file(file)
            self._kept = _kept(file, common)
        except BadArgument as refused:
            if self.place.textfile is not None:
                raise
            raise ConfigurationError(f"metrics.textfile: {refused.message}", next_step=refused.next_step) from None
        self._file, self._common = file, common

    def _salvage(self) -> None:
        """The settings are refused: what they name is taken as it stands there."""
        environment, config = self.place.environment, self.place.config_file
        written = partial(setting_as_written, environment=environment, config_file=config)
        file = self.place.textfile or written("metrics.textfile")
        if not isinstance(file, str | Path) or not file or not self.recorded:
            return
        target = "sandbox" if self.place.sandbox else written("servicenow.instance")
        with suppress(ConfigurationError):
            target = target if target == "sandbox" else instance_url(str(target or ""))
        known = _labels_in(Path(file))
        named = environment or known.get("environment", "")
        self._use(Path(file), known if named == known.get("environment") else labels_of(named, str(target or "")))

    def _write(self, file: Path, result: Result) -> None:
        from beast_dream_snow_loader.operations.exposition import exposition

        lost = isinstance(result.error, StateError) and not isinstance(result.error, _WELL)
        facts = replace(self._facts, up=False) if lost and self._facts.up is None else self._facts
        fresh = [*run_samples(document(result)), *state_samples(facts)]
        names = {one.name for one in fresh if not one.name.startswith(_OF_COMMANDS)}
        others = [one for one in self._kept if self._stays(one, names, read=bool(facts.up))]
        write_file(file, exposition([*fresh, *others], self._common), MODE)

    def _stays(self, one: Sample, fresh: set[str], *, read: bool) -> bool:
        """Of the old file: what other commands left, and of the state what could not be read now."""
        if one.name.startswith(_OF_COMMANDS):
            return one.labels["command"] != self.command
        return not read and one.name not in fresh


def with_textfile(exposure: Exposure, work: Callable[[], Result]) -> Result:
    """What ``work`` comes to; the file is written also when it ends by an exception or a second signal."""
    ended = False
    try:
        result = work()
        ended = True
    finally:
        if not ended:
            exposure.told(result_of(exposure.command, sys.exc_info()[1]))
    return exposure.told(result)


@contextmanager
def _alone(here: Ground | None) -> Iterator[None]:
    """Of two commands that end at once, one would take away what the other has just told. A file is of one target, so
    they share the state; where no lock can be had there, the file is written all the same."""
    with ExitStack() as held:
        folder = state_directory(here.settings) if here is not None else None
        if folder is not None and folder.is_dir():
            with suppress(OSError, Timeout):
                held.enter_context(FileLock(folder / "metrics.lock", mode=0o600, timeout=_LOCK_SECONDS))
        yield


def _told_of(error: SnowloadError) -> dict[str, str]:
    return {"code": error.code, "message": error.message, "next_step": way_on(error)}


def _refuse_no_file(file: Path) -> None:
    """A pipe would be waited for, and a device keeps nothing."""
    if file.exists() and not file.is_file():
        raise BadArgument(
            f"File {file} cannot be written: it is a pipe, a socket or a device, and metrics are kept in a file.",
            next_step="Name a file in a directory of yours.",
        )


def _facts(here: Ground, store: Store) -> StateFacts:
    try:
        return state_facts(here, store)
    except SnowloadError:
        return replace(_not_looked(here.clock.now()), up=False)


def _not_looked(at: datetime) -> StateFacts:
    return StateFacts(at=at, version=__version__, up=None)


def _kept(file: Path, common: Mapping[str, str]) -> list[Sample]:
    """What the file holds already. BadArgument when that is not the metrics of this target."""
    from beast_dream_snow_loader.operations.exposition import NotOurs, read_exposition

    text = _text(file)
    if not text:
        return []
    try:
        there, samples = read_exposition(text)
    except NotOurs:
        raise BadArgument(
            f"{file} is not a file of snowload's metrics, and is left as it is.", next_step="Name another file."
        ) from None
    if there != dict(common):
        mine, theirs = (f"{one['target'] or 'no target'} ({one['environment'] or '?'})" for one in (common, there))
        raise BadArgument(
            f"{file} holds the metrics of {theirs}, and this is {mine}.",
            next_step="Name a file for each target; remove that one if its target is gone.",
        )
    return samples


def _labels_in(file: Path) -> Mapping[str, str]:
    from beast_dream_snow_loader.operations.exposition import NotOurs, read_exposition

    with suppress(NotOurs):
        return read_exposition(_text(file))[0]
    return {}


def _text(file: Path) -> str:
    """Of a regular file; nothing of one that is missing, a pipe or a device."""
    try:
        if not file.is_file():
            return ""
        with file.open("rb") as opened:
            return opened.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        return ""
