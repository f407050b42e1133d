"""What every examination of an instance shares: the account's way in, its readers, the class definitions."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.mapping_rules import MappingRules
from beast_dream_snow_loader.errors import NotAuthorised, Rejected
from beast_dream_snow_loader.servicenow.apis.ire_results import Result
from beast_dream_snow_loader.servicenow.apis.table import TableRead
from beast_dream_snow_loader.servicenow.calling import Caller
from beast_dream_snow_loader.servicenow.classes import ClassBook
from beast_dream_snow_loader.servicenow.config import ServiceNowSettings
from beast_dream_snow_loader.servicenow.query import Query
from beast_dream_snow_loader.servicenow.reading import Reader, Rows
from beast_dream_snow_loader.transport.port import Transport

GUIDE = "docs/guides/service-account.md"
"""Roles and access rules, which fixes point to."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One configured login alone: ``transport`` uses it and no other. ``checks`` says which setting to look at."""

    name: str
    checks: str
    transport: Transport


@dataclass(slots=True, kw_only=True)
class Instance:
    """One instance as one account sees it.

    ``transport`` logs in and refuses writes; ``bare`` carries no login; ``ways`` are the logins one by one.
    ``simulated`` is what the engine said of the made-up device, once it was asked.
    """

    settings: ServiceNowSettings
    transport: Transport
    bare: Transport
    ways: tuple[Way, ...]
    clock: Clock
    rules: MappingRules
    simulated: Result | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _book: ClassBook | None = None

    @property
    def caller(self) -> Caller:
        return self.calling(self.transport)

    def calling(self, transport: Transport) -> Caller:
        return Caller(settings=self.settings, transport=transport, clock=self.clock)

    @property
    def reader(self) -> Reader:
        return Reader(self.caller)

    def classes(self, ask: Callable[[ClassBook], T]) -> T:
        """Ask the class definitions; each is read once, by one exam at a time."""
        with self._lock:
            self._book = self._book or ClassBook(self.caller)
            return ask(self._book)

    def rows(self, table: str, query: Query, *fields: str) -> Rows:
        """Raises NotAuthorised, Rejected for a table that is closed."""
        return self.reader.rows(TableRead(table=table, query=query, fields=fields))

    def properties(self, *names: str) -> dict[str, str]:
        """System properties by name; those that are not there or may not be seen are not in the answer."""
        try:
            rows = self.rows("sys_properties", Query().is_in("name", names), "name", "value")
        except (NotAuthorised, Rejected):
            return {}
        return {row["name"]: row.get("value", "") for row in rows if row.get("name")}
