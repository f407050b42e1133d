"""The rules about the CMDB case by case: every file in ``cases/`` is a promise (docs/guides/scenarios.md)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.scenarios.casework.checking import Check, report_problems, tables
from tests.scenarios.casework.reading import Case, CaseError, Run, read_case
from tests.scenarios.casework.world import World, case_paths
from tests.scenarios.in_process import InProcess


@pytest.mark.parametrize("path", case_paths(), ids=lambda path: path.stem)
def test_the_cmdb_becomes_what_the_file_says_and_nothing_else(path: Path, tmp_path: Path) -> None:
    case = read_case(path)
    with World(case, InProcess(tmp_path / "home")) as world:
        for number, run in enumerate(case.runs, start=1):
            problems = _problems(world, run)
            assert not problems, _told(case, f"run {number} ({run.says})", problems)
        if case.again:
            problems = _problems(world, _nothing(case.runs[-1]), again=True)
            assert not problems, _told(case, "the same run once more", problems)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("[[run]]\nchangd = {}", "run 1 knows no 'changd'; did you mean 'changed'?"),
        ('[unifi.device.sw]\nmodle = "x"\n[[run]]', "did you mean 'model'?"),
        ('[[run]]\nunifi = [{ renam = "sw" }]', "did you mean 'rename'?"),
        ("[unifi.device.switch]\n[[run]]\nchanged.swich = {}", "did you mean 'switch'?"),
        ('[[run]]\nafter = "2 dayz"', "did you mean 'day'?"),
    ],
)
def test_an_unknown_word_in_a_file_is_refused_with_the_nearest_one(tmp_path: Path, wrong: str, told: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(f'title = "x"\n{wrong}\n')
    with pytest.raises(CaseError, match=re.escape(told)) as refused:
        read_case(path)
    assert "wrong.toml" in str(refused.value)


def test_an_unknown_field_of_a_ci_is_refused_with_the_nearest_one(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text('title = "x"\n[cmdb.theirs]\nserial_numbr = "1"\n[[run]]\n')
    with pytest.raises(CaseError, match="did you mean 'serial_number'"):
        World(read_case(path), InProcess(tmp_path / "home"))


@pytest.mark.parametrize(
    ("file", "line", "problem"),
    [
        ("ours-follows-a-rename", 'changed.sw.name = "hq-core-01"', "sw: name is 'hq-core-01', not 'hq-sw-01'"),
        ("ours-follows-a-rename", "created.sw = {}", "sw was created and the file does not say so"),
        ("edges-drawn-once", '  "core connects to gw",', "relation 'core connects to gw' was drawn"),
        ("name-of-another", 'findings = ["name.taken: sw"]', "findings are ['name.taken: sw']"),
        ("match-by-name-and-mac", 'is_now = "sw"', "a key was added to theirs"),
    ],
)
def test_what_a_file_does_not_say_fails(tmp_path: Path, file: str, line: str, problem: str) -> None:
    """The checker itself: each of these files passes as it is, and fails without one of its lines."""
    text = next(path for path in case_paths() if path.stem == file).read_text()
    assert line in text
    path = tmp_path / "less.toml"
    path.write_text(text.replace(line, "", 1))
    with World(read_case(path), InProcess(tmp_path / "home")) as world:
        problems = [problem for run in world.case.runs for problem in _problems(world, run)]
    assert any(one.startswith(problem) for one in problems), problems


def _problems(world: World, run: Run, *, again: bool = False) -> list[str]:
    if not again:
        world.happen(run)
    before = tables(world)
    if run.command[0] != "replay-queue":  # a replay tells of what was seen when it was queued
        world.started = datetime.now(UTC)
    ended = world.run(run)
    if not ended.out:
        return [f"no document: exit {ended.code}, {ended.err[-2000:]}"]
    told = report_problems(world, run, ended.code, ended.document, again=again)
    return [*told, *Check(world, run, before, tables(world), world.started).all()]


def _nothing(last: Run) -> Run:
    return Run(exit=last.exit, findings=last.findings, held=last.held, failed=last.failed)


def _told(case: Case, where: str, problems: list[str]) -> str:
    return "\n".join([f"{case.title}", f"  {case.path.name}, {where}:", *(f"  - {one}" for one in problems)])
