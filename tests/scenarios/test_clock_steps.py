"""A wall clock that was wrong for one load does no harm to those after it (reliability 4: jumps of the clock)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from tests.crash.harness import NEEDS_COMPILER
from tests.scenarios.conftest import Town
from tests.scenarios.desk import LOAD, OpenTown, clean, one_switch, rules, switch, value

pytestmark = NEEDS_COMPILER
DAYS = 86_400


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("clock") / "clock.so"
    compiler = shutil.which("cc") or "cc"
    source = Path(__file__).with_name("clock.c")
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return library


@pytest.fixture
def here(town: OpenTown) -> Town:
    return town(Estate.generate(seed=3, sites=1, devices=8))


def load_at(here: Town, shim: Path, seconds: int) -> None:
    """A load of a host whose clock is so far off."""
    environment = {**here.run.environment(), "LD_PRELOAD": str(shim), "CLOCK_OFF": str(seconds)}
    command = [sys.executable, "-m", "beast_dream_snow_loader", *LOAD]
    subprocess.run(command, env=environment, check=True, capture_output=True)


@pytest.mark.parametrize("days", [10, 3650])
def test_what_changes_after_a_load_whose_clock_ran_ahead_is_written_and_the_clock_told_of(
    here: Town, shim: Path, days: int
) -> None:
    """The engine has a later pass of each CI than what is sent, and would ignore it without a word."""
    load_at(here, shim, days * DAYS)
    here.estate.rename_device(switch(here.estate).mac, "renamed")
    ended = here.run(*LOAD)
    assert (ended.code, value(here, one_switch(here.estate), "name")) == (0, "renamed"), ended.err
    assert "clock.ahead" in rules(ended)
    here.estate.rename_device(switch(here.estate).mac, "renamed again")
    assert here.run(*LOAD).code == 0
    assert value(here, one_switch(here.estate), "name") == "renamed again"
    clean(here)


def test_the_last_load_is_the_last_one_made_and_not_the_one_of_a_clock_that_ran_ahead(here: Town, shim: Path) -> None:
    first = here.run(*LOAD).document["run_id"]
    load_at(here, shim, 100 * DAYS)
    last = here.run(*LOAD).document["run_id"]
    runs = [run["run_id"] for run in here.run("runs", "list", "--env", "testing", "--json").document["runs"]]
    assert runs[:2] == [last, first]
    assert here.run("rollback", first, "--env", "testing", "--dry-run", "--json").code == 0


def test_a_clock_that_was_behind_for_one_load_is_no_matter_afterwards(here: Town, shim: Path) -> None:
    assert here.run(*LOAD).code == 0
    here.estate.rename_device(switch(here.estate).mac, "renamed")
    load_at(here, shim, -3600)
    assert value(here, one_switch(here.estate), "name") == "renamed"
    assert here.run(*LOAD).code == 0
    clean(here)
