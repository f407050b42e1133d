"""Whether this account may use the identification engine at all (R6.4)."""

from __future__ import annotations

from contextlib import suppress

from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.mapping_tables import HARDWARE
from beast_dream_snow_loader.errors import ReadOnlyMode, Refused
from beast_dream_snow_loader.servicenow.answers import Answer, AnswerKind, Refusal
from beast_dream_snow_loader.servicenow.apis.ire import IreApi
from beast_dream_snow_loader.servicenow.calling import Caller, encode

_SHUT = frozenset({Refusal.ACL, Refusal.API_ACL, Refusal.UNSCOPED_API, Refusal.NO_SUCH_API, Refusal.NOT_FOUND})
_MADE_UP = {"className": HARDWARE, "values": {"name": "snowload asks whether it may", "serial_number": "SNOWLOADMAYI"}}


def shut(answer: Answer) -> bool:
    """The account has no right to the engine, or the instance does not offer it: nothing was done."""
    return answer.kind is AnswerKind.REFUSED and answer.refusal in _SHUT


class EngineDoor:
    def __init__(self, caller: Caller) -> None:
        self._ire = IreApi(caller)

    def usable(self) -> tuple[bool, tuple[Finding, ...]]:
        """One simulation of a made-up device. Rights may differ by resource, so where that is refused the writing one
        is asked with nothing to write; in a dry run and in read-only mode, which must not, the refusal counts for both.
        A load that may write asks again."""
        answer = self._ire.query_enhanced(encode({"items": [_MADE_UP]}))
        if not shut(answer):
            return True, ()
        with suppress(Refused, ReadOnlyMode):
            answer = self._ire.enhanced(encode({"items": []}))
        return (False, (unavailable(answer.words),)) if shut(answer) else (True, ())


def unavailable(words: str) -> Finding:
    message = (
        f"The identification engine is not available to this account ({words}): CIs cannot be identified against those "
        "of others. Give the account the role itil, or its OAuth entry the scope of the Identification and "
        "Reconciliation API; the next load uses it."
    )
    return Finding(record="instance", rule="engine.unavailable", severity=Severity.WARNING, message=message)
