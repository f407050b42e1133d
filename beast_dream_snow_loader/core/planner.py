"""What to do: the desired state against what is known, one change per record and edge (cmdb-model 6.9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from beast_dream_snow_loader.core.changes import ChangeType, FieldChange, ItemChange, LinkChange, Plan
from beast_dream_snow_loader.core.class_moves import CLASS_ELEMENT, ClassMoves
from beast_dream_snow_loader.core.comparing import Policy, compare, decide, serial_is_ours_to_send
from beast_dream_snow_loader.core.desired import ConfigItem, DesiredState, Ownership
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.fingerprint import of_ci
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.known import Held, KnownItem, KnownState
from beast_dream_snow_loader.core.linking import plan_links
from beast_dream_snow_loader.core.mapping_rules import MappingRules
from beast_dream_snow_loader.core.names import named, planned_names
from beast_dream_snow_loader.core.normalize import cmdb_time
from beast_dream_snow_loader.core.ordering import lanes
from beast_dream_snow_loader.core.retirement import kept_since
from beast_dream_snow_loader.core.status import DECIDED, Statuses

LAST_DISCOVERED = "last_discovered"


def make_plan(
    desired: DesiredState,
    known: KnownState,
    *,
    now: datetime,
    rules: MappingRules,
    held: Iterable[Held] = (),
    full: bool = False,
    allow_upgrade: bool = False,
) -> Plan:
    """Everything that has to be written, and nothing else. ``desired`` is fitted; ``held`` records wait.

    Where ``known`` items carry ``stored`` values, what a person changed is kept and reported. ``full`` compares
    nothing with the ledger: every field we own is sent, every edge drawn. ``allow_upgrade``: CIs that we made move to a
    more specific class where the instance has got it.
    """
    waiting = tuple(held)
    moves = ClassMoves(ancestors=desired.ancestors, allowed=allow_upgrade)
    statuses = Statuses.of(desired.choices, rules)
    planning = _Planning(known=known, now=now, rules=rules, moves=moves, full=full, statuses=statuses)
    skipped = {record.key for record in waiting}
    items = _named({key: item for key, item in desired.items.items() if key not in skipped}, known)
    changes = [change for item in items.values() if (change := planning.item(item)) is not None]
    redraw = rules.on_manual_change == "overwrite"
    edges = plan_links(desired, known, items, full=full, redraw=redraw, outlets=rules.outlets)
    return Plan(
        lanes=lanes(changes, desired),
        links=edges.links,
        unlinks=edges.unlinks,
        watched=edges.watched,
        unchanged=len(items) - len(changes),
        held=waiting,
        findings=(*planning.findings, *moves.findings(), *edges.findings),
        noted=tuple(planning.noted),
        unread=frozenset(planning.unread),
        carriers=_carriers(edges.links, items, known, planning),
    )


@dataclass(slots=True, kw_only=True)
class _Planning:
    """One pass over all items."""

    known: KnownState
    now: datetime
    rules: MappingRules
    moves: ClassMoves
    full: bool
    statuses: Statuses
    findings: list[Finding] = field(default_factory=list)
    noted: list[KnownItem] = field(default_factory=list)
    unread: set[SourceKey] = field(default_factory=set)
    ownership: Mapping[str, Ownership] = field(default_factory=dict)
    policy: Policy = field(default_factory=lambda: Policy(ownership={}))

    def __post_init__(self) -> None:
        self.ownership = self.rules.ownership()
        overwrite = self.rules.on_manual_change == "overwrite"
        self.policy = Policy(ownership=self.ownership, full=self.full, overwrite=overwrite)

    def item(self, item: ConfigItem) -> ItemChange | None:
        """The change a record needs, None when it is as it should be."""
        change = self._of_fields(item)
        return replace(change, adapter=True) if change is not None and self.rules.write_adapters else change

    def _of_fields(self, item: ConfigItem) -> ItemChange | None:
        known = self.known.items.get(item.key)
        if known is None:
            return _create(item, self.policy)
        move = self.moves.of(item, known)
        status = self.statuses.changes(item, known, self.now)
        self._back(known, status)
        if move is None and self._plainly_unchanged(item, known):
            return self._heartbeat(item, known)
        difference = compare(item, known, self.policy)
        changes = (*difference.changes, *status)
        self.findings.extend((*difference.overridden, *difference.restless))
        noted = difference.noted
        if changes or move is not None:  # what depends on the write is for its settlement to say
            noted = replace(
                noted, name_source=known.name_source, mod_count=known.mod_count, fingerprint=known.fingerprint
            )
        if difference.unread:
            self.unread.add(item.key)
        if noted != known:
            self.noted.append(noted)
        if move is not None:
            return _change(ChangeType.UPDATE, item, known, (move, *changes))
        if not changes:
            return self._heartbeat(item, known)
        self._class_kept(item, known)
        return _change(ChangeType.UPDATE, item, known, changes)

    def _back(self, known: KnownItem, status: tuple[FieldChange, ...]) -> None:
        if known.retired_at is not None and known.stored is not None and not status:
            message = "It is back, but its status was changed by hand since it was retired: it stays as it is."
            self.findings.append(_finding(str(known.key), "presence.status_kept", message, "install_status"))

    def _plainly_unchanged(self, item: ConfigItem, known: KnownItem) -> bool:
        if self.full or known.stored is not None or known.fingerprint is None or known.overridden or known.unkept:
            return False
        return known.name_source == item.name_source and known.fingerprint == of_ci(
            item.values, created_by_us=known.created_by_us
        )

    def _heartbeat(self, item: ConfigItem, known: KnownItem) -> ItemChange | None:
        """A sign of life for gear that is online; and the first touch of a CI just recognised, which gives it our
        native key. Offline gear gets none, so that staleness stays honest (cmdb-model 5)."""
        lacks_adapter = self.rules.write_adapters and not known.adapter and known.retired_at is None
        if known.written_at is not None and not (known.keyless or lacks_adapter):
            due = self.now - known.written_at >= timedelta(hours=self.rules.heartbeat_hours)
            if not (due and item.online and item.seen_at is not None):
                return None
        else:
            self._class_kept(item, known)
        return _change(ChangeType.HEARTBEAT, item, known, ())

    def _class_kept(self, item: ConfigItem, known: KnownItem) -> None:
        if (kept := self.moves.kept(item, known)) is not None:
            self.findings.append(kept)


def _create(item: ConfigItem, policy: Policy) -> ItemChange:
    fields = tuple(decision.change for decision in decide(item, None, policy))
    return ItemChange(type=ChangeType.CREATE, item=item, send=_with_seen(item, None, item.values), fields=fields)


def _change(
    kind: ChangeType,
    item: ConfigItem,
    known: KnownItem,
    fields: tuple[FieldChange, ...],
    carried: Mapping[str, str] | None = None,
) -> ItemChange:
    changed = {change.element: change.new for change in fields}
    moved = changed.pop(CLASS_ELEMENT, "")
    values = changed if carried is None else carried
    return ItemChange(
        type=kind,
        item=replace(item, class_name=moved or known.class_name or item.class_name),
        send=_with_seen(item, known, values),
        fields=tuple(replace(change, reason=f"{change.reason}; weak match") for change in fields)
        if known.weak
        else fields,
        known=known,
        send_serial=serial_is_ours_to_send(item, known),
    )


def _with_seen(item: ConfigItem, known: KnownItem | None, values: Mapping[str, str]) -> dict[str, str]:
    """``last_discovered`` goes with everything sent: without it the engine stamps now, also on gear long offline."""
    seen = cmdb_time(item.seen_at) if item.seen_at is not None else None
    if seen is None and known is not None:
        seen = (known.stored or {}).get(LAST_DISCOVERED) or known.written.get(LAST_DISCOVERED)
    return {**values, LAST_DISCOVERED: seen} if seen else dict(values)


def _named(items: Mapping[SourceKey, ConfigItem], known: KnownState) -> dict[SourceKey, ConfigItem]:
    names = planned_names(items, known)
    return {key: named(item, names[key]) for key, item in items.items()}


def _carriers(
    links: Iterable[LinkChange],
    items: Mapping[SourceKey, ConfigItem],
    known: KnownState,
    planning: _Planning,
) -> dict[SourceKey, ItemChange]:
    """The known ends of the planned edges as full items, never as stubs with only a name (cmdb-model 6.7)."""
    ends = sorted({key for link in links for key in (link.relation.lower, link.relation.upper) if key in known.items})
    return {key: carrier(items[key], known.items[key], planning.ownership) for key in ends}


def carrier(item: ConfigItem, known: KnownItem, ownership: Mapping[str, Ownership]) -> ItemChange:
    """What we wrote last and nobody is known to have changed, so that naming the CI again changes nothing; nor does it
    make the engine's pass of it newer than that, or a write that waits from before would be left aside as old."""
    values = {
        element: value
        for element, value in known.written.items()
        if element in item.values
        and ownership.get(element) is not Ownership.ONCE
        and (known.stored is None or known.stored.get(element) == value)
    }
    named = replace(item, observed_at=known.written_at or item.observed_at)
    return _change(ChangeType.HEARTBEAT, named, known, (), carried=values)


def _finding(record: str, rule: str, message: str, element: str = "") -> Finding:
    return Finding(record=record, rule=rule, severity=Severity.INFO, message=message, field=element)


@dataclass(slots=True, kw_only=True)
class Replanning:
    """Single changes planned once more, because their CIs were changed between the plan and the write."""

    rules: MappingRules
    now: datetime
    full: bool
    findings: list[Finding] = field(default_factory=list)

    def item(self, change: ItemChange, stored: Mapping[str, str]) -> ItemChange | None:
        """What is left of the change against what the CI holds now; a sign of life when nothing is, None where it is
        not retired after all."""
        known = change.known
        if known is not None and change.type is ChangeType.RETIRE:
            return self._retired(change, replace(known, stored=stored))
        decided = {CLASS_ELEMENT, *DECIDED}  # for more reasons than what the fields hold
        if known is None or any(one.element in decided for one in change.fields):
            return change
        known = replace(known, stored=stored)
        moves = ClassMoves(ancestors={}, allowed=False)
        state = KnownState(items={change.item.key: known})
        statuses = Statuses.of({}, self.rules)
        planning = _Planning(
            known=state, now=self.now, rules=self.rules, moves=moves, full=self.full, statuses=statuses
        )
        again = planning.item(change.item)
        message = "Somebody changed it in ServiceNow while this run was under way: it was compared once more."
        self.findings.extend((_finding(change.subject, "change.replanned", message), *planning.findings))
        return again or _change(ChangeType.HEARTBEAT, change.item, known, ())

    def _retired(self, change: ItemChange, now: KnownItem) -> ItemChange | None:
        if (kept := kept_since(change, now)) is not None:
            self.findings.append(kept)
            return None
        return replace(change, known=now)

    def carrier(self, change: ItemChange, stored: Mapping[str, str]) -> ItemChange:
        """The far end of an edge, named by what nobody has changed."""
        if change.known is None:
            return change
        return carrier(change.item, replace(change.known, stored=stored), self.rules.ownership())
