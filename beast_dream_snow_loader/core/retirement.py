"""What becomes of CIs that are gone: set to Retired, or left to a person (cmdb-model 6.10). Nothing is ever deleted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from beast_dream_snow_loader.core.changes import ChangeType, FieldChange, ItemChange, UnlinkChange
from beast_dream_snow_loader.core.comparing import same
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.known import KnownItem, KnownRelation
from beast_dream_snow_loader.core.known_items import as_item
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.core.status import LIFE_CYCLE, STATUS, Statuses, ours_still

LAST_DISCOVERED = "last_discovered"


_NO_LIFE_CYCLE = (
    "The instance shows no life-cycle stage End of Operation with the status Pending Evaluation: it is not retired. "
    'Let the account read life_cycle_stage and life_cycle_stage_status, or set retire.lifecycle = "status".'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Farewell:
    """``changes`` set CIs to Retired; ``already`` are those somebody else has retired; ``findings`` say of the others
    why they stay as they are."""

    changes: tuple[ItemChange, ...] = ()
    already: tuple[SourceKey, ...] = ()
    findings: tuple[Finding, ...] = ()


def needed(items: Iterable[KnownItem], statuses: Statuses) -> tuple[str, ...]:
    """What has to be read of CIs before they are retired, or set back."""
    life_cycle = statuses.csdm or any(LIFE_CYCLE[0] in item.written for item in items)
    return (*STATUS, LAST_DISCOVERED, *(LIFE_CYCLE if life_cycle else ()))


def farewell(gone: Iterable[KnownItem], statuses: Statuses, present: Collection[str]) -> Farewell:
    """The decision about every CI that is gone. ``gone`` carry what the CMDB holds of them now (``stored``); one
    without is no longer there. ``present`` are the sys_ids of CIs that UniFi still shows."""
    retired = statuses.gone
    changes: list[ItemChange] = []
    already: list[SourceKey] = []
    findings: list[Finding] = []
    for item in gone:
        if item.stored is None:
            continue
        if statuses.ended(item.stored):
            already.append(item.key)
        elif (why := _why_kept(item, present, statuses)) is not None:
            findings.append(_kept(item, *why))
        else:
            changes.append(_retire(item, retired))
    return Farewell(changes=tuple(changes), already=tuple(already), findings=tuple(findings))


def _why_kept(item: KnownItem, present: Collection[str], statuses: Statuses) -> tuple[str, str] | None:
    """(rule, sentence), or None when it is to be retired."""
    if item.sys_id in present:
        return "retire.shared", "Its CI also stands for a device that UniFi shows: it is not retired."
    if not item.created_by_us:
        return "retire.not_ours", "Its CI was there before us: retiring it is left to its owner."
    if not ours_still(item):
        held = ", ".join(
            f"{element} {shown((item.stored or {}).get(element, '') or '(empty)', 40)}" for element in STATUS
        )
        return "retire.status_by_hand", f"Its status was changed by hand ({held}) and stays: it is not retired."
    if statuses.in_other_stage(item.stored or {}):
        return "retire.status_by_hand", "Its life-cycle stage was set by hand and stays: it is not retired."
    if not statuses.gone:
        return "retire.no_life_cycle", _NO_LIFE_CYCLE
    return None


def kept_since(change: ItemChange, now: KnownItem) -> Finding | None:
    """Why a CI that was to be retired is not: its status was changed after the plan had read it."""
    held = {one.element: (now.stored or {}).get(one.element, "") for one in change.fields}
    if all(same(one.element, held[one.element], one.old) for one in change.fields):
        return None
    told = ", ".join(f"{element} {shown(value or '(empty)', 40)}" for element, value in held.items())
    return _kept(now, "retire.status_by_hand", f"Its status was changed by hand ({told}) and stays: it is not retired.")


def _kept(item: KnownItem, rule: str, why: str) -> Finding:
    return Finding(record=str(item.key), rule=rule, severity=Severity.WARNING, message=why, field="install_status")


def _retire(item: KnownItem, retired: Mapping[str, str]) -> ItemChange:
    """With the stored ``last_discovered``: without it the engine would stamp now (cmdb-model 6.10)."""
    stored = item.stored or {}
    seen = stored.get(LAST_DISCOVERED) or item.written.get(LAST_DISCOVERED, "")
    return ItemChange(
        type=ChangeType.RETIRE,
        item=as_item(item, {}),
        send={**retired, **({LAST_DISCOVERED: seen} if seen else {})},
        fields=tuple(
            FieldChange(element=element, old=stored.get(element) or None, new=value, reason="gone from UniFi")
            for element, value in retired.items()
        ),
        known=item,
        send_serial=False,
    )


def retired_by_us(items: Iterable[KnownItem], statuses: Statuses) -> frozenset[SourceKey]:
    """Those that hold our Retired; what a person retired is that person's, edges and all."""
    return frozenset(item.key for item in items if item.retired_at is not None and statuses.ended(item.written))


def edges_of(
    leaving: Collection[SourceKey], relations: Mapping[str, KnownRelation], planned: Iterable[UnlinkChange] = ()
) -> Iterator[UnlinkChange]:
    """The edges of CIs that are retired, or about to be, which hang on nothing from then on; those ``planned`` already
    left out, and those that were there before we came to draw them."""
    going = {unlink.subject for unlink in planned}
    for key, relation in sorted(relations.items()):
        ends = sorted({relation.parent, relation.child} & set(leaving))
        if ends and relation.ours and not relation.removed and key not in going:
            yield UnlinkChange(known=relation, reason=f"{ends[0]} was retired")
