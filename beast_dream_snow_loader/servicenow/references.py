"""Reference rows by what they are called: one unambiguous match or none (cmdb-model 6.5, 6.6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from beast_dream_snow_loader.core.desired import Reference
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.errors import SnowloadError
from beast_dream_snow_loader.servicenow.apis.table import TableRead
from beast_dream_snow_loader.servicenow.lookup import unreadable
from beast_dream_snow_loader.servicenow.query import Query
from beast_dream_snow_loader.servicenow.reading import Reader, Rows

Alternative = tuple[tuple[str, str], ...]
Answers = Sequence[Rows | SnowloadError]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """A reference and the groups of alternatives still to be tried, the next one first."""

    reference: Reference
    groups: tuple[tuple[Alternative, ...], ...]

    def reads(self) -> list[TableRead]:
        found = (_read(self.reference, alternative) for alternative in (self.groups[0] if self.groups else ()))
        return [read for read in found if read is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    """``sys_id`` None: no row, or not one. ``nothing``: another group may be tried."""

    sys_id: str | None = None
    finding: Finding | None = None
    nothing: bool = False


def references(reader: Reader, wished: Iterable[Reference]) -> tuple[Mapping[str, str | None], tuple[Finding, ...]]:
    """By :attr:`Reference.key` the sys_id of the one row that matches, None where there is none or several. A sys_id
    that was configured and could not be looked for is believed.

    Alternatives that ask for the same fields are spellings of one thing and count together, so that companies named
    Ubiquiti and Ubiquiti Inc. are two rows; the next sort of alternative is tried only when nothing was found.
    Raises the errors of a call.
    """
    asked = {reference.key: reference for reference in wished}
    asked |= {other.key: other for reference in asked.values() for _, other in reference.within}
    # Those that others lean on come first, so that their row is known when the others' answers are judged.
    order = sorted(asked, key=lambda key: (bool(asked[key].within), key))
    searches = [_Search(reference=asked[key], groups=_groups(asked[key])) for key in order]
    found: dict[str, str | None] = {}
    findings: dict[str, Finding] = {}
    while searches:
        answered, searches = _ask(reader, searches), []
        for search, answers in answered:
            verdict = _verdict(search.reference, answers, found)
            if verdict.nothing and len(search.groups) > 1:
                searches.append(replace(search, groups=search.groups[1:]))
                continue
            found[search.reference.key] = verdict.sys_id
            if verdict.finding is not None:
                findings.setdefault(verdict.finding.message, verdict.finding)
    return found, tuple(findings.values())


def _groups(reference: Reference) -> tuple[tuple[Alternative, ...], ...]:
    def elements(alternative: Alternative) -> tuple[str, ...]:
        return tuple(element for element, _ in alternative)

    return tuple(tuple(group) for _, group in groupby(reference.any_of, key=elements))


def _ask(reader: Reader, searches: Sequence[_Search]) -> list[tuple[_Search, Answers]]:
    """The next group of every search, all in one go."""
    reads = [search.reads() for search in searches]
    answers = iter(reader.many([read for group in reads for read in group]))
    return [(search, [next(answers) for _ in group]) for search, group in zip(searches, reads, strict=True)]


def _read(reference: Reference, alternative: Alternative) -> TableRead | None:
    """None when a value must not stand in a query: then there is no such row for us."""
    query = Query()
    try:
        for element, value in alternative:
            query = query.equals(element, value)
    except ValueError:
        return None
    fields = (*query.fields, *(element for element, _ in reference.within))
    return TableRead(table=reference.table, query=query, fields=fields)


def _verdict(reference: Reference, answers: Answers, others: Mapping[str, str | None]) -> _Verdict:
    refused = next((answer for answer in answers if isinstance(answer, SnowloadError)), None)
    if refused is not None:
        return _Verdict(sys_id=reference.sys_id or None, finding=unreadable(reference.table, refused.message))
    told = (row for answer in answers if not isinstance(answer, SnowloadError) for row in answer)
    ends = [(element, sys_id) for element, other in reference.within if (sys_id := others.get(other.key))]
    sys_ids = {row["sys_id"] for row in told if all(row.get(element) == sys_id for element, sys_id in ends)}
    if len(sys_ids) == 1:
        return _Verdict(sys_id=sys_ids.pop())
    return _Verdict(finding=_several(reference, sorted(sys_ids))) if sys_ids else _Verdict(nothing=True)


def _several(reference: Reference, sys_ids: Sequence[str]) -> Finding:
    """That there is no row at all is told by those who wanted it; which rows compete is known only here."""
    what, element = reference.called, reference.element
    ends = ", ".join(f"…{sys_id[-4:]}" for sys_id in sys_ids[:5])
    message = (
        f"{reference.table} has {len(sys_ids)} rows for {what} (sys_ids {ends}): {element} stays empty. "
        "Configure the sys_id of the right one."
    )
    return Finding(
        record="instance",
        rule="reference.several",
        severity=Severity.WARNING,
        message=message,
        field=element,
        value=what,
    )
