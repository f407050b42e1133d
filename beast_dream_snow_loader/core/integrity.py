"""Whether what a run wrote stands: each record once, the edges there, as many CIs as we believe (R3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from beast_dream_snow_loader.core.changes import ItemChange, LinkChange
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import KnownRelation, KnownState
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS
from beast_dream_snow_loader.core.ports import Settlement
from beast_dream_snow_loader.core.receipts import Operation, Outcome
from beast_dream_snow_loader.errors import SeveralRecords, WriteNotKept

_MERGE = "Keep one, retire or merge the others in ServiceNow, then run `snowload load` again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """What to ask the instance after a run. ``serials`` are those of CIs that the run inserted, by record;
    ``inserted_in_base``: without the engine, which nothing keeps from being there twice."""

    inserted: tuple[SourceKey, ...] = ()
    inserted_in_base: tuple[SourceKey, ...] = ()
    serials: Mapping[SourceKey, str]
    drawn: tuple[KnownRelation, ...] = ()
    inserted_edges: frozenset[str] = frozenset()
    """Those of ``drawn`` of which the engine said that they are new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Integrity:
    """``cmdb`` and ``ledger`` are native keys of ours there and known here; None where nothing was inserted or the
    account may not count. ``lost`` are edges to be drawn again: said to be new, and not there. One that the engine
    found there already is only hidden from us."""

    findings: tuple[Finding, ...] = ()
    lost: frozenset[str] = frozenset()
    links_checked: int = 0
    duplicates: int = 0
    ledger: int | None = None
    cmdb: int | None = None

    def document(self) -> dict[str, Any]:
        return {
            "links_checked": self.links_checked,
            "duplicates": self.duplicates,
            "ledger": self.ledger,
            "cmdb": self.cmdb,
        }


def questions(settlements: Iterable[Settlement], known: KnownState) -> Questions:
    """A run that only updated asks nothing: what it wrote was there, once, before."""
    done = [s for s in settlements if s.receipt.outcome is Outcome.DONE]
    new = [
        (s.change, s.receipt.class_name == BASE_CLASS)
        for s in done
        if isinstance(s.change, ItemChange) and s.receipt.operation is Operation.INSERTED
    ]
    items = [change for change, in_base in new if not in_base]
    links = {s.change.subject: s.receipt.operation for s in done if isinstance(s.change, LinkChange)}
    return Questions(
        inserted=tuple(change.item.key for change in items),
        inserted_in_base=tuple(change.item.key for change, in_base in new if in_base),
        serials={c.item.key: serial for c in items if (serial := c.send.get("serial_number"))},
        drawn=tuple(known.relations[subject] for subject in links if subject in known.relations),
        inserted_edges=frozenset(subject for subject, operation in links.items() if operation is Operation.LINKED),
    )


def judge_links(drawn: Iterable[KnownRelation], there: Mapping[str, SysId]) -> Iterator[Finding]:
    for edge in drawn:
        if edge.relation_key not in there:
            message = (
                f"Its edge {edge.relation_key} ({edge.type}) was written and is not there: the instance dropped it. "
                "The next load draws it again; if that goes on, look for business rules on cmdb_rel_ci."
            )
            yield _wrong(edge.lower, WriteNotKept.code, message, "relation")


def judge_keys(there: Mapping[SourceKey, Sequence[SysId]]) -> Iterator[Finding]:
    for key, sys_ids in sorted(there.items()):
        if len(sys_ids) > 1:
            yield _duplicate(key, "native key", "correlation_id", str(key), sys_ids)


def judge_serials(
    serials: Mapping[SourceKey, str], there: Mapping[str, Sequence[str]], known: KnownState
) -> Iterator[Finding]:
    """``there``: sys_ids by serial number in upper case, those of others included: these were judged when the record
    was recognised."""
    ours = {str(item.sys_id) for item in known.items.values()}
    first = {serial.upper(): key for key, serial in sorted(serials.items(), reverse=True)}
    for serial, key in first.items():
        shared = [sys_id for sys_id in there.get(serial, ()) if sys_id in ours]
        if len(shared) > 1:
            yield _duplicate(key, "serial number", "serial_number", serial, shared)


def judge_counts(ledger: int, cmdb: int | None) -> Iterator[Finding]:
    if cmdb is not None and cmdb < ledger:
        message = (
            f"The CMDB shows {cmdb} native keys of ours, {ledger} were written: rights hide some, or others delete. "
            "The next `snowload load` looks at each of them."
        )
        yield Finding(record="instance", rule="verify.count", severity=Severity.WARNING, message=message)


def _duplicate(key: SourceKey, what: str, field: str, value: str, sys_ids: Iterable[str]) -> Finding:
    listed = ", ".join(sorted(sys_ids))
    message = f"Several CIs of ours have its {what} {value} (sys_ids {listed}). {_MERGE}"
    return _wrong(key, SeveralRecords.code, message, field, listed)


def _wrong(key: SourceKey, rule: str, message: str, field: str, value: str = "") -> Finding:
    return Finding(record=str(key), rule=rule, severity=Severity.ERROR, message=message, field=field, value=value)
