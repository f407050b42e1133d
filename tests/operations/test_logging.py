"""Log lines: structured, private, without secrets, and made from events."""

from __future__ import annotations

import io
import json
import logging
import stat
import warnings
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beast_dream_snow_loader.app.ground import ground
from beast_dream_snow_loader.app.options import Place
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
from beast_dream_snow_loader.operations.log_events import EVENTS, LOGGED
from beast_dream_snow_loader.operations.log_sinks import logging_to
from beast_dream_snow_loader.operations.logger import StructuredLogger
from beast_dream_snow_loader.operations.metrics import MetricsCollector
from beast_dream_snow_loader.redaction import Secret, held_within, masked

CANARY = "s3cret-canary"
Disguise = Callable[[str], str]

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
    assert {line["event"] for line in lines(log)} <= set(EVENTS)


def test_an_event_that_is_not_in_the_list_is_refused() -> None:
    with pytest.raises(KeyError):
        StructuredLogger("test").log_event("nobody.knows")


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
        "basic", True, {"password": "nobody holds it", "nested": {"token": "nor this"}, "secret": Secret(CANARY)}
    )
    assert not {said for said in (CANARY, "nobody holds it", "nor this") if said in log.getvalue()}
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
    assert (line["event"], line["message"]) == ("library.spoke", "pool is full: x")
    assert (line["level"], line["logger"]) == ("warning", "urllib3")


def test_an_exception_of_a_library_is_told_without_its_text(log: io.StringIO) -> None:
    try:
        raise ValueError(CANARY)
    except ValueError:
        logging.getLogger("some.library").exception("it broke\nin two lines")
    (line,) = lines(log)
    assert (line["error"], line["message"]) == ("ValueError", "it broke\\nin two lines")
    assert "test_logging.py" in str(line["trace"])
    assert CANARY not in log.getvalue()


def test_warnings_of_python_join_in(log: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old ways", DeprecationWarning, stacklevel=1)
    (line,) = lines(log)
    assert line["logger"] == "py.warnings"
    assert "old ways" in str(line["message"])


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("disguise", [str, quote, lambda text: b64encode(text.encode()).decode()], ids=range(3))
def test_a_secret_that_the_process_has_held_is_masked_whoever_says_it(form: str, disguise: Disguise) -> None:
    held = Secret("canary/of the+process")
    stream = io.StringIO()
    with logging_to(LoggingConfig(format=form), stream):
        said = f"login with <{disguise(held.reveal())}> failed"
        logging.getLogger("urllib3").warning("%s", said)
        StructuredLogger("test").log_data_quality_issue("x", 1, {"message": said, "context": {"message": said}})
    assert stream.getvalue().count("<[hidden]>") == 3
    assert "canary" not in stream.getvalue()


def test_a_secret_that_looks_like_json_leaves_every_line_whole(log: io.StringIO) -> None:
    for held in ('":"', "info", "true", "2026", "event", "snowload"):
        Secret(held)
    StructuredLogger("test").log_operation_complete("load", 20261.5, True, {"records": 7})
    (line,) = lines(log)
    assert (line["event"], line["level"], line["duration_ms"]) == ("operation.completed", "info", 20261.5)


NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(message=NESTED, words=st.text(), form=st.sampled_from(["json", "file"]))
def test_whatever_is_said_each_line_is_one_json_object(message: object, words: str, form: str) -> None:
    with TemporaryDirectory() as folder:
        file, stream = Path(folder) / "log.jsonl", io.StringIO()
        with logging_to(LoggingConfig(format="json", file=file), stream):
            StructuredLogger("test").log_data_quality_issue("odd", 1, {"message": message, words or "x": message})
            logging.getLogger("lib").warning("%s", words)
        text = stream.getvalue() if form == "json" else file.read_text("utf-8")
    assert len(text.split("\n")) == 3
    for line in text.splitlines():
        assert json.loads(line, parse_constant=pytest.fail)["event"] in EVENTS


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
    found = sorted(one for one in file.parent.iterdir() if not one.name.startswith("."))
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


def test_a_command_leaves_the_libraries_of_the_process_as_loud_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SERVICENOW_INSTANCE", "dev1")
    with ground(Place(environment="testing")):
        assert not logging.getLogger("urllib3").isEnabledFor(logging.WARNING)
    assert logging.getLogger("urllib3").isEnabledFor(logging.WARNING)


def test_what_a_command_held_hides_no_word_of_the_next_one() -> None:
    with held_within():
        Secret("an ordinary word")
        assert masked("an ordinary word") == "[hidden]"
    assert masked("an ordinary word") == "an ordinary word"


def test_allowed_names_hold_nothing_that_smells_of_a_secret() -> None:
    assert not {name for name in LOGGED for part in ("pass", "token", "secret", "cookie", "auth") if part in name}
