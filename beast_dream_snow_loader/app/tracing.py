"""Traces of a run for a collector, if one is named; what becomes of them changes nothing about the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Protocol
from urllib.parse import urlsplit

from beast_dream_snow_loader.app.config import Settings
from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.core.events import Listener
from beast_dream_snow_loader.core.report import RunReport, status_of
from beast_dream_snow_loader.errors import ConfigurationError
from beast_dream_snow_loader.operations.correlation import trace_id
from beast_dream_snow_loader.transport.manners import refuse_unsafe

_PATH = "/v1/traces"
_NEEDED = ("opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


class _Ended(Protocol):
    @property
    def report(self) -> RunReport | None: ...


def collector(settings: Settings) -> str:
    """Where traces go; empty: nowhere. ConfigurationError for plain http to another machine, a login in the address,
    and when the extra is not installed."""
    endpoint = settings.telemetry.otlp_endpoint
    if not endpoint:
        return ""
    refuse_unsafe("The collector of telemetry.otlp_endpoint", endpoint)
    if "@" in urlsplit(endpoint).netloc:
        raise ConfigurationError(
            "telemetry.otlp_endpoint holds a login, which would stand in logs and in config show.",
            next_step="Put it into OTEL_EXPORTER_OTLP_HEADERS (authorization=…), then: snowload config check",
        )
    if not all(_there(name) for name in _NEEDED):
        raise ConfigurationError(
            "telemetry.otlp_endpoint (OTEL_EXPORTER_OTLP_ENDPOINT) is set, but the packages for traces are missing.",
            next_step="Run `pip install 'beast-dream-snow-loader[otel]'`, or set SNOWLOAD_TELEMETRY__OTLP_ENDPOINT "
            "to nothing; then: snowload config check",
        )
    return endpoint.rstrip("/") + _PATH


def _there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:
        return False


@contextmanager
def traced(here: Ground, run_id: str, command: str, heard: _Ended) -> Iterator[Sequence[Listener]]:
    """Who listens for the traces: nobody without a collector."""
    endpoint = collector(here.settings)
    if not endpoint:
        yield ()
        return
    from beast_dream_snow_loader.transport.tracing import Tracing

    tracing = Tracing(
        endpoint, clock=here.clock, trace=trace_id(run_id), run_id=run_id, command=command, environment=here.environment
    )
    code: int | None = None
    try:
        yield (tracing,)
        code = int(status_of(heard.report)[1]) if heard.report is not None else 0
    finally:
        tracing.close(code)
