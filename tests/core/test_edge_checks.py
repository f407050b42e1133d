"""Which relations a run looks at, and what it makes of those it does not find (cmdb-model 6.7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from beast_dream_snow_loader.core.edge_checks import due_edges, judge, lost_ends
from beast_dream_snow_loader.core.healing import AT_LEAST
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import KnownItem, KnownRelation, KnownState

NOW = datetime(2026, 1, 10, tzinfo=UTC)
ROW, OTHER = SysId("1" * 32), SysId("2" * 32)


def device(number: int) -> SourceKey:
    return SourceKey("device", f"00005e00{number:04x}")


def edge(lower: int, upper: int = 0) -> KnownRelation:
    ends = {"parent": device(lower), "child": device(upper)}
    name = f"uplink {device(lower)} -> {device(upper)}"
    return KnownRelation(relation_key=name, type="Connects to::Connected by", sys_id=ROW, **ends)


def estate(count: int) -> KnownState:
    keys = [device(number) for number in range(count + 1)]
    items = {
        k: KnownItem(key=k, sys_id=SysId(f"{n:032x}"), class_name="c", created_by_us=True) for n, k in enumerate(keys)
    }
    return KnownState(items=items, relations={one.relation_key: one for one in map(edge, range(1, count + 1))})


def test_all_relations_are_looked_at_within_the_runs_told_and_few_in_each() -> None:
    known, seen = estate(1000), set()
    for run in range(8):
        due = due_edges(known, 8)
        assert len(due) == 125
        seen |= {one.relation_key for one in due}
        looked = judge(due, {one.relation_key: ROW for one in due}, (), NOW + timedelta(hours=run))
        known = looked.remembered_in(known)
    assert seen == known.relations.keys()
    assert len(due_edges(estate(300), 24)) == AT_LEAST


def test_the_relation_of_a_client_whose_ci_is_not_ours_is_looked_at_elsewhere() -> None:
    link = replace(edge(1), relation_key=f"uplink client/00005e009999 -> {device(0)}")
    known = estate(1)
    assert due_edges(replace(known, relations={link.relation_key: link}), 1) == []


def test_a_relation_counts_as_removed_by_hand_only_when_both_its_ends_were_seen() -> None:
    lost = edge(1)
    assert lost_ends([lost], {}) == {device(0), device(1)}
    assert judge([lost], {}, {device(1)}, NOW).looked == ()
    (looked,) = judge([lost], {}, {device(0), device(1)}, NOW).looked
    assert looked == replace(lost, removed=True, checked_at=NOW)
    assert lost_ends([looked], {}) == frozenset()


def test_the_row_we_drew_is_ours_again_when_it_is_seen_again_and_another_is_not() -> None:
    gone = replace(edge(1), removed=True)
    (again,) = judge([gone], {gone.relation_key: ROW}, (), NOW).looked
    (theirs,) = judge([gone], {gone.relation_key: OTHER}, (), NOW).looked
    assert (again.removed, again.ours, again.sys_id) == (False, True, ROW)
    assert (theirs.removed, theirs.ours, theirs.sys_id) == (False, False, OTHER)
