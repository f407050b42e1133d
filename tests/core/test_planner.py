"""The plan holds everything that has to be written, and nothing else (cmdb-model 6.9)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beast_dream_snow_loader.core.changes import ChangeType, ItemChange, Plan
from beast_dream_snow_loader.core.desired import DesiredState
from beast_dream_snow_loader.core.fingerprint import fingerprint
from beast_dream_snow_loader.core.fitting import fit
from beast_dream_snow_loader.core.guards import refuse_empty_source
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import Held, KnownItem, KnownState
from beast_dream_snow_loader.core.mapping import map_snapshot
from beast_dream_snow_loader.core.mapping_rules import DEFAULT_RULES
from beast_dream_snow_loader.core.observed import Device, Presence
from beast_dream_snow_loader.core.planner import make_plan
from beast_dream_snow_loader.errors import EmptySource

if TYPE_CHECKING:
    from conftest import Estate

Found = Callable[[Iterable[object]], list[str]]


def _plan(estate: Estate, desired: DesiredState, known: KnownState | None = None, **told: object) -> Plan:
    options: dict[str, object] = {"now": estate.taken_at + timedelta(minutes=1), "rules": DEFAULT_RULES, **told}
    return make_plan(desired, known or KnownState(), **options)  # type: ignore[arg-type]


def _of(estate: Estate, *devices: Device) -> DesiredState:
    return estate.fitted(estate.snapshot(*devices))


def _only(plan: Plan) -> ItemChange:
    (change,) = plan.items
    return change


def _stored(known: KnownState, **values: str) -> KnownState:
    """The CMDB was read, and holds these values where they differ from what we wrote."""
    return replace(
        known, items={k: replace(item, stored={**item.written, **values}) for k, item in known.items.items()}
    )


def _not_ours(known: KnownState, **stored: str) -> KnownState:
    """CIs that were there before us; ``stored``: they were read, and every other field is empty."""
    return replace(
        known,
        items={
            key: replace(
                item,
                created_by_us=False,
                written={},
                fingerprint=None,
                name_source="",
                stored={**dict.fromkeys(item.written, ""), **stored} if stored else None,
            )
            for key, item in known.items.items()
        },
    )


def test_a_new_device_is_created_with_everything(estate: Estate) -> None:
    desired = _of(estate, estate.device(1, firmware="7.1.1", management_ip="192.0.2.1"))
    change = _only(_plan(estate, desired))
    assert change.type is ChangeType.CREATE
    assert change.send == {**next(iter(desired.items.values())).values, "last_discovered": "2026-01-10 08:00:00"}
    assert {field.element for field in change.fields} == change.item.values.keys()


def test_after_a_plan_was_carried_out_there_is_nothing_left_to_do(estate: Estate) -> None:
    desired = estate.fitted(estate.large(3, 50))
    again = _plan(estate, desired, estate.after(_plan(estate, desired)))
    assert again.empty
    assert again.unchanged == 150


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_changed_one_plan_settles_it(estate: Estate, data: st.DataObject) -> None:
    """Idempotence over two different estates of the same devices."""

    def one(number: int) -> Device:
        return estate.device(
            number,
            name=data.draw(st.sampled_from([None, "AP", "core", "AP (HQ)"])),
            firmware=data.draw(st.sampled_from([None, "1.2.3", "1.2.4"])),
            management_ip=data.draw(st.sampled_from([None, "192.0.2.1", "192.0.2.2"])),
            presence=data.draw(st.sampled_from(Presence)),
            uplink_mac=data.draw(st.sampled_from([None, estate.mac(1), estate.mac(2)])),
            serial=data.draw(st.sampled_from([None, "S-1", "S-2"])),
            port_count=data.draw(st.sampled_from([None, 8, 24])),
        )

    before = _of(estate, *(one(n) for n in range(1, 5)))
    known = estate.after(_plan(estate, before))
    after = _of(estate, *(one(n) for n in range(1, data.draw(st.integers(5, 7)))))
    plan = _plan(estate, after, known)
    settled = estate.after(plan, known)
    names = [item.written["name"].casefold() for item in settled.items.values()]
    assert len(names) == len(set(names))
    assert _plan(estate, after, settled).empty


def test_a_changed_firmware_is_one_update_with_that_field_alone(estate: Estate) -> None:
    before = estate.large(1, 20)
    known = estate.after(_plan(estate, estate.fitted(before)))
    changed = replace(before.devices[5], firmware="8.0.1")
    after = replace(before, devices=(*before.devices[:5], changed, *before.devices[6:]))
    plan = _plan(estate, estate.fitted(after), known)
    change = _only(plan)
    assert (change.type, dict(change.send)) == (
        ChangeType.UPDATE,
        {"firmware_version": "8.0.1", "last_discovered": "2026-01-10 08:00:00"},
    )
    assert [(f.old, f.new, f.reason) for f in change.fields] == [("7.2.123", "8.0.1", "changed in UniFi")]
    assert not plan.links
    assert not plan.carriers


@pytest.mark.parametrize(
    ("hours", "told", "beats"),
    [
        (23.9, {}, False),
        (24.1, {}, True),
        (24.1, {"presence": Presence.TRANSIENT}, True),
        (24.1, {"presence": Presence.OFFLINE}, False),
    ],
)
def test_only_online_gear_that_is_long_unchanged_gets_a_heartbeat(
    estate: Estate, hours: float, told: dict[str, object], beats: bool
) -> None:
    desired = _of(estate, estate.device(1, **told))
    plan = _plan(estate, desired, estate.after(_plan(estate, desired)), now=estate.taken_at + timedelta(hours=hours))
    assert [(c.type, dict(c.send)) for c in plan.items] == (
        [(ChangeType.HEARTBEAT, {"last_discovered": "2026-01-10 08:00:00"})] if beats else []
    )


def test_what_a_person_changed_stays_and_is_reported(estate: Estate, found: Found) -> None:
    desired = _of(estate, estate.device(1, name="core"))
    known = estate.after(_plan(estate, desired))
    edited = _stored(known, name="core switch (do not touch)")
    renamed = _of(estate, estate.device(1, name="core-2"))
    for wanted in (desired, renamed):
        plan = _plan(estate, wanted, edited)
        assert plan.empty
        assert found(plan.findings) == ["field.overridden_by_hand"]
    overwriting = replace(DEFAULT_RULES, on_manual_change="overwrite")
    assert _only(_plan(estate, renamed, edited, rules=overwriting)).send["name"] == "core-2"


def test_what_nobody_else_changed_follows_unifi(estate: Estate) -> None:
    known = _stored(estate.after(_plan(estate, _of(estate, estate.device(1, name="core")))))
    change = _only(_plan(estate, _of(estate, estate.device(1, name="core-2")), known))
    assert [(f.element, f.old, f.new) for f in change.fields] == [("name", "core", "core-2")]


def test_fields_of_the_first_insert_are_never_sent_again(estate: Estate) -> None:
    desired = _of(estate, estate.device(1))
    known = _stored(
        estate.after(_plan(estate, desired)),
        install_status="7",
        operational_status="6",
        location="",
        short_description="",
    )
    assert _plan(estate, desired, known).empty


def test_the_native_key_goes_into_a_field_seen_empty_and_replaces_nothing(estate: Estate) -> None:
    desired = _of(estate, estate.device(1))
    known = estate.after(_plan(estate, desired))
    empty = _only(_plan(estate, desired, _stored(known, correlation_id="")))
    assert empty.send["correlation_id"] == f"device/{estate.mac(1)}"
    assert _plan(estate, desired, _stored(known, correlation_id="another tool's")).empty


def test_a_ci_that_was_there_before_is_only_enriched(estate: Estate) -> None:
    desired = _of(estate, estate.device(1, firmware="7.1.1", management_ip="192.0.2.1", port_count=24))
    known = estate.after(_plan(estate, desired))
    seen = _only(
        _plan(estate, desired, _not_ours(known, name="theirs", ports="", model_number="X", correlation_id="id"))
    )
    assert seen.send.keys() == {
        "firmware_version", "ip_address", "ports", "serial_number", "mac_address", "manufacturer", "model_id",
        "last_discovered",
    }  # fmt: skip
    unseen = _only(_plan(estate, desired, _not_ours(known)))
    assert unseen.send.keys() == {"firmware_version", "ip_address", "last_discovered"}
    assert not unseen.send_serial


def test_a_ci_just_recognised_is_touched_once_even_when_nothing_differs(estate: Estate) -> None:
    desired = _of(estate, estate.device(1, presence=Presence.OFFLINE))
    known = estate.after(_plan(estate, desired))
    fresh = replace(known, items={k: replace(i, written_at=None) for k, i in known.items.items()})
    assert _only(_plan(estate, desired, fresh)).type is ChangeType.HEARTBEAT


def test_another_serial_number_is_never_replaced_nor_looked_up(estate: Estate) -> None:
    known = estate.after(_plan(estate, _of(estate, estate.device(1, serial=None))))
    change = _only(_plan(estate, _of(estate, estate.device(1, serial="PRINTED-1", firmware="8.0.0")), known))
    assert "serial_number" not in change.send
    assert not change.send_serial


def test_a_name_does_not_flap_when_a_namesake_comes_and_goes(estate: Estate) -> None:
    alone = _of(estate, estate.device(1, name="AP"))
    known = estate.after(_plan(estate, alone))
    both = _of(estate, estate.device(1, name="AP"), estate.device(2, name="AP"))
    plan = _plan(estate, both, known)
    assert [(change.item.key.mac, change.item.name) for change in plan.items] == [(estate.mac(2), "AP (HQ) 005302")]
    known = estate.after(plan, known)
    assert _plan(estate, _of(estate, estate.device(2, name="AP")), known).empty


def test_a_new_name_makes_way_for_one_that_a_known_ci_has(estate: Estate) -> None:
    known = estate.after(_plan(estate, _of(estate, estate.device(1, name="AP"), estate.device(2, name="AP"))))
    desired = _of(estate, estate.device(1, name="AP"), estate.device(3, name="ap (HQ) 005301"))
    assert _only(_plan(estate, desired, known)).item.name == "ap (HQ) 005301 (HQ)"


def test_names_move_on_from_the_one_recognition_chose(estate: Estate) -> None:
    desired = _of(estate, estate.device(1, name="core"))
    ((key, item),) = desired.items.items()
    chosen = replace(desired, items={key: replace(item, values={**item.values, "name": "core (HQ)"})})
    assert _only(_plan(estate, chosen)).send["name"] == "core (HQ)"


def test_held_records_wait_and_so_do_their_edges(estate: Estate, found: Found) -> None:
    desired = _of(estate, estate.device(1), estate.device(2, uplink_mac=estate.mac(1)))
    held = Held(key=SourceKey("device", estate.mac(1)), rule="identity.several", reason="two CIs match it")
    plan = _plan(estate, desired, held=(held,))
    assert [change.item.key.mac for change in plan.items] == [estate.mac(2)]
    assert not plan.links
    assert plan.held == (held,)
    assert found(plan.findings) == ["relation.end_held"]


def test_a_full_load_sends_all_that_is_ours_and_nothing_of_the_first_insert(estate: Estate) -> None:
    desired = _of(estate, estate.device(1, firmware="7.1.1"), estate.device(2, uplink_mac=estate.mac(1)))
    plan = _plan(estate, desired, estate.after(_plan(estate, desired)), full=True)
    assert {change.type for change in plan.items} == {ChangeType.UPDATE}
    assert {"name", "serial_number", "mac_address", "firmware_version"} <= plan.items[0].send.keys()
    assert not {"install_status", "short_description", "location", "correlation_id"} & plan.items[0].send.keys()
    assert len(plan.links) == 1


def test_an_edge_between_known_items_carries_both_in_full(estate: Estate) -> None:
    before = _of(estate, estate.device(1), estate.device(2), estate.device(3, uplink_mac=estate.mac(1)))
    known = estate.after(_plan(estate, before))
    after = _of(estate, estate.device(1), estate.device(2), estate.device(3, uplink_mac=estate.mac(2)))
    plan = _plan(estate, replace(after, looked=None), known)
    assert not plan.items
    assert [link.relation.key for link in plan.links] == [f"uplink device/{estate.mac(3)} -> device/{estate.mac(2)}"]
    assert {key.mac for key in plan.carriers} == {estate.mac(2), estate.mac(3)}
    carrier = plan.carriers[SourceKey("device", estate.mac(2))]
    assert carrier.send["name"] == "dev-2"
    assert carrier.send["serial_number"] == estate.mac(2).upper()
    assert "install_status" not in carrier.send
    assert not plan.findings


def test_offline_gear_keeps_the_time_it_was_last_seen(estate: Estate) -> None:
    known = estate.after(_plan(estate, _of(estate, estate.device(1))))
    gone = _of(estate, estate.device(1, presence=Presence.OFFLINE, name="renamed"))
    assert _only(_plan(estate, gone, known)).send["last_discovered"] == "2026-01-10 08:00:00"


def test_a_known_ci_keeps_its_class(estate: Estate, found: Found) -> None:
    known = estate.after(_plan(estate, _of(estate, estate.device(1))))
    items = {key: replace(item, class_name="cmdb_ci_netgear") for key, item in known.items.items()}
    plan = _plan(estate, _of(estate, estate.device(1, firmware="8.0.0")), replace(known, items=items))
    assert _only(plan).item.class_name == "cmdb_ci_netgear"
    assert found(plan.findings) == ["class.kept"]


def test_a_fingerprint_knows_neither_order_nor_time(estate: Estate) -> None:
    values = {"name": "core", "ports": "24"}
    assert fingerprint(values) == fingerprint({"ports": "24", "last_discovered": "2026-01-10 08:00:00", "name": "core"})
    assert fingerprint(values) != fingerprint({**values, "ports": "25"})
    assert len(fingerprint({})) == 64


def test_a_source_that_shows_nothing_is_refused_whatever_is_known(estate: Estate) -> None:
    key = SourceKey("device", estate.mac(1))
    item = KnownItem(key=key, sys_id=SysId("1" * 32), class_name="cmdb_ci_ip_switch", created_by_us=True)
    known = KnownState(items={key: item})
    with pytest.raises(EmptySource, match="no device at all"):
        refuse_empty_source(estate.snapshot(), known)
    with pytest.raises(EmptySource, match="no device at all"):
        refuse_empty_source(estate.snapshot(), KnownState())
    refuse_empty_source(estate.snapshot(estate.device(1)), known)


@pytest.mark.bench
def test_ten_thousand_devices_are_planned_in_seconds(estate: Estate) -> None:
    """Goal 1.5 s of processor time; three times that is allowed for a busy machine."""
    snapshot = estate.large(50, 200)
    facts = estate.facts(map_snapshot(snapshot, DEFAULT_RULES))
    started = time.process_time()
    plan = _plan(estate, fit(map_snapshot(snapshot, DEFAULT_RULES), facts, DEFAULT_RULES))
    assert time.process_time() - started < 4.5
    assert len(plan.items) == 10_000
