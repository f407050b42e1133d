"""What a plan or its receipts come to, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from beast_dream_snow_loader.core.changes import Change, ChangeType, ItemChange, LinkChange, Plan
from beast_dream_snow_loader.core.ports import Settlement
from beast_dream_snow_loader.core.receipts import Operation, Outcome


def planned(plan: Plan | None) -> dict[str, int]:
    """Counts by what is to be done. A heartbeat changes nothing, so it also counts as unchanged."""
    kinds = Counter(change.type for change in plan.items) if plan is not None else Counter[ChangeType]()
    return {
        "create": kinds[ChangeType.CREATE],
        "update": kinds[ChangeType.UPDATE],
        "retire": len(plan.retirements) if plan is not None else 0,
        "link": len(plan.links) + len(plan.client_links) if plan is not None else 0,
        "unlink": len(plan.unlinks) if plan is not None else 0,
        "unchanged": (plan.unchanged if plan is not None else 0) + kinds[ChangeType.HEARTBEAT],
        "heartbeat": kinds[ChangeType.HEARTBEAT],
    }


def written(settlements: Iterable[Settlement]) -> dict[str, int]:
    """Counts by what was done. An edge that was there already was not drawn: it counts as unchanged."""
    done = [settlement for settlement in settlements if settlement.receipt.outcome is Outcome.DONE]
    retired = sum(1 for s in done if _retires(s.change))
    items = Counter(s.receipt.operation for s in done if isinstance(s.change, ItemChange) and not _retires(s.change))
    drawn = Counter(s.receipt.operation is Operation.UNCHANGED for s in done if isinstance(s.change, LinkChange))
    return {
        "created": items[Operation.INSERTED],
        "updated": items[Operation.UPDATED],
        "unchanged": items[Operation.UNCHANGED],
        "retired": retired,
        "linked": drawn[False],
        "links_unchanged": drawn[True],
        "unlinked": sum(1 for s in done if s.receipt.operation is Operation.UNLINKED),
    }


def sent_items(settlements: Iterable[Settlement]) -> list[dict[str, Any]]:
    """CIs that were sent, counted by kind of gear and outcome."""
    sent = [(s.change, s.receipt) for s in settlements]
    counts = Counter((one.item.kind, str(told.outcome)) for one, told in sent if isinstance(one, ItemChange))
    return [{"kind": kind, "outcome": outcome, "count": count} for (kind, outcome), count in sorted(counts.items())]


def _retires(change: Change) -> bool:
    return change.type is ChangeType.RETIRE
