"""Every recorded answer is understood for what it is, whatever its status code says (R1.3)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from beast_dream_snow_loader.servicenow.answers import Answer, AnswerKind, Refusal, judge
from beast_dream_snow_loader.servicenow.apis.ire_results import IreAnswer, read_answer
from beast_dream_snow_loader.servicenow.refusals import error_of
from beast_dream_snow_loader.transport.messages import Response

RECORDED = Path(__file__).parents[1] / "fixtures" / "servicenow"
HTML = {"content-type": "text/html;charset=UTF-8"}

UNDERSTOOD: dict[str, str] = {
    "batch-200": "success",
    "batch-get-elastic-200": "success",
    "batch-mixed-constructed-200": "success",
    "cmdb-instance-get-200": "success",
    "cmdb-instance-get-demisto-200": "success",
    "cmdb-instance-list-200": "success",
    "cmdb-instance-list-demisto-200": "success",
    "cmdb-instance-post-200": "success",
    "cmdb-instance-post-invalid-data-source": "refused: other",
    "cmdb-instance-post-missing-target-error": "fault",
    "cmdb-meta-computer-200": "success",
    "error-202-session-sync-constructed": "dropped",
    "error-400-invalid-table": "refused: invalid_table",
    "error-400-payload-too-large": "refused: too_large",
    "error-401-bearer-constructed": "unauthenticated",
    "error-401": "unauthenticated",
    "error-403-acl-insert": "refused: acl",
    "error-403-api-level-acl": "refused: api_acl",
    "error-403-business-rule": "refused: business_rule",
    "error-403-data-policy": "refused: data_policy",
    "error-403-oauth-unscoped-api": "refused: unscoped_api",
    "error-403-query-field-acl": "refused: query_field",
    "error-429-rate-limit": "throttled",
    "error-429-semaphore-constructed": "throttled",
    "error-500-cmdb-instance-nonstring": "fault",
    "headers-table-get-basic-auth": "truncated",  # its body was not printed
    "html-200-hibernating": "asleep",
    "importset-insertmultiple-201": "success",
    "importset-post-201": "success",
    "ire-200-haserror-invalid-data-source": "per item: INVALID_INPUT_DATA",
    "ire-enhanced-insert-as-partial-200": "per item: MISSING_MATCHING_ATTRIBUTES",
    "ire-enhanced-insert-summary-200": "per item: INSERT",
    "ire-enhanced-mixed-constructed-200": "per item: INSERT, MISSING_DEPENDENCY",
    "ire-identifyreconcile-update-200": "per item: UPDATE, UPDATE; relations: INSERT",
    "ire-query-200": "per item: UPDATE, UPDATE; relations: INSERT",
    "ire-queryenhanced-partial-200": "per item: MISSING_MATCHING_ATTRIBUTES",
    "ire-rest-insert-related-relation-200": "per item: INSERT, UPDATE; relations: INSERT",
    "ire-rest-no-change-madrid-200": "per item: NO_CHANGE",
    "ire-rest-queryenhanced-update-200": "per item: UPDATE",
    "ire-rest-two-updates-2021-200": "per item: UPDATE, UPDATE",
    "ire-script-insert-dependent": "per item: INSERT, INSERT; relations: INSERT",
    "ire-script-insert-lookup-related": "per item: INSERT, INSERT, INSERT; relations: INSERT",
    "ire-script-insert-netgear-lookup": "per item: INSERT",
    "ire-script-nochange-reclass-skipped": "per item: NO_CHANGE (SKIPPED_CLASS_SWITCH)",
    "ire-script-required-attribute-empty": "per item: REQUIRED_ATTRIBUTE_EMPTY",
    "ire-script-update-dependent": "per item: UPDATE, UPDATE; relations: NO_CHANGE",
    "ire-script-update-masked": "per item: UPDATE (MASKED_ATTRIBUTES)",
    "oauth-error-401-access-denied": "unauthenticated",
    "oauth-jwt-bearer-200": "success",
    "oauth-password-200": "success",
    "own-error-400-payload-too-large": "refused: too_large",
    "own-error-403-acl-insert": "refused: acl",
    "own-error-403-business-rule": "refused: business_rule",
    "own-error-403-duplicate": "refused: duplicate",
    "own-error-404-no-record": "refused: not_found",
    "own-html-200-hibernating": "asleep",
    "own-html-200-login": "asleep",
    "own-html-503-node-restart": "fault",
    "own-ire-200-merged-and-shuffled": "per item: UPDATE (MASKED_ATTRIBUTES), INSERT, UPDATE (MASKED_ATTRIBUTES)",
    "own-ire-200-older-release": "per item: NO_CHANGE, REQUIRED_ATTRIBUTE_EMPTY",
    "own-ire-200-source-unknown": "per item: INVALID_INPUT_DATA, INVALID_INPUT_DATA",
    "own-oauth-error-401": "unauthenticated",
    "own-redirect-302-developer-site": "asleep",
    "own-table-200-truncated-json": "truncated",
    "own-table-200-truncated-quota": "truncated",
    "own-table-delete-204": "success",
    "own-table-empty-200": "success",
    "own-table-post-no-body-201": "success",
    "stats-count-constructed-200": "success",
    "stats-groupby-200": "success",
    "table-200-truncated-timeout": "truncated",
    "table-get-displayvalue-all-constructed-200": "success",
    "table-get-dotwalk-displayvalue-200": "success",
    "table-get-link-header-constructed-200": "success",
    "table-get-list-200": "success",
    "table-get-record-200": "success",
    "table-patch-200": "success",
    "table-post-201": "success",
    "wire-delete-again-404": "refused: not_found",
    "wire-delete-bad-id-404": "refused: not_found",
    "wire-delete-incident-204": "success",
    "wire-get-bad-credentials-401": "unauthenticated",
    "wire-get-empty-200": "success",
    "wire-get-fields-page1-200": "success",
    "wire-get-fields-page2-200": "success",
    "wire-get-one-row-of-129-200": "success",
    "wire-get-ordered-page-200": "success",
    "wire-post-duplicate-sys-id-403": "refused: duplicate",
    "wire-post-incident-201": "success",
    "wire-post-incident-no-body-201": "success",
    "wire-put-incident-200": "success",
}


def recorded() -> list[Path]:
    return sorted(RECORDED.glob("*.json"))


@pytest.mark.parametrize("file", recorded(), ids=lambda file: file.stem)
def test_a_recorded_answer_is_understood(file: Path) -> None:
    assert shown(json.loads(file.read_text("utf-8"))) == UNDERSTOOD[file.stem]


def test_there_are_recorded_answers_of_every_sort() -> None:
    sorts = {UNDERSTOOD[file.stem].split(":")[0] for file in recorded()}
    assert sorts >= {"success", "refused", "per item", "asleep", "truncated", "throttled", "unauthenticated", "fault"}


def shown(fixture: dict[str, Any]) -> str:
    """The verdict in one line: for the identification engine, what became of each item and relation."""
    answer = judge(response_of(fixture["response"]))
    if answer.kind is AnswerKind.REFUSED:
        return f"refused: {answer.refusal}"
    if not fixture["fixture"].removeprefix("own-").startswith("ire-") or answer.kind is not AnswerKind.SUCCESS:
        return str(answer.kind)
    read = ire_answer(fixture, answer)
    items = ", ".join(_item(read, index) for index in sorted(read.items))
    edges = ", ".join(read.relations[index].operation for index in sorted(read.relations))
    return f"per item: {items}" + (f"; relations: {edges}" if edges else "")


def ire_answer(fixture: dict[str, Any], answer: Answer) -> IreAnswer:
    request = fixture["request"] or {}
    sent = request["body"] if isinstance(request.get("body"), dict) else answer.result
    assert isinstance(sent, dict)
    read = read_answer(answer.result, len(sent["items"]), len(sent.get("relations") or []))
    assert read is not None
    return read


def _item(read: IreAnswer, index: int) -> str:
    result = read.items[index]
    notes = ", ".join(note.code for note in result.notes)
    return (result.operation if not result.issues else result.issue.code) + (f" ({notes})" if notes else "")


def response_of(recorded: dict[str, Any]) -> Response:
    body = json.dumps(recorded["body"]) if "body" in recorded else recorded.get("body_text") or ""
    headers = {name.lower(): str(value) for name, value in (recorded.get("headers") or {}).items()}
    return Response(status=recorded["status"], headers=headers, body=body.encode(), url="")


def answered(status: int, body: bytes = b"", **headers: str) -> Answer:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return judge(Response(status=status, headers=names, body=body, url=""))


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("https://developer.servicenow.com/dev.do#!/home?wu=true", "hibernates"),
        ("https://idp.example/saml?SAMLRequest=secret", "redirects to idp.example"),
        ("/login.do", "login page"),
    ],
)
def test_a_redirect_is_never_an_answer(location: str, said: str) -> None:
    answer = answered(302, location=location)
    assert (answer.kind, said in answer.message) == (AnswerKind.ASLEEP, True)
    assert "secret" not in answer.message


def test_a_login_page_with_status_200_is_no_success() -> None:
    page = b"<html><head><title>Log in | ServiceNow</title></head><body><input type='password'></body></html>"
    assert judge(Response(status=200, headers=HTML, body=page, url="")).kind is AnswerKind.ASLEEP


def test_a_hibernation_page_is_known_at_any_status() -> None:
    page = b"<html><head><title>Instance Hibernating page</title></head></html>"
    assert judge(Response(status=503, headers=HTML, body=page, url="")).kind is AnswerKind.ASLEEP


def test_the_page_of_a_proxy_with_status_200_is_unreadable() -> None:
    assert answered(200, b"<html>Welcome to the guest network</html>").kind is AnswerKind.UNREADABLE


@given(st.data())
def test_json_that_breaks_off_is_never_a_success(data: st.DataObject) -> None:
    values = st.dictionaries(st.text(max_size=5), st.text(max_size=8) | st.none(), max_size=3)
    whole = json.dumps({"result": data.draw(st.lists(values, max_size=3))}).encode()
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert answered(200, whole[:cut]).kind is AnswerKind.TRUNCATED


@given(st.integers(100, 599), st.binary(max_size=80))
def test_no_answer_whatever_makes_judging_fail(status: int, body: bytes) -> None:
    answer = answered(status, body)
    assert answer.kind is not AnswerKind.SUCCESS or status < 300


@pytest.mark.parametrize(
    ("status", "message", "detail", "error"),
    [
        (403, "Operation Failed", "ACL Exception Insert Failed due to security constraints", NotAuthorised),
        (403, "User Not Authorized", "Failed API level ACL Validation", NotAuthorised),
        (403, "Operation Failed", "Data Policy Exception: The following fields are mandatory: Name", Rejected),
        (400, "Invalid table x", None, Rejected),
        (500, "Transaction cancelled", "", ServerFault),
        (429, "Rate limit exceeded", "Rate limit of 100", Throttled),
    ],
)
def test_an_error_carries_servicenows_own_words(
    status: int, message: str, detail: str | None, error: type[SnowloadError]
) -> None:
    body = json.dumps({"error": {"message": message, "detail": detail}, "status": "failure"}).encode()
    raised = error_of(answered(status, body), "reading cmdb_ci")
    assert type(raised) is error
    assert message in str(raised)
    assert (detail or "") in str(raised)
    if isinstance(raised, (Rejected, NotAuthorised)):
        assert raised.detail.startswith(f"{status} {message}")


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b'{"result":[', OutcomeUnknown),
        (202, b"", Throttled),
        (401, b"", NotAuthenticated),
        (302, b"", CmdbAsleep),
    ],
)
def test_each_verdict_is_raised_as_its_own_error(status: int, body: bytes, error: type[SnowloadError]) -> None:
    assert type(error_of(answered(status, body), "reading cmdb_ci")) is error


def test_a_message_never_repeats_the_payload() -> None:
    """S: ServiceNow puts the offending item into its message."""
    body = json.dumps({"error": {"message": "No", "detail": 'payload item \'{"serial":"S3CRET"}\''}}).encode()
    assert "S3CRET" not in str(error_of(answered(400, body), "a batch"))


def test_retry_after_is_read() -> None:
    raised = error_of(answered(429, retry_after="17"), "reading cmdb_ci")
    assert isinstance(raised, Throttled)
    assert raised.retry_after == 17.0


def test_a_refusal_without_an_envelope_is_sorted_by_its_status() -> None:
    assert answered(403, b"").refusal is Refusal.ACL
