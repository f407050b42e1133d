"""Spans of a run by OTLP over HTTP: one for the run, one for each step, one for each request (X4).

They are made of the same events as logs and metrics, and leave in batches from a bounded queue, in a thread of their
own: a collector that is slow or away costs its spans and no more. Attributes follow the semantic conventions, with
two left out on purpose: path and query of a URL, which name records.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk import version as sdk
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from requests.structures import CaseInsensitiveDict

from beast_dream_snow_loader import __version__
from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.events import Event, RequestFinished, StepFinished, StepStarted
from beast_dream_snow_loader.redaction import Secret
from beast_dream_snow_loader.transport.connections import Adapter
from beast_dream_snow_loader.transport.tls import Trust, context

QUEUE, BATCH = 2048, 512
"""Spans that wait, and that leave together; when more wait, the oldest are dropped."""
SEND_SECONDS = 1.0
_IN_VAIN = 3
"""After so many batches in a row that nobody took, the rest of the run is not traced."""
_NANO = 1_000_000_000
_SDK = {
    "telemetry.sdk.language": "python",
    "telemetry.sdk.name": "opentelemetry",
    "telemetry.sdk.version": sdk.__version__,
}
_SET_BY_EXPORTER = frozenset({"content-type", "content-encoding", "content-length", "user-agent"})
_LIMITS = SpanLimits(**dict.fromkeys((
    "max_attributes", "max_events", "max_links", "max_span_attributes", "max_event_attributes", "max_link_attributes",
    "max_attribute_length", "max_span_attribute_length",
), SpanLimits.UNSET))  # fmt: skip
"""What we tell is short. As everything given here: else the library would ask the environment."""
Attributes = Mapping[str, str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """``endpoint`` is the whole address for traces; ``headers`` go with every batch, and hold a login."""

    endpoint: str
    headers: Mapping[str, Secret] = field(default_factory=dict)
    close_seconds: float = 2.0
    """What a run waits at its end for what was not sent yet."""


class Tracing:
    """A listener. Thread-safe. ``trace`` is the trace id of the run, which its requests carry in ``traceparent``.

    ConfigurationError is not for here: ``endpoint`` was looked at before.
    """

    def __init__(
        self, to: Collector, *, clock: Clock, trace: str, resource: Attributes, name: str, told: Attributes
    ) -> None:
        self._clock = clock
        self._close_seconds = to.close_seconds
        self._ids = _Ids(int(trace, 16))
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource({**resource, **_SDK}),
            id_generator=self._ids,
            span_limits=_LIMITS,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                _WithoutHope(_exporter(to)),
                max_queue_size=QUEUE,
                max_export_batch_size=BATCH,
                schedule_delay_millis=1000,
                export_timeout_millis=SEND_SECONDS * 1000,
            )
        )
        self._tracer = self._provider.get_tracer("snowload", __version__)
        self._open: list[Span] = [self._tracer.start_span(name, attributes=dict(told), start_time=self._now())]

    def __call__(self, event: Event) -> None:
        if isinstance(event, RequestFinished):
            self._request(event)
        elif isinstance(event, StepStarted):
            step = {"snowload.step": event.step}
            began = self._now()
            self._open.append(self._tracer.start_span(event.step, self._within(), attributes=step, start_time=began))
        elif isinstance(event, StepFinished) and len(self._open) > 1:
            span = self._open.pop()
            span.set_attribute("snowload.records", event.records)
            _ended(span, event.error, at=self._now())

    def close(self, exit_code: int | None) -> None:
        """End what is open, send what waits, for ``close_seconds`` at most. ``exit_code`` None: an error ended the
        run."""
        ended = self._now()
        while len(self._open) > 1:
            _ended(self._open.pop(), "broken_off", at=ended)
        root = self._open.pop()
        if exit_code is not None:
            root.set_attribute("snowload.exit_code", exit_code)
        _ended(root, "" if exit_code == 0 else f"exit_{exit_code}" if exit_code is not None else "broken_off", at=ended)
        sending = threading.Thread(target=self._provider.shutdown, name="last-traces", daemon=True)
        sending.start()
        sending.join(self._close_seconds)

    def _request(self, event: RequestFinished) -> None:
        ends = self._now()
        began = ends - int(event.milliseconds * 1_000_000)
        name = f"{event.method} {event.operation}"
        with self._ids.preset(event.span_id):
            span = self._tracer.start_span(
                name, self._within(), SpanKind.CLIENT, attributes=dict(_attributes(event)), start_time=began
            )
        failed = event.error or (str(event.status) if event.status is not None and event.status >= 400 else "")
        _ended(span, failed, at=ends)

    def _now(self) -> int:
        """Nanoseconds, of the one clock that all spans of the trace are told by."""
        return int(self._clock.now().timestamp() * _NANO)

    def _within(self) -> Context:
        return trace.set_span_in_context(self._open[-1])


def _attributes(event: RequestFinished) -> Attributes:
    address = urlsplit(event.origin)
    told: dict[str, str | int] = {
        "http.request.method": event.method,
        "server.address": address.hostname or "",
        "server.port": address.port or (80 if address.scheme == "http" else 443),
        "url.scheme": address.scheme,
        "snowload.operation": event.operation,
    }
    if event.status is not None:
        told["http.response.status_code"] = event.status
    if event.attempt > 1:
        told["http.request.resend_count"] = event.attempt - 1
    return told


def _ended(span: Span, error: str, *, at: int) -> None:
    if error:
        span.set_attribute("error.type", error)
        span.set_status(Status(StatusCode.ERROR))
    span.end(at)


class _Ids(IdGenerator):
    """The run's trace, and for a request the span that went out in its header."""

    def __init__(self, trace_id: int) -> None:
        self._trace = trace_id
        self._local = threading.local()
        self._random = RandomIdGenerator()

    def preset(self, span_id: str) -> _Preset:
        return _Preset(self._local, int(span_id, 16) if span_id else 0)

    def generate_trace_id(self) -> int:
        return self._trace

    def generate_span_id(self) -> int:
        return getattr(self._local, "next", 0) or self._random.generate_span_id()


class _Preset:
    """For as long as it is entered, the next span of this thread has this id."""

    def __init__(self, local: threading.local, span_id: int) -> None:
        self._local, self._id = local, span_id

    def __enter__(self) -> None:
        self._local.next = self._id

    def __exit__(self, *_: object) -> None:
        self._local.next = 0


class _WithoutHope(SpanExporter):
    """Gives up on a collector that took nothing several times in a row."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self._in_vain = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._in_vain >= _IN_VAIN:
            return SpanExportResult.FAILURE
        found = self._inner.export(spans)
        self._in_vain = 0 if found is SpanExportResult.SUCCESS else self._in_vain + 1
        return found

    def shutdown(self) -> None:
        self._inner.shutdown()


def _exporter(to: Collector) -> OTLPSpanExporter:
    return OTLPSpanExporter(
        endpoint=to.endpoint, timeout=SEND_SECONDS, compression=Compression.NoCompression, session=_Session(to.headers)
    )


class _Session(requests.Session):
    """As all our requests go: the system's authorities, no login from ``~/.netrc``, no redirect followed. The exporter
    adds headers and certificates that it finds in the environment by itself: settings alone say what is sent."""

    def __init__(self, headers: Mapping[str, Secret]) -> None:
        super().__init__()
        self._ours = headers
        self.auth = _as_it_is
        self.max_redirects = 0
        self.mount("https://", Adapter(context(Trust()), ""))
        self.mount("http://", Adapter(context(Trust()), ""))

    def send(self, request: requests.PreparedRequest, **given: Any) -> requests.Response:
        kept = {name: value for name, value in request.headers.items() if name.lower() in _SET_BY_EXPORTER}
        ours = {name: value.reveal() for name, value in self._ours.items()}
        request.headers = CaseInsensitiveDict({**kept, **ours})
        return super().send(request, **{**given, "verify": True, "cert": None})


def _as_it_is(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    return prepared
