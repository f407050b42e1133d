"""A plan is cut into few requests, every change once and every edge after both its ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beast_dream_snow_loader.core.batching import MOST_ITEMS, link_batches, next_batch
from beast_dream_snow_loader.core.changes import ItemChange, LinkChange, Plan
from beast_dream_snow_loader.core.desired import DesiredState, Relation, RelationRole
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.known import KnownState
from beast_dream_snow_loader.core.mapping_rules import DEFAULT_RULES
from beast_dream_snow_loader.core.ordering import lanes, top_down
from beast_dream_snow_loader.core.planner import make_plan
from beast_dream_snow_loader.core.ports import Batch

if TYPE_CHECKING:
    from conftest import Estate


def _plan(estate: Estate, desired: DesiredState, known: KnownState | None = None, *, full: bool = False) -> Plan:
    now = estate.taken_at + timedelta(minutes=1)
    return make_plan(desired, known or KnownState(), now=now, rules=DEFAULT_RULES, full=full)


def _requests(plan: Plan, first: int = 100, most: int = 250) -> list[Batch]:
    """All lanes one after another, growing as a quick instance lets it grow; then the links that are left."""
    left, batches, size = list(plan.links), [], first
    there, carriers = set(plan.carriers), dict(plan.carriers)
    for lane in plan.lanes:
        pending: Sequence[ItemChange] = lane.items
        while pending:
            batch = next_batch(lane.name, pending, left, size, there, carriers)
            taken = set(batch.links)
            left = [link for link in left if link not in taken]
            pending = pending[len(batch.items) :]
            there |= {change.item.key for change in batch.items}
            carriers.update((change.item.key, change) for change in batch.items)
            size = min(most, int(size * 2.5))
            batches.append(batch)
    return [*batches, *link_batches(left, carriers, size)]


def _assert_sound(plan: Plan, batches: Sequence[Batch]) -> None:
    items = Counter(change.item.key for batch in batches for change in batch.items)
    links = Counter(link.relation.key for batch in batches for link in batch.links)
    assert items == Counter(change.item.key for change in plan.items)
    assert links == Counter(link.relation.key for link in plan.links)
    written: set[SourceKey] = set(plan.carriers)
    for batch in batches:
        named = {change.item.key for change in (*batch.items, *batch.carried)}
        assert len(named) == len(batch.items) + len(batch.carried) <= MOST_ITEMS
        assert {change.item.key for change in batch.carried} <= written
        assert all({link.relation.lower, link.relation.upper} <= named for link in batch.links)
        written |= {change.item.key for change in batch.items}


@pytest.mark.parametrize(("consoles", "per_console", "sites"), [(10, 201, 1), (1, 2000, 10), (200, 10, 1)])
def test_two_thousand_devices_on_ten_sites_need_few_requests(
    estate: Estate, consoles: int, per_console: int, sites: int
) -> None:
    plan = _plan(estate, estate.fitted(estate.large(consoles, per_console, sites)))
    batches = _requests(plan)
    _assert_sound(plan, batches)
    assert len(plan.items) >= 2000
    assert len(plan.links) >= 2000
    assert len(batches) <= max(25, consoles)


def test_one_changed_device_of_ten_thousand_is_one_request(estate: Estate) -> None:
    snapshot = estate.large(50, 200)
    known = estate.after(_plan(estate, estate.fitted(snapshot)))
    changed = replace(snapshot.devices[777], firmware="9.9.9")
    after = replace(snapshot, devices=(*snapshot.devices[:777], changed, *snapshot.devices[778:]))
    batches = _requests(_plan(estate, estate.fitted(after), known))
    assert [(len(batch.items), len(batch.links), len(batch.carried)) for batch in batches] == [(1, 0, 0)]


def test_what_others_hang_on_is_written_first(estate: Estate) -> None:
    desired = estate.fitted(estate.large(3, 80))
    place = {key: index for index, key in enumerate(top_down(desired))}
    assert place.keys() == desired.items.keys()
    assert all(place[relation.upper] < place[relation.lower] for relation in desired.relations)


def test_lanes_are_consoles_and_share_nothing(estate: Estate) -> None:
    desired = estate.fitted(estate.large(3, 20))
    plan = _plan(estate, desired)
    assert [lane.name for lane in plan.lanes] == ["c0", "c1", "c2"]
    assert all(change.item.lane == lane.name for lane in plan.lanes for change in lane.items)
    assert lanes(reversed(plan.items), desired) == plan.lanes


def test_a_console_below_a_switch_is_written_before_the_rest_of_the_estate(estate: Estate) -> None:
    devices = [
        estate.device(1, model_code="UDMPRO"),
        estate.device(2, uplink_mac=estate.mac(1)),
        estate.device(3, uplink_mac=estate.mac(1)),
        estate.device(9, uplink_mac=estate.mac(3), model_code="UCKP", is_console=True),
    ]
    order = [key.mac for key in top_down(estate.fitted(estate.snapshot(*devices)))]
    assert order == [estate.mac(n) for n in (1, 3, 9, 2)]


def test_nothing_of_another_console_is_carried_while_lanes_run_side_by_side(estate: Estate) -> None:
    devices = (estate.device(1), estate.device(2, console="c1", uplink_mac=estate.mac(1)))
    plan = _plan(estate, estate.fitted(estate.snapshot(*devices)))
    batches = _requests(plan)
    assert [(batch.lane, len(batch.links)) for batch in batches] == [("c0", 0), ("c1", 0), ("links", 1)]
    _assert_sound(plan, batches)


def test_a_link_without_a_carrier_can_still_be_queued() -> None:
    relation = Relation(
        role=RelationRole.UPLINK,
        lower=SourceKey("device", "00005e005301"),
        upper=SourceKey("device", "00005e005302"),
        type="Connects to::Connected by",
    )
    (batch,) = link_batches([LinkChange(relation=relation)], {}, 100)
    assert len(batch.links) == 1
    assert not batch.carried


def test_many_links_between_unchanged_items_are_cut_at_the_size_of_a_payload(estate: Estate) -> None:
    desired = estate.fitted(estate.large(1, 1500))
    known = estate.after(_plan(estate, desired))
    plan = _plan(estate, desired, replace(known, relations={}))
    assert not plan.items
    batches = _requests(plan, first=250)
    _assert_sound(plan, batches)
    assert max(len(batch.links) for batch in batches) <= 250


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 24), st.sampled_from(["c0", "c1", "c2"])), min_size=1, max_size=25),
    st.integers(1, 9),
    st.sets(st.integers(1, 25)),
)
def test_any_estate_is_written_once_whatever_its_shape_and_the_size_of_a_batch(
    estate: Estate, shape: list[tuple[int, str]], size: int, known_before: set[int]
) -> None:
    devices = [
        estate.device(number, console=console, uplink_mac=estate.mac(above), is_console=number % 5 == 1)
        for number, (above, console) in enumerate(shape, start=1)
    ]
    first = estate.fitted(estate.snapshot(*(d for n, d in enumerate(devices, start=1) if n in known_before)))
    known = replace(estate.after(_plan(estate, first)), relations={})
    plan = _plan(estate, estate.fitted(estate.snapshot(*devices)), known)
    _assert_sound(plan, _requests(plan, first=size, most=size))
