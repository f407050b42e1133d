"""Fetch: what UniFi says now; of a console that cannot be asked, what it said last (R6.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.observed import Snapshot
from beast_dream_snow_loader.core.remembered import (
    Part,
    answers_again,
    named_as_before,
    parts_of,
    remembered_whole,
    told,
    too_old,
    usable,
    with_remembered,
)
from beast_dream_snow_loader.core.shown import age
from beast_dream_snow_loader.errors import NotAuthenticated, SourceUnavailable
from beast_dream_snow_loader.pipeline.world import Order, World

_NEXT = "Check with: snowload health"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """``live`` False: nothing at all was read now. ``snapshot.aged`` says what stands in for what could not be."""

    snapshot: Snapshot
    live: bool = True
    findings: tuple[Finding, ...] = ()


def fetch(world: World, order: Order) -> Fetched:
    """Raises SourceUnavailable when there is neither source nor a snapshot young enough."""
    try:
        live = world.source.read()
    except SourceUnavailable as error:
        return _from_memory(world, order, error)
    now = world.clock.now()
    kept = () if not live.partial else tuple(world.memory.remembered())
    live = named_as_before(live, kept)
    warmed = () if order.dry_run else tuple(_warmed(world, live))
    parts = usable(kept, now, order.stale_max_age)
    snapshot = with_remembered(live, parts, now)
    if not order.dry_run:
        world.memory.stood_in((one.console for one in snapshot.aged), now)
    findings = (*map(told, snapshot.aged), *_too_old(kept, live, parts, now), *warmed)
    return Fetched(snapshot=snapshot, findings=findings)


def _warmed(world: World, live: Snapshot) -> Iterator[Finding]:
    """What was read now is kept; consoles that were worked from memory until now are told."""
    fresh = list(parts_of(live))
    before = world.memory.standing_in()
    world.memory.remember(fresh)
    yield from (answers_again(part.key, before[part.key]) for part in fresh if part.complete and part.key in before)


def _too_old(kept: Sequence[Part], live: Snapshot, parts: Mapping[str, Part], now: datetime) -> Iterator[Finding]:
    """Consoles that something would stand in for, were it not too old."""
    newest = {part.key: part for part in sorted(kept, key=lambda one: one.taken_at) if part.key not in parts}
    wanted = {one.console for one in with_remembered(live, newest, now).aged}
    yield from (too_old(newest[key], now) for key in sorted(wanted))


def _from_memory(world: World, order: Order, error: SourceUnavailable) -> Fetched:
    now, kept = world.clock.now(), world.memory.remembered()
    parts = usable(kept, now, order.stale_max_age)
    if not parts:
        raise _nothing(kept, now, error) from error
    snapshot = remembered_whole(parts, now, error.message)
    if not order.dry_run:
        world.memory.stood_in(parts, now)
    old = {part.key: part for part in kept if part.key not in parts}
    refused = () if error.unaccepted is None else (_unaccepted(error.unaccepted),)
    findings = (
        _stale(error, snapshot),
        *refused,
        *map(told, snapshot.aged),
        *(too_old(old[key], now) for key in sorted(old)),
    )
    return Fetched(snapshot=snapshot, live=False, findings=findings)


def _nothing(kept: Sequence[Part], now: datetime, error: SourceUnavailable) -> SourceUnavailable:
    if not kept:
        why = "There is no earlier snapshot to work from."
    else:
        seconds = (now - max(part.taken_at for part in kept)).total_seconds()
        why = f"The last snapshot is {age(seconds)} old, too old to work from (unifi.stale_max_age)."
    step = error.next_step or _NEXT
    return SourceUnavailable(f"{error.message} {why}", next_step=step, unaccepted=error.unaccepted)


def _unaccepted(error: NotAuthenticated) -> Finding:
    """Memory makes up for a source that is away, not for a login that is wrong."""
    return Finding(record="source", rule=error.code, severity=Severity.WARNING, message=str(error))


def _stale(error: SourceUnavailable, snapshot: Snapshot) -> Finding:
    old = age(snapshot.stale_seconds or 0.0)
    return Finding(
        record="source",
        rule="source.stale",
        severity=Severity.WARNING,
        message=f"{error.message} Working from snapshots up to {old} old, which no write follows.",
    )
