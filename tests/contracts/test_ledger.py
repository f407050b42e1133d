"""The ledger knows what was written, no more and no less, on every database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from beast_dream_snow_loader.core.changes import ChangeType, UnlinkChange
from beast_dream_snow_loader.core.fingerprint import fingerprint
from beast_dream_snow_loader.core.presence import Attendance, Mark, State
from beast_dream_snow_loader.core.receipts import Operation, Outcome


def written(store, run, *settlements):
    store.journal.intend(run, [settlement.change for settlement in settlements])
    store.journal.settle(run, settlements)


def test_a_created_ci_is_known_with_everything_needed_to_compare_it(store, make):
    written(store, "run-1", make.inserted(1))
    known = store.ledger.known().items[make.key(1)]
    assert (known.sys_id, known.class_name, known.created_by_us) == (make.sys_id(1), "cmdb_ci_ip_switch", True)
    assert known.written == {"name": "sw-1"}
    assert known.fingerprint == fingerprint(make.item(1).values)
    assert known.name_source == "sw-1"
    assert known.written_at is not None


def test_the_class_is_the_one_the_ci_really_has(store, make):
    settlement = make.inserted(1)
    written(store, "run-1", replace(settlement, receipt=replace(settlement.receipt, class_name="cmdb_ci_netgear")))
    assert store.ledger.known().items[make.key(1)].class_name == "cmdb_ci_netgear"


def test_an_update_adds_to_what_was_written_before(store, make):
    written(store, "run-1", make.inserted(1))
    update = make.change(1, ChangeType.UPDATE, send={"firmware_version": "7.1.26"})
    written(store, "run-2", make.settlement(update, operation=Operation.UPDATED, sys_id=make.sys_id(1)))
    known = store.ledger.known().items[make.key(1)]
    assert known.written == {"name": "sw-1", "firmware_version": "7.1.26"}
    assert known.created_by_us


def test_a_ci_that_was_there_before_us_is_not_called_ours(store, make):
    change = make.change(1, ChangeType.UPDATE, known=make.known(1))
    written(store, "run-1", make.settlement(change, operation=Operation.UPDATED, sys_id=make.sys_id(1)))
    assert not store.ledger.known().items[make.key(1)].created_by_us


def test_a_ci_known_to_be_ours_from_a_look_at_the_instance_stays_ours(store, make):
    change = make.change(1, ChangeType.UPDATE, known=make.known(1, created_by_us=True, ports="24"))
    written(store, "run-1", make.settlement(change, operation=Operation.UPDATED))
    known = store.ledger.known().items[make.key(1)]
    assert known.created_by_us
    assert known.sys_id == make.sys_id(1)
    assert known.written == {"name": "sw-1", "ports": "24"}


def test_when_the_key_leads_to_another_ci_nothing_is_carried_over_from_the_first(store, make):
    written(store, "run-1", make.inserted(1))
    update = make.change(1, ChangeType.UPDATE, send={"firmware_version": "7.1.26"})
    written(store, "run-2", make.settlement(update, operation=Operation.UPDATED, sys_id=make.sys_id(77)))
    known = store.ledger.known().items[make.key(1)]
    assert (known.sys_id, known.created_by_us, known.written) == (
        make.sys_id(77),
        False,
        {"firmware_version": "7.1.26"},
    )


def test_whether_the_serial_is_sent_is_remembered(store, make):
    change = replace(make.change(1), send_serial=False)
    written(store, "run-1", make.settlement(change, operation=Operation.INSERTED, sys_id=make.sys_id(1)))
    assert not store.ledger.known().items[make.key(1)].send_serial


def test_refused_queued_and_unknown_changes_leave_the_ledger_as_it_was(store, make):
    outcomes = {1: Outcome.REFUSED, 2: Outcome.LATER, 3: Outcome.UNKNOWN}
    written(store, "run-1", *(make.settlement(make.change(n), outcome) for n, outcome in outcomes.items()))
    assert not store.ledger.known().items


def test_a_ci_nobody_knows_the_sys_id_of_is_left_to_be_looked_up(store, make):
    written(store, "run-1", make.settlement(make.change(1), operation=Operation.UPDATED))
    assert not store.ledger.known().items


def test_a_drawn_edge_is_known_with_its_ends_and_type(store, make):
    written(store, "run-1", make.settlement(make.link(1, 2), operation=Operation.LINKED, sys_id=make.sys_id(9)))
    (edge,) = store.ledger.known().relations.values()
    relation = make.link(1, 2).relation
    assert (edge.relation_key, edge.parent, edge.child) == (relation.key, relation.parent, relation.child)
    assert (edge.type, edge.sys_id) == (relation.type, make.sys_id(9))


def test_an_edge_is_ours_to_remove_only_when_we_drew_it(store, make):
    drawn, found = make.link(1, 2), make.link(3, 2)
    written(store, "run-1", make.settlement(drawn, operation=Operation.LINKED))
    again = [make.settlement(link, operation=Operation.UNCHANGED) for link in (drawn, found)]
    written(store, "run-2", *again)
    known = store.ledger.known().relations
    assert {key: edge.ours for key, edge in known.items()} == {drawn.subject: True, found.subject: False}


def test_a_removed_edge_is_forgotten_and_one_that_could_not_be_removed_is_not(store, make):
    links = [make.link(1, 3), make.link(2, 3)]
    written(store, "run-1", *(make.settlement(link, operation=Operation.LINKED) for link in links))
    gone, kept = (UnlinkChange(known=store.ledger.known().relations[link.subject], reason="moved") for link in links)
    refused = make.settlement(kept, Outcome.REFUSED)
    written(store, "run-2", make.settlement(gone, operation=Operation.UNLINKED), refused)
    assert set(store.ledger.known().relations) == {links[1].subject}


def test_a_queued_unlink_comes_back_from_the_queue_as_it_was(store, make):
    written(store, "run-1", make.settlement(make.link(1, 2), operation=Operation.LINKED, sys_id=make.sys_id(9)))
    (edge,) = store.ledger.known().relations.values()
    change = UnlinkChange(known=edge, reason="moved", replaced_by="uplink device/a -> device/b")
    written(store, "run-2", make.settlement(change, Outcome.LATER))
    assert [entry.change for entry in store.journal.queued()] == [change]


def test_a_refused_edge_is_not_known(store, make):
    written(store, "run-1", make.settlement(make.link(1, 2), Outcome.REFUSED))
    assert not store.ledger.known().relations


def test_forgetting_a_ci_forgets_its_edges_and_only_those(store, make):
    links = [make.settlement(make.link(a, b), operation=Operation.LINKED) for a, b in ((1, 2), (3, 1), (3, 4))]
    written(store, "run-1", *(make.inserted(number) for number in (1, 2, 3, 4)), *links)
    store.ledger.forget([make.key(1)])
    known = store.ledger.known()
    assert set(known.items) == {make.key(2), make.key(3), make.key(4)}
    assert set(known.relations) == {make.link(3, 4).subject}


def test_taking_attendance_changes_nothing_that_is_believed(store, make):
    written(store, "run-1", make.inserted(1), make.inserted(2))
    before = store.ledger.known()
    for hours in range(4):
        at = make.noon + timedelta(hours=hours)
        seen = Mark(key=make.key(1), state=State.PRESENT, lane="gw-1", site="", read_at=at)
        missed = replace(seen, key=make.key(2), state=State.MISSING, since=make.noon, reads=hours + 1)
        store.ledger.attend(Attendance(taken_at=at, marks={seen.key: seen, missed.key: missed}))
    known = store.ledger.known().items
    assert known[make.key(2)].missing_reads == 4
    unread = {key: replace(i, missing_since=None, missing_reads=0, read_at=None) for key, i in known.items()}
    assert unread == before.items


def test_three_thousand_cis_are_known_again_by_another_program(place, make):
    with place.open() as store:
        for start in range(0, 3000, 1000):
            written(store, "run-1", *(make.inserted(number) for number in range(start, start + 1000)))
    with place.open() as store:
        assert set(store.ledger.known().items) == {make.key(number) for number in range(3000)}
