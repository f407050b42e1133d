"""Healings beyond one connection: of the state after a killed run, of the queue, of what was remembered; and how many
there were lately (X5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.run import Run
from beast_dream_snow_loader.errors import StateDamaged
from beast_dream_snow_loader.operations.healing import CACHE, DATABASE, QUEUE, Healings
from beast_dream_snow_loader.state.store import Store

NAME = "healings"
_WINDOW = timedelta(hours=1)
_WARMED = "source.warmed"


def healed_lately(store: Store, clock: Clock) -> Mapping[str, int]:
    """How often each healing was done by the runs of the last hour, by name."""
    told: Sequence[Mapping[str, Any]] = [run.report for run in store.memory.runs(since=clock.now() - _WINDOW)]
    return Counter(str(row["what"]) for report in told for row in report.get(NAME, ()))


def state_after_kill(store: Store, killed: Sequence[Run], healings: Healings) -> None:
    """Where runs were killed, the log of the database is folded into its file and all of it is read once.

    StateDamaged when it is not whole: nothing is written on top of that."""
    if not killed:
        return
    detected = f"{len(killed)} runs were killed, the last one {killed[0].id}."
    healing = healings.begin(DATABASE, "database", detected, "Its log was folded into the file, and all was read.")
    if healing is None:
        return
    try:
        store.recover()
    except StateDamaged:
        healing.did_not_help()
        raise
    healing.helped()


def queue_drained(before: int, after: int, healings: Healings) -> None:
    """Told of a run that began with writes waiting; those that it found needless count as gone as well."""
    if not before or after >= before:
        return
    healing = healings.begin(
        QUEUE, "queue", f"{before} writes waited, and ServiceNow answers.", f"{before - after} of them are settled."
    )
    if healing is not None:
        healing.helped() if not after else healing.did_not_help()


def cache_warmed(findings: Sequence[Finding], healings: Healings) -> None:
    """Told of a run that read consoles again which a snapshot had stood in for."""
    again = [finding.record for finding in findings if finding.rule == _WARMED]
    if not again:
        return
    detected = f"{len(again)} consoles that were worked from memory answer again."
    healing = healings.begin(CACHE, "unifi", detected, "Their snapshots are new ones.")
    if healing is not None:
        healing.helped()
