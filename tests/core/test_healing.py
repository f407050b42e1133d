"""What a look at a CI of ours says, and what the ledger believes afterwards (X5, L3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beast_dream_snow_loader.core.healing import (
    AT_LEAST,
    Ailment,
    Diagnosis,
    Seen,
    diagnose,
    due,
    healed,
    hidden_rather_than_gone,
    unconfirmed,
)
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import KnownItem, KnownState

X, Y, Z = SysId("1" * 32), SysId("2" * 32), SysId("3" * 32)
KEY = SourceKey("device", "00005e005302")
KNOWN = KnownItem(
    key=KEY, sys_id=X, class_name="cmdb_ci_ip_switch", created_by_us=True, written={"name": "core"}, mod_count=3
)
SWITCH = {"class_name": "cmdb_ci_ip_switch"}
KEYED = replace(KNOWN, written_at=datetime(2026, 1, 10, tzinfo=UTC))
LOOKS = [
    # what is seen, the ailment, who may stand in its place
    (Seen(there=True, leads_to=(X,), **SWITCH), Ailment.NONE, ()),
    (Seen(there=True, leads_to=None, **SWITCH), Ailment.NONE, ()),
    (Seen(there=True, leads_to=(), **SWITCH), Ailment.NONE, ()),
    (Seen(there=True, leads_to=(X, Y), **SWITCH), Ailment.NONE, ()),
    (Seen(there=True, leads_to=(Y,), **SWITCH), Ailment.FOLLOWED, (Y,)),
    (Seen(there=True, class_name="cmdb_ci_netgear", leads_to=(X,)), Ailment.RECLASSIFIED, ()),
    (Seen(there=True, duplicate_of=Y, leads_to=(X,), **SWITCH), Ailment.FOLLOWED, (Y,)),
    (Seen(there=True, duplicate_of=Y, leads_to=(Z,), **SWITCH), Ailment.FOLLOWED, (Z,)),
    (Seen(there=False, leads_to=(Y,)), Ailment.FOLLOWED, (Y,)),
    (Seen(there=False, leads_to=(X,)), Ailment.GONE, ()),
    (Seen(there=False, leads_to=None), Ailment.GONE, ()),
]


@pytest.mark.parametrize(("seen", "ailment", "heirs"), LOOKS)
def test_a_look_says_what_has_become_of_a_ci(seen: Seen, ailment: Ailment, heirs: tuple[SysId, ...]) -> None:
    assert diagnose(KNOWN, seen) == Diagnosis(ailment=ailment, heirs=heirs)


def test_a_ci_without_its_native_key_is_given_it_again_and_nothing_else_is_forgotten() -> None:
    seen = Seen(there=True, leads_to=(), **SWITCH)
    diagnosis = diagnose(KEYED, seen)
    healing = healed(KEYED, seen, diagnosis, {}, frozenset())
    assert (diagnosis.ailment, healing.item) == (Ailment.KEYLESS, replace(KEYED, keyless=True))
    assert [finding.rule for finding in healing.findings] == ["ledger.key_lost"]


def _healed(seen: Seen, rows: dict[SysId, dict[str, str]], taken: frozenset[SysId] = frozenset()) -> object:
    return healed(KNOWN, seen, diagnose(KNOWN, seen), rows, taken)


def test_the_one_living_heir_is_followed_and_counts_as_already_there() -> None:
    healing = _healed(Seen(there=False, leads_to=(Y, Z)), {Y: {"sys_class_name": "cmdb_ci_netgear"}})
    assert healing.followed
    assert (healing.item.sys_id, healing.item.class_name) == (Y, "cmdb_ci_netgear")
    assert (healing.item.created_by_us, healing.item.written, healing.item.written_at) == (False, {}, None)
    (finding,) = healing.findings
    assert X in finding.message
    assert Y in finding.message


def test_of_several_living_heirs_none_is_chosen() -> None:
    healing = _healed(Seen(there=False, leads_to=(Y, Z)), {Y: {}, Z: {}})
    assert (healing.item, healing.held.rule) == (KNOWN, "identity.several")


def test_a_ci_merged_into_that_of_another_record_is_held_and_not_made_again() -> None:
    healing = _healed(Seen(there=True, duplicate_of=Y, leads_to=(X,)), {Y: {}}, frozenset({Y}))
    assert (healing.item, healing.held.rule) == (KNOWN, "identity.shared")


@pytest.mark.parametrize("rows", [{}, {Y: {"duplicate_of": Z}}])
def test_a_dead_heir_is_none(rows: dict[SysId, dict[str, str]]) -> None:
    assert _healed(Seen(there=False, leads_to=(Y,)), rows).item is None
    assert _healed(Seen(there=True, leads_to=(Y,), **SWITCH), rows).item == KNOWN


def test_all_out_of_sight_while_their_keys_are_counted_is_a_matter_of_rights() -> None:
    gone = [Diagnosis(ailment=Ailment.GONE)] * 6
    assert hidden_rather_than_gone(gone, 6, 6)
    assert not hidden_rather_than_gone(gone, 0, 6)
    assert hidden_rather_than_gone(gone[:1], None, 1)
    assert not hidden_rather_than_gone(gone[:1], 1, 1)
    assert not hidden_rather_than_gone([*gone, Diagnosis(ailment=Ailment.NONE)], 7, 7)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 400), st.integers(1, 30))
def test_within_so_many_runs_everybody_is_looked_at(count: int, runs: int) -> None:
    now = datetime(2026, 1, 10, tzinfo=UTC)
    items = {
        key: replace(KNOWN, key=key, checked_at=now if number % 3 else None)
        for number in range(count)
        for key in [SourceKey("device", f"00005e{number:06x}")]
    }
    looked: set[SourceKey] = set()
    for run in range(runs):
        keys = due(KnownState(items=items), runs)
        assert len(keys) <= max(AT_LEAST, -(-count // runs))
        looked.update(keys)
        items |= {key: replace(items[key], checked_at=now + timedelta(hours=run + 1)) for key in keys}
    assert looked == items.keys()


def test_gear_without_a_sign_of_life_is_looked_at_as_often_as_the_rest() -> None:
    now = datetime(2026, 1, 10, tzinfo=UTC)
    keys = [SourceKey("device", f"00005e{number:06x}") for number in range(4)]
    ages = (timedelta(hours=25), timedelta(hours=25), timedelta(hours=1), None)
    items = {
        key: replace(KNOWN, key=key, checked_at=None if age is None else now - age)
        for key, age in zip(keys, ages, strict=True)
    }
    quiet = unconfirmed(KnownState(items=items), {keys[0]}, now - timedelta(hours=24))
    assert quiet == [keys[1], keys[3]]
