"""An edge follows what moved once two complete reads in a row agree, and never sooner (cmdb-model 6.7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beast_dream_snow_loader.core.known import KnownRelation, KnownState
from beast_dream_snow_loader.core.mapping_rules import DEFAULT_RULES
from beast_dream_snow_loader.core.observed import Presence, Read, Subject
from beast_dream_snow_loader.core.planner import make_plan

if TYPE_CHECKING:
    from conftest import Estate

    from beast_dream_snow_loader.core.changes import Plan

MOVING = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One read: what device 9 hangs on (None: it does not say), whether it is online, whether all was read,
    whether the device is only remembered."""

    upper: int | None
    online: bool = True
    complete: bool = True
    remembered: bool = False


@dataclass(slots=True)
class Ledger:
    """What runs remember, one plan carried out after the other."""

    estate: Estate
    known: KnownState = field(default_factory=KnownState)

    def run(self, look: Look, *, full: bool = False, carried_out: bool = True) -> Plan:
        uplink = self.estate.mac(look.upper) if look.upper else None
        presence = Presence.ONLINE if look.online else Presence.OFFLINE
        devices = [self.estate.device(number) for number in (1, 2, 3)]
        as_of = self.estate.taken_at if look.remembered else None
        devices.append(self.estate.device(MOVING, uplink_mac=uplink, presence=presence, as_of=as_of))
        read = Read(console="c0", subject=Subject.DEVICES, complete=look.complete, records=4)
        desired = self.estate.fitted(self.estate.snapshot(*devices, reads=(read,)))
        plan = make_plan(desired, self.known, now=self.estate.taken_at, rules=DEFAULT_RULES, full=full)
        known = self.estate.after(plan, self.known)
        watched = {edge.relation_key: edge for edge in plan.watched}
        relations = {key: watched.get(key, edge) for key, edge in known.relations.items()}
        if carried_out:
            for unlink in plan.unlinks:
                del relations[unlink.subject]
        self.known = replace(known, relations=relations)
        return plan

    def uppers(self) -> list[str]:
        return sorted(edge.child.mac for edge in self.known.relations.values())


def test_a_move_is_followed_by_the_second_complete_read_with_the_new_edge_first(estate: Estate) -> None:
    ledger = Ledger(estate)
    ledger.run(Look(upper=1))
    seen_once = ledger.run(Look(upper=2))
    assert (seen_once.links, seen_once.unlinks) == ((), ())
    assert [finding.rule for finding in seen_once.findings] == ["relation.moving"]
    assert "1 of 2" in seen_once.findings[0].message
    twice = ledger.run(Look(upper=2))
    assert [link.relation.upper.mac for link in twice.links] == [estate.mac(2)]
    assert [unlink.known.child.mac for unlink in twice.unlinks] == [estate.mac(1)]
    assert twice.unlinks[0].replaced_by == twice.links[0].subject
    assert ledger.run(Look(upper=2)).empty


def test_a_first_edge_is_drawn_at_once_even_from_a_partial_read(estate: Estate) -> None:
    ledger = Ledger(estate)
    ledger.run(Look(upper=None))
    assert len(ledger.run(Look(upper=1, complete=False)).links) == 1


@pytest.mark.parametrize(
    "between",
    [Look(upper=1), Look(upper=3), Look(upper=None)],
    ids=["back where it was", "somewhere else", "nowhere"],
)
def test_whatever_is_seen_between_two_reads_starts_the_count_again(estate: Estate, between: Look) -> None:
    ledger = Ledger(estate)
    for look in (Look(upper=1), Look(upper=2), between, Look(upper=2)):
        ledger.run(look)
    assert ledger.uppers() == [estate.mac(1)]


@pytest.mark.parametrize(
    "nothing", [Look(upper=3, complete=False), Look(upper=3, online=False), Look(upper=3, remembered=True)]
)
def test_a_partial_read_and_a_device_offline_or_only_remembered_count_neither_way(
    estate: Estate, nothing: Look
) -> None:
    ledger = Ledger(estate)
    for look in (Look(upper=1), Look(upper=2), nothing, Look(upper=2)):
        ledger.run(look)
    assert ledger.uppers() == [estate.mac(2)]


def test_an_offline_devices_last_known_uplink_is_kept(estate: Estate) -> None:
    ledger = Ledger(estate)
    for look in (Look(upper=1), *[Look(upper=None, online=False)] * 3, *[Look(upper=2, online=False)] * 3):
        assert not ledger.run(look).unlinks
    assert ledger.uppers() == [estate.mac(1)]


def test_full_draws_every_edge_again_and_moves_none_sooner(estate: Estate) -> None:
    ledger = Ledger(estate)
    ledger.run(Look(upper=1))
    assert len(ledger.run(Look(upper=1), full=True).links) == 1
    assert not ledger.run(Look(upper=2), full=True).links


def test_an_edge_that_could_not_be_removed_is_tried_again_by_the_next_run(estate: Estate) -> None:
    ledger = Ledger(estate)
    for look in (Look(upper=1), Look(upper=2)):
        ledger.run(look)
    ledger.run(Look(upper=2), carried_out=False)
    assert ledger.uppers() == [estate.mac(1), estate.mac(2)]
    again = ledger.run(Look(upper=2))
    assert (again.links, len(again.unlinks)) == ((), 1)
    assert ledger.uppers() == [estate.mac(2)]


LOOKS = st.builds(
    Look,
    upper=st.sampled_from([1, 1, 1, 2, 2, 2, 3, None]),
    online=st.sampled_from([True, True, True, False]),
    complete=st.sampled_from([True, True, True, False]),
)


def test_for_any_history_the_edge_is_where_two_agreeing_reads_last_put_it(estate: Estate) -> None:
    moved = 0

    @settings(max_examples=150, deadline=None)
    @given(looks=st.lists(LOOKS, min_size=6, max_size=14))
    def run(looks: Sequence[Look]) -> None:
        nonlocal moved
        ledger, where, count = Ledger(estate), None, 0
        candidate: int | None = None
        for look in looks:
            ledger.run(look)
            if where is None:
                where = look.upper  # a first edge is drawn whatever the read was like
            elif look.complete and look.online:
                count = count + 1 if look.upper == candidate else 1
                candidate = look.upper
                if look.upper not in (None, where) and count >= 2:
                    where, moved, candidate = look.upper, moved + 1, None
            assert ledger.uppers() == ([estate.mac(where)] if where else [])

    run()
    assert moved >= 20


def test_edges_of_other_roles_and_devices_are_left_alone(estate: Estate) -> None:
    ledger = Ledger(estate)
    ledger.run(Look(upper=1))
    other = KnownRelation(
        relation_key=f"managed_by device/{estate.mac(MOVING)} -> device/{estate.mac(3)}",
        parent=next(iter(ledger.known.relations.values())).parent,
        child=next(iter(ledger.known.relations.values())).child,
        type="Managed by::Manages",
    )
    ledger.known = replace(ledger.known, relations={**ledger.known.relations, other.relation_key: other})
    for _ in range(2):
        plan = ledger.run(Look(upper=2))
    assert [unlink.known.type for unlink in plan.unlinks] == ["Connects to::Connected by"]
    assert other.relation_key in ledger.known.relations
