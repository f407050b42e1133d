"""Every part of a report is reckoned again, from what the commands themselves said and from the CMDB (R8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from beast_dream_snow_loader.sandbox.servicenow import oracle
from beast_dream_snow_loader.sandbox.servicenow.ire.options import IreOptions
from tests.scenarios.conftest import Town
from tests.scenarios.desk import (
    LOAD,
    REPLAY,
    OpenTown,
    away,
    by_hand,
    key_of,
    one_switch,
    refuse,
    remove,
    small,
    switches,
)

Told = Mapping[str, Any]
NOT_OK = {"partial", "queued", "refused", "unavailable", "failed", "interrupted"}
WRITTEN = ("created", "updated", "retired", "linked", "unlinked")


def a_week(here: Town) -> list[Told]:
    """A good load, one with a refused switch and a hand edit, one while ServiceNow is away, a replay, a good load."""
    said = [here.run(*LOAD).document]
    remove(here)
    by_hand(here, one_switch(here.estate), name="by-hand")
    other = switches(here.estate)[1]
    here.estate.rename_device(other.mac, "renamed")
    refuse(here, key_of(other))
    said.append(here.run(*LOAD, "--full").document)
    away(here)
    said.append(here.run(*LOAD, "--full").document)
    here.sandbox.servicenow.faults.clear()
    here.app.backend.set_options(ire=IreOptions())
    said += [here.run(*REPLAY).document, here.run(*LOAD).document]
    return said


def sums(said: Sequence[Told]) -> Counter[str]:
    return sum((Counter({name: one["written"][name] for name in WRITTEN}) for one in said), Counter[str]())


def check_summary(told: Any, said: Sequence[Told], _: Town) -> None:
    loads = [one for one in said if one["links"]["wanted"]]
    assert told["runs"] == len(said)
    assert told["by_status"] == Counter(one["status"] for one in said)
    assert told["ok"] == sum(one["exit_code"] == 0 for one in said)
    assert told["success_rate_percent"] == round(100 * told["ok"] / len(said), 1)
    assert {name: told[name] for name in WRITTEN} == {name: sums(said)[name] for name in WRITTEN}
    assert told["failed"] == sum(len(one["failed"]) for one in said)
    assert told["held"] == sum(len(one["held"]) for one in said)
    rate = sum(one["links"]["linked"] for one in loads) / sum(one["links"]["wanted"] for one in loads)
    assert told["linking_rate"] == round(rate, 4)
    good = [one["started_at"] for one in said if one["exit_code"] == 0]
    assert told["last_success"] == max(good)


def check_runs(told: Any, said: Sequence[Told], _: Town) -> None:
    assert [one["run_id"] for one in reversed(told)] == [one["run_id"] for one in said]
    for run, one in zip(reversed(told), said, strict=True):
        same = ("status", "exit_code", "started_at")
        assert [run[name] for name in same] == [one[name] for name in same]
        assert {name: run[name] for name in WRITTEN[:2]} == {name: one["written"][name] for name in WRITTEN[:2]}
        assert (run["failed"], run["held"], run["queued"]) == (len(one["failed"]), len(one["held"]), one["queued"])
        assert run["linking_rate"] == one["links"]["rate"]


def check_steps(told: Any, said: Sequence[Told], _: Town) -> None:
    took: dict[str, list[float]] = {}
    for one in said:
        for step in one["steps"]:
            took.setdefault(step["name"], []).append(step["duration_seconds"])
    assert {one["name"]: one["runs"] for one in told} == {name: len(times) for name, times in took.items()}
    for one in told:
        assert one["longest_seconds"] == max(took[one["name"]])
        assert one["average_seconds"] == pytest.approx(sum(took[one["name"]]) / len(took[one["name"]]), abs=0.001)


def codes_of(one: Told) -> set[str]:
    """What went wrong in a run: of each record, and why writes were queued."""
    because = one["queued_because"]
    return {failed["code"] for failed in one["failed"]} | ({because["code"]} if because else set())


def check_failures(told: Any, said: Sequence[Told], _: Town) -> None:
    assert {mode["code"] for mode in told} == set().union(*map(codes_of, said))
    for mode in told:
        assert mode["runs"] == sum(mode["code"] in codes_of(one) for one in said)


def check_incidents(told: Any, said: Sequence[Told], _: Town) -> None:
    runs = {incident["code"]: set[str]() for one in said for incident in one["incidents"]}
    for one in said:
        for incident in one["incidents"]:
            runs[incident["code"]].add(one["run_id"])
    assert {one["code"]: set(one["runs"]) for one in told} == runs


def check_quality(told: Any, said: Sequence[Told], here: Town) -> None:
    last = said[-1]
    assert told["run_id"] == last["run_id"]
    assert told["links"] == {name: last["links"][name] for name in told["links"]}
    assert told["links"]["linked"] <= len(oracle.edges(here.app.instance))
    assert [one["record"] for one in told["failed"]] == [one["key"] for one in last["failed"]]
    by_rule = Counter(finding["rule"] for one in said for finding in one["findings"])
    rules = {one["rule"]: one["count"] for one in told["rules"]}
    assert rules.items() <= by_rule.items()
    assert len(rules) == min(len(by_rule), 10) > 0


def check_reliability(told: Any, said: Sequence[Told], _: Town) -> None:
    loads = [one for one in said if one["schema"].startswith("snowload.load")]
    bad = [one["exit_code"] != 0 for one in loads]
    assert told["episodes"] == sum(now and not before for before, now in zip([False, *bad], bad, strict=False))
    assert (told["failing_since"] is not None) == bad[-1]


def check_queue(told: Any, said: Sequence[Told], here: Town) -> None:
    listed = here.run("queue", "list", "--env", "testing", "--json").document
    assert told["waiting"] + told["parked"] == len(listed["entries"])
    assert said[2]["queued"] > 0
    assert told["unsettled"] == 0


def check_inventory(told: Any, _: Sequence[Told], here: Town) -> None:
    ours = oracle.by_native_key(here.app.instance, "UniFi")
    assert told["classes"] == Counter(item.class_name for item in ours.values())
    assert sum(told["sites"].values()) == len(ours)


def check_periods(told: Any, said: Sequence[Told], _: Town) -> None:
    assert sum(one["runs"] for one in told) == len(said)
    statuses: Counter[str] = sum((Counter(one["by_status"]) for one in told), Counter())
    assert statuses == Counter(one["status"] for one in said)
    unsuccessful = sum(one["runs"] * one["unsuccessful_percent"] / 100 for one in told)
    assert round(unsuccessful) == sum(one["status"] in NOT_OK for one in said)


def check_next_steps(told: Any, said: Sequence[Told], _: Town) -> None:
    """No advice where all is well; after a bad last load, first of all how to see why."""
    steps = [one["step"] for one in told]
    assert any(said[-1]["run_id"] in step for step in steps) == (said[-1]["exit_code"] != 0)


def check_too_few_for_a_forecast(told: Any, _: Sequence[Told], __: Town) -> None:
    """Five runs within a minute are no history. What one says is reckoned again in tests/history/test_reckoned.py."""
    assert told
    assert not any(one["enough"] or one["warning"] for one in told)


def check_nothing_to_say(told: Any, _: Sequence[Told], __: Town) -> None:
    assert told == []


def check_bottlenecks(told: Any, _: Sequence[Told], __: Town) -> None:
    """Whether there are any is up to the machine: loads of a second or two."""
    assert all(30 <= one["share_percent"] <= 100 for one in told)
    assert sum(one["share_percent"] for one in told) <= 100.5


CHECKS: Mapping[str, Callable[[Any, Sequence[Told], Town], None]] = {
    "summary": check_summary,
    "runs": check_runs,
    "steps": check_steps,
    "failures": check_failures,
    "incidents": check_incidents,
    "quality": check_quality,
    "reliability": check_reliability,
    "queue": check_queue,
    "inventory": check_inventory,
    "periods": check_periods,
    "next_steps": check_next_steps,
    "forecasts": check_too_few_for_a_forecast,
    "alerts": check_nothing_to_say,
    "bottlenecks": check_bottlenecks,
    "patterns": check_nothing_to_say,
}
ABOUT_ITSELF = {"schema", "snowload_version", "run_id", "environment", "generated_at", "status", "exit_code", "since",
                "until", "runs_omitted", "degradation"}  # fmt: skip


def test_every_part_of_a_report_is_what_the_commands_said_and_the_cmdb_holds(town: OpenTown) -> None:
    here = town(small())
    said = a_week(here)
    told = here.run("report", "--env", "testing", "--json").document
    assert set(told) - ABOUT_ITSELF == set(CHECKS)
    for part, check in CHECKS.items():
        check(told[part], said, here)
