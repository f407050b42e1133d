"""What has become of the CIs we know: deleted, merged or reclassified by others (X5), noticed by looking at a few."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.identity import SourceKey, SysId, parse_sys_id
from beast_dream_snow_loader.core.known import Candidate, Held, KnownItem, KnownState
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS
from beast_dream_snow_loader.core.shown import shown

AT_LEAST = 100
"""CIs looked at by every run: as many as one read names, so that a small estate is seen whole each time."""

_AGAIN = "it is written again as long as UniFi shows the device."

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One CI as it is now. ``leads_to`` are the CIs to which the record's native key leads; None where that is closed
    to the account."""

    there: bool
    class_name: str = ""
    duplicate_of: SysId | None = None
    mod_count: int | None = None
    leads_to: tuple[SysId, ...] | None = None

    @property
    def alive(self) -> bool:
        """There, and no duplicate of another: such a one the engine never matches (servicenow-api 5.3)."""
        return self.there and self.duplicate_of is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look at the instance showed. ``edges`` are the rows behind edges by relation key, None where relations
    are closed to the account; ``unregistered`` is the discovery source, where the instance does not know it."""

    cis: Mapping[SourceKey, Seen] = field(default_factory=dict)
    edges: Mapping[str, SysId] | None = None
    unregistered: str = ""

    @property
    def some_seen(self) -> bool:
        return any(seen.alive for seen in self.cis.values())


class Ailment(StrEnum):
    NONE = "none"
    KEYLESS = "keyless"
    """There, but its native key was deleted: the engine would know it by its serial number only, or not at all."""
    GONE = "gone"
    """Deleted, and nothing follows it."""
    FOLLOWED = "followed"
    """Merged, or its native key was led to another CI."""
    RECLASSIFIED = "reclassified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """``heirs`` are the CIs that may stand in its place: those its native key leads to, else the one that it was
    declared a duplicate of."""

    ailment: Ailment
    heirs: tuple[SysId, ...] = ()


def due(known: KnownState, within_runs: int) -> list[SourceKey]:
    """Whom to look at in this run, longest unseen first, so that ``within_runs`` runs see all."""
    share = -(-len(known.items) // max(1, within_runs))
    ranked = sorted(known.items.values(), key=lambda item: (item.checked_at or _NEVER, item.key))
    return [item.key for item in ranked[: max(AT_LEAST, share)]]


def unconfirmed(known: KnownState, beating: Collection[SourceKey], since: datetime) -> list[SourceKey]:
    """Those unseen ``since`` whom no sign of life will confirm: what became of offline gear is not noticed by writing.

    ``beating`` are the records that get one."""
    items = sorted(known.items.items())
    return [key for key, item in items if key not in beating and (item.checked_at or _NEVER) <= since]


def diagnose(known: KnownItem, seen: Seen) -> Diagnosis:
    """What a look at the CI of a record says."""
    elsewhere = tuple(sys_id for sys_id in seen.leads_to or () if sys_id != known.sys_id)
    if seen.alive:
        astray = bool(elsewhere) and known.sys_id not in (seen.leads_to or ())
        if astray:
            return Diagnosis(ailment=Ailment.FOLLOWED, heirs=elsewhere)
        moved = seen.class_name not in ("", known.class_name)
        lost = seen.leads_to == () and known.class_name != BASE_CLASS and known.written_at is not None
        return Diagnosis(
            ailment=Ailment.RECLASSIFIED if moved else Ailment.KEYLESS if lost else Ailment.NONE,
        )
    heirs = elsewhere or ((seen.duplicate_of,) if seen.duplicate_of else ())
    return Diagnosis(ailment=Ailment.FOLLOWED if heirs else Ailment.GONE, heirs=heirs)


def hidden_rather_than_gone(diagnoses: Collection[Diagnosis], counted: int | None, known: int) -> bool:
    """Every CI looked at is away, yet their native keys are still counted, or cannot be: rights changed more likely
    than that all were deleted."""
    gone = [one for one in diagnoses if one.ailment is Ailment.GONE]
    if not gone or len(gone) != len(diagnoses):
        return False
    return counted is None or (len(gone) >= 5 and counted >= known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Healing:
    """``item`` None: to be forgotten, and planned as new. ``held``: a person decides."""

    item: KnownItem | None
    findings: tuple[Finding, ...] = ()
    held: Held | None = None
    followed: bool = False


def healed(
    known: KnownItem,
    seen: Seen,
    diagnosis: Diagnosis,
    rows: Mapping[SysId, Mapping[str, str]],
    taken: Collection[SysId],
) -> Healing:
    """What the ledger should believe from now on. ``rows`` are the heirs as read, ``taken`` those of them that are
    the CIs of other records."""
    if diagnosis.ailment is Ailment.NONE:
        return Healing(item=known)
    if diagnosis.ailment is Ailment.KEYLESS:
        message = (
            f"The native key of {_who(known)[0].lower()}{_who(known)[1:]} is gone from sys_object_source: {_AGAIN}"
        )
        told = _told(known, "ledger.key_lost", Severity.WARNING, message)
        return Healing(item=replace(known, keyless=True), findings=(told,))
    if diagnosis.ailment is Ailment.RECLASSIFIED:
        message = f"{_who(known)} was a {known.class_name} and is a {seen.class_name} now: taken over."
        told = _told(known, "ledger.reclassified", Severity.INFO, message)
        return Healing(item=replace(known, class_name=seen.class_name), findings=(told,))
    living = [s for s in diagnosis.heirs if s in rows and not rows[s].get("duplicate_of") and s not in taken]
    if len(living) == 1:
        return _follows(known, living[0], rows[living[0]], seen)
    if len(living) > 1:
        reason = f"its native key leads to {len(living)} CIs: {', '.join(living)}"
        return Healing(item=known, held=_held(known, "identity.several", reason, living))
    if seen.alive:
        return Healing(item=known)
    if taken:
        reason = f"its CI {known.sys_id} was merged into {', '.join(sorted(taken))}, which is another record's"
        return Healing(item=known, held=_held(known, "identity.shared", reason, [*sorted(taken), known.sys_id]))
    message = f"{_who(known)} is no longer in the CMDB (sys_id {known.sys_id}): planned as new."
    return Healing(item=None, findings=(_told(known, "ledger.gone", Severity.WARNING, message),))


def _follows(known: KnownItem, heir: SysId, row: Mapping[str, str], seen: Seen) -> Healing:
    """From now on it is the heir, which counts as already there: what we wrote, we wrote to another CI."""
    why = "was merged" if not seen.alive else "was given to another CI"
    message = (
        f"{_who(known)} {why}: it was sys_id {known.sys_id} and is {heir} now. It counts as already there, and its "
        "relations are drawn anew."
    )
    item = replace(
        known,
        sys_id=heir,
        class_name=row.get("sys_class_name") or known.class_name,
        created_by_us=False,
        fingerprint=None,
        written={},
        written_at=None,
        retired_at=None,
        mod_count=None,
        history={},
        overridden={},
        unkept={},
        contested={},
    )
    told = _told(known, "ledger.followed", Severity.WARNING, message)
    return Healing(item=item, findings=(told,), followed=True)


def seen_of(row: Mapping[str, str] | None, leads_to: tuple[SysId, ...] | None) -> Seen:
    """From a row of cmdb_ci, None when it is not there."""
    if row is None:
        return Seen(there=False, leads_to=leads_to)
    return Seen(
        there=True,
        class_name=row.get("sys_class_name", ""),
        duplicate_of=parse_sys_id(row.get("duplicate_of", "")),
        mod_count=count_of(row),
        leads_to=leads_to,
    )


def keys_unseen(looked: Mapping[SourceKey, Seen], known: KnownState, counted: int | None) -> tuple[Finding, ...]:
    """Told once, not of every record: where no native key of ours can be seen, none of them is checked."""
    ours = [key for key in looked if known.items[key].class_name != BASE_CLASS]
    if ours and (counted is None or all(looked[key].leads_to is None for key in ours)):
        return (KEYS_UNSEEN,)
    return ()


KEYS_UNSEEN = Finding(
    record="instance",
    rule="verify.skipped",
    severity=Severity.WARNING,
    message=(
        "No native key of ours can be seen in sys_object_source, so whether each leads to its one CI is not checked. "
        "Let the account read that table; if the rows were deleted, `snowload load --full` writes them again."
    ),
    field="native key",
)


def count_of(row: Mapping[str, str]) -> int | None:
    """``sys_mod_count`` of a row, None where it was not read."""
    text = row.get(MOD_COUNT, "")
    return int(text) if text.isascii() and text.isdigit() else None


MOD_COUNT = "sys_mod_count"


def _held(known: KnownItem, rule: str, reason: str, sys_ids: Iterable[SysId]) -> Held:
    candidates = tuple(Candidate(sys_id=sys_id) for sys_id in sys_ids)
    return Held(key=known.key, rule=rule, reason=reason, candidates=candidates)


def _who(known: KnownItem) -> str:
    name = known.written.get("name", "")
    return f"The CI {shown(name, 60)} of {known.key}" if name else f"The CI of {known.key}"


def _told(known: KnownItem, rule: str, severity: Severity, message: str) -> Finding:
    return Finding(record=str(known.key), rule=rule, severity=severity, message=message)
