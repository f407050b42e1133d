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
from beast_dream_snow_loader.core.recognition import Decision, judge

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


def test_a_match_that_cannot_be_read_is_held() -> None:
    verdict = judge(ITEM, _match(MatchedBy.NAME), {})
    assert verdict.held is not None
    assert verdict.held.rule == "identity.unreadable"


def test_a_ci_of_another_branch_is_accepted_as_it_is() -> None:
    candidates = _candidates(serial_number="00005E005302", class_name="cmdb_ci_computer")
    assert judge(ITEM, _match(MatchedBy.NAME), candidates).decision is Decision.ACCEPT


def test_an_operators_binding_outweighs_the_engine() -> None:
    bound = SysId("2" * 32)
    verdict = judge(ITEM, _match(MatchedBy.SEVERAL), {}, {str(KEY): bound})
    assert (verdict.decision, verdict.sys_id) == (Decision.ACCEPT, bound)


def test_a_held_record_says_how_to_bind_it() -> None:
    verdict = judge(ITEM, _match(MatchedBy.NAME), _candidates())
    assert verdict.held is not None
    assert f"bind {KEY} to sys_id {THEIRS}" in verdict.held.reason


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
