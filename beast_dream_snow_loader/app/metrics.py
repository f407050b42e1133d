"""The use cases behind ``snowload metrics``: the present state as Prometheus reads it, printed or served (R4.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from beast_dream_snow_loader import __version__
from beast_dream_snow_loader.app.failing import failed
from beast_dream_snow_loader.app.ground import Ground, ground
from beast_dream_snow_loader.app.listening import metrics_on
from beast_dream_snow_loader.app.metrics_server import Address, MetricsServer
from beast_dream_snow_loader.app.options import Place
from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.app.signals import stop_on_signals
from beast_dream_snow_loader.app.state_facts import common_labels, state_facts
from beast_dream_snow_loader.app.wiring import opened
from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.exit_codes import ExitCode
from beast_dream_snow_loader.core.measures import Sample
from beast_dream_snow_loader.core.run import RunStatus
from beast_dream_snow_loader.core.run_samples import run_samples
from beast_dream_snow_loader.core.state_samples import StateFacts, state_samples
from beast_dream_snow_loader.errors import ConfigurationError, SnowloadError
from beast_dream_snow_loader.operations.exposition import exposition

COMMAND = "metrics"
_RECORDED = ("load", "replay-queue", "rollback")
_A_DAY = 86400.0


def metrics(place: Place) -> Result:
    """``exposition`` of the body is the text. Never raises a SnowloadError: what stopped it is in the result."""
    try:
        with ground(place) as here:
            _refuse_off(here)
            text = exposition(_samples(here), common_labels(here)).decode("utf-8")
            return _result(here, {"exposition": text})
    except SnowloadError as error:
        return failed(COMMAND, error, environment=place.environment or "")


def serve_metrics(place: Place, listen: str, say: Callable[[str], None], *, allow_remote: bool = False) -> Result:
    """Serve ``/metrics`` and ``/healthz`` until SIGINT (exit code 130) or SIGTERM (143). ``say`` is told the URL.

    In the result BadArgument for an address that is none, is taken, or is not loopback without ``allow_remote``.
    """
    try:
        address = Address.parse(listen, allow_remote=allow_remote)
        with ground(place) as here, stop_on_signals(here.clock) as stop:
            _refuse_off(here)
            server = MetricsServer(address, lambda: _read(here), common_labels(here))
            with server:
                say(f"serving {server.url}/metrics")
                while not stop():
                    here.clock.sleep(_A_DAY)
            result = _result(here, {"scrapes": dict(server.scrapes)})
            code = stop.exit_code or ExitCode.OK
            return replace(result, status=RunStatus.INTERRUPTED.value, exit_code=code)
    except SnowloadError as error:
        return failed(COMMAND, error, environment=place.environment or "")


def _refuse_off(here: Ground) -> None:
    if not metrics_on(here.settings):
        raise ConfigurationError(
            "Metrics are switched off (metrics.enabled).",
            next_step="Set metrics.enabled to true, then run: snowload metrics",
        )


def _samples(here: Ground) -> list[Sample]:
    """Of the state, and of the last run of each command that is recorded."""
    with opened(here) as store:
        runs = [store.memory.last_ended(here.target, command) for command in _RECORDED]
        facts = state_facts(here, store)
    documents = [run.report for run in runs if run is not None and "schema" in run.report]
    return [*state_samples(facts), *(one for document in documents for one in run_samples(document))]


def _read(here: Ground) -> tuple[list[Sample], bool]:
    """The samples, and whether the state could be read."""
    try:
        return _samples(here), True
    except SnowloadError:
        return list(_unread(here)), False


def _unread(here: Ground) -> Iterator[Sample]:
    return state_samples(StateFacts(at=here.clock.now(), version=__version__, up=False))


def _result(here: Ground, body: Mapping[str, Any]) -> Result:
    return Result(
        command=COMMAND,
        status=RunStatus.OK.value,
        environment=here.environment,
        generated_at=rfc3339(here.clock.now()),
        body=body,
    )
