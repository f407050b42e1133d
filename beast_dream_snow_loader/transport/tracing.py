"""Spans of a run by OTLP over HTTP: one for the run, one for each step, one for each request (X4).

They are made of the same events as logs and metrics, and leave in batches from a bounded queue, in a thread of their
own: a collector that is slow or away costs its spans and no more. Attributes follow the semantic conventions, with
two left out on purpose: path and query of a URL, which name records.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import requests
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from beast_dream_snow_loader import __version__
from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.events import Event, RequestFinished, StepFinished, StepStarted
from beast_dream_snow_loader.transport.connections import Adapter
from beast_dream_snow_loader.transport.tls import Trust, context

QUEUE, BATCH = 2048, 512
"""Spans that wait, and that leave together; when more wait, the oldest are dropped."""
SEND_SECONDS = 1.0
CLOSE_SECONDS = 2.0
_IN_VAIN = 3
"""After so many batches in a row that nobody took, the rest of the run is not traced."""
_NANO = 1_000_000_000
Attributes = Mapping[str, str | int]


class Tracing:
    """A listener. Thread-safe. ``trace`` is the trace id of the run, which its requests carry in ``traceparent``.

    ConfigurationError is not for here: ``endpoint`` was looked at before.
    """

    def __init__(self, endpoint: str, *, clock: Clock, trace: str, run_id: str, command: str, environment: str) -> None:
        self._clock = clock
        self._ids = _Ids(int(trace, 16))
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource.create(
                {
                    "service.name": "snowload",
                    "service.version": __version__,
                    "deployment.environment.name": environment,
                }
            ),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        sender = _WithoutHope(OTLPSpanExporter(endpoint=endpoint, timeout=SEND_SECONDS, session=_session()))
        self._provider.add_span_processor(
            BatchSpanProcessor(sender, max_queue_size=QUEUE, max_export_batch_size=BATCH, schedule_delay_millis=1000)
        )
        self._tracer = self._provider.get_tracer("snowload", __version__)
        told: Attributes = {"snowload.command": command, "snowload.run_id": run_id}
        self._open: list[Span] = [self._tracer.start_span(f"snowload {command}", attributes=dict(told))]

    def __call__(self, event: Event) -> None:
        if isinstance(event, RequestFinished):
            self._request(event)
        elif isinstance(event, StepStarted):
            step = {"snowload.step": event.step}
            self._open.append(self._tracer.start_span(event.step, self._within(), attributes=step))
        elif isinstance(event, StepFinished) and len(self._open) > 1:
            span = self._open.pop()
            span.set_attribute("snowload.records", event.records)
            _ended(span, event.error)

    def close(self, exit_code: int | None) -> None:
        """End what is open, send what waits, for two seconds at most. ``exit_code`` None: an error ended the run."""
        while len(self._open) > 1:
            _ended(self._open.pop(), "broken_off")
        root = self._open.pop()
        if exit_code is not None:
            root.set_attribute("snowload.exit_code", exit_code)
        _ended(root, "" if exit_code == 0 else f"exit_{exit_code}" if exit_code is not None else "broken_off")
        sending = threading.Thread(target=self._provider.shutdown, name="last-traces", daemon=True)
        sending.start()
        sending.join(CLOSE_SECONDS)

    def _request(self, event: RequestFinished) -> None:
        ends = int(self._clock.now().timestamp() * _NANO)
        began = ends - int(event.milliseconds * 1_000_000)
        name = f"{event.method} {event.operation}"
        with self._ids.preset(event.span_id):
            span = self._tracer.start_span(
                name, self._within(), SpanKind.CLIENT, attributes=dict(_attributes(event)), start_time=began
            )
        failed = event.error or (str(event.status) if event.status is not None and event.status >= 400 else "")
        _ended(span, failed, at=ends)

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


def _ended(span: Span, error: str, *, at: int | None = None) -> None:
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


def _session() -> requests.Session:
    """As all our requests go: the system's authorities, no login from ``~/.netrc``, no redirect followed."""
    session = requests.Session()
    session.auth = _as_it_is
    session.max_redirects = 0
    session.mount("https://", Adapter(context(Trust()), ""))
    session.mount("http://", Adapter(context(Trust()), ""))
    return session


def _as_it_is(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    return prepared
