"""From a verdict to the error that says what to do about it, in ServiceNow's own words."""

from __future__ import annotations

from beast_dream_snow_loader.errors import (
    CmdbAsleep,
    NotAuthenticated,
    NotAuthorised,
    OutcomeUnknown,
    Rejected,
    ServerFault,
    SnowloadError,
    Throttled,
)
from beast_dream_snow_loader.servicenow.answers import Answer, AnswerKind, Refusal

_RIGHTS = frozenset({Refusal.ACL, Refusal.API_ACL, Refusal.UNSCOPED_API, Refusal.QUERY_FIELD})

_NEXT = {
    Refusal.INVALID_TABLE: "The table is not on this instance: a plugin may be missing.",
    Refusal.NO_SUCH_API: "This instance does not offer that API: check SERVICENOW_INSTANCE and its plugins.",
    Refusal.API_ACL: "Give the account the role itil, then run `snowload health`.",
    Refusal.UNSCOPED_API: "Add a REST API Auth Scope for this API to the OAuth registry entry.",
    Refusal.QUERY_FIELD: "Give the account read access to the fields of this table.",
    Refusal.ACL: "Give the account the rights this table asks for (usually the role itil).",
    Refusal.BUSINESS_RULE: "A business rule of the instance refused the data: ask its owner; roles do not help.",
    Refusal.DATA_POLICY: "A data policy of the instance refused the data: ask its owner; roles do not help.",
    Refusal.DUPLICATE: "A record with this key exists already: run `snowload load` again.",
    Refusal.TOO_LARGE: "Lower servicenow.batch_size.",
}


def error_of(answer: Answer, what: str) -> SnowloadError:
    """The error for an answer that is no success. ``what`` is a noun phrase: ``reading cmdb_rel_type``."""
    words = answer.words
    match answer.kind:
        case AnswerKind.REFUSED:
            return _refused(answer, what)
        case AnswerKind.ASLEEP:
            return _asleep(answer, what)
        case AnswerKind.UNAUTHENTICATED:
            return NotAuthenticated(f"ServiceNow does not know the login used for {what} ({words}).")
        case AnswerKind.THROTTLED | AnswerKind.DROPPED:
            return Throttled(
                f"ServiceNow did not take {what}: {words}.",
                next_step="Try later, or lower servicenow.concurrency.",
                retry_after=answer.retry_after,
            )
        case AnswerKind.FAULT:
            return ServerFault(f"ServiceNow failed at {what}: {words}.", next_step="Try later.", status=answer.status)
        case _:
            return OutcomeUnknown(f"ServiceNow's answer to {what} is not whole: {words}.", next_step="Try again.")


def _refused(answer: Answer, what: str) -> SnowloadError:
    message = f"ServiceNow refused {what}: {answer.words}."
    next_step = _NEXT.get(answer.refusal or Refusal.OTHER, "")
    if answer.refusal in _RIGHTS:
        return NotAuthorised(message, next_step=next_step, detail=answer.words)
    return Rejected(message, next_step=next_step, status=answer.status, detail=answer.words)


def _asleep(answer: Answer, what: str) -> SnowloadError:
    return CmdbAsleep(
        f"ServiceNow did not answer {what}: {answer.message.rstrip('.')}.",
        next_step="Wake the instance at developer.servicenow.com, or check that SERVICENOW_INSTANCE is its address.",
    )
