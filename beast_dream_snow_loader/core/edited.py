"""Whether anybody else has written to a CI that we made (R3.5)."""

from __future__ import annotations

from collections.abc import Mapping

from beast_dream_snow_loader.core.healing import count_of
from beast_dream_snow_loader.core.known import KnownItem

BY_WHOM = ("sys_created_by", "sys_updated_by")


def by_another(row: Mapping[str, str]) -> str:
    """The account that wrote the CI last, where it is not the one that made it: edges that we draw to a CI count as
    updates of it, and are no edits."""
    made, last = (row.get(element, "") for element in BY_WHOM)
    return last if made and last != made else ""


def edited(item: KnownItem, row: Mapping[str, str]) -> str:
    """Why a CI that we made counts as edited by what it holds now; empty where nobody else has written it."""
    if account := by_another(row):
        return f"{account} has written to it since"
    if row.get(BY_WHOM[0]) and row.get(BY_WHOM[1]):
        return ""
    return _edited_by_count(item, row)


def _edited_by_count(item: KnownItem, row: Mapping[str, str]) -> str:
    """Where the account may not see who wrote the CI."""
    now = count_of(row)
    if now is None or item.mod_count is None:
        return "Whether somebody has edited it since cannot be told"
    return f"It was edited {now - item.mod_count} times since" if now > item.mod_count else ""
