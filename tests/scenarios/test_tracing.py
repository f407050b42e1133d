"""Traces of a run, as a collector gets them over OTLP (X4)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from beast_dream_snow_loader.operations.correlation import trace_id
from beast_dream_snow_loader.sandbox.estate import Estate
from tests.conftest import Snowload
from tests.scenarios.conftest import Town
from tests.scenarios.desk import LOAD, OpenTown, away


@dataclass
class Collector:
    """Takes spans, or, with ``hangs``, takes its time."""

    spans: list[Any] = field(default_factory=list)
    resources: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    status: int = 200
    hangs: float = 0.0
    url: str = ""

    def take(self, path: str, body: bytes) -> None:
        self.paths.append(path)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append(attributes(resource.resource))
            for scope in resource.scope_spans:
                self.spans += scope.spans


def attributes(of: Any) -> dict[str, Any]:
    return {one.key: one.value.string_value or one.value.int_value for one in of.attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    mine = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(mine.hangs)
            if mine.status == 200:
                mine.take(self.path, body)
            self.send_response(mine.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    mine.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield mine
    server.shutdown()
    server.server_close()


@pytest.fixture
def here(town: OpenTown) -> Town:
    return town(Estate.generate(seed=3, sites=1, devices=8))


def test_a_run_its_steps_and_its_requests_are_one_tree_whose_ids_went_out_in_the_headers(
    here: Town, collector: Collector
) -> None:
    document = here.run(*LOAD, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url).document
    assert set(collector.paths) == {"/v1/traces"}
    assert collector.resources[0]["service.name"] == "snowload"
    assert collector.resources[0]["deployment.environment.name"] == "testing"
    assert {span.trace_id.hex() for span in collector.spans} == {trace_id(document["run_id"])}
    (root,) = [span for span in collector.spans if not span.parent_span_id]
    assert (root.name, attributes(root)["snowload.run_id"]) == ("snowload load", document["run_id"])
    steps = {span.span_id: span for span in collector.spans if span.parent_span_id == root.span_id}
    assert [one["name"] for one in document["steps"]] == [
        span.name for span in sorted(steps.values(), key=lambda one: one.start_time_unix_nano)
    ]
    requests = [span for span in collector.spans if "http.request.method" in attributes(span)]
    assert len(requests) == document["requests"]["servicenow"] + document["requests"]["unifi"]
    assert {span.parent_span_id for span in requests} <= set(steps)
    assert len(collector.spans) == 1 + len(steps) + len(requests)
    sent = {line.traceparent for line in here.sandbox.log.lines() if line.traceparent}
    assert sent == {f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01" for span in requests}
    for span in requests:
        within = steps[span.parent_span_id]
        assert within.start_time_unix_nano - 50_000_000 <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= within.end_time_unix_nano + 50_000_000


def test_a_span_of_a_request_says_where_it_went_and_how_and_nothing_of_path_query_or_login(
    here: Town, collector: Collector
) -> None:
    here.run(*LOAD, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    requests = [attributes(span) for span in collector.spans if "http.request.method" in attributes(span)]
    assert {name for one in requests for name in one} <= {
        "http.request.method",
        "http.request.resend_count",
        "http.response.status_code",
        "server.address",
        "server.port",
        "url.scheme",
        "snowload.operation",
        "error.type",
    }
    assert {one["server.address"] for one in requests} == {"127.0.0.1"}
    told = repr([attributes(span) for span in collector.spans])
    assert not [word for word in ("snowload-demo", "sysparm", "?", "/api/") if word in told]
    refused = [one for one in requests if one["http.response.status_code"] >= 400]
    assert all(one["error.type"] == str(one["http.response.status_code"]) for one in refused)


def test_a_run_that_failed_is_a_span_that_failed(here: Town, collector: Collector) -> None:
    away(here)
    ended = here.run(*LOAD, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    (root,) = [span for span in collector.spans if not span.parent_span_id]
    assert ended.code == 5
    assert (attributes(root)["snowload.exit_code"], attributes(root)["error.type"]) == (5, "exit_5")
    (failed,) = [span for span in collector.spans if span.name == "validate"]
    assert attributes(failed)["error.type"] == ended.document["error"]["code"]


@pytest.mark.parametrize("how", ["nobody there", "refuses", "hangs"])
def test_a_collector_that_takes_nothing_changes_nothing_about_a_run(here: Town, collector: Collector, how: str) -> None:
    collector.status, collector.hangs = (500, 0.0) if how == "refuses" else (200, 20.0 if how == "hangs" else 0.0)
    url = "http://127.0.0.1:9" if how == "nobody there" else collector.url
    began = time.monotonic()
    ended = here.run(*LOAD, OTEL_EXPORTER_OTLP_ENDPOINT=url)
    assert (ended.code, ended.document["written"]["created"], ended.err) == (0, 8, "")
    assert time.monotonic() - began < 20, "two seconds at the end are all that it may cost"
    log = next(here.run.home.rglob("snowload.jsonl")).read_text("utf-8")
    assert "library.spoke" in log or how == "hangs", "but the log says so"


def test_an_empty_setting_goes_before_the_variable_that_everybody_reads(here: Town, collector: Collector) -> None:
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "SNOWLOAD_TELEMETRY__OTLP_ENDPOINT": ""}
    assert here.run(*LOAD, **variables).code == 0
    assert collector.spans == []


@pytest.mark.parametrize("command", [LOAD, ("config", "check", "--env", "testing", "--json")], ids=["load", "check"])
def test_plain_http_to_another_machine_is_refused(here: Town, command: tuple[str, ...]) -> None:
    ended = here.run(*command, SNOWLOAD_TELEMETRY__OTLP_ENDPOINT="http://collector.example.com:4318")
    assert ended.code == 6
    assert "https" in ended.err


def test_a_login_does_not_belong_into_the_address_of_the_collector(here: Town) -> None:
    ended = here.run(*LOAD, SNOWLOAD_TELEMETRY__OTLP_ENDPOINT="https://me:hush-hush@collector.example.com")
    assert ended.code == 6
    assert "OTEL_EXPORTER_OTLP_HEADERS" in ended.err
    assert "hush-hush" not in ended.err + ended.out


def test_without_the_extra_the_command_that_installs_it_is_named(here: Town, tmp_path: Path) -> None:
    """As on a machine where only snowload itself is installed."""
    without = tmp_path / "without" / "opentelemetry"
    without.mkdir(parents=True)
    (without / "__init__.py").write_text("", "utf-8")
    plain = Snowload(here.run.home)
    plain.variables = dict(here.run.variables)
    path = f"{without.parent}:{plain.environment().get('PYTHONPATH', '')}"
    ended = plain(*LOAD, PYTHONPATH=path, SNOWLOAD_TELEMETRY__OTLP_ENDPOINT="http://127.0.0.1:4318")
    assert ended.code == 6
    assert "pip install 'beast-dream-snow-loader[otel]'" in ended.err
    assert plain(*LOAD, PYTHONPATH=path).code == 0, "and nobody misses it who does not want traces"
