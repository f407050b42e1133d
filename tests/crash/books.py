"""Whether the state says what the CMDB shows: a change without a record cannot be undone, resumed or audited (Q1, S3).

For a CMDB in which everything of ours was made by the runs of this state.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from beast_dream_snow_loader.core.audit import Link
from beast_dream_snow_loader.core.changes import ChangeType
from beast_dream_snow_loader.operations.audit_check import Check
from tests.crash.checker import Place, edges, ours
from tests.crash.sent import names
from tests.crash.states import State

TRAIL = "SELECT number, segment, kind, body, digest, proof FROM audit_log ORDER BY number"
WRITES_OF_CIS = "SELECT subject, change, state FROM journal WHERE change_type IN ('create', 'update')"
CHANGES = frozenset(one.value for one in ChangeType)


def astray(place: Place, state: State) -> Iterator[str]:
    """Where journal and ledger differ from the CMDB."""
    yield from _items(place, state)
    yield from _edges(place, state)
    yield from _given_up(place, state)
    yield from _audited(state)
    for subject, kept in state.rows("SELECT subject, state FROM journal WHERE state IN ('open', 'unknown', 'later')"):
        yield f"{subject} is left {kept} in the journal"


def _items(place: Place, state: State) -> Iterator[str]:
    there = {key: items[0].sys_id for key, items in ours(place).items()}
    kept = {row[0]: row[1:] for row in state.rows("SELECT key, sys_id, created_by_us FROM ledger_items")}
    made = set(state.rows("SELECT subject, sys_id FROM journal WHERE state = 'done' AND operation = 'inserted'"))
    yield from (f"{key} is in the ledger and not in the CMDB" for key in sorted(kept.keys() - there.keys()))
    for key, sys_id in there.items():
        if key not in kept:
            yield f"{key} is in the CMDB and not in the ledger"
        elif kept[key][0] != sys_id or not kept[key][1]:
            yield f"the ledger does not say that we made {key}"
        elif (key, sys_id) not in made:
            yield f"no entry of the journal made {key}"


def _given_up(place: Place, state: State) -> Iterator[str]:
    """A name that the engine was seen to write, and that no entry is done with: nobody can undo it."""
    written = {name for request in place.witness.sent for name in names(request)}
    told: dict[tuple[str, str], set[str]] = {}
    for subject, change, how in state.rows(WRITES_OF_CIS):
        told.setdefault((subject, json.loads(change)["item"]["values"].get("name", "")), set()).add(how)
    for key, name in sorted(written & told.keys()):
        if told[key, name] == {"superseded"}:
            yield f"{key} was called {name}, and its entry was given up"


def _edges(place: Place, state: State) -> Iterator[str]:
    there = set(edges(place).values())
    kept = {tuple(row[:3]): row[3] for row in state.rows("SELECT parent, type, child, ours FROM ledger_relations")}
    yield from (f"the edge {edge} is in the ledger and not in the CMDB" for edge in sorted(kept.keys() - there))
    yield from (f"the ledger does not say that we drew {edge}" for edge in sorted(there) if not kept.get(edge))


def _audited(state: State) -> Iterator[str]:
    """Entry and row land together or not at all, and the chain is whole (R5.2)."""
    links = [Link(number=n, segment=s, kind=k, body=b, digest=d, proof=p) for n, s, k, b, d, p in state.rows(TRAIL)]
    found = Check().run(links)
    if not found.whole:
        yield f"the audit trail is not whole: {found.bad}, {found.beginnings}"
    told = [json.loads(link.body) for link in links if link.kind in ("intended", "settled")]
    settled = Counter(one["key"] for one in told if one.get("outcome") == "done" and one["change"] in CHANGES)
    done = Counter(subject for (subject,) in state.rows("SELECT subject FROM journal WHERE state = 'done'"))
    for key in sorted(key for key in done | settled if done[key] != settled[key]):
        yield f"{key} is done {done[key]} times in the journal and {settled[key]} times in the audit trail"
