"""Traces of a run for a collector, if one is named; what becomes of them changes nothing about the run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Protocol
from urllib.parse import unquote, urlsplit

from beast_dream_snow_loader import __version__
from beast_dream_snow_loader.app.config import Settings
from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.core.events import Listener
from beast_dream_snow_loader.core.report import RunReport, status_of
from beast_dream_snow_loader.errors import ConfigurationError
from beast_dream_snow_loader.operations.correlation import trace_id
from beast_dream_snow_loader.operations.credentials import kept_by
from beast_dream_snow_loader.redaction import Secret
from beast_dream_snow_loader.transport.manners import refuse_unsafe

_PATH = "/v1/traces"
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_NEEDED = ("opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


class _Ended(Protocol):
    @property
    def report(self) -> RunReport | None: ...


def collector(settings: Settings) -> str:
    """Where traces go; empty: nowhere. ConfigurationError for plain http to another machine, a login in the address,
    headers that are none, and when the extra is not installed. References are not read here."""
    endpoint = settings.telemetry.otlp_endpoint
    if not endpoint:
        return ""
    refuse_unsafe("The collector of telemetry.otlp_endpoint", endpoint)
    if "@" in urlsplit(endpoint).netloc:
        raise ConfigurationError(
            "telemetry.otlp_endpoint holds a login, which would stand in logs and in config show.",
            next_step="Put it into telemetry.otlp_headers (OTEL_EXPORTER_OTLP_HEADERS: authorization=…), then run: "
            "snowload config check",
        )
    if not all(_there(name) for name in _NEEDED):
        raise ConfigurationError(
            "telemetry.otlp_endpoint (OTEL_EXPORTER_OTLP_ENDPOINT) is set, but the packages for traces are missing.",
            next_step="Run `pip install 'beast-dream-snow-loader[otel]'`, or set SNOWLOAD_TELEMETRY__OTLP_ENDPOINT "
            "to nothing; then: snowload config check",
        )
    given = settings.telemetry.otlp_headers
    if given is not None and kept_by(given.reveal()) == "setting":
        _headers(given)
    return endpoint.rstrip("/") + _PATH


def _headers(given: Secret | None) -> Mapping[str, Secret]:
    """Each header by its name. ConfigurationError where it is no list of them: nothing of it is shown."""
    found: dict[str, Secret] = {}
    for each in filter(None, given.reveal().split(",") if given is not None else ()):
        name, equals, value = (unquote(part).strip() for part in each.partition("="))
        if not (equals and _HEADER.fullmatch(name) and value.isprintable()):
            raise ConfigurationError(
                "telemetry.otlp_headers (OTEL_EXPORTER_OTLP_HEADERS) is no list of headers.",
                next_step="Write it as name=value,name=value, then run: snowload config check",
            )
        found[name] = Secret(value)
    return found


def _there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:
        return False


@contextmanager
def traced(here: Ground, run_id: str, command: str, heard: _Ended, listener: Listener) -> Iterator[Sequence[Listener]]:
    """Who listens for the traces: nobody without a collector. ``listener`` is told that its headers were read."""
    endpoint = collector(here.settings)
    if not endpoint:
        yield ()
        return
    from beast_dream_snow_loader.transport.tracing import Collector, Tracing

    given = here.credentials.resolved(here.settings.telemetry, "telemetry", listener).otlp_headers
    named = {
        "service.name": "snowload",
        "service.version": __version__,
        "deployment.environment.name": here.environment,
    }
    tracing = Tracing(
        Collector(endpoint=endpoint, headers=_headers(given)),
        clock=here.clock,
        trace=trace_id(run_id),
        resource=named,
        name=f"snowload {command}",
        told={"snowload.command": command, "snowload.run_id": run_id},
    )
    code: int | None = None
    try:
        yield (tracing,)
        code = int(status_of(heard.report)[1]) if heard.report is not None else 0
    finally:
        tracing.close(code)
