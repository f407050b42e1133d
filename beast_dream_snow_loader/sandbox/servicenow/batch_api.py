"""The Batch API: several requests in one, one after another, as the same user, without a common transaction."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote, urlsplit

from beast_dream_snow_loader.sandbox.messages import HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.servicenow.backend import Backend
from beast_dream_snow_loader.sandbox.servicenow.calls import (
    ApiError,
    Call,
    Reply,
    failure,
    method_not_allowed,
    no_resource,
)

Dispatch = Callable[[HttpRequest, Call], HttpAnswer]
"""Answers one inner request for the account of the outer call."""

_TIMED_OUT = "Transaction cancelled: maximum execution time exceeded"
_DEFAULT_SIZES = {"inputSize": 5 * 1024 * 1024, "outputSize": 10 * 1024 * 1024}


class BatchApi:
    def __init__(self, backend: Backend, dispatch: Dispatch) -> None:
        self._backend = backend
        self._dispatch = dispatch

    def answer(self, call: Call) -> Reply:
        """Not called under the instance's lock: each item takes it for itself. ApiError."""
        if call.segments:
            raise no_resource()
        if call.method != "POST":
            raise method_not_allowed()
        body = call.json_object()
        items = body.get("rest_requests")
        if not isinstance(items, list):
            raise ApiError(400, "Exception while reading request", "rest_requests is missing")
        serviced, unserviced = self._run(call, [item for item in items if isinstance(item, dict)])
        return Reply(
            body={
                "batch_request_id": str(body.get("batch_request_id", "")),
                "serviced_requests": serviced,
                "unserviced_requests": unserviced,
            }
        )

    def _run(self, call: Call, items: Sequence[Mapping[str, object]]) -> tuple[list[dict[str, object]], list[str]]:
        serviced: list[dict[str, object]] = []
        unserviced: list[str] = []
        clock, options = self._backend.instance.clock, self._backend.options
        started, produced = clock.monotonic(), 0
        for item in items:
            identity = str(item.get("id", ""))
            spent = clock.monotonic() - started
            full = options.batch_items is not None and len(serviced) >= options.batch_items
            if full or spent >= options.batch_seconds or produced > self._output_limit(call):
                unserviced.append(identity)
                continue
            answered = self._item(call, identity, item)
            if options.batch_times_out_running and clock.monotonic() - started >= options.batch_seconds:
                answered = _timed_out(answered)
            produced += len(str(answered["body"]))
            serviced.append(answered)
        return serviced, unserviced

    def _item(self, call: Call, identity: str, item: Mapping[str, object]) -> dict[str, object]:
        clock = self._backend.instance.clock
        started = clock.monotonic()
        try:
            answer = self._dispatch(_inner_request(item, self._size("inputSize")), call)
        except ApiError as error:
            reply = error.reply()
            answer = HttpAnswer(status=reply.status, body=reply.encoded())
        headers = [] if item.get("exclude_response_headers") is True else answer.headers
        return {
            "id": identity,
            "body": base64.b64encode(answer.body).decode(),
            "status_code": answer.status,
            "status_text": HTTPStatus(answer.status).phrase,
            "headers": [{"name": name, "value": value} for name, value in headers],
            "execution_time": int((clock.monotonic() - started) * 1000),
        }

    def _size(self, name: str) -> int:
        text = self._backend.instance.system_property(f"glide.rest.batch.max.{name}")
        return int(text) if text.isdigit() else _DEFAULT_SIZES[name]

    def _output_limit(self, call: Call) -> int:
        asked = call.header("X-BATCHREQUEST-MAX-OUTPUT-SIZE")
        return min(int(asked), self._size("outputSize")) if asked.isdigit() else self._size("outputSize")


def _inner_request(item: Mapping[str, object], largest: int) -> HttpRequest:
    parts = urlsplit(str(item.get("url", "")))
    try:
        body = base64.b64decode(str(item.get("body") or ""), validate=True)
    except binascii.Error as error:
        raise ApiError(400, "Exception while reading request", "The body is not base64 encoded") from error
    if len(body) > largest:
        raise ApiError(400, "Exception while reading request", f"Request size exceeds {largest} bytes")
    sent = item.get("headers")
    headers = {str(one["name"]).lower(): str(one.get("value", "")) for one in sent} if isinstance(sent, list) else {}
    return HttpRequest(
        method=str(item.get("method", "GET")).upper(),
        path=unquote(parts.path),
        query=tuple(parse_qsl(parts.query, keep_blank_values=True)),
        headers=headers,
        body=body,
    )


def _timed_out(answered: Mapping[str, object]) -> dict[str, object]:
    """The item was running when the time was up: it is reported as failed, whatever it did."""
    body = Reply(body=failure(_TIMED_OUT, _TIMED_OUT)).encoded()
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return {
        **answered,
        "body": base64.b64encode(body).decode(),
        "status_code": status.value,
        "status_text": status.phrase,
    }
