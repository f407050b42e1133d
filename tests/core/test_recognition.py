"""The decision table of cmdb-model 2.4, guard 2, line by line."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beast_dream_snow_loader.core.desired import ConfigItem
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import Candidate
from beast_dream_snow_loader.core.matching import Match, MatchedBy
from beast_dream_snow_loader.core.recognition import Decision, judge, second_look

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = SourceKey("device", "00005e005302")
ITEM = ConfigItem(
    key=KEY,
    kind="switch",
    lane="c0",
    site="default",
    class_chain=("cmdb_ci_ip_switch",),
    class_name="cmdb_ci_ip_switch",
    values={"name": "core", "serial_number": "00005E005302", "ip_address": "192.0.2.2"},
    name_forms=("core", "core (HQ)"),
)
THEIRS = SysId("1" * 32)
ADDRESS = "192.0.2.2"
MAC, OTHER_MAC = "00:00:5E:00:53:02", "00:00:5e:00:53:99"


def _match(by: MatchedBy, *sys_ids: str, **told: str) -> Match:
    return Match(key=KEY, by=by, sys_ids=sys_ids or (THEIRS,), **told)


def _candidates(**told: object) -> Mapping[str, Candidate]:
    return {THEIRS: Candidate(sys_id=THEIRS, name="core", **told)}  # type: ignore[arg-type]


LINES = [
    # matched by, what the existing CI says, decision, weak, send the serial, rule of the hold
    (MatchedBy.SOURCE, {}, Decision.ACCEPT, False, True, ""),
    (MatchedBy.SOURCE, {"serial_number": "PRINTED-1"}, Decision.ACCEPT, False, False, ""),
    (MatchedBy.SERIAL, {"serial_number": "00005e005302"}, Decision.ACCEPT, False, True, ""),
    (MatchedBy.NAME, {"serial_number": "00005e005302"}, Decision.ACCEPT, False, True, ""),
    (MatchedBy.ADAPTER, {"serial_number": "00005e005302"}, Decision.ACCEPT, False, True, ""),
    (MatchedBy.NAME, {"serial_number": "PRINTED-1", "mac_address": MAC}, Decision.ACCEPT, False, False, ""),
    (MatchedBy.NAME, {"serial_number": "PRINTED", "adapter_macs": (OTHER_MAC, MAC)}, Decision.ACCEPT, False, False, ""),
    (MatchedBy.ADAPTER, {"adapter_macs": (MAC,)}, Decision.ACCEPT, False, False, ""),
    (MatchedBy.NAME, {"ip_address": "192.0.2.2"}, Decision.ACCEPT, True, True, ""),
    (MatchedBy.NAME, {}, Decision.HOLD, False, True, "name_only"),
    (MatchedBy.NAME, {"ip_address": "192.0.2.99"}, Decision.HOLD, False, True, "name_only"),
    (MatchedBy.NAME, {"serial_number": "X1"}, Decision.NEXT_NAME, False, True, "name_taken"),
    (MatchedBy.NAME, {"serial_number": "X1", "mac_address": OTHER_MAC}, Decision.NEXT_NAME, False, True, "name_taken"),
    (MatchedBy.NAME, {"serial_number": "X1", "ip_address": "192.0.2.2"}, Decision.NEXT_NAME, False, True, "name_taken"),
    (MatchedBy.NAME, {"mac_address": OTHER_MAC, "ip_address": ADDRESS}, Decision.NEXT_NAME, False, True, "name_taken"),
    (MatchedBy.ADAPTER, {"serial_number": "X1", "mac_address": OTHER_MAC}, Decision.HOLD, False, True, "address_only"),
    (MatchedBy.ADAPTER, {"ip_address": "192.0.2.2"}, Decision.HOLD, False, True, "address_only"),
    (MatchedBy.OTHER, {"serial_number": "X1"}, Decision.HOLD, False, True, "address_only"),
    (MatchedBy.OTHER, {"mac_address": MAC}, Decision.ACCEPT, False, False, ""),
]  # fmt: skip


@pytest.mark.parametrize(("by", "theirs", "decision", "weak", "serial", "rule"), LINES)
def test_a_line_of_the_decision_table(
    by: MatchedBy, theirs: dict[str, object], decision: Decision, weak: bool, serial: bool, rule: str
) -> None:
    verdict = judge(ITEM, _match(by), _candidates(**theirs))
    assert (verdict.decision, verdict.weak, verdict.send_serial) == (decision, weak, serial)
    assert (verdict.held.rule if verdict.held else "") == (f"identity.{rule}" if rule else "")
    if decision is Decision.ACCEPT:
        assert verdict.sys_id == THEIRS
    else:
        assert verdict.held is not None
        assert [candidate.sys_id for candidate in verdict.held.candidates] == [THEIRS]


def test_nothing_matched_means_new() -> None:
    assert judge(ITEM, Match(key=KEY, by=MatchedBy.NOTHING), {}).decision is Decision.NEW


@pytest.mark.parametrize("by", [MatchedBy.SEVERAL, MatchedBy.SERIAL])
def test_several_cis_are_for_a_person_to_decide_with_the_candidates_listed(by: MatchedBy) -> None:
    candidates = {str(n) * 32: Candidate(sys_id=str(n) * 32, name="core") for n in (1, 2)}
    verdict = judge(ITEM, _match(by, *candidates), candidates)
    assert verdict.held is not None
    assert verdict.held.rule == "identity.several"
    assert len(verdict.held.candidates) == 2


def test_what_the_engine_refuses_is_held_with_its_words() -> None:
    verdict = judge(ITEM, _match(MatchedBy.REFUSED, code="REQUIRED_ATTRIBUTE_EMPTY", message="Missing \x1b field"), {})
    assert verdict.held is not None
    assert "REQUIRED_ATTRIBUTE_EMPTY: Missing \\x1b field" in verdict.held.reason


@pytest.mark.parametrize(
    ("by", "candidates", "decision"),
    [
        (MatchedBy.NAME, None, Decision.HOLD),
        (MatchedBy.ADAPTER, {}, Decision.HOLD),
        # It may be a record before it in the same request, whose name the database takes for equal.
        (MatchedBy.NAME, {}, Decision.NEXT_NAME),
    ],
)
def test_a_match_that_cannot_be_read_is_never_taken(
    by: MatchedBy, candidates: Mapping[str, Candidate] | None, decision: Decision
) -> None:
    verdict = judge(ITEM, _match(by), candidates)
    assert (verdict.decision, verdict.held.rule if verdict.held else "") == (decision, "identity.unreadable")


def test_a_ci_of_another_branch_is_accepted_as_it_is() -> None:
    candidates = _candidates(serial_number="00005E005302", class_name="cmdb_ci_computer")
    assert judge(ITEM, _match(MatchedBy.NAME), candidates).decision is Decision.ACCEPT


def test_a_held_record_says_how_to_bind_it() -> None:
    verdict = judge(ITEM, _match(MatchedBy.NAME), _candidates())
    assert verdict.held is not None
    assert "[bindings]" in verdict.held.next_step
    assert [candidate.sys_id for candidate in verdict.held.candidates] == [THEIRS]


@given(
    st.sampled_from(MatchedBy),
    st.sampled_from(["", "X1", "00005e005302"]),
    st.sampled_from(["", MAC, OTHER_MAC, "junk"]),
    st.sampled_from(["", "192.0.2.2", "192.0.2.9", "junk"]),
)
def test_no_match_by_name_alone_is_ever_accepted(by: MatchedBy, serial: str, mac: str, address: str) -> None:
    verdict = judge(ITEM, _match(by), _candidates(serial_number=serial, mac_address=mac, ip_address=address))
    agrees = serial == "00005e005302" or mac == MAC or address == "192.0.2.2"
    if by in (MatchedBy.NAME, MatchedBy.ADAPTER, MatchedBy.OTHER) and not agrees:
        assert verdict.decision is not Decision.ACCEPT
    assert (verdict.held is None) == (verdict.decision in (Decision.NEW, Decision.ACCEPT))


def test_a_client_without_a_serial_number_is_known_by_its_mac() -> None:
    client = replace(ITEM, key=SourceKey("client", KEY.mac), values={"name": "pc"})
    verdict = judge(client, _match(MatchedBy.ADAPTER), _candidates(adapter_macs=(MAC,), serial_number="X1"))
    assert verdict.decision is Decision.ACCEPT
    assert judge(client, _match(MatchedBy.NAME), _candidates()).decision is Decision.HOLD


OTHER = SourceKey("device", "00005e005303")
HIDING = [
    # what the CI that another record of the request met is like, what the engine said, what is true
    ({"serial_number": "00005e005302"}, MatchedBy.NOTHING, MatchedBy.SERIAL),
    ({"serial_number": "00005e005302"}, MatchedBy.NAME, MatchedBy.SERIAL),
    ({"mac_address": MAC}, MatchedBy.NOTHING, MatchedBy.ADAPTER),
    ({"adapter_macs": (OTHER_MAC, MAC)}, MatchedBy.ADAPTER, MatchedBy.ADAPTER),
    ({"name": "Core"}, MatchedBy.NOTHING, MatchedBy.NAME),
    ({"name": "Core"}, MatchedBy.NAME, None),
    ({"serial_number": "00005e005302", "duplicate_of": "3" * 32}, MatchedBy.NOTHING, None),
    ({"serial_number": "X1", "mac_address": OTHER_MAC}, MatchedBy.NOTHING, None),
    ({"serial_number": "00005e005302"}, MatchedBy.SOURCE, None),
    ({"serial_number": "00005e005302"}, MatchedBy.SEVERAL, None),
]


@pytest.mark.parametrize(("theirs", "said", "true"), HIDING)
def test_a_record_does_not_hide_the_ci_of_another_in_its_request(
    theirs: dict[str, object], said: MatchedBy, true: MatchedBy | None
) -> None:
    """The engine plays a request in order: an earlier record may have taken on the later one's CI by its name."""
    items = {KEY: ITEM, OTHER: replace(ITEM, key=OTHER, values={"name": "x", "serial_number": OTHER.mac.upper()})}
    own = Match(key=KEY, by=said, sys_ids=() if said is MatchedBy.NOTHING else ("2" * 32,))
    met = Match(key=OTHER, by=MatchedBy.NAME, sys_ids=(THEIRS,))
    candidate = Candidate(**{"sys_id": THEIRS, "name": "x", **theirs})  # type: ignore[arg-type]
    looked = {match.key: match for match in second_look(items, [met, own], {THEIRS: candidate})}
    assert looked[KEY] == (replace(own, by=true, sys_ids=(THEIRS,)) if true else own)


@given(
    st.lists(st.sampled_from(["", "00005e005302", "00005E005303", "X1"]), min_size=1, max_size=4),
    st.sampled_from([MatchedBy.NOTHING, MatchedBy.NAME, MatchedBy.ADAPTER]),
)
def test_nobody_is_new_while_a_ci_with_its_serial_number_is_in_sight(serials: list[str], said: MatchedBy) -> None:
    candidates = {
        str(n) * 32: Candidate(sys_id=str(n) * 32, name="other", serial_number=serial)
        for n, serial in enumerate(serials, 1)
    }
    match = Match(key=KEY, by=said, sys_ids=() if said is MatchedBy.NOTHING else ("9" * 32,))
    (looked,) = second_look({KEY: ITEM}, [match], candidates)
    holders = [c.sys_id for c in candidates.values() if c.serial_number.casefold() == "00005e005302"]
    if holders:
        assert looked.sys_ids == tuple(sorted(holders))
        assert judge(ITEM, looked, candidates).decision is (Decision.ACCEPT if len(holders) == 1 else Decision.HOLD)
    else:
        assert looked == match
