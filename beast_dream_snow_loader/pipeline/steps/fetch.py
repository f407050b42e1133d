"""Fetch: what UniFi says now, or the last good snapshot when it cannot be asked (R6.3)."""

from __future__ import annotations

from dataclasses import dataclass

from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.observed import Snapshot
from beast_dream_snow_loader.errors import SourceUnavailable
from beast_dream_snow_loader.pipeline.world import Order, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """``stale_seconds`` is the age of a snapshot that stands in for the source; None when it was read now."""

    snapshot: Snapshot
    stale_seconds: float | None = None
    findings: tuple[Finding, ...] = ()


def fetch(world: World, order: Order) -> Fetched:
    """Raises SourceUnavailable when there is neither source nor a snapshot young enough."""
    try:
        snapshot = world.source.read()
    except SourceUnavailable as error:
        return _stale(world, order, error)
    if not order.dry_run and not snapshot.partial and snapshot.devices:
        world.memory.save_snapshot(snapshot)
    return Fetched(snapshot=snapshot)


def _stale(world: World, order: Order, error: SourceUnavailable) -> Fetched:
    snapshot = world.memory.latest_snapshot()
    if snapshot is None:
        raise SourceUnavailable(
            f"{error.message} There is no earlier snapshot to work from.",
            next_step=error.next_step or "Check with: snowload health",
        ) from error
    age = (world.clock.now() - snapshot.taken_at).total_seconds()
    if age > order.stale_max_age:
        raise SourceUnavailable(
            f"{error.message} The last snapshot is {age / 86400:.0f} days old, too old to work from.",
            next_step=error.next_step or "Check with: snowload health",
        ) from error
    finding = Finding(
        record="source",
        rule="source.stale",
        severity=Severity.WARNING,
        message=f"{error.message} Working from the snapshot of {age / 3600:.1f} hours ago.",
    )
    return Fetched(snapshot=snapshot, stale_seconds=age, findings=(finding,))
