"""One CI, field by field: what to send, and what was changed by hand (cmdb-model 6.9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from beast_dream_snow_loader.core.changes import FieldChange
from beast_dream_snow_loader.core.desired import ConfigItem, Ownership
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.known import KnownItem
from beast_dream_snow_loader.core.shown import shown

_CASELESS = frozenset({"mac_address", "serial_number"})


@dataclass(slots=True)
class Difference:
    """``changes`` is what to send with the reason; ``overridden`` what a person changed and keeps."""

    changes: list[FieldChange] = field(default_factory=list)
    overridden: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """``full``: send everything we own, whatever the ledger says. ``overwrite``: undo what was changed by hand."""

    ownership: Mapping[str, Ownership]
    full: bool = False
    overwrite: bool = False


def compare(item: ConfigItem, known: KnownItem, policy: Policy) -> Difference:
    """The fields of ``item`` to send to the CI that ``known`` describes."""
    difference = Difference()
    for element, new in item.values.items():
        owner = policy.ownership.get(element, Ownership.OURS)
        if owner is Ownership.ONCE:
            _once(element, new, known, difference)
        elif element == "serial_number":
            _serial(new, known, difference, full=policy.full)
        elif owner is Ownership.ALWAYS:
            _always(element, new, known, difference, full=policy.full)
        elif known.created_by_us:
            _ours(element, new, known, difference, policy)
        else:
            _fill(element, new, known, difference)
    return difference


def serial_is_ours_to_send(item: ConfigItem, known: KnownItem) -> bool:
    """False when the CI holds another serial number: that one stays, and ours is not even looked up (2.4)."""
    if not known.send_serial:
        return False
    held = (known.stored or {}).get("serial_number") or known.written.get("serial_number", "")
    if not held:
        return known.created_by_us or known.stored is not None
    return _same("serial_number", held, item.values.get("serial_number", ""))


def _once(element: str, new: str, known: KnownItem, difference: Difference) -> None:
    """At insert only; but the native key also goes into a field seen empty (cmdb-model 6.3)."""
    if element == "correlation_id" and known.stored is not None and not known.stored.get(element):
        difference.changes.append(FieldChange(element=element, old=None, new=new, reason="empty"))


def _serial(new: str, known: KnownItem, difference: Difference, *, full: bool) -> None:
    """Never replaces another serial number that is not empty (cmdb-model 6.3)."""
    if not known.send_serial:
        return
    held = (known.stored or {}).get("serial_number") or known.written.get("serial_number", "")
    if held:
        if full and known.created_by_us and _same("serial_number", held, new):
            difference.changes.append(FieldChange(element="serial_number", old=held, new=new, reason="full load"))
    elif known.created_by_us or known.stored is not None:
        difference.changes.append(FieldChange(element="serial_number", old=None, new=new, reason="empty"))


def _always(element: str, new: str, known: KnownItem, difference: Difference, *, full: bool) -> None:
    held = known.written.get(element) if known.stored is None else known.stored.get(element)
    if full or not _same(element, held, new):
        reason = "full load" if _same(element, held, new) else "changed in UniFi"
        difference.changes.append(FieldChange(element=element, old=held or None, new=new, reason=reason))


def _ours(element: str, new: str, known: KnownItem, difference: Difference, policy: Policy) -> None:
    """Three ways: what we wrote, what is there, what UniFi says now."""
    written = known.written.get(element)
    held = written if known.stored is None else known.stored.get(element)
    by_hand = bool(held) and not _same(element, held, written) and not _same(element, held, new)
    if by_hand and not policy.overwrite:
        difference.overridden.append(_overridden(element, new, held or "", known))
    elif policy.full or not _same(element, held, new):
        reason = "full load" if _same(element, held, new) else "changed in UniFi"
        difference.changes.append(FieldChange(element=element, old=held or None, new=new, reason=reason))


def _fill(element: str, new: str, known: KnownItem, difference: Difference) -> None:
    """Only into a field seen empty: the CI was somebody's before it was ours."""
    if known.stored is not None and not known.stored.get(element):
        difference.changes.append(FieldChange(element=element, old=None, new=new, reason="empty"))


def _same(element: str, one: str | None, other: str | None) -> bool:
    one, other = one or "", other or ""
    return one == other or (element in _CASELESS and one.casefold() == other.casefold())


def _overridden(element: str, new: str, held: str, known: KnownItem) -> Finding:
    return Finding(
        record=str(known.key),
        rule="field.overridden_by_hand",
        severity=Severity.INFO,
        message=f"{element} was changed by hand to {shown(held, 60)} and stays; UniFi says {shown(new, 60)}.",
        field=element,
        value=shown(held, 60),
    )
