"""After a load each record is there once, each edge is there, and the counts agree (R3.2)."""

from __future__ import annotations

from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.integrity import judge_counts, judge_keys, judge_serials
from beast_dream_snow_loader.core.known import KnownItem, KnownState

ONE, TWO = SourceKey("device", "00005e005301"), SourceKey("device", "00005e005302")
A, B, FOREIGN = SysId("a" * 32), SysId("b" * 32), SysId("f" * 32)


def known(**sys_ids: SysId) -> KnownState:
    keys = {"one": ONE, "two": TWO}
    return KnownState(
        items={
            keys[name]: KnownItem(key=keys[name], sys_id=sys_id, class_name="cmdb_ci_netgear", created_by_us=True)
            for name, sys_id in sys_ids.items()
        }
    )


def test_a_native_key_that_leads_to_two_cis_is_named_with_both() -> None:
    (finding,) = judge_keys({ONE: (A, B), TWO: (B,)})
    assert (finding.record, finding.rule, finding.value) == (str(ONE), "cmdb.several_records", f"{A}, {B}")
    assert "snowload load" in finding.message


def test_a_serial_number_on_two_cis_of_ours_is_told_and_one_shared_with_somebody_else_is_not() -> None:
    serials = {ONE: "SN1", TWO: "SN2"}
    state = known(one=A, two=B)
    assert not list(judge_serials(serials, {"SN1": [A, FOREIGN], "SN2": [B]}, state))
    (finding,) = judge_serials({ONE: "SN1", TWO: "sn1"}, {"SN1": [A, B]}, state)
    assert (finding.record, finding.field, finding.value) == (str(ONE), "serial_number", f"{A}, {B}")


def test_fewer_cis_than_were_written_are_told_and_an_account_that_may_not_count_is_not_blamed() -> None:
    assert [finding.rule for finding in judge_counts(5, 4)] == ["verify.count"]
    assert not list(judge_counts(5, 5))
    assert not list(judge_counts(5, None))
