"""One record through every step of a load. Only reads; goes as far as both ends allow and keeps what it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from beast_dream_snow_loader.core.changes import ItemChange
from beast_dream_snow_loader.core.comparing import FieldDecision, Policy, decide
from beast_dream_snow_loader.core.desired import ConfigItem
from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.identity import RecordType, SourceKey
from beast_dream_snow_loader.core.key_lookup import Meant, meant
from beast_dream_snow_loader.core.known import KnownItem, KnownState
from beast_dream_snow_loader.core.mapping import map_snapshot
from beast_dream_snow_loader.core.mapping_trace import Traced
from beast_dream_snow_loader.core.names import named, planned_names
from beast_dream_snow_loader.core.observed import Snapshot
from beast_dream_snow_loader.core.past import PastWrite
from beast_dream_snow_loader.core.recognition import Trial
from beast_dream_snow_loader.core.scope import Scope
from beast_dream_snow_loader.core.values import Sources
from beast_dream_snow_loader.errors import SnowloadError, Stopped
from beast_dream_snow_loader.pipeline.guard import Steps
from beast_dream_snow_loader.pipeline.outcome import LoadOutcome
from beast_dream_snow_loader.pipeline.prepare import Preparation
from beast_dream_snow_loader.pipeline.steps.drift import with_stored
from beast_dream_snow_loader.pipeline.steps.fetch import fetch
from beast_dream_snow_loader.pipeline.steps.recognise import recognise
from beast_dream_snow_loader.pipeline.world import Order, World

_WRITES = 50
_RUNS = 20


@dataclass(slots=True, kw_only=True)
class Explained:
    """Filled step by step. ``known`` is what the ledger has of it, with what the CMDB holds now where it was read;
    ``trials`` what the engine says of it; ``troubles`` why something is missing here."""

    meant: Meant
    outcome: LoadOutcome
    traced: Traced | None = None
    known: KnownItem | None = None
    ledger: KnownState = field(default_factory=KnownState)
    trials: Sequence[Trial] = ()
    decisions: tuple[FieldDecision, ...] = ()
    writes: Sequence[PastWrite] = ()
    troubles: list[SnowloadError] = field(default_factory=list)

    @property
    def key(self) -> SourceKey:
        return self.meant.key

    @property
    def change(self) -> ItemChange | None:
        plan = self.outcome.plan
        every = (*plan.items, *plan.retirements) if plan is not None else ()
        return next((change for change in every if change.item.key == self.key), None)

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(found for found in self.outcome.findings if found.record == str(self.key))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A source that was read already: UniFi is asked once."""

    answer: Snapshot | SnowloadError

    def read(self) -> Snapshot:
        if isinstance(self.answer, SnowloadError):
            raise self.answer
        return self.answer


def explain(world: World, order: Order, text: str) -> Explained:
    """Raises BadArgument when the text names nobody, SourceError when nothing at all is known here, Stopped when asked
    to end."""
    ledger = world.ledger.known()
    source, snapshot = _read(world, order)
    if snapshot is None and not ledger.items and isinstance(source.answer, SnowloadError):
        raise source.answer
    explained = Explained(meant=meant(text, snapshot, ledger, _candidates(world)), outcome=LoadOutcome(), ledger=ledger)
    if isinstance(source.answer, SnowloadError):
        explained.troubles.append(source.answer)
    _prepare(replace(world, source=source), order, explained)
    explained.traced = _trace(order, explained)
    explained.known = _known(world, order, explained)
    _ask(world, order, explained)
    explained.decisions = _decisions(order, explained)
    explained.writes = world.journal.history(explained.key, _WRITES)
    return explained


def _read(world: World, order: Order) -> tuple[_Read, Snapshot | None]:
    """The source as it answered, and the snapshot to work from: an old one where it is away."""
    try:
        source = _Read(answer=world.source.read())
    except SnowloadError as error:
        source = _Read(answer=error)
    try:
        return source, fetch(replace(world, source=source), order).snapshot
    except SnowloadError:
        return source, None


def _candidates(world: World) -> dict[str, set[SourceKey]]:
    """The records that recent runs held, by the CIs that they named for them."""
    found: dict[str, set[SourceKey]] = {}
    for run in world.memory.runs(limit=_RUNS):
        for held in run.report.get("held", ()):
            for candidate in held["candidates"]:
                found.setdefault(candidate["sys_id"], set()).add(SourceKey.parse(held["key"]))
    return found


def _prepare(world: World, order: Order, explained: Explained) -> None:
    scoped = replace(order, scope=Scope(keys=frozenset({explained.key})))
    outcome = explained.outcome
    steps = Steps(clock=world.clock, listener=world.listener, done=outcome.steps)
    try:
        Preparation(world, scoped, outcome, steps).run()
    except Stopped:
        raise
    except SnowloadError as error:
        if error not in explained.troubles:
            explained.troubles.append(error)
    if outcome.away is not None:
        explained.troubles.append(outcome.away)


def _trace(order: Order, explained: Explained) -> Traced | None:
    """The mapping once more with a witness: the same code, the same snapshot."""
    outcome, key = explained.outcome, explained.key
    if outcome.snapshot is None or outcome.mapped is None:
        return None
    heard: list[tuple[RecordType, str, Sources]] = []

    def witness(record: RecordType, kind: str, sources: Sources) -> None:
        if sources.get("native_key") == str(key):
            heard.append((record, kind, sources))

    map_snapshot(outcome.snapshot, order.rules, witness)
    if not heard:
        return None
    record, kind, sources = heard[-1]
    return Traced(
        record=record,
        kind=kind,
        sources=sources,
        mapped=outcome.mapped.items.get(key),
        fitted=outcome.desired.items.get(key) if outcome.desired is not None else None,
        findings=tuple(finding for finding in outcome.findings if finding.record in (str(key), "instance")),
    )


def _known(world: World, order: Order, explained: Explained) -> KnownItem | None:
    """With what the CMDB holds now, which a load reads only where it is about to write."""
    planned = explained.outcome.known or explained.ledger
    known = planned.items.get(explained.key) or explained.ledger.items.get(explained.key)
    if known is None or known.stored is not None or explained.outcome.away is not None:
        return known
    try:
        return with_stored(world, order, planned, [known]).items[explained.key]
    except SnowloadError as error:
        explained.troubles.append(error)
        return known


def _ask(world: World, order: Order, explained: Explained) -> None:
    """A load asks the engine only about new records; here it is asked about any."""
    outcome, key = explained.outcome, explained.key
    explained.trials = [trial for trial in outcome.trials if trial.key == key]
    if explained.trials or outcome.desired is None or outcome.known is None or key not in outcome.desired.items:
        return
    if outcome.away is not None:
        return
    others = {other: item for other, item in outcome.known.items.items() if other != key}
    known = replace(outcome.known, items=others)
    item = _planned_item(outcome.desired.items, key, outcome.known)
    desired = replace(outcome.desired, items={**outcome.desired.items, key: item})
    try:
        explained.trials = recognise(world, order, desired, [key], known).trials
    except SnowloadError as error:
        explained.troubles.append(error)


def _decisions(order: Order, explained: Explained) -> tuple[FieldDecision, ...]:
    """The decision about each field, three ways, with the CMDB as it is now."""
    outcome, key = explained.outcome, explained.key
    if outcome.desired is None or key not in outcome.desired.items:
        return ()
    state = outcome.known or explained.ledger
    item = _planned_item(outcome.desired.items, key, state)
    overwrite = order.rules.on_manual_change == "overwrite"
    policy = Policy(ownership=order.rules.ownership(), full=order.full, overwrite=overwrite)
    return tuple(decide(item, explained.known, policy))


def _planned_item(items: Mapping[SourceKey, ConfigItem], key: SourceKey, known: KnownState) -> ConfigItem:
    return named(items[key], planned_names(items, known)[key])
