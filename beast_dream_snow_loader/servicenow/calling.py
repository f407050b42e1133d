"""One call to the instance: address it, send it, judge the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.errors import SnowloadError
from beast_dream_snow_loader.operations.criticality import Criticality
from beast_dream_snow_loader.servicenow.answers import Answer, AnswerKind, judge
from beast_dream_snow_loader.servicenow.config import ServiceNowSettings
from beast_dream_snow_loader.servicenow.logins import login_refused
from beast_dream_snow_loader.servicenow.refusals import error_of
from beast_dream_snow_loader.transport.messages import Request
from beast_dream_snow_loader.transport.port import Transport

Parameters = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """What every API of the instance is called through."""

    settings: ServiceNowSettings
    transport: Transport
    clock: Clock

    def get(self, path: str, operation: str, params: Parameters = ()) -> Answer:
        """The verdict on a read. Raises what the transport raises."""
        return self._send(
            Request(
                method="GET",
                url=self._url(path),
                operation=operation,
                params=tuple(params),
                headers={"Accept": "application/json"},
                repeatable=True,
                reads=True,
            )
        )

    def post(self, path: str, operation: str, body: bytes, params: Parameters = (), *, reads: bool = False) -> Answer:
        """The verdict on a JSON body. Only a read in a body is sent twice: a write whose answer was lost is looked up.

        It may take as long as the whole call is allowed to: an IRE batch needs more than a read.
        """
        return self._with_body("POST", path, operation, body, params, reads=reads)

    def patch(self, path: str, operation: str, body: bytes, params: Parameters = ()) -> Answer:
        """The verdict on a change of one record. It is not sent twice either."""
        return self._with_body("PATCH", path, operation, body, params, reads=False)

    def _with_body(
        self, method: str, path: str, operation: str, body: bytes, params: Parameters, *, reads: bool
    ) -> Answer:
        return self._send(
            Request(
                method=method,
                url=self._url(path),
                operation=operation,
                params=tuple(params),
                headers={"Accept": "application/json", "Content-Type": "application/json"},
                body=body,
                repeatable=reads,
                reads=reads,
                timeout=self.settings.total_timeout_seconds,
                criticality=Criticality.ROUTINE if reads else Criticality.ESSENTIAL,
            )
        )

    def delete(self, path: str, operation: str) -> Answer:
        """The verdict on removing a row that its path names: sent twice, it removes no more than sent once."""
        return judge(
            self.transport.send(
                Request(
                    method="DELETE",
                    url=self._url(path),
                    operation=operation,
                    headers={"Accept": "application/json"},
                    repeatable=True,
                    criticality=Criticality.ESSENTIAL,
                )
            ),
            bodiless=True,
        )

    def result(self, answer: Answer, what: str) -> object:
        """What a successful answer holds; the error for any other."""
        if answer.kind is not AnswerKind.SUCCESS:
            raise self.error(answer, what)
        return answer.result

    def error(self, answer: Answer, what: str) -> SnowloadError:
        if answer.kind is AnswerKind.UNAUTHENTICATED:
            return login_refused(self.settings, self.clock)
        return error_of(answer, what)

    def _url(self, path: str) -> str:
        return f"{self.settings.instance.rstrip('/')}{path}"

    def _send(self, request: Request) -> Answer:
        return judge(self.transport.send(request))


def encode(value: Mapping[str, object]) -> bytes:
    """Strict JSON."""
    return orjson.dumps(value)
