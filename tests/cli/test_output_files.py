"""Where results are written: refused before anything is done, never in place of a device, pipe or link."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.servicenow.app import ServiceNowApp
from beast_dream_snow_loader.sandbox.town import Account, Sandbox
from tests.cli.logins import CREDENTIALS
from tests.conftest import Snowload

LOAD = ("load", "--env", "testing", "--json")


@pytest.fixture
def sandbox(snowload: Snowload) -> Sandbox:
    app = ServiceNowApp.create()
    made = Sandbox.create(estate=Estate.generate(seed=5, sites=1, devices=3), servicenow=app)
    made.account = Account(username="snowload", password="snowload-demo")
    made.start()
    snowload.variables |= dict(made.environment())
    yield made  # type: ignore[misc]
    made.stop()
    app.close()


@pytest.mark.parametrize(
    "command",
    ["load --report", "load --errors", "plan --out", "doctor --bundle", "report --output", "queue export"],
)
@pytest.mark.parametrize("where", [".", "no-such-directory/file.json"])
def test_a_file_that_could_not_be_written_is_refused_before_anything_is_done(
    snowload: Snowload, command: str, where: str
) -> None:
    ended = snowload(*command.split(), where, "--env", "testing", **CREDENTIALS)
    assert ended.code == 2
    assert f"File {where} cannot be written" in ended.err
    assert not (snowload.home / "no-such-directory").exists()


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("both", [False, True], ids=["named", "named and kept"])
def test_a_report_that_could_not_be_written_is_not_named_as_written(snowload: Snowload, both: bool) -> None:
    reports = snowload.home / "state" / "testing" / "reports"
    if both:
        reports.parent.mkdir(parents=True, mode=0o700)
        reports.symlink_to("/dev/full")
    ended = snowload("load", "--env", "testing", "--report", "/dev/full")
    assert ended.code != 0
    assert "/dev/full cannot be written: the disk is full" in ended.err or both
    named = [line for line in ended.out.splitlines() if line.startswith("report: ")]
    assert named == ([] if both else [f"report: {one}" for one in reports.iterdir()])


def test_a_log_file_that_cannot_be_written_is_a_mistake_of_the_settings(snowload: Snowload) -> None:
    ended = snowload("load", "--env", "testing", "--log-file", "/proc/nope/log.jsonl", **CREDENTIALS)
    assert (ended.code, "--log-file" in ended.err) == (6, True)


@pytest.mark.parametrize(("flag", "code"), [(True, 2), (False, 6)])
def test_a_pipe_is_refused_as_a_log_file_and_not_waited_for(
    snowload: Snowload, tmp_path: Path, flag: bool, code: int
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    given = ("--log-file", str(pipe)) if flag else ()
    variables = {} if flag else {"SNOWLOAD_LOGGING__FILE": str(pipe)}
    ended = snowload("load", "--env", "testing", *given, **CREDENTIALS, **variables)
    assert (ended.code, "a log is kept in a file" in ended.err) == (code, True), ended.err
    assert "snowload load" in ended.err


def test_a_link_is_followed_and_a_pipe_is_written_through(snowload: Snowload, sandbox: Sandbox, tmp_path: Path) -> None:
    target, link, pipe = tmp_path / "target.json", tmp_path / "link.json", tmp_path / "pipe"
    link.symlink_to(target)
    assert snowload("plan", "--env", "testing", "--out", str(link)).code == 0
    assert link.is_symlink()
    assert json.loads(target.read_bytes())["schema"] == "snowload.plan/1"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR)
    try:
        assert snowload("load", "--dry-run", "--env", "testing", "--report", str(pipe)).code == 0
        assert os.read(reader, 1 << 16).startswith(b"{")
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_document_that_cannot_be_printed_is_told_and_never_exit_0(snowload: Snowload, sandbox: Sandbox) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "beast_dream_snow_loader", *LOAD],
            env=snowload.environment(), cwd=snowload.home, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert "snowload report --run" in done.stderr
