"""Traces of a run for a collector, if one is named; what becomes of them changes nothing about the run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Protocol
from urllib.parse import unquote, urlsplit

from beast_dream_snow_loader import __version__
from beast_dream_snow_loader.app.canonical import VARIABLE
from beast_dream_snow_loader.app.config import Settings
from beast_dream_snow_loader.app.config_problems import source_of
from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.core.events import FindingRaised, Listener
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.report import RunReport, status_of
from beast_dream_snow_loader.errors import ConfigurationError
from beast_dream_snow_loader.operations.correlation import trace_id
from beast_dream_snow_loader.operations.credentials import kept_by
from beast_dream_snow_loader.redaction import Secret
from beast_dream_snow_loader.transport.manners import refuse_unsafe

_PATH = "/v1/traces"
_SETTING, _COMMON = "telemetry.otlp_endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT"
MEND = "Name another one with telemetry.otlp_endpoint, or none: SNOWLOAD_TELEMETRY__OTLP_ENDPOINT= (set to nothing)."
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_NEEDED = ("opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


class _Ended(Protocol):
    @property
    def report(self) -> RunReport | None: ...


def refuse_unusable(here: Ground) -> None:
    """ConfigurationError for a collector that telemetry.otlp_endpoint names and that cannot be used: see
    :func:`_collector`. One that only the common variable names is left out instead: see :func:`left_out`."""
    if not _by_everybody(here):
        _collector(here.settings)


def left_out(here: Ground) -> str:
    """Why no trace goes to the collector that a variable common to all programs of this host names, with what to do;
    empty where there is nothing of it. References are not read here."""
    try:
        _collector(here.settings)
    except ConfigurationError as error:
        return _why(error) if _by_everybody(here) else ""
    return ""


def _by_everybody(here: Ground) -> bool:
    """That variable was not set for snowload, so what is wrong with it stops no run."""
    return source_of(_SETTING, here.loaded.origins) == f"{VARIABLE} {_COMMON}"


def _why(error: ConfigurationError) -> str:
    return f"No traces are sent to the collector of {_COMMON}: {error.message}"


def _collector(settings: Settings) -> str:
    """Where traces go; empty: nowhere. ConfigurationError for what is no address, plain http to another machine, a
    login in the address, headers that are none, and when the extra is not installed. References are not read here."""
    endpoint = settings.telemetry.otlp_endpoint
    if not endpoint:
        return ""
    _refuse_no_address(endpoint)
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


def _refuse_no_address(endpoint: str) -> None:
    try:
        if urlsplit(endpoint).hostname and urlsplit(endpoint).port != 0:
            return
    except ValueError:
        pass
    raise ConfigurationError(
        "telemetry.otlp_endpoint is no address.",
        next_step="Write it as https://collector.example.com:4318, then run: snowload config check",
    )


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


def _destination(here: Ground, listener: Listener) -> tuple[str, Mapping[str, Secret]] | None:
    try:
        endpoint = _collector(here.settings)
        if not endpoint:
            return None
        return endpoint, _headers(
            here.credentials.resolved(here.settings.telemetry, "telemetry", listener).otlp_headers
        )
    except ConfigurationError as error:
        if not _by_everybody(here):
            raise
        listener(FindingRaised(finding=_told(_why(error))))
        return None


def _told(why: str) -> Finding:
    message = f"{why} {MEND}"
    return Finding(record="telemetry", rule="telemetry.left_out", severity=Severity.WARNING, message=message)


@contextmanager
def traced(here: Ground, run_id: str, command: str, heard: _Ended, listener: Listener) -> Iterator[Sequence[Listener]]:
    """Who listens for the traces: nobody without a collector. ``listener`` is told that its headers were read, or why
    it is left out."""
    to = _destination(here, listener)
    if to is None:
        yield ()
        return
    from beast_dream_snow_loader.transport.tracing import Collector, Tracing

    named = {
        "service.name": "snowload",
        "service.version": __version__,
        "deployment.environment.name": here.environment,
    }
    tracing = Tracing(
        Collector(endpoint=to[0], headers=to[1]),
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
