"""What the identification engine answered, item by item (servicenow-api 5.4).

Results are matched through ``inputIndices``: merged items share one, and order means nothing where indices are given.
Keys come and go by release, so all are optional here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from beast_dream_snow_loader.core.identity import SysId, parse_sys_id
from beast_dream_snow_loader.servicenow.answers import said
from beast_dream_snow_loader.servicenow.rows import text

_WRITTEN = frozenset(
    {"INSERT", "UPDATE", "NO_CHANGE", "UPDATE_WITH_UPGRADE", "UPDATE_WITH_DOWNGRADE", "UPDATE_WITH_SWITCH"}
)
_PUT_ASIDE = frozenset({"INSERT_AS_PARTIAL", "INSERT_AS_INCOMPLETE", "INSERT_INCOMPLETE"})
"""Nothing is in the CMDB; the reasons may sit in the warnings with an error count of 0."""


_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,79}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    code: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One rule entry tried. ``outcome``: MATCHED, NO_MATCH, MULTI_MATCH, SKIPPED."""

    rule: str
    outcome: str
    attributes: tuple[str, ...] = ()
    table: str = ""
    by_source: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One item or relation of the answer. ``issues`` is empty for what was written; ``notes`` are for people."""

    operation: str
    sys_id: SysId | None
    class_name: str = ""
    issues: tuple[Issue, ...] = ()
    notes: tuple[Issue, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    entry: str = ""
    """sys_id of the rule entry that matched; ``Unknown`` where none did or nobody says."""
    indices: tuple[int, ...] = ()

    @property
    def written(self) -> bool:
        return not self.issues and self.operation in _WRITTEN

    @property
    def issue(self) -> Issue:
        """The reason of a failure: ABANDONED only says that there is another one."""
        return next((issue for issue in self.issues if issue.code != "ABANDONED"), self.issues[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class IreAnswer:
    """Results by the index of what was sent. What has no result is not in the map."""

    items: Mapping[int, Result]
    relations: Mapping[int, Result]


def read_answer(result: object, items: int, relations: int = 0) -> IreAnswer | None:
    """The answer to a payload of so many items and relations; None when it is no answer of the engine."""
    if not isinstance(result, Mapping) or not isinstance(result.get("items"), list):
        return None
    told = [_result(entry) for entry in _maps(result["items"])]
    edges = [_result(entry) for entry in _maps(result.get("relations"))]
    return IreAnswer(items=_placed(told, items), relations=_placed(edges, relations))


def _placed(results: Sequence[Result], count: int) -> dict[int, Result]:
    placed: dict[int, Result] = {}
    for result in results:
        for index in result.indices:
            if 0 <= index < count:
                placed[index] = _worse(placed.get(index), result)
    unplaced = [result for result in results if not result.indices]
    if len(unplaced) == len(results) == count:
        return dict(enumerate(results))  # releases before inputIndices answer in order
    refusal = next((result for result in unplaced if result.issues), None)
    if refusal is not None and not any(result.written for result in results):
        placed = {index: placed.get(index, refusal) for index in range(count)}  # the payload was refused as a whole
    return placed


def _worse(one: Result | None, other: Result) -> Result:
    return other if one is None or one.written else one


def _result(entry: Mapping[str, object]) -> Result:
    operation = text(entry.get("operation"))
    return Result(
        operation=operation,
        sys_id=parse_sys_id(text(entry.get("sysId"))),
        class_name=text(entry.get("className")),
        issues=_issues(entry, operation),
        notes=tuple(_notes(entry)),
        attempts=tuple(_attempt(attempt) for attempt in _maps(entry.get("identificationAttempts"))),
        entry=text(entry.get("identifierEntrySysId")),
        indices=_indices(entry.get("inputIndices")),
    )


def _issues(entry: Mapping[str, object], operation: str) -> tuple[Issue, ...]:
    found = [_issue(error) for error in _list(entry.get("errors"))]
    if operation in _PUT_ASIDE:
        found += [_issue(warning) for warning in _list(entry.get("warnings"))]
        found = found or [Issue(code=operation, message="put aside by the instance, not in the CMDB")]
    if not found and text(entry.get("errorCount")) not in ("", "0"):
        found = [Issue(code="ERRORS", message="the instance counts errors and names none")]
    return tuple(found)


def _issue(error: object) -> Issue:
    if isinstance(error, Mapping):
        code = _code(error.get("error") or error.get("code"))
        return Issue(code=code or "ERROR", message=said(error.get("message")))
    return Issue(code="ERROR", message=said(error))


def _code(told: object) -> str:
    """One of the engine's names for what went wrong; words in its place, whoever put them there, are none and may hold
    anything."""
    code = said(text(told))
    return code if _CODE.fullmatch(code) else ""


def _notes(entry: Mapping[str, object]) -> Iterable[Issue]:
    for info in _maps(entry.get("info")):
        yield Issue(code=_code(info.get("code")), message=said(info.get("message")))
    masked = [text(name) for name in _list(entry.get("maskedAttributes"))]
    if masked:
        yield Issue(code="MASKED_ATTRIBUTES", message=f"a reconciliation rule keeps {', '.join(sorted(masked))}")


def _attempt(attempt: Mapping[str, object]) -> Attempt:
    info = text(attempt.get("info"))
    # the vendor's own pages also print identiferName
    rule = text(attempt.get("identifierName") or attempt.get("identiferName"))
    return Attempt(
        rule=rule,
        outcome=text(attempt.get("attemptResult")),
        attributes=tuple(text(name) for name in _list(attempt.get("attributes"))),
        table=text(attempt.get("searchOnTable")),
        by_source="sys_object_source" in info or text(attempt.get("searchOnTable")) == "sys_object_source",
    )


def _indices(listed: object) -> tuple[int, ...]:
    """Numbers, or ``{"mainIndex": 0}`` as related items have them."""
    numbers = (entry.get("mainIndex") if isinstance(entry, Mapping) else entry for entry in _list(listed))
    texts = (text(number) for number in numbers)
    return tuple(dict.fromkeys(int(number) for number in texts if number.isascii() and number.isdigit()))


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _maps(value: object) -> list[Mapping[str, object]]:
    return [entry for entry in _list(value) if isinstance(entry, Mapping)]
