"""Recognise: who the new records are in the CMDB, asked of the engine before anything is written (cmdb-model 2.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from beast_dream_snow_loader.core.changes import ChangeType, ItemChange
from beast_dream_snow_loader.core.desired import ConfigItem, DesiredState
from beast_dream_snow_loader.core.events import StepAdvanced
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import Candidate, Held, KnownItem, KnownState
from beast_dream_snow_loader.core.matching import Match, MatchedBy
from beast_dream_snow_loader.core.recognition import Decision, Verdict, judge
from beast_dream_snow_loader.errors import SnowloadError
from beast_dream_snow_loader.pipeline.guard import UNREADABLE, reduced
from beast_dream_snow_loader.pipeline.world import Order, World


@dataclass(slots=True)
class Recognised:
    """``names`` are the names chosen for records that are new; ``accepted`` existing CIs taken as ours."""

    names: dict[SourceKey, str] = field(default_factory=dict)
    accepted: dict[SourceKey, KnownItem] = field(default_factory=dict)
    held: dict[SourceKey, Held] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def recognise(
    world: World, order: Order, desired: DesiredState, keys: Iterable[SourceKey], known: KnownState
) -> Recognised:
    """Each new record is tried under its name forms until the engine takes it for nobody else's.

    Where the instance offers no simulation, new records get the name form with their MAC, which nobody
    shares, and CIs with their serial number are looked up.
    """
    result = Recognised()
    taken = {item.sys_id: key for key, item in known.items.items()}
    open_items = {key: desired.items[key] for key in keys}
    form = 0
    while open_items:
        open_items = _round(world, order, open_items, form, taken, result)
        form += 1
    return result


def apply_names(desired: DesiredState, names: Mapping[SourceKey, str]) -> DesiredState:
    """The desired state with the names that were chosen."""
    items = dict(desired.items)
    for key, name in names.items():
        items[key] = named(items[key], name)
    return replace(desired, items=items)


def named(item: ConfigItem, name: str) -> ConfigItem:
    return item if item.name == name else replace(item, values={**item.values, "name": name})


def _round(
    world: World,
    order: Order,
    items: Mapping[SourceKey, ConfigItem],
    form: int,
    taken: dict[SysId, SourceKey],
    result: Recognised,
) -> dict[SourceKey, ConfigItem]:
    """One name form for all that are still open; returns those that need the next form."""
    tried = {key: named(item, item.name_forms[form]) for key, item in items.items()}
    try:
        matches = world.cmdb.simulate([_as_create(item) for item in tried.values()])
    except UNREADABLE as error:
        tried = {key: named(item, item.name_forms[-1]) for key, item in items.items()}
        matches = _by_serial(world, tried, error, result)
    candidates = _look(world, matches, tried.values(), order, result)
    again: dict[SourceKey, ConfigItem] = {}
    for match in matches:
        item = tried[match.key]
        verdict = judge(item, match, candidates, dict(order.bindings))
        if verdict.decision is Decision.NEXT_NAME and form + 1 < len(item.name_forms):
            again[match.key] = items[match.key]
            result.findings.append(_name_taken(item, verdict))
        else:
            _settle(item, verdict, candidates, taken, result)
    if form == 0:
        world.listener(StepAdvanced(step="recognise", by=len(items)))
    return again


def _look(
    world: World, matches: Iterable[Match], items: Iterable[ConfigItem], order: Order, result: Recognised
) -> Mapping[str, Candidate]:
    """The matched CIs, read a second time. Where that is refused, a name alone convinces nobody and the rest is only
    enriched with what is always ours."""
    tried = {str(item.key): item for item in items}
    bound = {sys_id for key, sys_id in order.bindings if key in tried}
    sys_ids = sorted({sys_id for match in matches for sys_id in match.sys_ids} | bound)
    elements = sorted({element for item in tried.values() for element in item.values})
    try:
        return world.cmdb.candidates(sys_ids, elements) if sys_ids else {}
    except UNREADABLE as error:
        result.findings.append(reduced("identity.unreadable", f"Matched CIs cannot be read ({error.message})."))
        return {}


def _name_taken(item: ConfigItem, verdict: Verdict) -> Finding:
    why = verdict.held.reason if verdict.held else "its name belongs to another CI"
    message = f"{item.label or item.key}: {why}. Another form of the name is used."
    return Finding(record=str(item.key), rule="name.taken", severity=Severity.WARNING, message=message, field="name")


def _as_create(item: ConfigItem) -> ItemChange:
    return ItemChange(type=ChangeType.CREATE, item=item, send=item.values)


def _settle(
    item: ConfigItem,
    verdict: Verdict,
    candidates: Mapping[str, Candidate],
    taken: dict[SysId, SourceKey],
    result: Recognised,
) -> None:
    if verdict.decision is Decision.NEW:
        result.names[item.key] = item.name
    elif verdict.decision is Decision.ACCEPT and verdict.sys_id is not None:
        _accept(item, verdict, verdict.sys_id, candidates, taken, result)
    else:
        result.held[item.key] = verdict.held or Held(
            key=item.key, rule="identity.name_taken", reason="every form of its name belongs to somebody else's CI"
        )


def _accept(
    item: ConfigItem,
    verdict: Verdict,
    sys_id: SysId,
    candidates: Mapping[str, Candidate],
    taken: dict[SysId, SourceKey],
    result: Recognised,
) -> None:
    owner = taken.setdefault(sys_id, item.key)
    candidate = candidates.get(sys_id)
    if owner != item.key:
        result.held[item.key] = Held(
            key=item.key,
            rule="identity.shared",
            reason=f"the CI it matches is already {owner}: two records of UniFi claim one CI",
            candidates=(candidate,) if candidate else (),
        )
        return
    result.accepted[item.key] = KnownItem(
        key=item.key,
        sys_id=sys_id,
        class_name=candidate.class_name if candidate and candidate.class_name else item.class_name,
        created_by_us=False,
        stored=candidate.values if candidate else None,
        weak=verdict.weak,
        send_serial=verdict.send_serial,
    )


def _by_serial(
    world: World, items: Mapping[SourceKey, ConfigItem], error: SnowloadError, result: Recognised
) -> list[Match]:
    """Without a simulation: names carry the MAC, which nobody shares, and serial numbers are looked up by ourselves."""
    result.findings.append(
        reduced("preflight.unavailable", f"New records could not be tried first ({error.message}): named with MAC.")
    )
    serials = {key: item.values.get("serial_number", "") for key, item in items.items()}
    try:
        there = world.cmdb.by_serial([serial for serial in serials.values() if serial])
    except UNREADABLE as refused:
        result.findings.append(reduced("identity.unreadable", f"Serials cannot be compared ({refused.message})."))
        there = {}
    return [_serial_match(key, there.get(serial.upper(), ())) for key, serial in serials.items()]


def _serial_match(key: SourceKey, sys_ids: Sequence[str]) -> Match:
    by = MatchedBy.NOTHING if not sys_ids else MatchedBy.SERIAL if len(sys_ids) == 1 else MatchedBy.SEVERAL
    return Match(key=key, by=by, sys_ids=tuple(sys_ids))
