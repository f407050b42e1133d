"""The journal keeps its promises on every database."""

from __future__ import annotations

import dataclasses

import pytest

from beast_dream_snow_loader.core.changes import ChangeType
from beast_dream_snow_loader.core.parking import QueueLimits
from beast_dream_snow_loader.core.receipts import Operation, Outcome
from beast_dream_snow_loader.errors import QueueFull, StateError
from beast_dream_snow_loader.state.engine import open_engine, writing
from beast_dream_snow_loader.state.store import open_store


def test_what_is_intended_is_unknown_until_it_is_settled(store, make):
    store.journal.intend("run-1", [make.change(1), make.link(1, 2)])
    entries = store.journal.unknown()
    assert [entry.change for entry in entries] == [make.change(1), make.link(1, 2)]
    assert all(entry.run_id == "run-1" and entry.intended_at > make.noon for entry in entries)


def test_intents_survive_the_program_that_wrote_them(place, make):
    with place.open() as store:
        store.journal.intend("run-1", [make.change(1)])
    with place.open() as store:
        assert [entry.change for entry in store.journal.unknown()] == [make.change(1)]


def test_done_and_refused_changes_are_neither_unknown_nor_queued(store, make):
    store.journal.intend("run-1", [make.change(1), make.change(2)])
    refused = make.settlement(make.change(2), Outcome.REFUSED, code="REQUIRED_ATTRIBUTE_EMPTY")
    store.journal.settle("run-1", [make.inserted(1), refused])
    assert not store.journal.unknown()
    assert not store.journal.queued()


def test_a_change_settled_later_is_queued_with_its_count_and_reason(store, make):
    store.journal.intend("run-1", [make.change(1)])
    store.journal.settle("run-1", [make.settlement(make.change(1), Outcome.LATER, code="transport.not_sent")])
    (entry,) = store.journal.queued()
    assert (entry.change, entry.attempts, entry.code) == (make.change(1), 0, "transport.not_sent")
    assert not store.journal.unknown()


def test_a_change_settled_unknown_stays_to_be_looked_up(store, make):
    store.journal.intend("run-1", [make.change(1)])
    store.journal.settle("run-1", [make.settlement(make.change(1), Outcome.UNKNOWN, code="transport.outcome_unknown")])
    (entry,) = store.journal.unknown()
    assert entry.code == "transport.outcome_unknown"
    assert not store.journal.queued()


def test_a_later_run_settles_what_an_earlier_one_left_unknown(store, make):
    store.journal.intend("run-1", [make.change(1)])
    store.journal.settle("run-2", [make.inserted(1)])
    assert not store.journal.unknown()
    assert make.key(1) in store.ledger.known().items


def test_looking_up_an_unknown_outcome_counts_as_no_attempt(store, make):
    store.journal.intend("run-1", [make.change(1)])
    store.journal.settle("run-1", [make.settlement(make.change(1), Outcome.UNKNOWN)])
    store.journal.settle("run-2", [make.settlement(make.change(1), Outcome.LATER)])
    assert [entry.attempts for entry in store.journal.queued()] == [1]


def test_the_queue_is_oldest_first_and_can_be_cut(store, make):
    changes = [make.change(number) for number in (5, 3, 9, 1)]
    store.journal.intend("run-1", changes)
    store.journal.settle("run-1", [make.settlement(change, Outcome.LATER) for change in changes])
    assert [entry.change for entry in store.journal.queued()] == changes
    assert [entry.change for entry in store.journal.queued(limit=2)] == changes[:2]


def queue(store, *changes, run="run-1"):
    store.journal.enqueue(run, changes, "transport.not_sent", "it was away")


def send(store, make, change, outcome=Outcome.REFUSED, run="run-2"):
    """Sent to an instance that answered so."""
    store.journal.intend(run, [change])
    store.journal.settle(run, [make.settlement(change, outcome, code="POISON")])


def test_a_write_sent_again_in_vain_keeps_its_place_and_its_count(store, make):
    changes = [make.change(1), make.change(2)]
    queue(store, *changes)
    send(store, make, changes[0])
    send(store, make, changes[0])
    assert [(entry.change, entry.attempts) for entry in store.journal.queued()] == [(changes[0], 2), (changes[1], 0)]


def test_an_outage_uses_up_no_attempt(store, make):
    queue(store, make.change(1))
    for _ in range(9):
        send(store, make, make.change(1), Outcome.LATER)
    assert [entry.attempts for entry in store.journal.queued()] == [0]
    assert not store.journal.parked()


def test_a_queued_write_that_is_refused_again_and_again_is_parked_with_its_reason(store, make):
    queue(store, make.change(1))
    for _ in range(5):
        assert not store.journal.parked()
        send(store, make, make.change(1))
    (letter,) = store.journal.parked()
    assert (letter.change, letter.attempts, letter.code, letter.state) == (make.change(1), 5, "POISON", "dead")
    assert not store.journal.queued()
    assert store.journal.pending() == {"open": 0, "unknown": 0, "later": 0}
    assert store.check().dead == 1


def test_a_write_that_never_waited_is_not_parked_however_often_it_is_refused(store, make):
    for _ in range(9):
        send(store, make, make.change(1))
    assert not store.journal.parked()
    assert not store.journal.queued()


def test_a_write_that_is_never_answered_and_never_found_is_parked(store, make):
    queue(store, make.change(1))
    for _ in range(5):
        assert not store.journal.parked()
        send(store, make, make.change(1), Outcome.UNKNOWN)
        store.journal.settle("run-3", [make.settlement(make.change(1), Outcome.LATER, code="unknown.not_found")])
    assert [(letter.attempts, letter.code) for letter in store.journal.parked()] == [(5, "unknown.not_found")]


def test_the_last_attempt_of_a_write_is_announced_so_that_it_can_be_made_alone(store, make):
    queue(store, make.change(1), make.change(2))
    for _ in range(3):
        send(store, make, make.change(1))
    assert store.journal.suspects() == frozenset()
    send(store, make, make.change(1))
    assert store.journal.suspects() == {make.change(1).subject}


def test_a_newer_change_takes_the_place_of_a_dead_letter(store, make):
    queue(store, make.change(1))
    for _ in range(5):
        send(store, make, make.change(1))
    newer = make.change(1, ChangeType.UPDATE, send={"name": "renamed"})
    store.journal.intend("run-3", [newer])
    assert not store.journal.parked()
    assert [(entry.change, entry.attempts) for entry in store.journal.unknown()] == [(newer, 0)]


def test_a_dead_letter_cannot_be_settled(store, make):
    queue(store, make.change(1))
    for _ in range(5):
        send(store, make, make.change(1))
    with pytest.raises(StateError, match="cannot settle"):
        store.journal.settle("run-3", [make.inserted(1)])


def test_queueing_again_what_waits_changes_neither_its_place_nor_its_run(store, make):
    seen_later = dataclasses.replace(make.change(1), item=dataclasses.replace(make.item(1), seen_at=make.noon))
    queue(store, make.change(1), make.change(2))
    queue(store, seen_later, run="run-2")
    assert [(entry.run_id, entry.change) for entry in store.journal.queued()] == [
        ("run-1", seen_later),
        ("run-1", make.change(2)),
    ]


def test_queueing_a_newer_change_supersedes_the_one_that_waited_and_keeps_its_place(store, make):
    newer = make.change(1, ChangeType.UPDATE, send={"name": "renamed"})
    queue(store, make.change(1), make.change(2))
    since = store.journal.queued()[0].intended_at
    queue(store, newer, run="run-2")
    assert [(entry.run_id, entry.change) for entry in store.journal.queued()] == [
        ("run-2", newer),
        ("run-1", make.change(2)),
    ]
    assert [entry.intended_at for entry in store.journal.queued(limit=1)] == [since]


def test_a_newer_change_that_took_over_a_place_has_attempts_of_its_own(store, make):
    newer = make.change(1, ChangeType.UPDATE, send={"name": "renamed"})
    queue(store, make.change(1), make.change(2))
    send(store, make, make.change(1))
    queue(store, newer)
    assert [(entry.change, entry.attempts) for entry in store.journal.queued()] == [(newer, 0), (make.change(2), 0)]


def test_queueing_what_was_sent_without_an_answer_leaves_it_to_be_looked_up(store, make):
    send(store, make, make.change(1), Outcome.UNKNOWN)
    queue(store, make.change(1))
    assert not store.journal.queued()
    assert [entry.change for entry in store.journal.unknown()] == [make.change(1)]


@pytest.mark.parametrize("outcome", [None, Outcome.UNKNOWN])
def test_a_newer_change_waits_behind_what_was_sent_without_an_answer(store, make, outcome):
    store.journal.intend("run-1", [make.change(1)])
    if outcome is not None:
        store.journal.settle("run-1", [make.settlement(make.change(1), outcome)])
    newer = renamed(make, "newer")
    queue(store, newer, run="run-2")
    assert [entry.change for entry in store.journal.queued()] == [newer]
    assert [entry.change for entry in store.journal.unknown()] == [make.change(1)]
    assert sum(store.journal.pending().values()) == 2


def renamed(make, name, number=1):
    change = make.change(number, ChangeType.UPDATE, send={"name": name})
    return dataclasses.replace(change, item=dataclasses.replace(change.item, values={"name": name}))


@pytest.fixture
def behind(store, make):
    """Of three records in the queue the first was sent without an answer and has got another name since."""
    queue(store, *(make.change(number) for number in (1, 2, 3)))
    send(store, make, make.change(1), Outcome.UNKNOWN)
    newer = renamed(make, "newer")
    queue(store, newer, run="run-3")
    return newer


def waiting(store):
    return [entry.change for entry in store.journal.queued()]


def test_what_waits_behind_a_write_that_was_carried_out_after_all_is_queued_after_it(store, make, behind):
    store.journal.settle("run-4", [make.inserted(1)])
    assert (waiting(store), store.journal.unknown()) == ([make.change(2), make.change(3), behind], [])
    assert make.key(1) in store.ledger.known().items


def test_what_waits_behind_a_write_that_was_not_carried_out_takes_its_place(store, make, behind):
    store.journal.settle("run-4", [make.settlement(make.change(1), Outcome.LATER, code="unknown.not_found")])
    assert (waiting(store), store.journal.unknown()) == ([behind, make.change(2), make.change(3)], [])
    assert [entry.change for entry in store.journal.doubted()] == [make.change(1)]


IN_VAIN = {"outcome": Outcome.LATER, "code": "unknown.not_found"}


@pytest.fixture
def doubted(store, make):
    """Sent without an answer, looked for in vain, and given up for a newer write that waits."""
    store.journal.intend("run-1", [make.change(1)])
    store.journal.settle("run-2", [make.settlement(make.change(1), **IN_VAIN)])
    newer = renamed(make, "newer")
    queue(store, newer, run="run-3")
    (entry,) = store.journal.doubted()
    return entry, newer


def test_what_was_carried_out_late_is_done_by_who_sent_it_and_what_took_its_place_goes_on_waiting(store, make, doubted):
    entry, newer = doubted
    store.journal.carried_out("run-4", {entry.id: make.inserted(1)})
    assert (waiting(store), store.journal.doubted()) == ([newer], [])
    assert [settlement.change for settlement in store.journal.done("run-1")] == [make.change(1)]
    assert store.ledger.known().items[make.key(1)].created_by_us


def test_what_was_carried_out_late_is_settled_once(store, make, doubted):
    entry, _ = doubted
    for run in ("run-4", "run-5"):
        store.journal.carried_out(run, {entry.id: make.inserted(1)})
    assert len(store.journal.done("run-1")) == 1


@pytest.mark.parametrize("give_up", ["supersede", "drop", "send"])
def test_what_was_looked_for_in_vain_stays_in_doubt_whatever_becomes_of_its_entry(store, make, give_up):
    store.journal.intend("run-1", [make.change(1)])
    store.journal.settle("run-2", [make.settlement(make.change(1), **IN_VAIN)])
    (entry,) = store.journal.queued()
    if give_up == "supersede":
        store.journal.supersede([entry.change.subject])
    elif give_up == "drop":
        store.journal.queue.drop([entry.id])
    else:
        send(store, make, make.change(1), Outcome.REFUSED, run="run-3")
    assert [one.id for one in store.journal.doubted()] == [entry.id]


def test_a_later_write_of_the_record_that_is_done_does_not_end_the_doubt(store, make, doubted):
    """The instance may come to the earlier one last."""
    entry, newer = doubted
    send(store, make, newer, Outcome.DONE, run="run-4")
    assert [one.id for one in store.journal.doubted()] == [entry.id]


def test_what_was_carried_out_late_ends_no_doubt_of_what_was_sent_after_it(store, make, doubted):
    entry, newer = doubted
    store.journal.intend("run-4", [newer])
    store.journal.settle("run-5", [make.settlement(newer, **IN_VAIN)])
    store.journal.carried_out("run-6", {entry.id: make.inserted(1)})
    assert [one.change for one in store.journal.doubted()] == [newer]


def test_what_cannot_come_any_more_is_doubted_no_longer_and_is_never_done_late(store, make, doubted):
    entry, newer = doubted
    store.journal.end_doubt([entry.id])
    store.journal.carried_out("run-4", {entry.id: make.inserted(1)})
    assert (store.journal.doubted(), store.journal.done("run-1"), waiting(store)) == ([], [], [newer])


def test_an_unsettled_write_that_is_superseded_is_not_forgotten(store, make):
    store.journal.intend("run-1", [make.change(1)])
    store.journal.supersede([make.change(1).subject])
    assert [entry.change for entry in store.journal.doubted()] == [make.change(1)]


def test_what_waits_behind_a_write_stays_behind_it_while_nobody_knows(store, make, behind):
    store.journal.settle("run-4", [make.settlement(make.change(1), Outcome.UNKNOWN)])
    assert waiting(store) == [make.change(2), make.change(3), behind]
    assert [entry.change for entry in store.journal.unknown()] == [make.change(1)]


def test_the_newest_of_what_waits_behind_a_write_is_the_one_that_counts(store, make, behind):
    newest = renamed(make, "newest")
    queue(store, newest, run="run-4")
    queue(store, newest, run="run-5")
    store.journal.settle("run-6", [make.inserted(1)])
    assert waiting(store) == [make.change(2), make.change(3), newest]


def test_nothing_waits_behind_a_write_that_is_wanted_again(store, make, behind):
    queue(store, make.change(1), run="run-4")
    assert waiting(store) == [make.change(2), make.change(3)]
    assert [entry.change for entry in store.journal.unknown()] == [make.change(1)]


def test_what_waits_behind_a_write_is_superseded_and_dropped_without_it(store, make, behind):
    assert store.journal.supersede([behind.subject]) == 1
    queue(store, behind)
    (entry,) = (entry for entry in store.journal.queued() if entry.change == behind)
    assert (store.journal.queue.retry([entry.id]), store.journal.queue.drop([entry.id])) == (1, 1)
    assert waiting(store) == [make.change(2), make.change(3)]
    assert [entry.change for entry in store.journal.unknown()] == [make.change(1)]


def test_a_write_that_is_sent_takes_the_place_of_both_of_its_record(store, make, behind):
    store.journal.intend("run-4", [behind])
    assert [entry.change for entry in store.journal.unknown()] == [behind]
    assert waiting(store) == [make.change(2), make.change(3)]


def test_what_waits_behind_a_write_counts_in_a_full_queue(place, store, make):
    send(store, make, make.change(1), Outcome.UNKNOWN)
    with open_store(place.url, place.clock, limits=QueueLimits(max_entries=1)) as full:
        with pytest.raises(QueueFull, match="1 writes cannot be queued: 1 wait already"):
            queue(full, renamed(make, "newer"))
        assert not waiting(full)


def test_a_full_queue_refuses_new_writes_and_keeps_what_it_has(place, make):
    newer = make.change(1, ChangeType.UPDATE, send={"name": "renamed"})
    with open_store(place.url, place.clock, limits=QueueLimits(max_entries=3)) as store:
        queue(store, *(make.change(number) for number in (1, 2)))
        with pytest.raises(QueueFull, match=r"2 writes cannot be queued: 2 wait already and queue\.max_entries is 3"):
            queue(store, make.change(3), make.change(4))
        queue(store, make.change(3))
        queue(store, newer)
        assert [entry.change for entry in store.journal.queued()] == [newer, make.change(2), make.change(3)]


def test_entries_of_a_release_before_dead_letters_are_the_same_change_by_their_text(place, store, make):
    queue(store, make.change(1), make.change(2))
    engine = open_engine(place.url, place.clock)
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE journal SET content = ''")
    engine.dispose()
    store.journal.intend("run-2", [make.change(1)])
    store.journal.settle("run-2", [make.settlement(make.change(1), Outcome.LATER)])
    assert [entry.change for entry in store.journal.queued()] == [make.change(1), make.change(2)]


def test_a_newer_change_of_the_same_subject_takes_the_place_of_the_queued_one(store, make):
    old, new = make.change(1), make.change(1, ChangeType.UPDATE, send={"name": "renamed"})
    store.journal.intend("run-1", [old])
    store.journal.settle("run-1", [make.settlement(old, Outcome.LATER)])
    store.journal.intend("run-2", [new])
    assert not store.journal.queued()
    assert [(entry.change, entry.attempts) for entry in store.journal.unknown()] == [(new, 0)]


def test_of_two_changes_of_one_subject_in_a_batch_only_the_last_is_open(store, make):
    first, last = make.change(1), make.change(1, ChangeType.UPDATE, send={"name": "renamed"})
    store.journal.intend("run-1", [first, make.change(2), last])
    assert [entry.change for entry in store.journal.unknown()] == [make.change(2), last]


def test_superseding_drops_queued_and_unknown_entries_and_says_how_many(store, make):
    changes = [make.change(number) for number in (1, 2, 3)]
    store.journal.intend("run-1", changes)
    store.journal.settle("run-1", [make.settlement(changes[0], Outcome.LATER)])
    dropped = store.journal.supersede([changes[0].subject, changes[1].subject, "device/ffffffffffff"])
    assert dropped == 2
    assert not store.journal.queued()
    assert [entry.change for entry in store.journal.unknown()] == [changes[2]]


def test_what_was_never_intended_cannot_be_settled_and_nothing_of_its_batch_is(store, make):
    store.journal.intend("run-1", [make.change(1)])
    with pytest.raises(StateError, match="cannot settle 1 changes, the first of device/000000000002"):
        store.journal.settle("run-1", [make.inserted(1), make.inserted(2)])
    assert [entry.change for entry in store.journal.unknown()] == [make.change(1)]
    assert not store.ledger.known().items


def test_a_run_whose_changes_another_has_taken_over_cannot_settle_them(store, make):
    store.journal.intend("run-1", [make.change(1)])
    store.journal.supersede([make.change(1).subject])
    with pytest.raises(StateError, match="Another process has taken them over"):
        store.journal.settle("run-1", [make.inserted(1)])


def test_empty_batches_are_nothing(store):
    store.journal.intend("run-1", [])
    store.journal.settle("run-1", [])
    assert store.journal.supersede([]) == 0
    assert store.journal.pending() == {"open": 0, "unknown": 0, "later": 0}


def test_more_subjects_than_fit_one_statement_are_superseded_and_settled(store, make):
    changes = [make.change(number) for number in range(1500)]
    store.journal.intend("run-1", changes)
    store.journal.intend("run-2", changes)
    store.journal.settle("run-2", [make.inserted(number) for number in range(1500)])
    assert not store.journal.unknown()
    assert len(store.ledger.known().items) == 1500


def test_waiting_entries_are_counted_by_state(store, make):
    changes = [make.change(number) for number in (1, 2, 3)]
    store.journal.intend("run-1", changes)
    store.journal.settle(
        "run-1", [make.settlement(changes[0], Outcome.LATER), make.settlement(changes[1], Outcome.UNKNOWN)]
    )
    assert store.journal.pending() == {"open": 1, "unknown": 1, "later": 1}


def test_awkward_text_comes_back_as_it_went_in(store, make):
    text = "Büro\u202e\x00\x1b[31m'\"; DROP TABLE journal; -- 🛰 " + "x" * 70_000
    change = make.change(1, send={"name": text})
    store.journal.intend("run-1", [change])
    assert store.journal.unknown()[0].change == change


def test_an_unchanged_answer_settles_as_done(store, make):
    change = make.change(1, ChangeType.HEARTBEAT, known=make.known(1))
    store.journal.intend("run-1", [change])
    store.journal.settle("run-1", [make.settlement(change, operation=Operation.UNCHANGED, sys_id=make.sys_id(1))])
    assert store.journal.pending() == {"open": 0, "unknown": 0, "later": 0}


def test_a_run_has_done_what_no_other_run_has_written_since(store, make):
    for run, numbers in (("run-1", (1, 2)), ("run-2", (2,))):
        store.journal.intend(run, [make.change(number) for number in numbers])
        store.journal.settle(run, [make.inserted(number) for number in numbers])
    store.journal.intend("run-1", [make.change(3)])
    assert store.journal.done_in(["run-1"]) == {make.change(1).subject}
    assert store.journal.done_in([]) == frozenset()


def test_the_past_of_a_record_is_its_own_changes_and_the_edges_it_hangs_by(store, make):
    store.journal.intend("run-1", [make.change(1), make.change(2), make.link(1, 2), make.link(2, 1)])
    store.journal.settle("run-1", [make.inserted(1)])
    store.journal.intend("run-2", [make.change(1)])
    past = store.journal.history(make.key(1), 10)
    assert [(one.run_id, one.subject, one.state) for one in past] == [
        ("run-2", make.change(1).subject, "open"),
        ("run-1", make.link(1, 2).subject, "open"),
        ("run-1", make.change(1).subject, "done"),
    ]
    assert past[-1].fields == tuple(sorted(make.change(1).send))
    assert len(store.journal.history(make.key(1), 1)) == 1


def test_what_a_run_did_keeps_its_order_when_the_clock_steps_back_in_the_middle(place, make):
    with place.open() as store:
        for name in ("first", "second"):
            change = make.change(1, ChangeType.UPDATE, known=make.known(1), send={"name": name})
            store.journal.intend("run-1", [change])
            store.journal.settle("run-1", [make.settlement(change, operation=Operation.UPDATED)])
            place.clock.sleep(-60)
        assert [one.change.send["name"] for one in store.journal.done("run-1")] == ["first", "second"]


def test_what_was_intended_since_a_run_of_its_records_is_told_in_order_and_of_no_other(store, make):
    store.journal.intend("run-0", [make.change(1)])
    store.journal.settle("run-0", [make.inserted(1)])
    store.journal.intend("run-1", [make.change(1), make.change(2)])
    store.journal.intend("run-2", [make.change(3), make.change(2, ChangeType.HEARTBEAT, known=make.known(2))])
    told = [(entry.run_id, entry.change.subject, entry.change.type.value) for entry in store.journal.since("run-1")]
    one, two = make.change(1).subject, make.change(2).subject
    assert told == [("run-1", one, "create"), ("run-1", two, "create"), ("run-2", two, "heartbeat")]
    assert not list(store.journal.since("never"))
