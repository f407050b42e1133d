"""Log lines: structured, private, without secrets, and made from events."""

from __future__ import annotations

import io
import json
import logging
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from beast_dream_snow_loader.core.events import (
    ChangeSettled,
    FindingRaised,
    RequestFinished,
    StepAdvanced,
    StepFinished,
    StepStarted,
)
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.receipts import Outcome, Receipt
from beast_dream_snow_loader.operations.config import LoggingConfig
from beast_dream_snow_loader.operations.correlation import correlated
from beast_dream_snow_loader.operations.error_handler import ErrorHandler
from beast_dream_snow_loader.operations.listeners import fan_out, to_log, to_metrics
from beast_dream_snow_loader.operations.logger import EVENTS, LOGGED, StructuredLogger, logging_to
from beast_dream_snow_loader.operations.metrics import MetricsCollector
from beast_dream_snow_loader.redaction import Secret

CANARY = "s3cret-canary"

REQUEST = RequestFinished(
    service="servicenow", operation="ire.enhanced", method="POST", status=200, milliseconds=12.5, attempt=2
)
EVERY_EVENT = (
    StepStarted(step="load", total=3),
    StepAdvanced(step="load"),
    StepFinished(step="load", seconds=1.5, records=3),
    FindingRaised(finding=Finding(record="gw-1", rule="name.shared", severity=Severity.WARNING, message="two gw-1")),
    ChangeSettled(receipt=Receipt(subject="gw-1", outcome=Outcome.DONE)),
    REQUEST,
)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    with logging_to(LoggingConfig(level="DEBUG", format="json"), stream):
        yield stream


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def say_everything(logger: StructuredLogger) -> None:
    logger.log_operation_start("load", {"records": 7})
    logger.log_operation_complete("load", 12.5, True, {"records": 7})
    logger.log_error(ErrorHandler().capture("load", ValueError("no")))
    logger.log_credential_access("oauth", False, {"code": "auth.not_authenticated"})
    logger.log_data_quality_issue("name.shared", 2, {"key": "gw-1"})
    logger.log_performance_metric("items_per_second", 41.5, "1/s", {"step": "load"})


def test_every_event_has_a_name_in_the_documented_list(log: io.StringIO) -> None:
    logger = StructuredLogger("test", "DEBUG")
    say_everything(logger)
    for event in EVERY_EVENT:
        to_log(logger)(event)
    assert {line["event"] for line in lines(log)} == set(EVENTS)


def test_a_line_carries_time_level_correlation_and_values(log: io.StringIO) -> None:
    with correlated("run-7"):
        StructuredLogger("test").log_operation_complete("load", 12.5, False, {"records": 7})
    (line,) = lines(log)
    assert str(line.pop("timestamp")).endswith("Z")
    assert line == {
        "event": "operation.completed",
        "level": "error",
        "logger": "snowload.test",
        "correlation_id": "run-7",
        "operation": "load",
        "duration_ms": 12.5,
        "success": False,
        "records": 7,
    }


def test_a_value_under_a_name_that_is_not_listed_is_hidden(log: io.StringIO) -> None:
    logger = StructuredLogger("test")
    logger.log_credential_access(
        "basic", True, {"password": CANARY, "nested": {"token": CANARY}, "secret": Secret(CANARY)}
    )
    assert CANARY not in log.getvalue()
    assert lines(log)[0]["password"] == "[hidden]"


def test_text_from_a_device_cannot_steer_a_terminal() -> None:
    stream = io.StringIO()
    with logging_to(LoggingConfig(format="console"), stream):
        StructuredLogger("test").log_data_quality_issue("name.odd", 1, {"key": "\x1b[2Jgw\nforged line"})
    assert "\x1b" not in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 1


def test_lines_of_libraries_join_in(log: io.StringIO) -> None:
    logging.getLogger("urllib3").warning("pool is full: %s", "x")
    (line,) = lines(log)
    assert (line["event"], line["level"], line["logger"]) == ("pool is full: x", "warning", "urllib3")


def test_the_level_keeps_requests_out_of_a_quiet_log() -> None:
    stream = io.StringIO()
    with logging_to(LoggingConfig(level="WARNING", format="json"), stream):
        logger = StructuredLogger("test", "WARNING")
        to_log(logger)(REQUEST)
        logger.log_operation_start("load", {})
    assert stream.getvalue() == ""


def test_the_file_is_its_owners_alone_after_every_rotation(tmp_path: Path) -> None:
    file = tmp_path / "log" / "snowload.log"
    config = LoggingConfig(level="INFO", format="console", file=file, max_bytes=2000, backups=2)
    with logging_to(config, io.StringIO()):
        for _ in range(50):
            StructuredLogger("test").log_operation_start("load", {"records": 1})
    found = sorted(file.parent.iterdir())
    assert [one.name for one in found] == ["snowload.log", "snowload.log.1", "snowload.log.2"]
    assert {stat.S_IMODE(one.stat().st_mode) for one in found} == {0o600}
    assert all(json.loads(line)["event"] == "operation.started" for one in found for line in one.open())


def test_nothing_of_ours_stays_behind_in_the_logging_of_the_process() -> None:
    before = list(logging.getLogger().handlers)
    with logging_to(LoggingConfig(), io.StringIO()):
        pass
    assert logging.getLogger().handlers == before


def test_a_listener_that_fails_stops_neither_the_others_nor_the_run(log: io.StringIO) -> None:
    collector, told = MetricsCollector(), []

    def broken(_event: object) -> None:
        raise RuntimeError(CANARY)

    fan_out(broken, told.append, to_metrics(collector))(REQUEST)
    assert told == [REQUEST]
    assert collector.operations()[0].total_requests == 1
    assert CANARY not in log.getvalue()


def test_allowed_names_hold_nothing_that_smells_of_a_secret() -> None:
    assert not {name for name in LOGGED for part in ("pass", "token", "secret", "cookie", "auth") if part in name}
