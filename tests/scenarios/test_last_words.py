"""Whatever a command does not end well with, stderr says what happened and what to type now (product.md, Output)."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from beast_dream_snow_loader.cli.conclude import unexpected
from beast_dream_snow_loader.core.exit_codes import ExitCode
from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from tests.conftest import Ended
from tests.scenarios.conftest import Town
from tests.scenarios.desk import HELD_BACK, LOAD, PLAN, WRITES, OpenTown, away, key_of, refuse, switch, writing

NEXT = re.compile(r"snowload [a-z]|SNOWLOAD_|SERVICENOW_|UNIFI_|BEAST_|--[a-z]")
"""A command, an option or a setting to turn to."""


def usage(here: Town) -> Ended:
    return here.run("report", "--run", "no-such-run", "--env", "testing")


def partial(here: Town) -> Ended:
    refuse(here, key_of(switch(here.estate)))
    return here.run(*LOAD)


def refused(here: Town) -> Ended:
    assert here.run(*LOAD).code == 0
    for server in (here.sandbox.site_manager, *(console.server for console in here.sandbox.consoles)):
        server.faults.add(Fault(effect=Effect.STATUS, status=200, body='{"data":[],"meta":{"rc":"ok"}}'))
    return here.run(*LOAD)


def unavailable(here: Town) -> Ended:
    assert here.run(*LOAD).code == 0
    here.app.backend.set_options(hibernating=True)
    return here.run(*LOAD)


def unnamed(here: Town) -> Ended:
    return here.run("load")


def unknown_login(here: Town) -> Ended:
    return here.run(*LOAD, SERVICENOW_PASSWORD="wrong-one")


def queued(here: Town) -> Ended:
    assert here.run(*LOAD).code == 0
    here.estate.rename_device(switch(here.estate).mac, "renamed")
    away(here)
    return here.run(*LOAD)


def locked(here: Town) -> Ended:
    slow = here.sandbox.servicenow.faults.add
    slow(Fault(effect=Effect.LATENCY, path=WRITES, seconds=20))
    first = writing(here)
    try:
        return here.run(*LOAD)
    finally:
        first.kill()
        first.communicate()


def changes(here: Town) -> Ended:
    return here.run(*PLAN, "--detailed-exitcode")


def damaged(here: Town) -> Ended:
    file = here.run.home / "plan.json"
    assert here.run(*PLAN, "--out", str(file)).code == 0
    file.write_text(file.read_text().replace('"reason"', '"raison"', 1))
    return here.run(*LOAD, "--plan", str(file))


def ended_by(number: signal.Signals) -> Callable[[Town], Ended]:
    def end(here: Town) -> Ended:
        here.sandbox.servicenow.faults.add(Fault(effect=Effect.LATENCY, path=WRITES, seconds=1))
        running = writing(here)
        running.send_signal(number)
        out, err = running.communicate(timeout=60)
        return Ended(code=running.returncode, out=out, err=err)

    return end


ENDS: Mapping[ExitCode, Callable[[Town], Ended]] = {
    ExitCode.USAGE: usage,
    ExitCode.PARTIAL: partial,
    ExitCode.REFUSED: refused,
    ExitCode.UNAVAILABLE: unavailable,
    ExitCode.CONFIG: unnamed,
    ExitCode.AUTH: unknown_login,
    ExitCode.QUEUED: queued,
    ExitCode.LOCKED: locked,
    ExitCode.CHANGES: changes,
    ExitCode.INTEGRITY: damaged,
    ExitCode.INTERRUPTED: ended_by(signal.SIGINT),
    ExitCode.TERMINATED: ended_by(signal.SIGTERM),
}


def told(err: str) -> None:
    happened, *after = err.strip().splitlines()
    assert happened.startswith("snowload: "), err
    assert happened.endswith((".", "!")), err
    assert NEXT.search("\n".join(after)), err


@pytest.fixture
def here(town: OpenTown) -> Town:
    return town(Estate.generate(seed=3, sites=1, devices=6))


@pytest.mark.parametrize("code", ENDS, ids=lambda code: code.name.lower())
def test_every_exit_code_is_explained_on_stderr_with_the_next_command(here: Town, code: ExitCode) -> None:
    ended = ENDS[code](here)
    assert ended.code == code, (ended.code, ended.err)
    told(ended.err)


def test_no_exit_code_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """The defect of ours has no way in from outside; its last line is asked directly."""
    assert set(ExitCode) - set(ENDS) == {ExitCode.OK, ExitCode.ERROR}
    unexpected(RuntimeError("not for people"), as_json=False, debug=False)
    err = capsys.readouterr().err
    assert "-vv" in err
    assert "not for people" not in err


@pytest.mark.parametrize(
    ("variables", "why", "step"),
    [
        ({}, "503", "snowload replay-queue"),
        (HELD_BACK, "servicenow.mode is read-only", 'servicenow.mode to "normal"'),
        (
            {"SNOWLOAD_CIRCUIT_BREAKER__FAILURE_THRESHOLD": "1"},
            "servicenow.ire failed repeatedly",
            "snowload replay-queue",
        ),
    ],
    ids=["away", "read-only", "breaker"],
)
def test_queued_writes_are_counted_on_stderr_with_why_they_wait(
    here: Town, variables: dict[str, str], why: str, step: str
) -> None:
    """R6.5: one line, also with --quiet and with --json."""
    if not variables.get("SNOWLOAD_SERVICENOW__MODE"):
        here.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=503, path=WRITES))
    ended = here.run(*LOAD, "--quiet", **variables)
    assert ended.code == 8
    happened, after = ended.err.strip().splitlines()
    assert happened.startswith(f"snowload: {ended.document['queued']} writes are queued, because ")
    assert why in happened
    assert step in after


def test_a_health_that_is_not_well_says_what_and_how_to_find_out(here: Town) -> None:
    here.app.backend.set_options(hibernating=True)
    ended = here.run("health", "--env", "testing", "--json")
    assert ended.code == 2
    assert "servicenow" in ended.err.splitlines()[0]
    told(ended.err)


def test_what_is_well_says_nothing_on_stderr(here: Town, tmp_path: Path) -> None:
    ended = here.run(*LOAD)
    assert (ended.code, ended.err) == (0, "")
