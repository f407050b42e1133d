"""What an answer of ServiceNow really means. The status code alone never tells (servicenow-api 8).

A 200 may be the page of a sleeping instance, a list cut short by the transaction quota or a refusal; a 403 is as often
a matter of data as of rights; a 202 with nothing in it means the request was thrown away.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

import orjson

from beast_dream_snow_loader.redaction import masked
from beast_dream_snow_loader.transport.messages import Response


class AnswerKind(StrEnum):
    SUCCESS = "success"
    REFUSED = "refused"
    """ServiceNow's error envelope: nothing happened. ``refusal`` says of which sort."""
    ASLEEP = "asleep"
    """The hibernation page, or a login page where an API should be."""
    TRUNCATED = "truncated"
    """A result and an error in one body, or JSON that breaks off."""
    DROPPED = "dropped"
    """202 and empty: the session's queue threw the request away unprocessed (servicenow-api 9.4)."""
    THROTTLED = "throttled"
    UNAUTHENTICATED = "unauthenticated"
    FAULT = "fault"
    """5xx."""
    UNREADABLE = "unreadable"
    """A success status around something that is not ServiceNow's: a proxy's page."""


class Refusal(StrEnum):
    """Sorts of refusal, told apart because somebody acts differently on each."""

    INVALID_TABLE = "invalid_table"
    NO_SUCH_API = "no_such_api"
    NOT_FOUND = "not_found"
    TOO_LARGE = "too_large"
    DUPLICATE = "duplicate"
    """``Error during insert``: a sys_id or unique key that exists; the only sign ServiceNow gives."""
    BUSINESS_RULE = "business_rule"
    DATA_POLICY = "data_policy"
    API_ACL = "api_acl"
    UNSCOPED_API = "unscoped_api"
    QUERY_FIELD = "query_field"
    ACL = "acl"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``result`` is the parsed JSON below ``result`` (or the whole body where an API has no wrapper); it goes no
    further than ``apis/``. ``message`` and ``detail`` are ServiceNow's words, cut and without payloads.

    ``total`` is X-Total-Count; ``retry_after`` is in seconds.
    """

    kind: AnswerKind
    status: int
    result: object = None
    message: str = ""
    detail: str = ""
    refusal: Refusal | None = None
    total: int | None = None
    retry_after: float | None = None

    @property
    def words(self) -> str:
        """Message and detail as one text, with the status: ``403 Operation Failed: ACL Exception …``."""
        said = ": ".join(dict.fromkeys(part for part in (self.message, self.detail) if part))
        return f"{self.status} {said}".strip()


# ServiceNow has no machine-readable error code in its envelope, so its texts are all there is to go by. The first
# that fits wins: "No Record found" also speaks of ACLs in its detail.
_SIGNS: tuple[tuple[Refusal, re.Pattern[str]], ...] = tuple(
    (refusal, re.compile(pattern, re.IGNORECASE))
    for refusal, pattern in (
        (Refusal.INVALID_TABLE, r"\binvalid table\b|\btable \S+ does not exist"),
        (Refusal.NO_SUCH_API, r"requested uri does not represent any resource"),
        (Refusal.NOT_FOUND, r"no record found"),
        (Refusal.TOO_LARGE, r"rejected large rest payload"),
        (Refusal.API_ACL, r"failed api level acl validation"),
        (Refusal.UNSCOPED_API, r"access to unscoped api|missing required api access scope"),
        (Refusal.QUERY_FIELD, r"insufficient rights to query records|field\(s\) present in the query"),
        (Refusal.DATA_POLICY, r"data policy exception"),
        (Refusal.BUSINESS_RULE, r"aborted by business rule"),
        (Refusal.ACL, r"acl exception|security constraints"),
        (Refusal.DUPLICATE, r"error during insert of"),
    )
)
_BY_STATUS = {403: Refusal.ACL, 404: Refusal.NOT_FOUND, 413: Refusal.TOO_LARGE, 501: Refusal.NO_SUCH_API}
_HIBERNATING = re.compile(rb"<title>[^<]*hibernat|instance is hibernating", re.IGNORECASE)
_LOGIN = re.compile(rb"login\.do|type=[\"']?password|<title>[^<]*log ?in\b", re.IGNORECASE)
_PAYLOAD = re.compile(r"'?\{.*\}'?", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_WORDS_MAX = 400


def judge(response: Response, *, bodiless: bool = False) -> Answer:
    """The verdict on one answer. ``bodiless``: a success needs no body (DELETE). Never raises."""
    special = _redirected(response) or _by_page(response) or _by_status(response)
    if special is not None:
        return special
    body = response.body.strip()
    if not body:
        return _empty(response, bodiless)
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _unparsable(response, body)
    return _by_payload(response, payload)


def said(text: object) -> str:
    """Words of ServiceNow fit to be shown: one line, cut, and without the payload and the secrets it may repeat."""
    if not isinstance(text, str):
        return ""
    line = _CONTROL.sub(" ", masked(_PAYLOAD.sub("…", text))).strip()
    return line if len(line) <= _WORDS_MAX else f"{line[: _WORDS_MAX - 1]}…"


def _redirected(response: Response) -> Answer | None:
    if not 300 <= response.status < 400:
        return None
    host = urlsplit(response.header("location") or "").hostname or ""
    asleep = host == "developer.servicenow.com"
    message = "the instance hibernates" if asleep else f"it redirects to {host or 'its own login page'}"
    return Answer(kind=AnswerKind.ASLEEP, status=response.status, message=message)


def _by_page(response: Response) -> Answer | None:
    """Pages are known by their text at any status: a hibernating instance answers 200, a proxy in front 503."""
    body = response.body.lstrip()
    if not (body[:1] == b"<" or "text/html" in (response.header("content-type") or "").lower()):
        return None
    if _HIBERNATING.search(body):
        return Answer(kind=AnswerKind.ASLEEP, status=response.status, message="the instance hibernates")
    if response.status < 300 and _LOGIN.search(body):
        return Answer(kind=AnswerKind.ASLEEP, status=response.status, message="it shows a login page")
    return None


def _by_status(response: Response) -> Answer | None:
    """The few cases in which the status does say what happened, whatever is in the body."""
    if response.status == 202 and not response.body.strip():
        return Answer(kind=AnswerKind.DROPPED, status=202, message="the session's queue dropped the request")
    kinds = {401: AnswerKind.UNAUTHENTICATED, 429: AnswerKind.THROTTLED}
    kind = AnswerKind.FAULT if response.status >= 500 and response.status != 501 else kinds.get(response.status)
    if kind is None:
        return None
    message, detail = _envelope_words(_parsed_or_none(response.body))
    return Answer(
        kind=kind, status=response.status, message=message, detail=detail, retry_after=_seconds(response, "retry-after")
    )


def _empty(response: Response, bodiless: bool) -> Answer:
    if response.status in (201, 204) or (bodiless and response.status == 200):
        return Answer(kind=AnswerKind.SUCCESS, status=response.status)
    if response.status >= 400:
        return _refused(response, "", "")
    return Answer(kind=AnswerKind.TRUNCATED, status=response.status, message="the answer is empty")


def _unparsable(response: Response, body: bytes) -> Answer:
    if response.status >= 400:
        return _refused(response, "", "")
    if body[:1] in (b"{", b"["):
        return Answer(kind=AnswerKind.TRUNCATED, status=response.status, message="the JSON breaks off")
    return Answer(kind=AnswerKind.UNREADABLE, status=response.status, message="a page, not JSON")


def _by_payload(response: Response, payload: object) -> Answer:
    wrapped = isinstance(payload, Mapping) and "result" in payload
    message, detail = _envelope_words(payload)
    failed = bool(message or detail) or (isinstance(payload, Mapping) and payload.get("status") == "failure")
    if wrapped and failed and response.status < 400:
        return Answer(kind=AnswerKind.TRUNCATED, status=response.status, message=message, detail=detail)
    if failed:
        return _refused(response, message, detail)
    if response.status >= 400:
        return _refused(response, *_first_item_error(payload))
    result = payload["result"] if wrapped and isinstance(payload, Mapping) else payload
    return Answer(kind=AnswerKind.SUCCESS, status=response.status, result=result, total=_total(response))


def _refused(response: Response, message: str, detail: str) -> Answer:
    text = f"{message} {detail}"
    signs = (refusal for refusal, pattern in _SIGNS if pattern.search(text))
    refusal = next(signs, _BY_STATUS.get(response.status, Refusal.OTHER))
    return Answer(kind=AnswerKind.REFUSED, status=response.status, message=message, detail=detail, refusal=refusal)


def _envelope_words(payload: object) -> tuple[str, str]:
    """Message and detail from the REST envelope or the token endpoint's own form of it."""
    if not isinstance(payload, Mapping):
        return "", ""
    error = payload.get("error")
    if isinstance(error, Mapping):
        return said(error.get("message")), said(error.get("detail"))
    if isinstance(error, str):
        return said(error), said(payload.get("error_description"))
    return "", ""


def _first_item_error(payload: object) -> tuple[str, str]:
    """The CMDB Instance API refuses with IRE's envelope below ``result`` and no ``error`` beside it."""
    items = payload.get("result", {}) if isinstance(payload, Mapping) else {}
    items = items.get("items") if isinstance(items, Mapping) else None
    for item in items if isinstance(items, list) else []:
        for error in item.get("errors") or [] if isinstance(item, Mapping) else []:
            if isinstance(error, Mapping):
                return said(error.get("error")), said(error.get("message"))
    return "", ""


def _parsed_or_none(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _total(response: Response) -> int | None:
    seconds = _seconds(response, "x-total-count")
    return None if seconds is None else int(seconds)


def _seconds(response: Response, header: str) -> float | None:
    try:
        number = float(response.header(header) or "")
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None
