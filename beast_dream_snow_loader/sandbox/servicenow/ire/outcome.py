"""What became of a payload, item by item and relation by relation, while the engine works on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from beast_dream_snow_loader.sandbox.servicenow.ire.issues import Issue
from beast_dream_snow_loader.sandbox.servicenow.ire.payload import Item, Relation, SubItem

UNKNOWN: Final = "Unknown"
"""What the product prints for a sys_id there is none of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to find the CI: SKIPPED, NO_MATCH, MATCHED or MULTI_MATCH. ``info`` marks the source's own key."""

    result: str
    rule: str = ""
    attributes: tuple[str, ...] = ()
    table: str = ""
    info: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """A reclassification that was not made."""

    code: str
    message: str
    rule_sys_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubOutcome:
    sub: SubItem
    operation: str
    sys_id: str


@dataclass(slots=True, kw_only=True)
class ItemOutcome:
    """Filled in step by step. ``class_name`` is the class the CI has afterwards; failed: ``errors`` is not empty."""

    item: Item
    class_name: str
    operation: str = ""
    sys_id: str = ""
    entry: str = UNKNOWN
    attempts: list[Attempt] = field(default_factory=list)
    errors: list[Issue] = field(default_factory=list)
    warnings: list[Issue] = field(default_factory=list)
    info: list[Info] = field(default_factory=list)
    masked: list[str] = field(default_factory=list)
    subs: list[SubOutcome] = field(default_factory=list)
    put_aside: str = ""
    put_aside_id: str = ""

    @property
    def failed(self) -> bool:
        return bool(self.errors)

    def fail(self, *issues: Issue) -> None:
        """Nothing of what was decided so far holds any longer."""
        self.errors.extend(issues)
        self.operation = self.sys_id = ""
        self.class_name = self.item.class_name
        self.subs.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationOutcome:
    """``relation.indices`` are its places in the payload."""

    relation: Relation
    operation: str = ""
    sys_id: str = ""
    errors: tuple[Issue, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """``log_context`` names the run in the instance's log."""

    items: tuple[ItemOutcome, ...]
    relations: tuple[RelationOutcome, ...]
    log_context: str

    @property
    def has_error(self) -> bool:
        """A partial item counts as a warning only: nothing says aloud that it is not in the CMDB."""
        wrong = (one.failed and one.put_aside != "INSERT_AS_PARTIAL" for one in self.items)
        return any(wrong) or any(one.errors for one in self.relations)
