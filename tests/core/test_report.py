"""What a load comes to: numbers that add up, one status, one exit code."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import cycle
from typing import TYPE_CHECKING

import pytest

from beast_dream_snow_loader.core.changes import ItemChange
from beast_dream_snow_loader.core.events import StepFinished
from beast_dream_snow_loader.core.exit_codes import ExitCode
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import Candidate, Held, KnownState
from beast_dream_snow_loader.core.mapping_rules import DEFAULT_RULES
from beast_dream_snow_loader.core.observed import Aged, Read, Subject
from beast_dream_snow_loader.core.parking import END_UNKNOWN
from beast_dream_snow_loader.core.planner import make_plan
from beast_dream_snow_loader.core.ports import Settlement
from beast_dream_snow_loader.core.receipts import Operation, Outcome, Receipt
from beast_dream_snow_loader.core.report import RunReport, status_of
from beast_dream_snow_loader.core.run import RunStatus
from beast_dream_snow_loader.errors import (
    CmdbAsleep,
    ConfigurationError,
    EmptySource,
    NotAuthenticated,
    SourceUnavailable,
    StateDamaged,
    StateLocked,
)

if TYPE_CHECKING:
    from conftest import Estate


def _settled(report: RunReport, *outcomes: Outcome) -> RunReport:
    assert report.plan is not None
    changes = (*report.plan.items, *report.plan.links)
    settlements = [
        Settlement(
            change=change,
            receipt=Receipt(
                subject=change.subject,
                outcome=outcome,
                operation=Operation.INSERTED if isinstance(change, ItemChange) else Operation.LINKED,
                code="" if outcome is Outcome.DONE else "MISSING_DEPENDENCY",
                message="" if outcome is Outcome.DONE else "said \x1b[31mServiceNow",
            ),
        )
        for change, outcome in zip(changes, cycle(outcomes), strict=False)
    ]
    return replace(report, settlements=settlements)


@pytest.fixture
def report(estate: Estate) -> RunReport:
    snapshot = estate.large(1, 5)
    desired = estate.fitted(snapshot)
    return RunReport(
        started_at=estate.taken_at,
        finished_at=estate.taken_at + timedelta(seconds=2.5),
        snapshot=snapshot,
        desired=desired,
        plan=make_plan(desired, KnownState(), now=estate.taken_at, rules=DEFAULT_RULES),
        steps=(StepFinished(step="fetch", seconds=0.1234, records=5),),
        checked=5,
    )


def test_the_numbers_of_a_first_load(report: RunReport) -> None:
    document = _settled(report, Outcome.DONE).document()
    assert document["source"] == {"consoles": 1, "sites": 1, "devices": 5, "clients": 0}
    assert document["plan"]["create"] == document["written"]["created"] == 5
    assert document["plan"]["link"] == document["written"]["linked"] == 8
    assert document["links"] == {"wanted": 8, "linked": 8, "orphans": 0, "rate": 1.0}
    assert document["duration_seconds"] == 2.5
    assert document["started_at"] == "2026-01-10T08:00:00Z"
    assert document["steps"] == [{"name": "fetch", "duration_seconds": 0.123, "records": 5}]
    assert (document["verify"]["checked"], document["verify"]["mismatches"]) == (5, 0)
    assert document["failed"] == document["held"] == document["errors"] == []
    assert document["queued"] == 0


def test_the_numbers_of_a_load_with_nothing_to_do(estate: Estate, report: RunReport) -> None:
    assert report.plan is not None
    assert report.desired is not None
    known = estate.after(report.plan)
    plan = make_plan(report.desired, known, now=estate.taken_at + timedelta(hours=25), rules=DEFAULT_RULES)
    document = replace(report, plan=plan).document()
    assert document["plan"]["unchanged"] == document["plan"]["heartbeat"] == 5
    assert document["links"] == {"wanted": 8, "linked": 8, "orphans": 0, "rate": 1.0}


def test_each_failed_record_is_named_with_servicenows_words(report: RunReport) -> None:
    document = _settled(report, Outcome.DONE, Outcome.REFUSED).document()
    assert len(document["failed"]) == 6
    assert document["failed"][0]["code"] == "MISSING_DEPENDENCY"
    assert "\x1b" not in document["failed"][0]["message"]


def test_held_records_show_their_candidates(report: RunReport) -> None:
    candidate = Candidate(sys_id="1" * 32, name="core", class_name="cmdb_ci_ip_switch")
    held = Held(key=SourceKey("device", "00005e005301"), rule="identity.several", reason="two", candidates=(candidate,))
    (told,) = replace(report, held=(held,)).document()["held"]
    assert told["candidates"][0]["sys_id"] == "1" * 32


PROBLEM = Finding(record="device/00005e005301", rule="field.required", severity=Severity.ERROR, message="no name")


def test_all_well_is_ok(report: RunReport) -> None:
    warning = replace(PROBLEM, severity=Severity.WARNING)
    assert status_of(replace(_settled(report, Outcome.DONE), findings=(warning,))) == (RunStatus.OK, ExitCode.OK)


@pytest.mark.parametrize(
    ("told", "status", "code"),
    [
        ({"error": StateDamaged("x")}, RunStatus.FAILED, 12),
        ({"error": ConfigurationError("x")}, RunStatus.FAILED, 6),
        ({"error": NotAuthenticated("x")}, RunStatus.FAILED, 7),
        ({"error": EmptySource("x")}, RunStatus.REFUSED, 4),
        ({"error": SourceUnavailable("x")}, RunStatus.UNAVAILABLE, 5),
        ({"error": CmdbAsleep("x")}, RunStatus.UNAVAILABLE, 5),
        ({"error": StateLocked("x")}, RunStatus.FAILED, 9),
        ({"findings": (PROBLEM,)}, RunStatus.PARTIAL, 3),
        ({"error": EmptySource("x"), "findings": (PROBLEM,)}, RunStatus.REFUSED, 4),
        ({"interrupted": ExitCode.TERMINATED, "findings": (PROBLEM,)}, RunStatus.INTERRUPTED, 143),
    ],
)
def test_the_severest_decides(report: RunReport, told: dict[str, object], status: RunStatus, code: int) -> None:
    assert status_of(replace(report, **told)) == (status, code)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ((Outcome.DONE,), 0),
        ((Outcome.LATER,), 8),
        ((Outcome.DONE, Outcome.REFUSED), 3),
        ((Outcome.UNKNOWN, Outcome.LATER), 8),
    ],
)
def test_what_became_of_the_writes_decides(report: RunReport, outcomes: tuple[Outcome, ...], code: int) -> None:
    assert status_of(_settled(report, *outcomes))[1] == code


@pytest.mark.parametrize(("outcome", "code"), [(Outcome.DONE, 3), (Outcome.LATER, 8), (Outcome.UNKNOWN, 8)])
def test_an_edge_that_waits_is_never_success(report: RunReport, outcome: Outcome, code: int) -> None:
    """What is queued tells why it waits; with all done nothing does."""
    assert report.plan is not None
    assert status_of(replace(_settled(report, outcome), unlinked=report.plan.links[:1]))[1] == code


def test_why_writes_wait_is_told_by_what_holds_them_up_not_by_what_waits_behind(report: RunReport) -> None:
    late = _settled(report, Outcome.LATER).settlements
    behind = [replace(one, receipt=replace(one.receipt, code=END_UNKNOWN, message="behind")) for one in late[1:]]
    assert len(behind) > 1
    told = replace(report, settlements=(late[0], *behind)).document()
    assert told["queued_because"]["code"] == late[0].receipt.code
    alone = replace(report, settlements=tuple(behind)).document()
    assert alone["queued_because"]["code"] == END_UNKNOWN


def test_the_edge_of_a_client_may_wait_for_a_device_that_another_load_brings(report: RunReport) -> None:
    assert report.plan is not None
    link = replace(report.plan.links[0], lower_sys_id=SysId("1" * 32))
    assert status_of(replace(_settled(report, Outcome.DONE), unlinked=(link,)))[1] == 0


def test_a_stale_source_counts_only_when_strict(report: RunReport) -> None:
    assert report.snapshot is not None
    aged = Aged(console="c1", name="One", taken_at=report.started_at, seconds=3600.0)
    lost = Read(console="c1", subject=Subject.DEVICES, complete=False, reason="timed out")
    snapshot = replace(report.snapshot, reads=(lost,), aged=(aged,), excused=frozenset({"c1"}))
    stale = replace(report, snapshot=snapshot)
    assert stale.document()["stale_source"] == 3600.0
    assert status_of(stale)[1] == ExitCode.OK
    assert status_of(stale, strict=True)[1] == ExitCode.PARTIAL


def test_a_console_that_could_not_be_read_makes_the_run_partial(report: RunReport) -> None:
    assert report.snapshot is not None
    lost = Read(console="c1", subject=Subject.DEVICES, complete=False, reason="timed out")
    assert status_of(replace(report, snapshot=replace(report.snapshot, reads=(lost,))))[1] == ExitCode.PARTIAL
