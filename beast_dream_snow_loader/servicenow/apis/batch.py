"""Batch API: many reads in one request (servicenow-api 3)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from beast_dream_snow_loader.servicenow.answers import Answer, AnswerKind, judge
from beast_dream_snow_loader.servicenow.calling import Caller, Parameters, encode
from beast_dream_snow_loader.transport.messages import Response

_PER_REQUEST = 100
_ROUNDS = 3
_ACCEPT = ({"name": "Accept", "value": "application/json"},)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """One request inside the batch. ``body`` None: a GET; otherwise a write that may be sent twice."""

    path: str
    params: Parameters = ()
    method: str = "GET"
    body: bytes | None = None


class BatchApi:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def send(self, requests: Sequence[Inner]) -> list[Answer | None]:
        """One verdict per request, in order; None for one that was never served.

        What the instance left unserviced is sent again, three rounds in all. Only what may be sent twice belongs
        here: a request cut off by the quota comes back failed with unknown effect. Raises NotAuthorised, Rejected.
        """
        answers: dict[int, Answer] = {}
        waiting = list(range(len(requests)))
        for _ in range(_ROUNDS):
            for start in range(0, len(waiting), _PER_REQUEST):
                chunk = waiting[start : start + _PER_REQUEST]
                answers.update(self._round({index: requests[index] for index in chunk}))
            waiting = [index for index in waiting if index not in answers]
            if not waiting:
                break
        return [answers.get(index) for index in range(len(requests))]

    def _round(self, requests: Mapping[int, Inner]) -> dict[int, Answer]:
        reads = all(request.method == "GET" for request in requests.values())
        body = encode({"batch_request_id": "1", "rest_requests": [_wire(i, r) for i, r in requests.items()]})
        answer = self._caller.post("/api/now/v1/batch", "batch", body, reads=reads)
        result = self._caller.result(answer, "a batch of reads" if reads else "a batch")
        served = result.get("serviced_requests") if isinstance(result, Mapping) else None
        pairs = (_served(entry) for entry in served if isinstance(entry, Mapping)) if isinstance(served, list) else ()
        return {index: inner for index, inner in pairs if index in requests}


def succeeded(answer: Answer | None) -> bool:
    return answer is not None and answer.kind is AnswerKind.SUCCESS


def _wire(index: int, request: Inner) -> dict[str, object]:
    query = urlencode(list(request.params))
    wire: dict[str, object] = {
        "id": str(index),
        "method": request.method,
        "url": f"{request.path}?{query}" if query else request.path,
        "headers": list(_ACCEPT),
    }
    if request.body is not None:
        wire["headers"] = [*_ACCEPT, {"name": "Content-Type", "value": "application/json"}]
        wire["body"] = base64.b64encode(request.body).decode("ascii")
    return wire


def _served(entry: Mapping[str, object]) -> tuple[int, Answer]:
    """Its place and verdict; place -1 when the instance answers something that was not asked."""
    try:
        index = int(str(entry.get("id")))
        status = int(str(entry.get("status_code", 0)))
        body = base64.b64decode(str(entry.get("body") or ""), validate=False)
    except (ValueError, binascii.Error):
        return -1, Answer(kind=AnswerKind.UNREADABLE, status=0)
    return index, judge(Response(status=status, headers=_headers(entry.get("headers")), body=body, url=""))


def _headers(listed: object) -> dict[str, str]:
    entries = listed if isinstance(listed, list) else []
    return {
        str(entry.get("name", "")).lower(): str(entry.get("value", ""))
        for entry in entries
        if isinstance(entry, Mapping)
    }
