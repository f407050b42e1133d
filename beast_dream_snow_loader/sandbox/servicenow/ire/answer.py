"""The engine's report as the wire shows it, by release."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from beast_dream_snow_loader.sandbox.servicenow.ire import issues
from beast_dream_snow_loader.sandbox.servicenow.ire.issues import Issue
from beast_dream_snow_loader.sandbox.servicenow.ire.options import IreOptions
from beast_dream_snow_loader.sandbox.servicenow.ire.outcome import (
    UNKNOWN,
    Attempt,
    ItemOutcome,
    RelationOutcome,
    Report,
    SubOutcome,
)
from beast_dream_snow_loader.sandbox.servicenow.ire.payload import Wish
from beast_dream_snow_loader.sandbox.servicenow.ire.summary import summary

Json = dict[str, object]
_SOURCE_KEY = "sys_object_source"


def render(report: Report, wish: Wish, options: IreOptions) -> Json:
    """The value of ``result``."""
    if options.release == "old":
        return {
            "items": [_old_item(one, wish) for one in report.items],
            "relations": [_old_relation(one) for one in report.relations],
        }
    items = [_item(one, wish) for one in report.items]
    relations = [_relation(one, wish) for one in report.relations]
    if options.shuffle_seed is not None:
        shuffled = random.Random(options.shuffle_seed)
        shuffled.shuffle(items)
        shuffled.shuffle(relations)
    result: Json = {
        "items": items,
        "additionalCommittedItems": [],
        "relations": relations,
        "additionalCommittedRelations": [],
        "hasError": report.has_error,
        "hasWarning": any(one.warnings for one in report.items),
        "logContextId": report.log_context,
    }
    return {**result, "summary": summary(report)} if wish.generate_summary else result


def failed_item(outcome: ItemOutcome) -> Json:
    """One item as the CMDB Instance API shows a refusal: without an operation."""
    shown = _item(outcome, Wish(data_source="", commit=True))
    return {name: value for name, value in shown.items() if name != "operation"}


def _item(outcome: ItemOutcome, wish: Wish) -> Json:
    partial = outcome.put_aside == "INSERT_AS_PARTIAL"
    errors = [] if partial else outcome.errors
    shown: Json = {
        "className": outcome.class_name,
        "operation": outcome.put_aside or outcome.operation,
        "sysId": _sys_id(outcome.operation, outcome.sys_id, wish),
        "identifierEntrySysId": UNKNOWN if outcome.failed else outcome.entry,
        "identificationAttempts": [_attempt(attempt) for attempt in outcome.attempts],
        "errors": _issues(errors),
        "info": [_info(outcome, position) for position in range(len(outcome.info))],
        "errorCount": len(errors),
        "warningCount": len(outcome.warnings),
        "markers": [],
        "inputIndices": list(outcome.item.indices),
        "mergedPayloadIds": list(outcome.item.merged_ids),
        **_optional(outcome, wish),
    }
    if not shown["operation"]:
        del shown["operation"]
    return shown


def _optional(outcome: ItemOutcome, wish: Wish) -> Json:
    """Members that are there only when they have something to say."""
    found: Json = {}
    if outcome.warnings:
        found["warnings"] = _issues(outcome.warnings)
    if outcome.masked:
        found["maskedAttributes"] = list(outcome.masked)
    if len(outcome.item.indices) > 1:
        found["duplicateIndices"] = list(outcome.item.indices[1:])
    if outcome.put_aside:
        name = "partialSysIds" if outcome.put_aside == "INSERT_AS_PARTIAL" else "incompleteSysIds"
        found[name] = [outcome.put_aside_id]
    if outcome.subs:
        found["relatedSysIds"] = [sub.sys_id if wish.commit else None for sub in outcome.subs]
        found["relatedItems"] = [_sub(sub, wish) for sub in outcome.subs]
        found["additionalRelatedItems"] = []
    return found


def _sub(outcome: SubOutcome, wish: Wish) -> Json:
    """A dry run does not look at what would become of a companion."""
    place: Json = {
        "className": outcome.sub.class_name,
        "markers": [],
        "inputIndices": [{"mainIndex": outcome.sub.main, "subIndex": outcome.sub.position}],
        "mergedPayloadIds": [],
    }
    if not wish.commit:
        return place
    counts: Json = {"errors": [], "errorCount": 0, "warningCount": 0}
    return {"operation": outcome.operation, "sysId": outcome.sys_id, **place, **counts}


def _relation(outcome: RelationOutcome, wish: Wish) -> Json:
    shown: Json = {
        "className": "cmdb_rel_ci",
        "operation": outcome.operation,
        "sysId": _sys_id(outcome.operation, outcome.sys_id, wish),
        "identifierEntrySysId": UNKNOWN,
        "errors": _issues(outcome.errors),
        "errorCount": len(outcome.errors),
        "warningCount": 0,
        "markers": [],
        "inputIndices": list(outcome.relation.indices),
        "mergedPayloadIds": [],
    }
    if not outcome.operation:
        del shown["operation"]
    return shown


def _old_item(outcome: ItemOutcome, wish: Wish) -> Json:
    """No class and no operation on a failed item, and a second error after the first one."""
    attempts = [_attempt(attempt) for attempt in outcome.attempts if not attempt.info.startswith(_SOURCE_KEY)]
    told: Json = {
        "sysId": _sys_id(outcome.operation, outcome.sys_id, wish),
        "identifierEntrySysId": UNKNOWN if outcome.failed else outcome.entry,
    }
    if outcome.failed:
        errors = _issues([*outcome.errors, issues.too_many_errors()])
        return {**told, "errors": errors, "identificationAttempts": attempts}
    head: Json = {"className": outcome.class_name, "operation": outcome.operation}
    return {**head, **told, "identificationAttempts": attempts}


def _old_relation(outcome: RelationOutcome) -> Json:
    if outcome.errors:
        return {"sysId": UNKNOWN, "identifierEntrySysId": UNKNOWN, "errors": _issues(outcome.errors)}
    return {
        "className": "cmdb_rel_ci",
        "operation": outcome.operation,
        "sysId": outcome.sys_id,
        "identifierEntrySysId": UNKNOWN,
    }


def _sys_id(operation: str, sys_id: str, wish: Wish) -> str:
    """A record that a dry run would make has none."""
    return UNKNOWN if not sys_id or (operation == "INSERT" and not wish.commit) else sys_id


def _attempt(attempt: Attempt) -> Json:
    shown: Json = {
        "identifierName": attempt.rule,
        "attemptResult": attempt.result,
        "attributes": list(attempt.attributes),
        "hybridEntryCiAttributes": [],
    }
    if attempt.table:
        shown["searchOnTable"] = attempt.table
    if attempt.info:
        shown["info"] = attempt.info
    return shown


def _info(outcome: ItemOutcome, position: int) -> Mapping[str, str]:
    info = outcome.info[position]
    shown = {"code": info.code, "message": info.message}
    return {**shown, "ruleSysId": info.rule_sys_id} if info.rule_sys_id else shown


def _issues(found: Sequence[Issue]) -> list[Mapping[str, str]]:
    return [{"error": issue.code, "message": issue.message} for issue in found]
