"""Names: unique, stable, and never a way for one device to become another (cmdb-model 2.4, guard 1)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import event, given, settings
from hypothesis import strategies as st

from beast_dream_snow_loader.core.changes import ChangeType, Plan
from beast_dream_snow_loader.core.known import KnownState
from beast_dream_snow_loader.core.mapping_rules import DEFAULT_RULES
from beast_dream_snow_loader.core.planner import make_plan

if TYPE_CHECKING:
    from conftest import Estate

NAMES = ("core", "Core", "AP", "core (HQ)")


def _plan(estate: Estate, named: dict[int, str], known: KnownState) -> Plan:
    devices = [estate.device(number, name=name) for number, name in named.items()]
    desired = estate.fitted(estate.snapshot(*devices))
    return make_plan(desired, known, now=estate.taken_at + timedelta(minutes=1), rules=DEFAULT_RULES)


def _names(known: KnownState) -> dict[str, str]:
    return {key.mac: item.written["name"] for key, item in known.items.items()}


def test_two_names_change_places_in_one_run(estate: Estate) -> None:
    known = estate.after(_plan(estate, {1: "north", 2: "south"}, KnownState()))
    plan = _plan(estate, {1: "south", 2: "north"}, known)
    assert {(c.type, c.item.key.mac, c.send["name"]) for c in plan.items} == {
        (ChangeType.UPDATE, estate.mac(1), "south"),
        (ChangeType.UPDATE, estate.mac(2), "north"),
    }
    assert _plan(estate, {1: "south", 2: "north"}, estate.after(plan, known)).empty


def test_a_device_that_follows_another_under_its_name_gets_a_name_of_its_own(estate: Estate) -> None:
    known = estate.after(_plan(estate, {1: "core"}, KnownState()))
    plan = _plan(estate, {2: "core"}, known)
    assert [(c.type, c.item.key.mac, c.item.name) for c in plan.items] == [
        (ChangeType.CREATE, estate.mac(2), "core (HQ)")
    ]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_is_renamed_removed_and_replaced_no_two_records_ever_share_a_name(
    estate: Estate, data: st.DataObject
) -> None:
    """And nobody who is away is renamed, nor is anybody whose UniFi name stayed."""
    known, before = KnownState(), dict[int, str]()
    for _ in range(data.draw(st.integers(2, 4))):
        numbers = data.draw(st.sets(st.integers(1, 5), min_size=1))
        now = {number: data.draw(st.sampled_from(NAMES)) for number in sorted(numbers)}
        plan, old = _plan(estate, now, known), _names(known)
        known = estate.after(plan, known)
        names = [name.casefold() for name in _names(known).values()]
        assert len(names) == len(set(names))
        stayed = {n for n in now if before.get(n) == now[n]} | (before.keys() - now.keys())
        for number in stayed:
            assert _names(known)[estate.mac(number)] == old[estate.mac(number)]
        swapped = [n for n in now if n in before and now[n] != before[n] and now[n] in before.values()]
        event(f"took over a name: {bool(swapped)}, somebody away: {bool(before.keys() - now.keys())}")
        before = {**before, **now}
        assert _plan(estate, now, known).empty
