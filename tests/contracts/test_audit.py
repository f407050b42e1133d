"""The audit trail on both databases: one chain whoever writes, an entry and its journal row together or not at all
(R5.2, S3)."""

from __future__ import annotations

import json

import pytest

from beast_dream_snow_loader.core.receipts import Operation, Outcome
from beast_dream_snow_loader.errors import StateError
from beast_dream_snow_loader.operations.audit_check import Check, Verdict
from beast_dream_snow_loader.state.store import Store


def verdict(store: Store) -> Verdict:
    with store.audit.links() as (pruned, links):
        return Check(key=store.audit.key(), pruned=pruned).run(links)


def bodies(store: Store, kind: str) -> list[dict]:
    with store.audit.links() as (_, links):
        return [json.loads(link.body) for link in links if link.kind == kind]


def test_an_entry_says_who_changed_what_and_what_came_of_it_without_a_value(store, make):
    changed = make.change(1, known=None)
    store.journal.intend("run-1", [changed])
    done = make.settlement(changed, operation=Operation.INSERTED, sys_id=make.sys_id(1))
    store.journal.settle("run-1", [done])
    (intended,), (settled,) = bodies(store, "intended"), bodies(store, "settled")
    assert intended["key"] == settled["key"] == changed.subject
    assert (settled["outcome"], settled["operation"], settled["sys_id"]) == ("done", "inserted", make.sys_id(1))
    assert settled["fields"] == intended["fields"]
    assert settled["fields"].keys() == changed.send.keys()
    assert settled["fields"]["name"][0] is None
    assert len(settled["fields"]["name"][1]) == 32
    assert "sw-1" not in json.dumps([intended, settled])


def test_the_same_value_of_the_same_field_has_the_same_digest_and_another_field_another(store, make):
    for number, send in ((1, {"name": "same", "ip_address": "same"}), (2, {"name": "same"})):
        store.journal.intend(f"run-{number}", [make.change(number, send=send)])
    first, second = bodies(store, "intended")
    assert first["fields"]["name"] == second["fields"]["name"] != first["fields"]["ip_address"]


def test_every_outcome_is_in_the_trail(store, make):
    changes = [make.change(number) for number in range(4)]
    store.journal.intend("run-1", changes)
    settled = [make.settlement(one, outcome=outcome, code="x") for one, outcome in zip(changes, Outcome, strict=True)]
    store.journal.settle("run-1", settled)
    assert [one["outcome"] for one in bodies(store, "settled")] == [outcome.value for outcome in Outcome]


def test_a_settlement_that_is_refused_leaves_no_entry(store, make):
    store.journal.intend("run-1", [make.change(1)])
    with pytest.raises(StateError, match="cannot settle"):
        store.journal.settle("run-1", [make.inserted(1), make.inserted(2)])
    assert bodies(store, "settled") == []
    assert verdict(store).whole


def test_writers_in_turn_go_on_with_one_chain(place, make):
    with place.open() as one, place.open() as other:
        for number in range(6):
            (one, other)[number % 2].journal.intend(f"run-{number}", [make.change(number)])
            if number % 3 == 2:
                (other, one)[number % 2].audit.seal(f"run-{number}")
        found = verdict(one)
    assert (found.whole, found.proven, found.entries, found.seals) == (True, True, 6 + 1 + 2, 2)
