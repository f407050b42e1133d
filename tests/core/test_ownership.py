"""Who owns a field: three ways between what we wrote, what UniFi says and what the CMDB holds (cmdb-model 6.9)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from beast_dream_snow_loader.core.changes import ChangeType, ItemChange
from beast_dream_snow_loader.core.comparing import Difference, Policy, compare
from beast_dream_snow_loader.core.desired import ConfigItem, Ownership
from beast_dream_snow_loader.core.flapping import REMEMBERED, flaps, remembered, restored
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import KnownItem

KEY = SourceKey("device", "00005e005302")
GROUPS = {"ip_address": Ownership.ALWAYS, "model_number": Ownership.OURS, "short_description": Ownership.ONCE}
ITEM = ConfigItem(
    key=KEY, kind="switch", lane="c0", site=None, class_chain=("cmdb_ci_ip_switch",), values={}, name_forms=("core",)
)
KNOWN = KnownItem(key=KEY, sys_id=SysId("1" * 32), class_name="cmdb_ci_ip_switch", created_by_us=True)


def differ(element: str, new: str, known: KnownItem, *, overwrite: bool = False, full: bool = False) -> Difference:
    policy = Policy(ownership=GROUPS, overwrite=overwrite, full=full)
    return compare(replace(ITEM, values={element: new}), known, policy)


def sent(difference: Difference) -> list[str]:
    return [change.new for change in difference.changes]


TEXT = st.sampled_from(["", "A", "B", "C"])


@given(st.sampled_from(sorted(GROUPS)), TEXT, TEXT, TEXT.filter(bool), st.booleans(), st.booleans())
def test_every_group_keeps_its_promise(
    element: str, written: str, held: str, new: str, ours: bool, overwrite: bool
) -> None:
    known = replace(KNOWN, created_by_us=ours, written={element: written} if written else {}, stored={element: held})
    difference = differ(element, new, known, overwrite=overwrite)
    group = GROUPS[element]
    by_hand = ours and group is Ownership.OURS and held != written and held != new
    event(f"{group}, ours {ours}, by hand {by_hand}")
    if group is Ownership.ONCE or held == new:
        assert not difference.changes
    elif group is Ownership.ALWAYS:
        assert sent(difference) == [new]
    elif not ours:
        assert sent(difference) == ([] if held else [new])
    elif by_hand and not overwrite:
        assert not difference.changes
        assert difference.noted.overridden == {element: held}
        assert [finding.rule for finding in difference.overridden] == ["field.overridden_by_hand"]
    else:
        assert sent(difference) == [new]


def test_a_hand_edit_is_remembered_without_reading_the_ci_again() -> None:
    edited = replace(KNOWN, written={"model_number": "A"}, stored={"model_number": "by hand"})
    remembers = replace(differ("model_number", "A", edited).noted, stored=None)
    for new in ("A", "B"):
        difference = differ("model_number", new, remembers)
        assert not difference.changes
        assert difference.overridden[0].value == "by hand"


def test_a_hand_edit_that_unifi_came_to_agree_with_is_none_any_more() -> None:
    edited = replace(KNOWN, written={"model_number": "A"}, stored={"model_number": "B"})
    agreed = differ("model_number", "B", edited)
    assert not agreed.changes
    assert not agreed.overridden
    assert sent(differ("model_number", "C", replace(agreed.noted, stored={"model_number": "B"}))) == ["C"]


def test_a_field_cleared_by_hand_stays_empty_and_is_told() -> None:
    difference = differ("model_number", "A", replace(KNOWN, written={"model_number": "A"}, stored={"model_number": ""}))
    assert not difference.changes
    assert "cleared by hand" in difference.overridden[0].message


def test_a_field_that_a_read_does_not_show_is_taken_for_what_we_wrote() -> None:
    known = replace(KNOWN, written={"model_number": "A", "ip_address": "192.0.2.1"}, stored={})
    assert not differ("model_number", "A", known).changes
    assert not differ("ip_address", "192.0.2.1", known).changes
    assert not differ("model_number", "A", replace(known, created_by_us=False, written={})).changes


@given(st.lists(st.sampled_from("ABCDE"), min_size=2, max_size=8))
def test_only_values_that_keep_coming_back_flap(values: list[str]) -> None:
    steps = [value for at, value in enumerate(values) if at == 0 or value != values[at - 1]]
    if len(steps) < 2:
        return
    *history, written, new = steps
    returns = sum(1 for at, value in enumerate(steps) if value in steps[:at])
    event(f"flaps: {returns >= 2}")
    assert bool(flaps(history, written, new)) == (returns >= 2)


def _carried_out(known: KnownItem, element: str, new: str, stored: str | None = None) -> tuple[KnownItem, Difference]:
    """The CI after one run in which UniFi says ``new`` and the CMDB holds ``stored``."""
    known = replace(known, stored={element: known.written.get(element, "") if stored is None else stored})
    difference = differ(element, new, known)
    fields = tuple(difference.changes)
    change = ItemChange(type=ChangeType.UPDATE, item=ITEM, send={element: new}, fields=fields)
    after = replace(
        difference.noted,
        written={element: new},
        history=remembered(difference.noted, change),
        contested=restored(difference.noted, change),
    )
    return after, difference


def test_a_field_that_goes_back_and_forth_in_unifi_is_told_with_its_values() -> None:
    known, rules = replace(KNOWN, written={"ip_address": "A"}), []
    for new in "BA" * 7:
        known, difference = _carried_out(known, "ip_address", new)
        rules.append([finding.rule for finding in difference.restless])
    assert rules[:2] == [[], []]
    assert all(rule == ["field.flapping"] for rule in rules[2:])
    assert len(known.history["ip_address"]) == REMEMBERED
    assert "A → B → A" in difference.restless[0].message


def test_a_field_that_is_changed_back_whenever_we_wrote_it_is_told_until_it_rests() -> None:
    known, told = replace(KNOWN, written={"ip_address": "ours"}), []
    for _ in range(4):
        known, difference = _carried_out(known, "ip_address", "ours", stored="theirs")
        assert sent(difference) == ["ours"]
        told.append([finding.rule for finding in difference.restless])
    assert told == [[], [], ["field.contested"], ["field.contested"]]
    assert "reconciliation rule" in difference.restless[0].message
    rested = differ("ip_address", "ours", replace(known, stored={"ip_address": "ours"}))
    assert not rested.noted.contested


@pytest.mark.parametrize("element", ["ip_address", "model_number"])
def test_a_plain_change_in_unifi_is_no_fight(element: str) -> None:
    known = replace(KNOWN, written={element: "A"})
    for new in "BCDEFG":
        known, difference = _carried_out(known, element, new)
        assert not difference.restless
    assert not known.contested
