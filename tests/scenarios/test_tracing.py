"""Traces of a run, as a collector gets them over OTLP (X4)."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.operations.correlation import trace_id
from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault, FaultPlan
from beast_dream_snow_loader.sandbox.messages import HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.serving import Server
from beast_dream_snow_loader.transport.tracing import Collector as To
from beast_dream_snow_loader.transport.tracing import Tracing
from tests.conftest import Snowload
from tests.scenarios.conftest import Town
from tests.scenarios.desk import LOAD, OpenTown, away


@dataclass
class Collector:
    """Takes spans."""

    spans: list[Any] = field(default_factory=list)
    resources: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    faults: FaultPlan = field(default_factory=FaultPlan)
    url: str = ""

    def answer(self, request: HttpRequest) -> HttpAnswer:
        self.paths.append(request.path)
        self.headers.append(request.headers)
        for resource in ExportTraceServiceRequest.FromString(request.body).resource_spans:
            self.resources.append(attributes(resource.resource))
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return HttpAnswer()


def attributes(of: Any) -> dict[str, Any]:
    return {one.key: one.value.string_value or one.value.int_value for one in of.attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    mine = Collector()
    with Server(mine, faults=mine.faults) as server:
        mine.url = server.url
        yield mine


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


@pytest.mark.parametrize("how", ["nobody there", "refuses"])
def test_a_collector_that_takes_nothing_changes_nothing_about_a_run(here: Town, collector: Collector, how: str) -> None:
    collector.faults.add(Fault(effect=Effect.STATUS, status=500))
    url = "http://127.0.0.1:9" if how == "nobody there" else collector.url
    ended = here.run(*LOAD, OTEL_EXPORTER_OTLP_ENDPOINT=url)
    assert (ended.code, ended.document["written"]["created"], ended.err) == (0, 8, "")
    assert collector.spans == []
    log = next(here.run.home.rglob("snowload.jsonl")).read_text("utf-8")
    assert "library.spoke" in log, "but the log says so"


def test_a_collector_that_hangs_is_not_waited_for_longer_than_said(collector: Collector) -> None:
    collector.faults.add(Fault(effect=Effect.HANG, seconds=20))
    to = To(endpoint=f"{collector.url}/v1/traces", close_seconds=0.2)
    tracing = Tracing(to, clock=SystemClock(), trace="1" * 32, resource={}, name="snowload load", told={})
    closing = threading.Thread(target=tracing.close, args=(0,))
    closing.start()
    closing.join(10)
    assert not closing.is_alive()
    assert collector.spans == []


def test_a_login_of_the_collector_goes_out_in_a_header_and_nowhere_else(here: Town, collector: Collector) -> None:
    """R5.3: it is a secret as any other, and may be kept as one."""
    for given in ("authorization=Bearer%20hush-hush-hush,x-org=1", "env:ITS_LOGIN"):
        collector.headers.clear()
        ended = here.run(
            *(*LOAD, "-vv"),
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_EXPORTER_OTLP_HEADERS=given,
            ITS_LOGIN="authorization=Bearer hush-hush-hush,x-org=1",
        )
        assert ended.code == 0
        assert {(one["authorization"], one["x-org"]) for one in collector.headers} == {("Bearer hush-hush-hush", "1")}
        log = next(here.run.home.rglob("snowload.jsonl")).read_text("utf-8")
        assert "hush-hush" not in ended.out + ended.err + log


def test_the_environment_says_nothing_to_the_library_that_the_settings_did_not_say(
    here: Town, collector: Collector
) -> None:
    ended = here.run(
        *LOAD,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_EXPORTER_OTLP_HEADERS="x-common=1",
        SNOWLOAD_TELEMETRY__OTLP_HEADERS="x-mine=1",
        OTEL_EXPORTER_OTLP_TRACES_HEADERS="x-other=1",
        OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
        OTEL_EXPORTER_OTLP_CERTIFICATE="/nowhere",
        OTEL_RESOURCE_ATTRIBUTES="service.name=other,odd=1",
        OTEL_SERVICE_NAME="other",
        OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT="0",
        OTEL_BSP_SCHEDULE_DELAY="nonsense",
    )
    assert ended.code == 0
    assert {name for one in collector.headers for name in one if name.startswith(("x-", "content-encoding"))} == {
        "x-mine"
    }
    assert {name for one in collector.resources for name in one if not name.startswith("telemetry.sdk.")} == {
        "service.name",
        "service.version",
        "deployment.environment.name",
    }
    assert {one["service.name"] for one in collector.resources} == {"snowload"}
    assert all(attributes(span) for span in collector.spans)


def test_headers_that_are_none_are_refused_and_not_shown(here: Town) -> None:
    there = {"SNOWLOAD_TELEMETRY__OTLP_ENDPOINT": "http://127.0.0.1:9"}
    for command in (LOAD, ("config", "check", "--env", "testing")):
        for given in ("hush-hush-hush", "a=hush-hush%0d%0ax: y", "a b=hush-hush"):
            ended = here.run(*command, **there, OTEL_EXPORTER_OTLP_HEADERS=given)
            assert ended.code == 6, ended.out
            assert "telemetry.otlp_headers" in ended.err
            assert "hush-hush" not in ended.out + ended.err


def test_an_empty_setting_goes_before_the_variable_that_everybody_reads(here: Town, collector: Collector) -> None:
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "SNOWLOAD_TELEMETRY__OTLP_ENDPOINT": ""}
    assert here.run(*LOAD, **variables).code == 0
    assert collector.spans == []


@pytest.mark.parametrize(
    ("endpoint", "headers"),
    [
        ("http://otel-collector:4318", ""),
        ("http://[::1", ""),
        ("collector:4318", ""),
        ("http://127.0.0.1:9", "hush-hush"),
        ("http://127.0.0.1:9", "env:NOT_THERE"),
    ],
)
def test_a_variable_that_is_for_every_program_stops_no_load(here: Town, endpoint: str, headers: str) -> None:
    """X4: it is told instead."""
    there = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_HEADERS": headers}
    ended = here.run(*LOAD, **there)
    assert ended.code == 0, ended.err
    (finding,) = [one for one in ended.document["findings"] if one["rule"] == "telemetry.left_out"]
    assert finding["severity"] == "warning"
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in finding["message"]
    assert "telemetry.left_out" in next(here.run.home.rglob("snowload.jsonl")).read_text("utf-8")
    assert "hush-hush" not in ended.out + ended.err


@pytest.mark.parametrize(
    ("name", "codes"), [("OTEL_EXPORTER_OTLP_ENDPOINT", (0, 1)), ("SNOWLOAD_TELEMETRY__OTLP_ENDPOINT", (6, 2))]
)
def test_health_sees_of_a_collector_what_the_check_of_the_settings_sees(
    here: Town, name: str, codes: tuple[int, int]
) -> None:
    """R4.1, R7.5."""
    there = {name: "http://otel-collector:4318"}
    checked = here.run("config", "check", "--env", "testing", **there)
    looked = here.run("health", "--env", "testing", "--check", "configuration", **there)
    assert (checked.code, looked.code) == codes
    assert all("otel-collector" in ended.out + ended.err for ended in (checked, looked))


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
