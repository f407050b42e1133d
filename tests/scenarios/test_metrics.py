"""Metrics as Prometheus gets them: from the file that a command leaves, printed, and over HTTP (R4.2, R4.5)."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import stat
import struct
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from beast_dream_snow_loader.core.measures import BY_NAME, COMMON
from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.web.bounded import HEAD_BYTES, PATIENCE_SECONDS, PLACES
from tests.conftest import Ended, Snowload
from tests.programs import program
from tests.scenarios.conftest import Town
from tests.scenarios.desk import HELD_BACK, LOAD, WRITES, OpenTown, away, file_of, keeps, running, unifi_away, when

BOUNDED = {*COMMON, "command", "operation", "step", "kind", "outcome", "breaker"} | {
    *("state", "severity", "category", "check", "version", "quantile")
}
LEVELS = ("full", "reduced", "read-only", "stale", "offline")
OF_FAMILY = ("", "_sum", "_count", "_total")


@pytest.fixture
def here(town: OpenTown) -> Town:
    return town(Estate.generate(seed=3, sites=1, devices=8))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "collected").mkdir()
    return tmp_path / "collected" / "snowload.prom"


def read(text: str, name: str, **labels: str) -> float | None:
    """The one series of that name that has these labels; None when there is none."""
    found = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    assert len(found) <= 1, f"{name} {labels}: {found}"
    return found[0] if found else None


def total(text: str, name: str, **labels: str) -> float:
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def load(here: Town, file: Path, *more: str, **variables: str) -> Ended:
    return here.run(*LOAD, "--textfile", str(file), *more, **variables)


def faults_of(text: str) -> Iterator[str]:
    """What ``promtool check metrics`` looks for, and what a monitoring person would."""
    helped = re.findall(r"^# HELP (\S+) \S", text, re.MULTILINE)
    typed = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    seen = Counter(line.rpartition(" ")[0] for line in text.splitlines() if line and line[0] != "#")
    yield from (f"{series} stands there {count} times" for series, count in seen.items() if count > 1)
    for line in seen:
        name = line.partition("{")[0]
        family = next((name.removesuffix(end) for end in OF_FAMILY if name.removesuffix(end) in typed), "")
        if not family or helped.count(family) != 1:
            yield f"{name} has no HELP and TYPE of its own"
            continue
        measure = BY_NAME[family]
        labels = set(re.findall(r'(\w+)="', line))
        if labels - {"quantile"} != set(measure.every_label) or not labels <= BOUNDED:
            yield f"{line} has other labels than the catalogue"
    for name, kind in typed.items():
        if (kind == "counter") != name.endswith("_total"):
            yield f"{name} is a {kind}"
        if kind == "gauge" and name.endswith(("_sum", "_count", "_bucket")):
            yield f"{name} is called like a part of a summary"
        if re.search(r"_(ms|milliseconds|minutes|hours|kb|mb|percent)(_|$)", name):
            yield f"{name} is in no base unit"


def test_a_load_leaves_what_it_came_to_in_a_file_that_the_collector_may_read(here: Town, file: Path) -> None:
    """The file is the one thing of ours that is not 0600: its reader is another user, and it holds no secret."""
    before = os.umask(0o277)
    try:
        document = load(here, file).document
    finally:
        os.umask(before)
    text = file.read_text("utf-8")
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert [path.name for path in file.parent.iterdir()] == [file.name], "nothing half written stays beside it"
    assert read(text, "snowload_run_exit_code", command="load") == 0
    assert read(text, "snowload_run_changes", outcome="created") == document["written"]["created"] > 0
    assert read(text, "snowload_run_verified_items") == document["verify"]["checked"] > 0
    assert total(text, "snowload_run_items", outcome="done") == document["written"]["created"]
    assert {one["name"] for one in document["steps"]} == set(re.findall(r'step_records{.*step="(\w+)"', text))
    asked = document["requests"]["servicenow"] + document["requests"]["unifi"]
    assert total(text, "snowload_run_requests") == asked == sum(one["requests"] for one in document["operations"])
    slow = {
        q: read(text, "snowload_run_request_duration_seconds", operation="POST ire.enhanced", quantile=q)
        for q in ("0.5", "0.95", "0.99")
    }
    assert 0 < slow["0.5"] <= slow["0.95"] <= slow["0.99"] < 60  # type: ignore[operator]
    assert read(text, "snowload_last_success_timestamp_seconds", command="load") == read(
        text, "snowload_last_run_timestamp_seconds", command="load"
    )
    assert read(text, "snowload_degradation_level") == LEVELS.index(document["degradation"]["level"])


def test_the_file_is_as_prometheus_wants_it_and_names_nothing_of_the_network(here: Town, file: Path) -> None:
    load(here, file)
    here.run("health", "--env", "testing", "--textfile", str(file))
    text = file.read_text("utf-8")
    assert list(faults_of(text)) == []
    devices = [d for console in here.estate.consoles() for d in here.estate.devices(console.host_id)]
    words = {word.lower() for d in devices for word in (d.name, d.mac) if word and len(word) > 3}
    words |= {console.name.lower() for console in here.estate.consoles() if len(console.name) > 3}
    words |= {
        server.url.partition("//")[2]
        for server in (here.sandbox.site_manager, *(c.server for c in here.sandbox.consoles))
    }
    assert len(words) > 8
    assert [word for word in words if word in text.lower()] == []


def test_the_check_of_the_file_finds_what_is_wrong_with_one() -> None:
    head = "# HELP snowload_state_up x\n# TYPE snowload_state_up gauge\n"
    series = 'snowload_state_up{environment="a",target="b"} 1.0\n'
    assert list(faults_of(head + series)) == []
    assert list(faults_of(series))
    assert list(faults_of(head + series + series))
    assert list(faults_of(head + series.replace("target", "device")))
    assert list(faults_of(head.replace("gauge", "counter") + series))


def test_promtool_finds_nothing_wrong_with_the_file(here: Town, file: Path) -> None:
    load(here, file)
    command = [program("promtool"), "check", "metrics"]
    done = subprocess.run(command, input=file.read_bytes(), capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_load_that_fails_says_so_and_still_shows_when_one_went_well(here: Town, file: Path) -> None:
    load(here, file)
    good = read(file.read_text("utf-8"), "snowload_last_success_timestamp_seconds", command="load")
    away(here)
    failed = load(here, file, "--full")
    assert failed.code == 8
    text = file.read_text("utf-8")
    assert read(text, "snowload_run_exit_code", command="load") == 8
    assert read(text, "snowload_last_success_timestamp_seconds", command="load") == good
    assert read(text, "snowload_queue_entries", state="later") == failed.document["queued"] > 0
    assert read(text, "snowload_queue_oldest_timestamp_seconds") > good  # type: ignore[operator]
    assert read(text, "snowload_degradation_level") == 2
    unifi_away(here)
    assert load(here, file, SNOWLOAD_UNIFI__STALE_MAX_AGE="0s").code == 5
    text = file.read_text("utf-8")
    assert read(text, "snowload_run_exit_code", command="load") == 5
    assert read(text, "snowload_last_success_timestamp_seconds", command="load") == good
    assert read(text, "snowload_degradation_level") == 4


@pytest.mark.parametrize("by", ["flag", "setting"])
def test_a_load_whose_settings_are_refused_leaves_that_in_the_file_too(here: Town, file: Path, by: str) -> None:
    load(here, file)
    before = file.read_text("utf-8")
    settings = here.run.home / "settings.toml"
    settings.write_text(f'[metrics]\ntextfile = "{file}"\n[retry]\nmax_attempts = 99\n', "utf-8")
    settings.chmod(0o600)
    flag = ("--textfile", str(file)) if by == "flag" else ()
    ended = here.run(*LOAD, "--config", str(settings), *flag)
    assert ended.code == 6
    text = file.read_text("utf-8")
    assert read(text, "snowload_run_exit_code", command="load") == 6
    for name in ("snowload_queue_entries", "snowload_state_up"):
        assert total(text, name) == total(before, name), "of the state nothing new is known"
    for name in ("snowload_last_success_timestamp_seconds", "snowload_last_run_timestamp_seconds"):
        assert read(text, name, command="load") == read(before, name, command="load")
    assert list(faults_of(text)) == []


def test_the_first_load_of_all_may_fail_on_its_settings_and_is_told(here: Town, file: Path) -> None:
    assert load(here, file, SNOWLOAD_RETRY__MAX_ATTEMPTS="many").code == 6
    text = file.read_text("utf-8")
    instance = here.run.variables["SERVICENOW_INSTANCE"].partition("//")[2].rstrip("/")
    assert read(text, "snowload_run_exit_code", command="load", target=instance, environment="testing") == 6
    assert load(here, file).code == 0, "and the next one is about the same target"


def under_way(here: Town) -> bool:
    """A write that is not answered yet: the sandbox notes a request when it answers."""
    with closing(sqlite3.connect(f"file:{file_of(here)}?mode=ro", uri=True)) as reading:
        return bool(reading.execute("SELECT count(*) FROM journal WHERE state = 'open'").fetchone()[0])


@pytest.mark.parametrize("signals", [1, 2])
def test_a_load_that_a_signal_ended_leaves_its_metrics(here: Town, file: Path, signals: int) -> None:
    """Asked twice, it ends in the middle of a request; the file is written all the same."""
    load(here, file)
    good = read(file.read_text("utf-8"), "snowload_last_success_timestamp_seconds", command="load")
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.LATENCY, path=WRITES, seconds=1 if signals == 1 else 6))
    process = running(here, *LOAD, "--full", "--textfile", str(file))
    when(lambda: under_way(here), "no write was sent")
    process.send_signal(signal.SIGTERM)
    if signals == 2:
        time.sleep(0.5)  # two at once are one to the system
        process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 143
    text = file.read_text("utf-8")
    assert read(text, "snowload_run_exit_code", command="load") == 143
    assert read(text, "snowload_last_success_timestamp_seconds", command="load") == good


def test_a_file_of_another_target_and_one_that_is_none_of_ours_are_left_as_they_are(
    here: Town, file: Path, tmp_path: Path
) -> None:
    load(here, file)
    for content, why in (
        (file.read_text("utf-8").replace('target="', 'target="other.'), "a file for each target"),
        ("# HELP node_x y\n# TYPE node_x gauge\nnode_x 1\n", "is not a file of snowload's metrics"),
        ("my notes\n", "is not a file of snowload's metrics"),
    ):
        file.write_text(content, "utf-8")
        by_flag = load(here, file)
        assert (by_flag.code, file.read_text("utf-8")) == (2, content)
        assert why in by_flag.err
        by_setting = here.run(*LOAD, SNOWLOAD_METRICS__TEXTFILE=str(file))
        assert (by_setting.code, file.read_text("utf-8")) == (6, content)
        assert "metrics.textfile" in by_setting.err


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_what_is_no_file_is_refused_before_anything_is_done_and_not_waited_for(
    here: Town, tmp_path: Path, kind: str
) -> None:
    """R4.5."""
    odd = Path("/dev/full") if kind == "device" else tmp_path / kind
    if kind == "pipe":
        os.mkfifo(odd)
    with socket.socket(socket.AF_UNIX) as peer:
        if kind == "socket":
            peer.bind(str(odd))
        setting = {"SNOWLOAD_METRICS__TEXTFILE": str(odd)}
        ends = [load(here, odd), here.run(*LOAD, **setting)]
        ends += [here.run("health", "--env", "testing", *flag, **more)
                 for flag, more in ((("--textfile", str(odd)), {}), ((), setting))]  # fmt: skip
    assert [ended.code for ended in ends] == [2, 6, 3, 3]
    assert all("metrics are kept in a file" in ended.err for ended in ends)
    assert not here.sandbox.log.lines("site-manager")


def test_metrics_that_cannot_be_written_at_the_end_change_no_exit_code_and_are_told(here: Town, file: Path) -> None:
    """R4.5: 5 would say that an end is away."""
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.LATENCY, path=WRITES, seconds=1))
    process = running(here, *LOAD, "--textfile", str(file))
    when(here.writes, "no write was sent")
    file.parent.rmdir()
    out, err = process.communicate(timeout=60)
    document = json.loads(out)
    assert (process.returncode, document["status"], "error" in document) == (0, "ok", False)
    keeps(document)
    assert str(file) in document["metrics_file"]["message"]
    assert "Metrics were not written." in err
    log = next(here.run.home.rglob("snowload.jsonl")).read_text("utf-8")
    (line,) = [one for one in map(json.loads, log.splitlines()) if one["event"] == "metrics.unwritten"]
    assert (line["level"], line["correlation_id"]) == ("warning", document["run_id"])


def test_each_command_replaces_its_own_numbers_and_leaves_those_of_the_others(here: Town, file: Path) -> None:
    there = {"SNOWLOAD_METRICS__TEXTFILE": str(file)}
    held = here.run(*LOAD, **there, **HELD_BACK).document
    assert here.run("validate", "--env", "testing", **there).code == 0
    assert here.run("replay-queue", "--env", "testing", **there).code == 0
    undone = here.run("rollback", held["run_id"], "--env", "testing", **there)
    here.run("health", "--env", "testing", **there)
    text = file.read_text("utf-8")
    told = {
        command: read(text, "snowload_run_exit_code", command=command)
        for command in ("load", "validate", "replay-queue")
    }
    assert told == {"load": 8, "validate": 0, "replay-queue": 0}
    assert total(text, "snowload_run_requests", command="validate") > 0
    assert read(text, "snowload_run_exit_code", command="rollback") == undone.code
    assert read(text, "snowload_health_status", check="servicenow") == 0
    assert read(text, "snowload_queue_entries", state="later") == 0, "what is true of the state is as it is now"
    assert list(faults_of(text)) == []


def test_a_state_that_cannot_be_read_is_told_in_the_file_with_what_was_known_of_it(here: Town, file: Path) -> None:
    load(here, file)
    before = file.read_text("utf-8")
    (here.run.home / "state" / "testing" / "state.sqlite").write_bytes(b"no database" * 1000)
    for command in (LOAD, ("health", "--env", "testing")):
        assert here.run(*command, "--textfile", str(file)).code != 0
        text = file.read_text("utf-8")
        assert read(text, "snowload_state_up") == 0
        name = "snowload_last_success_timestamp_seconds"
        assert read(text, name, command="load") == read(before, name, command="load")
    assert read(text, "snowload_run_exit_code", command="load") == 12


def test_data_checked_without_a_state_says_nothing_of_it(here: Town, file: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    ended = here.run("validate", "--env", "testing", "--input", str(tmp_path / "none"), "--textfile", str(file))
    assert read(file.read_text("utf-8"), "snowload_run_exit_code", command="validate") == ended.code
    assert read(file.read_text("utf-8"), "snowload_state_up") is None


def test_what_another_command_left_while_a_load_ran_stays(here: Town, file: Path) -> None:
    load(here, file)
    here.sandbox.log.clear()
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.LATENCY, path=WRITES, seconds=1.5))
    process = running(here, *LOAD, "--full", "--textfile", str(file))
    when(here.writes, "no write was sent")
    here.run("health", "--env", "testing", "--check", "database", "--textfile", str(file))
    process.communicate(timeout=60)
    text = file.read_text("utf-8")
    assert read(text, "snowload_health_status", check="database") == 0
    assert read(text, "snowload_run_exit_code", command="load") == 0


def test_a_dry_run_leaves_no_metrics(here: Town, file: Path) -> None:
    refused = load(here, file, "--dry-run")
    assert (refused.code, file.exists()) == (2, False)
    assert here.run(*LOAD, "--dry-run", SNOWLOAD_METRICS__TEXTFILE=str(file)).code == 0
    assert not file.exists()


def test_a_request_that_was_sent_again_is_counted_as_failed_once_and_as_a_retry(here: Town, file: Path) -> None:
    busy = Fault(effect=Effect.STATUS, status=503, path="/api/now/table/*", nth=1)
    here.sandbox.servicenow.faults.add(busy)
    patient = {"SNOWLOAD_RETRY__MAX_ATTEMPTS": "2", "SNOWLOAD_RETRY__BASE_DELAY_SECONDS": "0.01"}
    document = load(here, file, **patient).document
    text = file.read_text("utf-8")
    assert document["requests"]["retries"] == 1
    assert total(text, "snowload_run_request_retries") == 1
    again = next(one["operation"] for one in document["operations"] if one["retries"])
    assert read(text, "snowload_run_requests", operation=again, outcome="failed") >= 1  # type: ignore[operator]


def test_breakers_are_counted_by_dependency_and_state(here: Town) -> None:
    assert here.run("breakers", "open", "servicenow", "--env", "testing").code == 0
    text = here.run("metrics", "--env", "testing").out
    assert read(text, "snowload_breakers", breaker="servicenow", state="open") == 1
    assert read(text, "snowload_breakers", breaker="unifi", state="open") == 0


def test_with_metrics_off_nothing_is_counted_and_nothing_exposed(here: Town, file: Path) -> None:
    """`metrics_collection_enabled` of the operational settings is `metrics.enabled` here."""
    off = {"SNOWLOAD_METRICS__ENABLED": "false"}
    document = here.run(*LOAD, **off, SNOWLOAD_METRICS__TEXTFILE=str(file)).document
    assert (document["operations"], file.exists()) == ([], False)
    assert document["requests"]["servicenow"] > 0, "what the report needs is counted elsewhere"
    assert "feature.off" in {reason["code"] for reason in document["degradation"]["reasons"]}
    assert load(here, file, **off).code == 2
    printed = here.run("metrics", "--env", "testing", **off)
    assert (printed.code, printed.out) == (6, "")
    assert "metrics.enabled" in printed.err


def test_the_metrics_of_the_last_runs_can_be_printed_from_the_database_alone(here: Town, file: Path) -> None:
    load(here, file)
    here.sandbox.log.clear()
    printed = here.run("metrics", "--env", "testing")
    assert printed.code == 0
    assert list(faults_of(printed.out)) == []
    assert here.servicenow_reads() == []
    for name in ("snowload_run_duration_seconds", "snowload_last_success_timestamp_seconds"):
        assert read(printed.out, name, command="load") == read(file.read_text("utf-8"), name, command="load")
    assert total(printed.out, "snowload_run_requests") == total(file.read_text("utf-8"), "snowload_run_requests")
    told = here.run("metrics", "--env", "testing", "--json").document
    assert (told["schema"], told["status"]) == ("snowload.metrics/1", "ok")
    assert read(told["exposition"], "snowload_state_up") == 1


@contextmanager
def serving(here: Town, *more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = running(here, "metrics", "--env", "testing", "--listen", "127.0.0.1:0", *more)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://\S+(?=/metrics)", line)
        assert found, line
        yield process, found.group()
    finally:
        process.kill()
        process.communicate()


def got(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read().decode("utf-8")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode("utf-8")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_metrics_are_served_as_they_are_at_the_moment_of_asking_until_a_signal(
    here: Town, number: signal.Signals, code: int
) -> None:
    with serving(here) as (process, url):
        status, text = got(f"{url}/metrics")
        assert (status, read(text, "snowload_run_exit_code", command="load")) == (200, None)
        assert here.run(*LOAD).code == 0
        status, text = got(f"{url}/metrics")
        assert (status, read(text, "snowload_run_exit_code", command="load")) == (200, 0)
        assert read(text, "snowload_scrapes_total", outcome="ok") == 2
        assert list(faults_of(text)) == []
        assert got(f"{url}/healthz") == (200, "ok\n")
        assert got(f"{url}/etc/passwd") == (404, "there are /metrics and /healthz\n")
        process.send_signal(number)
        process.wait(timeout=20)
        assert process.returncode == code


def test_a_state_that_cannot_be_read_is_told_by_metrics_and_by_healthz(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    with serving(here) as (_, url):
        (here.run.home / "state" / "testing" / "state.sqlite").write_bytes(b"no database" * 1000)
        status, text = got(f"{url}/metrics")
        assert (status, read(text, "snowload_state_up")) == (200, 0)
        assert read(text, "snowload_scrapes_total", outcome="failed") == 1
        assert got(f"{url}/healthz")[0] == 503


def test_a_state_that_is_gone_is_told_and_none_is_made(here: Town) -> None:
    """R4.5: not there yet is no trouble."""
    state = here.run.home / "state" / "testing"
    file = state / "state.sqlite"
    with serving(here) as (process, url):
        assert got(f"{url}/healthz") == (200, "ok\n")
        assert read(got(f"{url}/metrics")[1], "snowload_state_up") is None
        assert not file.exists()
        assert here.run(*LOAD).code == 0
        assert read(got(f"{url}/metrics")[1], "snowload_state_up") == 1
        kept = state.rename(state.with_name("elsewhere"))
        assert got(f"{url}/healthz")[0] == 503
        assert read(got(f"{url}/metrics")[1], "snowload_state_up") == 0
        assert not state.exists()
        kept.rename(state)
        assert got(f"{url}/healthz")[0] == 200
        process.send_signal(signal.SIGTERM)
        told = process.communicate(timeout=20)[1]
    assert told.count(f"There is no database {file}") == 1


def test_why_the_state_cannot_be_read_is_told_once_until_it_can(here: Town) -> None:
    """R6.1: with the command to give next."""
    assert here.run(*LOAD).code == 0
    file = here.run.home / "state" / "testing" / "state.sqlite"
    good, bad = file.read_bytes(), b"no database" * 1000
    with serving(here) as (process, url):
        for content in (bad, bad, good, bad):
            file.write_bytes(content)
            assert got(f"{url}/healthz")[0] == (200 if content is good else 503)
        process.send_signal(signal.SIGTERM)
        told = process.communicate(timeout=20)[1].splitlines()
    assert [line.startswith("snowload: ") for line in told] == [True, False] * 3, told
    assert told[:2] == told[2:4], "and the last two are about the signal"
    assert str(file) in told[0]
    assert "snowload" in told[1]


def test_more_peers_than_there_are_places_for_are_sent_away_and_none_keeps_its_place(here: Town) -> None:
    with serving(here) as (_, url), ExitStack() as held:
        talking, *silent = [held.enter_context(connected(url)) for _ in range(PLACES)]
        assert got(f"{url}/healthz")[0] == 503
        began = time.monotonic()
        with suppress(OSError):
            while time.monotonic() - began < 20:
                talking.sendall(b"G")
                time.sleep(0.1)
        assert time.monotonic() - began < PATIENCE_SECONDS + 10, "a byte now and then is no new beginning"
        assert [one.recv(1) for one in silent] == [b""] * len(silent)
        assert got(f"{url}/healthz")[0] == 200


def test_peers_that_break_off_are_no_news(here: Town) -> None:
    """R4.5: a traceback for each would fill the journal of whoever serves."""
    with serving(here) as (process, url):
        for number in range(40):
            with connected(url) as peer:
                peer.sendall(b"G" if number % 2 else b"GET /metrics HTTP/1.0\r\n\r\n")
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # no good-bye
        assert got(f"{url}/healthz")[0] in (200, 503)
        process.send_signal(signal.SIGTERM)
        told = process.communicate(timeout=20)[1].splitlines()
    assert len(told) == 2, told


def test_who_sends_headers_without_an_end_is_sent_away_and_writes_into_no_log(here: Town) -> None:
    with serving(here) as (process, url):
        with connected(url) as peer:
            peer.sendall(b"GET /metrics HTTP/1.1\r\n" + b"x: " + b"y" * HEAD_BYTES)
            assert peer.recv(12) == b"HTTP/1.0 431"
        process.send_signal(signal.SIGTERM)
        told = process.communicate(timeout=20)[1].splitlines()
        assert len(told) == 2, told


def connected(url: str) -> socket.socket:
    host, _, port = url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), 20)


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.7:9464", "monitor.example.com:9464"])
def test_metrics_are_not_served_to_other_machines_unless_that_was_said(snowload: Snowload, address: str) -> None:
    refused = snowload("metrics", "--env", "testing", "--listen", address)
    assert refused.code == 2
    assert "--allow-remote" in refused.err


@pytest.mark.parametrize("address", ["9464", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", ":9464", "127.0.0.1:٣"])
def test_an_address_that_is_none_is_a_mistake_of_typing(snowload: Snowload, address: str) -> None:
    assert snowload("metrics", "--env", "testing", "--listen", address).code == 2


def test_a_port_that_is_taken_is_told(here: Town) -> None:
    with serving(here) as (_, url):
        refused = here.run("metrics", "--env", "testing", "--listen", url.removeprefix("http://"))
        assert refused.code == 2
        assert "Nothing can listen" in refused.err
