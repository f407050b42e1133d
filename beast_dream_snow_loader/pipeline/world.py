"""What a run works with and what it was asked to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.bindings import Bindings
from beast_dream_snow_loader.core.events import Listener
from beast_dream_snow_loader.core.mapping_rules import MappingRules
from beast_dream_snow_loader.core.ports import Audit, Cmdb, Journal, Ledger, Memory, Source, Spread
from beast_dream_snow_loader.core.presence import RetirePolicy
from beast_dream_snow_loader.core.scope import EVERYTHING, Scope
from beast_dream_snow_loader.operations.healing import Healings


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The neighbours of a run, put together in ``app/wiring.py``."""

    source: Source
    cmdb: Cmdb
    journal: Journal
    audit: Audit
    ledger: Ledger
    memory: Memory
    clock: Clock
    listener: Listener
    spread: Spread
    healings: Healings
    stopping: Callable[[], bool] = lambda: False
    """True once the program was asked to end: the batch in flight is finished, no other begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The optional parts of a run; one that is off makes no request and leaves what it looks after as it is."""

    links: bool = True
    preflight: bool = True
    verify: bool = True
    healing: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One load as ordered. ``target`` names the instance; ``facts_max_age`` and ``stale_max_age`` (of a snapshot that
    stands in for a console) are in seconds.

    ``dry_run`` stops after the plan. ``bindings`` are the operator's.
    """

    run_id: str
    target: str
    rules: MappingRules
    scope: Scope = EVERYTHING
    dry_run: bool = False
    read_only: bool = False
    """Nothing is sent though the instance is there: what the plan holds is queued."""
    full: bool = False
    allow_upgrade: bool = False
    """CIs that we made may move to a more specific class that the instance has got since."""
    lanes: int = 4
    batch_size: int = 100
    batch_size_max: int = 250
    facts_max_age: float = 24 * 3600.0
    stale_max_age: float = 7 * 24 * 3600.0
    check_within_runs: int = 24
    """Within so many runs every CI of ours is looked at: deleted, merged, reclassified, changed by others?"""
    recheck_after: float = 5.0
    """Seconds after which what the plan read is read again right before it is written over."""
    quarantine: float = 60.0
    """Seconds for which the instance may still work on a request whose answer was lost."""
    patience: float = 60.0
    """Seconds in all for which a first load waits for breakers, as any request does for a cool-down."""
    bindings: Bindings = field(default_factory=dict)
    retire: RetirePolicy = field(default_factory=RetirePolicy)
    parts: Parts = field(default_factory=Parts)
    again: str = "snowload load"
    """The command that does this very run once more."""
