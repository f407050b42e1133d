"""Which refused records are worth sending in another way, decided from their receipts (cmdb-model 2.9)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from beast_dream_snow_loader.core.changes import ItemChange
from beast_dream_snow_loader.core.ports import Batch
from beast_dream_snow_loader.core.receipts import Outcome, Receipt
from beast_dream_snow_loader.core.remarks import NO_SUCH_TYPE
from beast_dream_snow_loader.servicenow.apis.ire_payload import class_of
from beast_dream_snow_loader.servicenow.batches import in_class
from beast_dream_snow_loader.servicenow.receipts import Told

_TWINS = frozenset({"DUPLICATE_PAYLOAD_RECORDS", "DUPLICATE_LOOKUP_PAYLOAD"})
_BAD_TYPE = frozenset({NO_SUCH_TYPE, "DUPLICATE_RELATIONSHIP_TYPES"})


def twins(batch: Batch, told: Told) -> list[list[str]]:
    """Groups of records the engine calls duplicates of each other: it says the same of each of a group."""
    groups: dict[str, list[str]] = {}
    for change in batch.items:
        receipt = told.receipts[change.subject]
        if receipt.code in _TWINS:
            groups.setdefault(receipt.message, []).append(change.subject)
    return list(groups.values())


def named_twins(group: Sequence[str], told: Told) -> Told:
    """Receipts of a group but for its first member, each naming all of the group."""
    message = (
        f"The engine takes {' and '.join(group)} for one device. {group[0]} was sent alone; the next load identifies "
        "the others against it. If they share a serial number or name in UniFi, change one."
    )
    return Told(receipts={s: replace(told.receipts[s], message=message) for s in group[1:]})


def kept_back(batch: Batch, told: Told) -> Iterator[ItemChange]:
    """Known CIs whose class change was refused together with everything else of them."""
    for change in batch.items:
        if told.receipts[change.subject].code != "RECLASSIFICATION_NOT_ALLOWED" or change.known is None:
            continue
        if change.known.class_name not in ("", class_of(change)):
            yield change


def as_known(change: ItemChange) -> ItemChange:
    return change if change.known is None else in_class(change, change.known.class_name)


def refused_types(batch: Batch, told: Told) -> frozenset[str]:
    return frozenset(link.relation.type for link in batch.links if told.receipts[link.subject].code in _BAD_TYPE)


def without_types(batch: Batch, types: Collection[str]) -> tuple[Batch, Told]:
    """The batch without links of these types, and a receipt for each of those."""
    left = [link for link in batch.links if link.relation.type in types]
    if not left:
        return batch, Told()
    message = "The instance refused its relation type earlier in this run."
    receipts = (
        Receipt(subject=link.subject, outcome=Outcome.REFUSED, code=NO_SUCH_TYPE, message=message) for link in left
    )
    kept = tuple(link for link in batch.links if link not in left)
    return replace(batch, links=kept), Told(receipts={receipt.subject: receipt for receipt in receipts})
