"""Heal: CIs of ours that others deleted, merged, reclassified or changed are noticed and taken over (X5, L3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.healing import (
    Diagnosis,
    Healing,
    Look,
    Seen,
    diagnose,
    healed,
    hidden_rather_than_gone,
)
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.known import Held, KnownItem, KnownRelation, KnownState
from beast_dream_snow_loader.operations.healing import LEDGER
from beast_dream_snow_loader.operations.healing import Healing as Record
from beast_dream_snow_loader.pipeline.guard import reduced
from beast_dream_snow_loader.pipeline.steps.describe import described
from beast_dream_snow_loader.pipeline.steps.drift import with_stored
from beast_dream_snow_loader.pipeline.world import Order, World

_HIDDEN = (
    "None of the CIs looked at can be seen, but nothing says that their native keys are gone: rights are missing "
    "rather than CIs. "
    "Nothing was forgotten. Allow the account to read cmdb_ci; if they were really deleted, run: snowload load --full"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Healed:
    """``held`` are records whose native key leads to several CIs; ``look`` is what was seen."""

    known: KnownState
    look: Look = field(default_factory=Look)
    findings: tuple[Finding, ...] = ()
    held: tuple[Held, ...] = ()


def heal(
    world: World,
    order: Order,
    known: KnownState,
    keys: Iterable[SourceKey],
    counted: int | None = None,
    edges: Sequence[KnownRelation] = (),
    *,
    some_seen: bool = False,
) -> Healed:
    """Look at the CIs of these records and put right what we believe of them; what was changed by hand is read.
    ``edges`` are looked for in the same request.

    ``counted``: how many native keys of ours the instance holds; None where it does not say. ``some_seen``: other CIs
    of ours were seen just now, so that one that is not is gone rather than hidden. In a dry run the ledger stays as it
    is. Raises what reading raises.
    """
    wanted = {key: known.items[key].sys_id for key in keys if key in known.items}
    if not wanted:
        return Healed(known=known)
    look = world.cmdb.look(wanted, edges)
    seen = look.cis
    diagnoses = {key: diagnose(known.items[key], seen[key]) for key in wanted}
    trusted = order.full or some_seen
    if not trusted and hidden_rather_than_gone(diagnoses.values(), counted, len(known.items)):
        return Healed(known=known, look=look, findings=(reduced("ledger.hidden", _HIDDEN),))
    healings = _healings(world, known, seen, diagnoses)
    if not order.dry_run:
        healings = _kept(world, known, healings)
    after = _after(known, healings)
    findings = tuple(finding for one in healings.values() for finding in one.findings)
    held = tuple(one.held for one in healings.values() if one.held is not None)
    edited = _with_edits(world, order, after, seen)
    return Healed(known=edited, look=look, findings=findings, held=described(world, held))


def _healings(
    world: World, known: KnownState, seen: Mapping[SourceKey, Seen], diagnoses: Mapping[SourceKey, Diagnosis]
) -> dict[SourceKey, Healing]:
    """The heirs are read before they are followed: only one that lives, and is nobody else's, is."""
    heirs = sorted({sys_id for one in diagnoses.values() for sys_id in one.heirs})
    rows = world.cmdb.read_back(heirs, ("duplicate_of",)) if heirs else {}
    owners = {item.sys_id: key for key, item in known.items.items()}
    found: dict[SourceKey, Healing] = {}
    for key, diagnosis in diagnoses.items():
        taken = {sys_id for sys_id in diagnosis.heirs if owners.get(sys_id, key) != key}
        found[key] = healed(known.items[key], seen[key], diagnosis, rows, taken)
        if found[key].followed and (item := found[key].item) is not None:
            owners[item.sys_id] = key
    return found


def _kept(world: World, known: KnownState, healings: dict[SourceKey, Healing]) -> dict[SourceKey, Healing]:
    """What the ledger holds from now on, written down as one healing. A repair that a second look at the CI does not
    bear out is dropped before it is kept: what we wrote to the CI before could not be known again."""
    mended = {key: one for key, one in healings.items() if one.item is not known.items[key]}
    record = _record(world, mended) if mended else None
    wrong = _not_borne_out(world, mended) if record is not None else sorted(mended)
    healings = {**healings, **{key: Healing(item=known.items[key]) for key in wrong}}
    _keep(world, known, healings)
    if record is not None and wrong:
        named = ", ".join(map(str, wrong[:3]))
        record.taken_back(f"A second look did not find {len(wrong)} of them so, which stay as they were: {named}.")
    elif record is not None:
        record.helped()
    return healings


def _record(world: World, mended: Mapping[SourceKey, Healing]) -> Record | None:
    kinds = Counter(finding.rule for one in mended.values() for finding in one.findings)
    told = ", ".join(f"{rule} {count}" for rule, count in sorted(kinds.items()))
    detected = f"{len(mended)} CIs are no longer as the ledger has them ({told})."
    return world.healings.begin(LEDGER, "ledger", detected, "The ledger follows what the instance holds.")


def _not_borne_out(world: World, mended: Mapping[SourceKey, Healing]) -> list[SourceKey]:
    """Records that were led to another CI, and that CI is not there at a second look."""
    led = {key: one.item.sys_id for key, one in mended.items() if one.followed and one.item is not None}
    rows = world.cmdb.read_back(led.values(), ("duplicate_of",)) if led else {}
    return sorted(key for key, sys_id in led.items() if sys_id not in rows or rows[sys_id].get("duplicate_of"))


def _keep(world: World, known: KnownState, healings: Mapping[SourceKey, Healing]) -> None:
    now = world.clock.now()
    world.ledger.forget([key for key, one in healings.items() if one.item is None])
    world.ledger.follow([one.item for one in healings.values() if one.followed and one.item is not None])
    stayed = [one.item for one in healings.values() if one.item is not None and not one.followed]
    world.ledger.note([item for item in stayed if item is not known.items[item.key]])
    world.ledger.checked({item.key: item.mod_count for item in stayed}, now)


def _after(known: KnownState, healings: Mapping[SourceKey, Healing]) -> KnownState:
    """The edges of a CI that is gone or followed by another are to be drawn anew."""
    anew = {key for key, one in healings.items() if one.item is None or one.followed}
    healthy: dict[SourceKey, KnownItem] = {
        key: item
        for key, before in known.items.items()
        if (item := healings[key].item if key in healings else before) is not None
    }
    relations = {
        name: edge for name, edge in known.relations.items() if edge.parent not in anew and edge.child not in anew
    }
    return KnownState(items=healthy, relations=relations)


def _with_edits(world: World, order: Order, known: KnownState, seen: Mapping[SourceKey, Seen]) -> KnownState:
    """CIs written by others since we last compared them carry what they hold now, so that the plan compares them."""
    edited = [
        item
        for key, one in seen.items()
        if (item := known.items.get(key)) is not None
        and item.written
        and one.mod_count is not None
        and one.mod_count != item.mod_count
    ]
    return with_stored(world, order, known, edited) if edited else known
