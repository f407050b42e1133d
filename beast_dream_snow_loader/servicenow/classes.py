"""Which classes of a chain this instance can take (cmdb-model 6.2), asked lazily and once each."""

from __future__ import annotations

from collections.abc import Iterable

from beast_dream_snow_loader.core.facts import ClassFacts, FieldFacts
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS, BASE_FIELDS
from beast_dream_snow_loader.errors import NotAuthorised, Rejected, ServerFault
from beast_dream_snow_loader.servicenow.apis.meta import ClassMeta, MetaApi
from beast_dream_snow_loader.servicenow.apis.table import TableApi
from beast_dream_snow_loader.servicenow.believed_classes import (
    BASE_HARDWARE,
    HARDWARE,
    NOT_HARDWARE,
    PARENTS,
)
from beast_dream_snow_loader.servicenow.calling import Caller

_AWAY = frozenset({502, 503, 504})


class ClassBook:
    """Class facts, kept for the life of the client. Not thread-safe: facts are read once, before anything is spread."""

    def __init__(self, caller: Caller) -> None:
        self._meta, self._table = MetaApi(caller), TableApi(caller)
        self._asked: dict[str, ClassMeta | None] = {}
        self._facts: dict[str, ClassFacts] = {}
        self._unreadable = ""

    def prefetch(self, chains: Iterable[tuple[str, ...]]) -> None:
        """The definitions of all these classes in one request; what that does not bring is asked for singly."""
        names = sorted({name for chain in chains for name in chain} - self._asked.keys())
        if len(names) > 1:
            self._asked.update(self._meta.read_many(names))

    def base(self) -> ClassFacts:
        """Facts about the base class, above the Hardware Rule: a table to write to where no class can be had."""
        try:
            meta = None if self._unreadable else self._ask(BASE_CLASS)
        except (NotAuthorised, Rejected):
            meta = None
        fields = meta.fields if meta is not None else {name: FieldFacts() for name in BASE_FIELDS}
        return ClassFacts(name=BASE_CLASS, usable=True, ancestors=("cmdb",), fields=fields)

    def resolve(self, chains: Iterable[tuple[str, ...]]) -> dict[str, ClassFacts]:
        """Facts about the classes of each chain up to the first usable one. Raises the errors of a call."""
        return {name: self._facts[name] for chain in sorted(chains) for name in self._walk(chain)}

    def definition(self, name: str) -> ClassMeta | None:
        """One class as CMDB Meta tells it; None when there is no such class. Raises NotAuthorised, Rejected."""
        return self._ask(name)

    @property
    def findings(self) -> tuple[Finding, ...]:
        if not self._unreadable:
            return ()
        message = (
            "The class definitions of the instance cannot be read (CMDB Meta API): the usual classes are assumed and "
            f"field lengths are not checked. {self._unreadable} Give the account the role itil."
        )
        return (Finding(record="instance", rule="facts.meta_unreadable", severity=Severity.WARNING, message=message),)

    def _walk(self, chain: tuple[str, ...]) -> list[str]:
        walked = []
        for name in chain:
            walked.append(name)
            if self._fact(name).usable:
                break
        return walked

    def _fact(self, name: str) -> ClassFacts:
        if name not in self._facts:
            fact = self._told(name) if not self._unreadable else None
            self._facts[name] = fact or self._believed(name)
        return self._facts[name]

    def _told(self, name: str) -> ClassFacts | None:
        """What Meta says; None when it cannot be read at all."""
        try:
            meta = self._ask(name)
            nothing_told = not any(self._asked.values())
            if meta is None and nothing_told and self._ask(HARDWARE) is None:
                # hardware is on every instance: what is missing is the API, not the class
                self._unreadable = "It answers 404 even for cmdb_ci_hardware."
            return None if self._unreadable else self._judged(name, meta)
        except (NotAuthorised, Rejected, ServerFault) as error:
            if isinstance(error, ServerFault) and error.status in _AWAY:
                raise
            if any(self._asked.values()):
                return ClassFacts(name=name, usable=False, reason=error.message)
            self._unreadable = error.message
            return None

    def _ask(self, name: str) -> ClassMeta | None:
        if name not in self._asked:
            self._asked[name] = self._meta.read(name)
        return self._asked[name]

    def _judged(self, name: str, meta: ClassMeta | None) -> ClassFacts:
        if meta is None:
            return ClassFacts(name=name, usable=False, reason="the instance has no such class")
        ancestors = self._ancestors(meta)
        reason = _objection(meta, ancestors)
        return ClassFacts(name=name, usable=not reason, reason=reason, ancestors=ancestors, fields=meta.fields)

    def _ancestors(self, meta: ClassMeta) -> tuple[str, ...]:
        """Parents, nearest first. Meta names only the direct one; the rule's owner usually tells the rest without
        another request."""
        decided = meta.name == HARDWARE or (meta.rule is not None and meta.rule.applies_to in (HARDWARE, meta.name))
        found: list[str] = []
        parent = meta.parent
        while parent and parent not in found:
            found.append(parent)
            known = self._asked.get(parent) if decided or HARDWARE in found else self._ask(parent)
            parent = known.parent if known is not None else PARENTS.get(parent, "")
        return tuple(found)

    def _believed(self, name: str) -> ClassFacts:
        """Without Meta: the base classes are on every instance, others are looked for as tables."""
        if name in NOT_HARDWARE:
            return ClassFacts(name=name, usable=False, reason="not hardware, and its rule cannot be read")
        ancestors = believed_ancestors(name)
        if name in BASE_HARDWARE or self._table.exists(name):
            return ClassFacts(name=name, usable=True, ancestors=ancestors)
        return ClassFacts(name=name, usable=False, reason="the instance has no such table", ancestors=ancestors)


def _objection(meta: ClassMeta, ancestors: tuple[str, ...]) -> str:
    """Why not this class; empty for a usable one."""
    hardware = HARDWARE in (meta.name, *ancestors)
    if meta.rule is None:
        known = hardware and not meta.rule_told
        return "" if known else "it has no identification rule"
    if not meta.rule.active:
        return "its identification rule is not active"
    if not meta.rule.independent:
        return "it is identified only together with its host"
    if hardware or meta.rule.applies_to in (HARDWARE, meta.name):
        return ""
    return "it is not hardware and has no rule of its own"


def believed_ancestors(name: str) -> tuple[str, ...]:
    found: list[str] = []
    while (name := PARENTS.get(name, "")) and name not in found:
        found.append(name)
    return tuple(found)
