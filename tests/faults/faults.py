"""Every effect of the sandbox, once and for good: the rows of the matrix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from beast_dream_snow_loader.sandbox.faults import Effect, Fault, throttled, unavailable

READ_TIMEOUT = 1.5
HANGS = 2.5
"""Seconds, where the fault is silence; elsewhere nobody gives up before the answer is there."""
_UNTIL_TOLD = 3600.0
"""Seconds: it lasts until the client has given up, or the trial says that the time has come."""

_ONE = 1
_REFUSED = '{"error":{"message":"Insufficient rights","detail":"ACL"},"status":"failure"}'

_ALWAYS = {
    "503": unavailable(),
    "500 with HTML": Fault(effect=Effect.STATUS, status=500, body="<html>oops</html>"),
    "429, no header": throttled(),
    "401": Fault(effect=Effect.STATUS, status=401, body=_REFUSED),
    "403": Fault(effect=Effect.STATUS, status=403, body=_REFUSED),
    "404": Fault(effect=Effect.STATUS, status=404, body='{"error":{"message":"No Record found"}}'),
    "reset before": Fault(effect=Effect.RESET_BEFORE),
    "reset after": Fault(effect=Effect.RESET_AFTER),
    "late": Fault(effect=Effect.LATE, seconds=_UNTIL_TOLD),
    "twice": Fault(effect=Effect.TWICE),
    "silence": Fault(effect=Effect.HANG, seconds=HANGS),
    "drip": Fault(effect=Effect.DRIP, seconds=0.1),
    "cut body": Fault(effect=Effect.CUT_BODY),
    "cut JSON": Fault(effect=Effect.CUT_JSON),
    "hibernating": Fault(effect=Effect.HIBERNATING),
    "202, empty": Fault(effect=Effect.EMPTY_202),
    "redirect": Fault(effect=Effect.REDIRECT),
    "latency": Fault(effect=Effect.LATENCY, seconds=0.02),
}
_ONCE = {"429, Retry-After": throttled(retry_after=1, first=_ONE)}

FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        **{f"{name}, once": replace(fault, first=_ONE) for name, fault in _ALWAYS.items()},
        **{f"{name}, for good": fault for name, fault in _ALWAYS.items()},
        **{f"{name}, once": fault for name, fault in _ONCE.items()},
    }
)
"""By the name of the row."""
