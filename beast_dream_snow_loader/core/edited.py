"""Whether anybody else has written to a CI that we made (R3.5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from beast_dream_snow_loader.core.changes import Change, ChangeType, ItemChange, LinkChange
from beast_dream_snow_loader.core.healing import count_of
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import Drawn, KnownItem, KnownRelation
from beast_dream_snow_loader.core.ports import JournalEntry

BY_WHOM = ("sys_created_by", "sys_updated_by")
_UNTOLD = "Whether somebody has edited it since cannot be told"
_WRITTEN_OVER = (ChangeType.UPDATE, ChangeType.HEARTBEAT, ChangeType.RETIRE, ChangeType.RESTORE)


def by_another(row: Mapping[str, str]) -> str:
    """The account that wrote the CI last, where it is not the one that made it: edges that we draw to a CI count as
    updates of it, and are no edits."""
    made, last = (row.get(element, "") for element in BY_WHOM)
    return last if made and last != made else ""


def edited(item: KnownItem, row: Mapping[str, str]) -> str:
    """Why a CI that we made counts as edited by what it holds now; empty where nobody else has written it."""
    if account := by_another(row):
        return f"{account} has written to it since"
    return "" if _told_by_whom(row) else _edited_by_count(item, row)


def naming(link: LinkChange, named: Iterable[ItemChange]) -> LinkChange:
    """The link with what is known of its ends that its request names again, for from then on it is us who wrote them
    last; and no entry of their own says so."""
    ends = (link.relation.lower, link.relation.upper)
    known = [change.known for change in named if change.item.key in ends and change.known is not None]
    over = [(str(one.key), "" if one.stored is None else by_another(one.stored)) for one in known if _is_over(one)]
    return replace(link, over=tuple(over)) if over else link


def _is_over(known: KnownItem) -> bool:
    return known.stored is None or bool(by_another(known.stored))


def edited_before_us(entries: Iterable[JournalEntry], made: Mapping[SourceKey, SysId]) -> dict[SourceKey, str]:
    """Why CIs that we made count as edited by what they held each time before we wrote them again: from then on it was
    us who had written them last. ``entries`` came after they were made, ``made`` are their sys_ids."""
    found: dict[SourceKey, str] = {}
    for entry in entries:
        if isinstance(entry.change, LinkChange):
            told = ((SourceKey.parse(key), _over(entry, account)) for key, account in entry.change.over)
            found = {**{key: why for key, why in told if key in made and why}, **found}
            continue
        known = _written_over(entry.change)
        if known is not None and made.get(known.key) == known.sys_id and (why := _before(entry, known)):
            found.setdefault(known.key, why)
    return found


def related_by_others(
    drawn: Iterable[Drawn], ours: Iterable[KnownRelation], made: Mapping[SysId, Mapping[str, str]]
) -> dict[SysId, str]:
    """Why CIs that we made, of which these are the rows, are not ours alone: somebody else drew a relation to them,
    which would go with them. What our account drew and the ledger does not know came with an item: an adapter's."""
    known = {edge.sys_id for edge in ours if edge.ours}
    found: dict[SysId, str] = {}
    for row in drawn:
        for end in map(SysId, (row.parent, row.child) if row.sys_id not in known else ()):
            if end in made and not (row.made_by and row.made_by == made[end].get(BY_WHOM[0])):
                found[end] = f"{row.made_by or 'Somebody'} has drawn a relation to it"
    return found


def _written_over(change: Change) -> KnownItem | None:
    return change.known if isinstance(change, ItemChange) and change.type in _WRITTEN_OVER else None


def _over(entry: JournalEntry, account: str) -> str:
    if account:
        return f"{account} had written to it before snowload did again"
    return f"{_UNTOLD}: it was written over unread" if entry.state == "done" else ""


def _before(entry: JournalEntry, known: KnownItem) -> str:
    """An entry that was superseded may have been carried out, and what it saw is true in any case."""
    account = by_another(known.stored) if known.stored is not None else ""
    if known.stored is None or account:
        return _over(entry, account)
    unseen = known.mod_count is None or count_of(known.stored) is None
    return "" if unseen or _told_by_whom(known.stored) else _edited_by_count(known, known.stored)


def _told_by_whom(row: Mapping[str, str]) -> bool:
    return all(row.get(element) for element in BY_WHOM)


def _edited_by_count(item: KnownItem, row: Mapping[str, str]) -> str:
    """Where the account may not see who wrote the CI."""
    now = count_of(row)
    if now is None or item.mod_count is None:
        return _UNTOLD
    return f"It was edited {now - item.mod_count} times since" if now > item.mod_count else ""
