"""The use cases behind ``snowload queue``: what waits, what is parked, and what a person decides about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from beast_dream_snow_loader.app import degraded
from beast_dream_snow_loader.app.failing import failed
from beast_dream_snow_loader.app.ground import Ground, ground
from beast_dream_snow_loader.app.holding import holding_journal
from beast_dream_snow_loader.app.opening import opened
from beast_dream_snow_loader.app.options import Place
from beast_dream_snow_loader.app.plan_rows import told_change
from beast_dream_snow_loader.app.private_files import refuse_unwritable, write_file
from beast_dream_snow_loader.app.result import Result, carried_out
from beast_dream_snow_loader.app.runs import begun, closed
from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.parking import UNDOING, again_by, remedy
from beast_dream_snow_loader.core.ports import JournalEntry
from beast_dream_snow_loader.core.run import Run
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.errors import BadArgument, SnowloadError
from beast_dream_snow_loader.state.codec import encode_change
from beast_dream_snow_loader.state.queue import SqlQueue
from beast_dream_snow_loader.state.schema import EntryState
from beast_dream_snow_loader.state.store import Store

_COMMAND = "queue"
_WORDS: Mapping[str, tuple[EntryState, ...]] = {
    "queued": (EntryState.LATER,),
    "unknown": (EntryState.OPEN, EntryState.UNKNOWN),
    "parked": (EntryState.DEAD,),
}
_WORD_OF = {state.value: word for word, states in _WORDS.items() for state in states}
_LIST = "See what there is: snowload queue list"
Change = Callable[[SqlQueue, Sequence[int]], int]


def list_queue(place: Place, state: str | None, limit: int) -> Result:
    """The oldest ``limit`` entries, and how many there are of each kind."""

    def made(here: Ground, store: Store) -> Mapping[str, Any]:
        queue = store.journal.queue
        entries = [_told_of(store, entry) for entry in queue.entries(_states(state), limit)]
        return {"counts": _counts(queue), "entries": entries, degraded.NAME: degraded.on_record(here, store)}

    return _told("list", place, made)


def show_entry(place: Place, number: int) -> Result:
    """One entry with the change in it, field by field."""

    def made(_: Ground, store: Store) -> Mapping[str, Any]:
        (entry,) = _found(store.journal.queue, [number])
        return {"entry": {**_told_of(store, entry), "what": told_change(entry.change)}}

    return _told("show", place, made)


def export_queue(place: Place, file: Path, state: str | None) -> Result:
    """Every entry as one line of JSON, whole or not at all, for the owner only."""

    def made(_: Ground, store: Store) -> Mapping[str, Any]:
        refuse_unwritable(file)
        entries = store.journal.queue.entries(_states(state))
        write_file(file, "".join(f"{_line(entry)}\n" for entry in entries).encode("ascii"))
        return {"file": str(file), "exported": len(entries)}

    return _told("export", place, made)


def retry_entries(place: Place, ids: Sequence[int], *, every: bool, dry_run: bool) -> Result:
    """Parked writes are queued again as if they had never been sent; the next load or replay sends them."""

    def chosen(queue: SqlQueue) -> Sequence[JournalEntry]:
        if every == bool(ids):
            raise BadArgument("Name the entries to try again, or --all of the parked ones.", next_step=_LIST)
        return queue.entries(_WORDS["parked"]) if every else _settled(_found(queue, ids))

    return _decided("retry", place, chosen, SqlQueue.retry, dry_run=dry_run)


def drop_entries(place: Place, ids: Sequence[int], *, dry_run: bool) -> Result:
    """Writes given up for good. A load that still finds the difference plans it anew."""
    return _decided("drop", place, lambda queue: _settled(_found(queue, ids)), SqlQueue.drop, dry_run=dry_run)


def _decided(
    action: str, place: Place, chosen: Callable[[SqlQueue], Sequence[JournalEntry]], change: Change, *, dry_run: bool
) -> Result:
    """Recorded as a run of its own: who reads the history finds what became of the writes."""
    try:
        with ground(place) as here, opened(here) as store:
            if dry_run:
                return _result(action, here, {"dry_run": True, **_of(chosen(store.journal.queue))})
            run = begun(_COMMAND, here)
            with holding_journal(here, store, run) as journal:
                return _recorded(here, store, run, _done(action, here, run, journal.queue, chosen, change))
    except SnowloadError as error:
        return failed(_COMMAND, error, environment=place.environment or "")


def _done(
    action: str,
    here: Ground,
    run: Run,
    queue: SqlQueue,
    chosen: Callable[[SqlQueue], Sequence[JournalEntry]],
    change: Change,
) -> Result:
    try:
        entries = chosen(queue)
        changed = change(queue, [entry.id for entry in entries])
    except SnowloadError as error:
        return replace(failed(_COMMAND, error, environment=here.environment), run_id=run.id)
    body = {"dry_run": False, **_of(entries), "changed": changed, "counts": _counts(queue)}
    return replace(_result(action, here, body), run_id=run.id)


def _recorded(here: Ground, store: Store, run: Run, result: Result) -> Result:
    return closed(store, run, result, here)


def _told(action: str, place: Place, made: Callable[[Ground, Store], Mapping[str, Any]]) -> Result:
    try:
        with ground(place) as here, opened(here) as store:
            return _result(action, here, made(here, store))
    except SnowloadError as error:
        return failed(_COMMAND, error, environment=place.environment or "")


def _result(action: str, here: Ground, body: Mapping[str, Any]) -> Result:
    at = rfc3339(here.clock.now())
    return carried_out(_COMMAND, action, body, environment=here.environment, at=at)


def _of(entries: Sequence[JournalEntry]) -> dict[str, Any]:
    return {"entries": [_brief(entry) for entry in entries]}


def _states(word: str | None) -> tuple[EntryState, ...]:
    return _WORDS[word] if word is not None else tuple(state for states in _WORDS.values() for state in states)


def _counts(queue: SqlQueue) -> dict[str, int]:
    counts = queue.counts()
    return {word: sum(counts.get(state, 0) for state in states) for word, states in _WORDS.items()}


def _found(queue: SqlQueue, ids: Sequence[int]) -> Sequence[JournalEntry]:
    """BadArgument when one is not there: then nothing is done about the others either."""
    entries = queue.some(ids)
    missing = sorted(set(ids) - {entry.id for entry in entries})
    if missing:
        named = ", ".join(map(str, missing))
        raise BadArgument(f"There is no queued or parked write {named}.", next_step=_LIST)
    return entries


def _settled(entries: Sequence[JournalEntry]) -> Sequence[JournalEntry]:
    """BadArgument for one that was sent without an answer: what became of it has to be looked up first."""
    unknown = [str(entry.id) for entry in entries if _WORD_OF[entry.state] == "unknown"]
    if unknown:
        raise BadArgument(
            f"What became of {', '.join(unknown)} is not known: it was sent without an answer.",
            next_step="Run `snowload replay-queue`: it looks it up first.",
        )
    return entries


def _brief(entry: JournalEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "state": _WORD_OF[entry.state],
        "key": entry.change.subject,
        "change": str(entry.change.type),
        "attempts": entry.attempts,
        "code": entry.code,
        "message": shown(entry.message, 500),
        "queued_at": rfc3339(entry.intended_at),
        "since": rfc3339(entry.settled_at) if entry.settled_at is not None else None,
        "run_id": entry.run_id,
        "next_step": _next_step(entry),
    }


def _told_of(store: Store, entry: JournalEntry) -> dict[str, Any]:
    """With the run that has to be undone again where only that makes the write."""
    if entry.change.type not in UNDOING or _WORD_OF[entry.state] != "queued":
        return _brief(entry)
    return {**_brief(entry), "next_step": f"No replay sends it: {again_by(store.memory.run(entry.run_id))}"}


def _next_step(entry: JournalEntry) -> str:
    word = _WORD_OF[entry.state]
    if word == "parked":
        return remedy(entry.code, entry.id)
    return "It is looked up by: snowload replay-queue" if word == "unknown" else "Send it with: snowload replay-queue"


def _line(entry: JournalEntry) -> str:
    """Pure ASCII: nothing in it acts upon a terminal."""
    return json.dumps({**_brief(entry), "body": json.loads(encode_change(entry.change))}, ensure_ascii=True)
