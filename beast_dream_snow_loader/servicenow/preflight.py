"""What the identification engine would do with new items, before anything is written (cmdb-model 2.4, guard 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

from beast_dream_snow_loader.core.changes import ItemChange
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.matching import Match, MatchedBy
from beast_dream_snow_loader.errors import OutcomeUnknown
from beast_dream_snow_loader.servicenow.advice import advised
from beast_dream_snow_loader.servicenow.apis.ire import IreApi
from beast_dream_snow_loader.servicenow.apis.ire_payload import PayloadStyle, build, class_of, items_only
from beast_dream_snow_loader.servicenow.apis.ire_results import Attempt, Result, read_answer
from beast_dream_snow_loader.servicenow.apis.table import TableRead
from beast_dream_snow_loader.servicenow.batches import with_next_class
from beast_dream_snow_loader.servicenow.calling import Caller
from beast_dream_snow_loader.servicenow.query import Query
from beast_dream_snow_loader.servicenow.reading import UNREADABLE, Reader

_PER_REQUEST = 100
_SEVERAL = frozenset({"MULTI_MATCH", "MULTIPLE_DUPLICATE_RECORDS", "DUPLICATE_PAYLOAD_RECORDS"})
_NO_RULE = "IDENTIFICATION_RULE_MISSING"
_ENTRIES = {
    "c12f9be8c3400200d8d4bea192d3aea6": MatchedBy.SERIAL,
    "fb27f69cc3000200d8d4bea192d3ae67": MatchedBy.SERIAL,
    "556eb250c3400200d8d4bea192d3ae92": MatchedBy.NAME,
}
"""Entries of the shipped Hardware Rule, for answers without attempts (servicenow-api 5.3)."""


class Preflight:
    def __init__(self, caller: Caller, reader: Reader) -> None:
        self._caller, self._reader = caller, reader
        self._ire = IreApi(caller)

    def simulate(self, changes: Sequence[ItemChange]) -> list[Match]:
        """One match per change, in order. Raises Rejected, NotAuthorised when the instance does not offer it, and the
        errors of a call. A class without a rule is tried once more as the next class of its chain."""
        matches = self._simulated(changes)
        waiting = {change.item.key: change for change in changes}
        refused: set[str] = set()
        while ruleless := [waiting[key] for key in waiting if matches[key].code == _NO_RULE]:
            refused |= {class_of(change) for change in ruleless}
            moved = [with_next_class(change, refused) for change in ruleless]
            waiting = {change.item.key: change for change in moved if change is not None}
            if not waiting:
                break
            matches.update(self._simulated(list(waiting.values())))
        if self._caller.settings.base_class_fallback:
            matches = {key: _at_the_end(match) for key, match in matches.items()}
        return [matches[change.item.key] for change in changes]

    def _simulated(self, changes: Sequence[ItemChange]) -> dict[SourceKey, Match]:
        matches: dict[SourceKey, Match] = {}
        remaining = iter(changes)
        while chunk := list(islice(remaining, _PER_REQUEST)):
            matches.update(self._request(chunk))
        return matches

    def _request(self, changes: Sequence[ItemChange]) -> dict[SourceKey, Match]:
        style = PayloadStyle(source=self._caller.settings.data_source, at=self._caller.clock.now())
        payload = build(items_only(changes), style)
        what = f"a simulation of {len(changes)} CIs"
        answer = read_answer(self._caller.result(self._ire.query_enhanced(payload.body), what), len(changes))
        if answer is None:
            raise OutcomeUnknown(f"ServiceNow's answer to {what} is not one of the identification engine.")
        return {change.item.key: self._match(index, changes, answer.items) for index, change in enumerate(changes)}

    def _match(self, index: int, changes: Sequence[ItemChange], results: Mapping[int, Result]) -> Match:
        change, result = changes[index], results.get(index)
        if result is None:
            message = "The instance's answer does not mention this record."
            return Match(key=change.item.key, by=MatchedBy.REFUSED, code="ire.no_result", message=message)
        match = matched(change.item.key, result)
        others = [str(changes[i].item.key) for i in result.indices if i != index and i < len(changes)]
        if others:
            message = f"The engine takes it for the same CI as {', '.join(others)}."
            return Match(key=match.key, by=MatchedBy.SEVERAL, sys_ids=match.sys_ids, code="ire.merged", message=message)
        if match.by is not MatchedBy.SEVERAL:
            return match
        sys_ids = tuple(dict.fromkeys((*match.sys_ids, *self._hits(change, result))))
        return Match(key=match.key, by=match.by, sys_ids=sys_ids, code=match.code, message=match.message)

    def _hits(self, change: ItemChange, result: Result) -> list[str]:
        """The engine does not say which CIs it found, so they are read by what it searched for."""
        several = [attempt for attempt in result.attempts if attempt.outcome == "MULTI_MATCH"]
        elements = [element for attempt in several for element in attempt.attributes if element in change.send]
        try:
            query = Query().equals(elements[0], change.send[elements[0]])
            rows = self._reader.rows(TableRead(table="cmdb_ci_hardware", query=query, fields=()))
        except (IndexError, ValueError, *UNREADABLE):
            return []
        return [row["sys_id"] for row in rows]


def _at_the_end(match: Match) -> Match:
    return replace(match, by=MatchedBy.NO_CLASS) if match.code == _NO_RULE else match


def matched(key: SourceKey, result: Result) -> Match:
    """The verdict on one simulated item, from the attempts the engine reports."""
    by, attempt = _by(result)
    found = (result.sys_id,) if result.sys_id is not None and by is not MatchedBy.NOTHING else ()
    if by in (MatchedBy.REFUSED, MatchedBy.SEVERAL) and result.issues:
        code, message = result.issue.code, advised(result.issue)
    else:
        code, message = "", f"{attempt.rule}: {', '.join(attempt.attributes)}" if attempt and attempt.rule else ""
    return Match(key=key, by=by, sys_ids=found, class_name=result.class_name, code=code, message=message)


def _by(result: Result) -> tuple[MatchedBy, Attempt | None]:
    several = any(attempt.outcome == "MULTI_MATCH" for attempt in result.attempts)
    if several or any(issue.code in _SEVERAL for issue in result.issues):
        return MatchedBy.SEVERAL, None
    if result.issues or not result.operation:
        return MatchedBy.REFUSED, None
    if result.operation == "INSERT":
        return MatchedBy.NOTHING, None
    hit = next((attempt for attempt in result.attempts if attempt.outcome == "MATCHED"), None)
    return (_entry(hit), hit) if hit else (_ENTRIES.get(result.entry, MatchedBy.OTHER), None)


def _entry(hit: Attempt) -> MatchedBy:
    if hit.by_source:
        return MatchedBy.SOURCE
    if "network_adapter" in hit.table:
        return MatchedBy.ADAPTER
    if "serial_number" in hit.attributes:
        return MatchedBy.SERIAL
    return MatchedBy.NAME if hit.attributes == ("name",) else MatchedBy.OTHER
