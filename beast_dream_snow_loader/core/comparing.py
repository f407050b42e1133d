"""One CI, field by field: what to send and why, and what was changed by hand (cmdb-model 6.9)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from beast_dream_snow_loader.core.changes import FieldChange
from beast_dream_snow_loader.core.desired import ConfigItem, Ownership
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.fingerprint import of_ci
from beast_dream_snow_loader.core.flapping import CONTESTED, flaps
from beast_dream_snow_loader.core.healing import count_of
from beast_dream_snow_loader.core.known import KnownItem
from beast_dream_snow_loader.core.names import name_source
from beast_dream_snow_loader.core.shown import shown

_CASELESS = frozenset({"mac_address", "serial_number"})


class FieldReason(StrEnum):
    """The rule behind a decision about one field. The text is stable; :data:`REASONS` says it to people."""

    NEW = "field.new"
    CHANGED = "field.changed"
    RESTORED = "field.restored"
    UNKEPT = "field.not_kept"
    EMPTY = "field.empty"
    FULL = "field.full_load"
    SAME = "field.same"
    ONCE = "field.once"
    THEIRS = "field.theirs"
    UNREAD = "field.unread"
    OVERRIDDEN = "field.overridden_by_hand"
    SERIAL_THEIRS = "field.serial_theirs"


REASONS: Mapping[FieldReason, str] = {
    FieldReason.NEW: "new",
    FieldReason.CHANGED: "changed in UniFi",
    FieldReason.RESTORED: "changed in ServiceNow since we wrote it",
    FieldReason.UNKEPT: "the instance did not keep it last time: tried again",
    FieldReason.EMPTY: "empty",
    FieldReason.FULL: "full load",
    FieldReason.SAME: "the CMDB holds it already",
    FieldReason.ONCE: "written at insert only",
    FieldReason.THEIRS: "the CI was there before: only its empty fields are filled",
    FieldReason.UNREAD: "what the CMDB holds was not read: only fields seen empty are filled",
    FieldReason.OVERRIDDEN: "changed by hand: theirs stays",
    FieldReason.SERIAL_THEIRS: "the CI has another serial number, which stays",
}

SENT = frozenset(
    {
        FieldReason.NEW,
        FieldReason.CHANGED,
        FieldReason.RESTORED,
        FieldReason.UNKEPT,
        FieldReason.EMPTY,
        FieldReason.FULL,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDecision:
    """Three ways: ``written`` by us last, ``held`` by the CMDB (as read, else as written), ``new`` from UniFi."""

    element: str
    owner: Ownership
    rule: FieldReason
    new: str
    held: str | None = None
    written: str | None = None

    @property
    def sent(self) -> bool:
        return self.rule in SENT

    @property
    def change(self) -> FieldChange:
        return FieldChange(element=self.element, old=self.held or None, new=self.new, reason=REASONS[self.rule])


@dataclass(slots=True)
class Difference:
    """``changes`` is what to send with the reason; ``overridden`` what a person changed and keeps; ``restless`` the
    fields that do not come to rest. ``noted`` is what the ledger should believe of the CI, whether or not it is
    written."""

    noted: KnownItem
    unread: bool = False
    """Something is wanted anew that only goes into an empty field: the CI has to be read."""
    changes: list[FieldChange] = field(default_factory=list)
    overridden: list[Finding] = field(default_factory=list)
    restless: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """``full``: send everything we own, whatever the ledger says. ``overwrite``: undo what was changed by hand."""

    ownership: Mapping[str, Ownership]
    full: bool = False
    overwrite: bool = False


def compare(item: ConfigItem, known: KnownItem, policy: Policy) -> Difference:
    """The fields of ``item`` to send to the CI that ``known`` describes."""
    decisions = tuple(decide(item, known, policy))
    unread = any(d.rule is FieldReason.UNREAD and d.element != "name" and d.new != d.written for d in decisions)
    difference = Difference(noted=_noted(item, known, decisions), unread=unread)
    for decision in decisions:
        if decision.sent:
            difference.changes.append(decision.change)
            difference.restless.extend(_restless(decision, known))
        elif decision.rule is FieldReason.OVERRIDDEN:
            difference.overridden.append(_overridden(decision, known))
    return difference


def _noted(item: ConfigItem, known: KnownItem, decisions: Iterable[FieldDecision]) -> KnownItem:
    """A hand edit stays one until the CI is read again; one that UniFi came to agree with is an agreement from then
    on, as if we had written it."""
    if known.stored is None:
        return replace(known, name_source=name_source(item, known.written, known))
    agreed = {d.element: d.new for d in decisions if d.rule is FieldReason.SAME and d.owner is not Ownership.ONCE}
    ours = {element: new for element, new in agreed.items() if known.created_by_us and element in known.written}
    written = {**known.written, **ours}
    return replace(
        known,
        name_source=name_source(item, written, known),
        written=written,
        overridden={d.element: d.held or "" for d in decisions if d.rule is FieldReason.OVERRIDDEN},
        unkept={d.element: known.unkept[d.element] for d in decisions if d.rule is FieldReason.UNKEPT},
        contested={element: count for element, count in known.contested.items() if element not in agreed},
        mod_count=count_of(known.stored),
        fingerprint=of_ci(item.values, created_by_us=known.created_by_us),
    )


def decide(item: ConfigItem, known: KnownItem | None, policy: Policy) -> Iterator[FieldDecision]:
    """The decision about every field of ``item``; ``known`` None: the CI is new."""
    for element, new in item.values.items():
        owner = policy.ownership.get(element, Ownership.OURS)
        if known is None:
            yield FieldDecision(element=element, owner=owner, rule=FieldReason.NEW, new=new)
            continue
        written = known.written.get(element)
        held = _held(element, known)
        rule = _rule(element, owner, new, held, known, policy)
        yield FieldDecision(element=element, owner=owner, rule=rule, new=new, held=held, written=written)


def _held(element: str, known: KnownItem) -> str | None:
    """What the CMDB holds: as read, else as the ledger remembers it."""
    written = known.written.get(element)
    if known.stored is None:
        return known.unkept.get(element, known.overridden.get(element, written))
    return known.stored.get(element, written)


def serial_is_ours_to_send(item: ConfigItem, known: KnownItem) -> bool:
    """False when the CI holds another serial number: that one stays, and ours is not even looked up (2.4)."""
    if not (known.send_serial or known.created_by_us):
        return False
    held = _held("serial_number", known)
    if not held:
        return known.created_by_us or _seen_empty("serial_number", known)
    new = item.values.get("serial_number", "")
    return same("serial_number", held, new) or _unkept("serial_number", new, held, known)


def _rule(element: str, owner: Ownership, new: str, held: str | None, known: KnownItem, policy: Policy) -> FieldReason:
    if _unkept(element, new, held, known):
        return FieldReason.UNKEPT
    if owner is Ownership.ONCE:
        return _once(element, known)
    if element == "serial_number":
        return _serial(new, held, known, policy)
    if owner is Ownership.ALWAYS:
        return _follows(element, new, held, known, full=policy.full)
    if known.created_by_us:
        return _ours(element, new, held, known, policy)
    return _fill(held, known)


def _unkept(element: str, new: str, held: str | None, known: KnownItem) -> bool:
    """Still as the instance left it right after our write: nobody's edit, so it is ours to try again."""
    return element in known.unkept and same(element, held, known.unkept[element]) and not same(element, held, new)


def _once(element: str, known: KnownItem) -> FieldReason:
    """At insert only; but the native key also goes into a field seen empty (cmdb-model 6.3)."""
    fills = element == "correlation_id" and _seen_empty(element, known)
    return FieldReason.EMPTY if fills else FieldReason.ONCE


def _serial(new: str, held: str | None, known: KnownItem, policy: Policy) -> FieldReason:
    """Never replaces another serial number that is not empty (cmdb-model 6.3), not even one that a person gave."""
    if known.created_by_us:
        if _by_hand("serial_number", new, held, known) and (held or not policy.overwrite):
            return FieldReason.OVERRIDDEN
    elif not known.send_serial:
        return FieldReason.SERIAL_THEIRS
    if not held:
        ours = known.created_by_us or _seen_empty("serial_number", known)
        return FieldReason.EMPTY if ours else FieldReason.UNREAD
    if not same("serial_number", held, new):
        return FieldReason.SERIAL_THEIRS
    return FieldReason.FULL if policy.full and known.created_by_us else FieldReason.SAME


def _follows(element: str, new: str, held: str | None, known: KnownItem, *, full: bool) -> FieldReason:
    if not same(element, held, new):
        ours = known.stored is not None and same(element, known.written.get(element), new)
        return FieldReason.RESTORED if ours else FieldReason.CHANGED
    return FieldReason.FULL if full else FieldReason.SAME


def _ours(element: str, new: str, held: str | None, known: KnownItem, policy: Policy) -> FieldReason:
    """Three ways: what we wrote, what is there, what UniFi says now."""
    if _by_hand(element, new, held, known) and not policy.overwrite:
        return FieldReason.OVERRIDDEN
    return _follows(element, new, held, known, full=policy.full)


def _by_hand(element: str, new: str, held: str | None, known: KnownItem) -> bool:
    if held is None or same(element, held, known.written.get(element)) or same(element, held, new):
        return False
    return not any(same(element, held, value) for value in known.doubted.get(element, ()))


def _fill(held: str | None, known: KnownItem) -> FieldReason:
    """Only into a field seen empty: the CI was somebody's before it was ours."""
    if known.stored is None or held is None:
        return FieldReason.UNREAD
    return FieldReason.THEIRS if held else FieldReason.EMPTY


def _seen_empty(element: str, known: KnownItem) -> bool:
    """Read, and without a value. A field that a read does not show may hold something all the same."""
    return known.stored is not None and known.stored.get(element) == ""


def same(element: str, one: str | None, other: str | None) -> bool:
    """Equal as the CMDB sees it: nothing is an empty value, and identifiers ignore case."""
    one, other = one or "", other or ""
    return one == other or (element in _CASELESS and one.casefold() == other.casefold())


def _overridden(decision: FieldDecision, known: KnownItem) -> Finding:
    element, held = decision.element, decision.held or ""
    how = f"was changed by hand to {shown(held, 60)}" if held else "was cleared by hand"
    return Finding(
        record=str(known.key),
        rule=FieldReason.OVERRIDDEN.value,
        severity=Severity.INFO,
        message=f"{element} {how} and stays so; UniFi says {shown(decision.new, 60)}.",
        field=element,
        value=shown(held, 60),
    )


def _restless(decision: FieldDecision, known: KnownItem) -> Iterator[Finding]:
    """A field that goes back and forth in UniFi, and one that somebody changes back whenever we have written it."""
    element, written = decision.element, decision.written or ""
    if decision.rule is FieldReason.CHANGED and written:
        values = flaps(known.history.get(element, ()), written, decision.new)
        if values:
            line = " → ".join(shown(value, 40) for value in values)
            message = f"{element} goes back and forth in UniFi, {len(values) - 1} changes remembered: {line}."
            yield _warning(known, "field.flapping", element, message, decision.new)
    times = known.contested.get(element, 0) + 1
    if decision.rule is FieldReason.RESTORED and times >= CONTESTED:
        message = (
            f"{element} has to be written again, {times} times by now: {shown(decision.new, 40)} was changed to "
            f"{shown(decision.held or 'nothing', 40)} in ServiceNow. Another source writes it, or a reconciliation "
            f"rule of {known.class_name} gives it to one: let that rule prefer us, or take the field out of "
            "[mapping]."
        )
        yield _warning(known, "field.contested", element, message, decision.held or "")


def _warning(known: KnownItem, rule: str, element: str, message: str, value: str) -> Finding:
    return Finding(
        record=str(known.key),
        rule=rule,
        severity=Severity.WARNING,
        message=message,
        field=element,
        value=shown(value, 60),
    )
