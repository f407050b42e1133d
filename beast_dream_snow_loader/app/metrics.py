"""The use cases behind ``snowload metrics``: the present state as Prometheus reads it, printed or served (R4.5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Protocol

from beast_dream_snow_loader import __version__
from beast_dream_snow_loader.app.config import metrics_on
from beast_dream_snow_loader.app.failing import failed
from beast_dream_snow_loader.app.ground import Ground, ground
from beast_dream_snow_loader.app.opening import opened_within
from beast_dream_snow_loader.app.options import Place
from beast_dream_snow_loader.app.result import Result, done
from beast_dream_snow_loader.app.signals import stop_on_signals
from beast_dream_snow_loader.app.state_facts import common_labels, state_facts
from beast_dream_snow_loader.core.exit_codes import ExitCode
from beast_dream_snow_loader.core.measures import Sample
from beast_dream_snow_loader.core.run import RunStatus
from beast_dream_snow_loader.core.run_samples import run_samples
from beast_dream_snow_loader.core.state_samples import StateFacts, state_samples
from beast_dream_snow_loader.errors import ConfigurationError, SnowloadError, StateAbsent
from beast_dream_snow_loader.operations.exposition import exposition

COMMAND = "metrics"
_RECORDED = ("load", "replay-queue", "rollback")
_A_DAY = 86400.0
_PATIENCE_SECONDS = 5.0
"""For the state to open: whoever scrapes gives up after ten."""


def metrics(place: Place) -> Result:
    """``exposition`` of the body is the text. Never raises a SnowloadError: what stopped it is in the result."""
    try:
        with ground(place) as here:
            _refuse_off(here)
            text = exposition(_samples(here), common_labels(here)).decode("utf-8")
            return done(COMMAND, here, {"exposition": text})
    except SnowloadError as error:
        return failed(COMMAND, error, environment=place.environment or "")


class Server(Protocol):
    """Answers whoever asks while it is entered."""

    @property
    def url(self) -> str: ...

    @property
    def scrapes(self) -> Mapping[str, int]: ...

    def __enter__(self) -> Any: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def serving(
    place: Place,
    server: Callable[[Readings], Server],
    *,
    say: Callable[[str], None],
    complain: Callable[[SnowloadError], None],
) -> Result:
    """Until SIGINT (exit code 130) or SIGTERM (143). ``say`` is told the URL, ``complain`` what keeps the state from
    being read. Never raises a SnowloadError."""
    try:
        with ground(place) as here, stop_on_signals(here.clock) as stop:
            _refuse_off(here)
            served = server(Readings(here, complain))
            with served:
                say(f"serving {served.url}/metrics")
                while not stop():
                    here.clock.sleep(_A_DAY)
            result = done(COMMAND, here, {"scrapes": dict(served.scrapes)})
            code = stop.exit_code or ExitCode.OK
            return replace(result, status=RunStatus.INTERRUPTED.value, exit_code=code)
    except SnowloadError as error:
        return failed(COMMAND, error, environment=place.environment or "")


class Readings:
    """The state as it is at the moment of asking; it is made by others. One that is not there yet is no trouble, one
    that was there and is gone is. What keeps it from being read is told once, until that changes. To
    be asked by one thread at a time."""

    def __init__(self, here: Ground, complain: Callable[[SnowloadError], None]) -> None:
        self._here, self._complain = here, complain
        self._wrong, self._seen = "", False
        self.common = common_labels(here)

    def samples(self) -> tuple[list[Sample], bool]:
        """And whether the state could be read: else they say that it could not."""
        found: list[Sample] = []
        well = self._well(lambda: found.extend(_samples(self._here, make=False)))
        unread = StateFacts(at=self._here.clock.now(), version=__version__, up=None if well else False)
        return found or list(state_samples(unread)), well

    def opens(self) -> bool:
        return self._well(lambda: _opened(self._here))

    def _well(self, read: Callable[[], None]) -> bool:
        try:
            read()
            self._seen = True
        except SnowloadError as error:
            if self._seen or not isinstance(error, StateAbsent):
                return self._ill(error)
        self._wrong = ""
        return True

    def _ill(self, error: SnowloadError) -> bool:
        if error.message != self._wrong:
            self._complain(error)
        self._wrong = error.message
        return False


def _refuse_off(here: Ground) -> None:
    if not metrics_on(here.settings):
        raise ConfigurationError(
            "Metrics are switched off (metrics.enabled).",
            next_step="Set metrics.enabled to true, then run: snowload metrics",
        )


def _samples(here: Ground, *, make: bool = True) -> list[Sample]:
    """Of the state, and of the last run of each command that is recorded."""
    with opened_within(here, _PATIENCE_SECONDS, make=make) as store:
        runs = [store.memory.last_ended(here.target, command) for command in _RECORDED]
        facts = state_facts(here, store)
    documents = [run.report for run in runs if run is not None and "schema" in run.report]
    return [*state_samples(facts), *(one for document in documents for one in run_samples(document))]


def _opened(here: Ground) -> None:
    with opened_within(here, _PATIENCE_SECONDS, make=False):
        pass
