"""Who is missing, gone, retired, back or moved, from one read to the next (cmdb-model 6.10)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from beast_dream_snow_loader.core.desired import DesiredState
from beast_dream_snow_loader.core.guards import excess
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import KnownItem, KnownState
from beast_dream_snow_loader.core.observed import SITE_MANAGER, Device, Presence, Read, Snapshot, Subject
from beast_dream_snow_loader.core.presence import Mark, RetirePolicy, State, take_attendance
from beast_dream_snow_loader.core.retirement import farewell
from beast_dream_snow_loader.core.scope import EVERYTHING, Scope
from beast_dream_snow_loader.core.status import Statuses

NOON = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)
MAC, OTHER = "00005e005301", "00005e005302"
KEY = SourceKey("device", MAC)
POLICY = RetirePolicy()
WHOLE = Read(console="c", site="default", subject=Subject.DEVICES, records=1)


def known(key: SourceKey = KEY, **told: object) -> KnownItem:
    defaults: dict[str, object] = {
        "key": key,
        "sys_id": SysId(key.mac.zfill(32)),
        "class_name": "cmdb_ci_ip_switch",
        "created_by_us": True,
        "lane": "c",
        "site": "default",
        "kind": "switch",
        "written": {"install_status": "1", "operational_status": "1"},
    }
    return KnownItem(**{**defaults, **told})  # type: ignore[arg-type]


def device(mac: str = OTHER, **told: object) -> Device:
    return Device(**{"mac": mac, "console": "c", "site": "default", **told})  # type: ignore[arg-type]


def mark(item: KnownItem, *devices: Device, scope: Scope = EVERYTHING, clients: bool = True, **told: object) -> Mark:
    defaults: dict[str, object] = {"taken_at": NOON, "devices": devices or (device(),), "reads": (WHOLE,)}
    snapshot = Snapshot(**{**defaults, **told})  # type: ignore[arg-type]
    state = KnownState(items={item.key: item})
    return take_attendance(snapshot, DesiredState(items={}), state, POLICY, scope=scope, clients=clients).marks[
        item.key
    ]


def test_a_device_that_is_listed_is_present_and_no_longer_missing() -> None:
    here = mark(known(missing_since=NOON - timedelta(days=20), missing_reads=9), device(MAC))
    assert (here.state, here.reads, here.since) == (State.PRESENT, 0, None)


def test_a_device_that_is_listed_and_not_online_is_offline() -> None:
    assert mark(known(), device(MAC, presence=Presence.OFFLINE)).state is State.OFFLINE


def test_a_complete_read_without_it_makes_it_missing_from_then_on() -> None:
    away = mark(known())
    assert (away.state, away.reads, away.since) == (State.MISSING, 1, NOON)


@pytest.mark.parametrize(
    ("reads_before", "days", "state"),
    [(2, 14, State.GONE), (1, 14, State.MISSING), (2, 13.9, State.MISSING), (60, 13.9, State.MISSING)],
)
def test_gone_takes_both_the_reads_and_the_days(reads_before: int, days: float, state: State) -> None:
    item = known(missing_since=NOON - timedelta(days=days), missing_reads=reads_before)
    assert mark(item).state is state


def test_a_read_that_was_counted_is_not_counted_again() -> None:
    item = known(missing_since=NOON, missing_reads=1, read_at=NOON)
    assert mark(item).reads == 1


@pytest.mark.parametrize(
    "reads",
    [
        (),
        (replace(WHOLE, complete=False),),
        (replace(WHOLE, records=0),),
        (replace(WHOLE, console="another"),),
        (replace(WHOLE, site="another"),),
        (replace(WHOLE, subject=Subject.CLIENTS),),
        (WHOLE, Read(console="c", site="another", subject=Subject.DEVICES, complete=False)),
        (WHOLE, Read(console="c", subject=Subject.SITES, complete=False)),
        (WHOLE, Read(console=SITE_MANAGER, subject=Subject.DEVICES, complete=False)),
    ],
    ids=[
        "console-vanished", "cut", "empty", "other-console", "site-hidden", "other-subject", "other-site-cut",
        "sites-cut", "site-manager-away",
    ],
)  # fmt: skip
def test_a_read_that_did_not_look_for_it_completely_leaves_it_as_it_was(reads: tuple[Read, ...]) -> None:
    item = known(missing_since=NOON - timedelta(days=30), missing_reads=2)
    same = mark(item, reads=reads)
    assert (same.state, same.reads, same.since, same.read_at) == (State.UNREAD, 2, item.missing_since, None)
    assert same.why


def test_what_only_site_manager_lists_is_not_missed_by_its_console() -> None:
    item = known(cloud_only=True)
    assert mark(item).state is State.UNREAD
    assert mark(item, reads=(WHOLE, replace(WHOLE, site=None))).state is State.MISSING


@pytest.mark.parametrize("scope", [Scope(sites=frozenset({"c/depot"})), Scope(kinds=frozenset({"ap"}))])
def test_outside_of_a_filter_nobody_is_missed(scope: Scope) -> None:
    assert mark(known(), scope=scope).state is State.UNREAD


def test_the_same_mac_at_another_place_has_moved_and_is_neither_gone_nor_new() -> None:
    moved = mark(known(), device(MAC, console="d", site="depot"))
    assert (moved.state, moved.lane, moved.site, moved.before) == (
        State.MOVED, "d", "depot", "console c, site default",
    )  # fmt: skip


def test_a_console_that_is_only_named_otherwise_is_no_other_place() -> None:
    assert mark(known(lane="url:192.0.2.1:443"), device(MAC)).state is State.PRESENT


def test_a_retired_ci_stays_retired_until_it_is_listed() -> None:
    item = known(retired_at=NOON, missing_since=NOON, missing_reads=5)
    assert mark(item).state is State.RETIRED
    assert mark(item, device(MAC)).state is State.RETURNED


def test_a_client_that_became_a_device_is_not_missing() -> None:
    client = known(SourceKey("client", MAC), kind="client")
    assert mark(client, device(MAC)).state is State.PRESENT


def test_clients_are_missed_only_where_they_are_kept() -> None:
    client = known(SourceKey("client", MAC), kind="client")
    reads = (replace(WHOLE, subject=Subject.CLIENTS),)
    assert mark(client, clients=False, reads=reads).state is State.UNREAD
    assert mark(client, reads=reads).state is State.MISSING


def gone(**stored: str) -> KnownItem:
    return known(stored={"install_status": "1", "operational_status": "1", **stored}, missing_since=NOON)


def test_retiring_sets_both_fields_by_label_with_the_stored_time_and_nothing_else() -> None:
    item = gone(last_discovered="2025-12-24 10:00:00")
    choices = {"install_status.Retired": "77", "operational_status.Retired": "66"}
    [change] = farewell([item], Statuses(choices=choices), present=()).changes
    assert change.send == {
        "install_status": "77",
        "operational_status": "66",
        "last_discovered": "2025-12-24 10:00:00",
    }
    assert change.known is item


@pytest.mark.parametrize(
    ("item", "present", "rule"),
    [
        (gone(operational_status="3"), (), "retire.status_by_hand"),
        (replace(gone(), created_by_us=False), (), "retire.not_ours"),
        (gone(), (gone().sys_id,), "retire.shared"),
    ],
)
def test_what_is_a_persons_or_still_there_is_reported_and_stays(
    item: KnownItem, present: tuple[str, ...], rule: str
) -> None:
    decided = farewell([item], Statuses(), present)
    assert not decided.changes
    assert [finding.rule for finding in decided.findings] == [rule]


def test_with_csdm_nothing_is_retired_on_an_instance_that_shows_no_end_of_operation() -> None:
    decided = farewell([gone()], Statuses(csdm=True), present=())
    assert not decided.changes
    assert [finding.rule for finding in decided.findings] == ["retire.no_life_cycle"]


def many(count: int, **told: object) -> list[KnownItem]:
    return [known(SourceKey("device", f"{number:012x}"), **told) for number in range(count)]


@pytest.mark.parametrize(("leaving", "of", "refused"), [(5, 5, False), (6, 60, False), (6, 59, True), (10, 100, False)])
def test_more_than_ten_percent_and_more_than_five_are_too_many(leaving: int, of: int, refused: bool) -> None:
    items = many(of)
    assert bool(excess(items[:leaving], items, POLICY)) is refused


def test_a_class_or_a_site_that_would_be_emptied_is_too_much_even_where_the_whole_would_not_be() -> None:
    items = many(1000)
    small = [replace(item, class_name="cmdb_ci_pdu") for item in items[:8]]
    there = [replace(item, site="depot") for item in items[:8]]
    assert "class cmdb_ci_pdu" in str(excess(small, [*small, *items[8:]], POLICY)[0])
    assert "site c/depot" in str(excess(there, [*there, *items[8:]], POLICY)[0])


def test_what_a_person_allows_is_no_longer_too_much() -> None:
    items = many(20)
    assert not excess(items, items, replace(POLICY, allow_percent=100))
