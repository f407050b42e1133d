"""What every health check looks through: the settings, the state, both ends, and what may be put right on the way."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import orjson

from beast_dream_snow_loader.app.config import Settings
from beast_dream_snow_loader.app.doctor.ends import Ends
from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.clock import parse_rfc3339, rfc3339
from beast_dream_snow_loader.core.checkup import Check, CheckStatus
from beast_dream_snow_loader.errors import StateError
from beast_dream_snow_loader.operations.breaker_memory import CircuitState, Remembered
from beast_dream_snow_loader.operations.healing import Healing, Healings
from beast_dream_snow_loader.operations.health import HealthCheck, HealthStatus, given_up
from beast_dream_snow_loader.state.store import Store

_STATUS: Mapping[CheckStatus, HealthStatus] = {
    CheckStatus.FAIL: HealthStatus.UNHEALTHY,
    CheckStatus.WARN: HealthStatus.DEGRADED,
}


@dataclass(slots=True, kw_only=True)
class Sight:
    """``store`` is None where the state does not open. ``recover``: what is safe is put right. ``deep``: nothing of an
    earlier look is told again. ``before`` are the breakers as they were when this look began."""

    here: Ground
    store: Store | None
    ends: Ends
    recover: bool = True
    deep: bool = False
    healings: Healings = field(init=False)
    before: Mapping[str, Remembered] = field(init=False)

    def __post_init__(self) -> None:
        self.healings = Healings(self.here.clock, self.ends.listener)
        self.before = {}
        if self.store is not None:
            with suppress(StateError):  # the check of the database says why
                self.before = self.store.breakers.all()

    @property
    def settings(self) -> Settings:
        return self.here.settings

    @property
    def state(self) -> Store:
        """For checks that stand on ``database``: it is there."""
        assert self.store is not None
        return self.store

    def age(self, moment: datetime) -> timedelta:
        return self.here.clock.now() - moment

    def healing(self, what: str, detected: str, done: str) -> Healing | None:
        """None where nothing is to be put right, it was done too often, or this check was given up meanwhile."""
        return self.healings.begin(what, "health", detected, done) if self.recover and not given_up() else None

    def keep(self, key: str, text: str) -> None:
        """For later looks. Not by a check that was given up: the state may be closed by now."""
        if self.store is not None and not given_up():
            with suppress(StateError):  # then the next look costs as much as this one
                self.store.kept_checks.keep(key, text)

    def left_alone(self, name: str) -> HealthCheck | None:
        """While nothing may be put right, no probe is sent to what a breaker keeps alone: it could close it."""
        found = [one for key, one in self.before.items() if key == name or key.startswith(f"{name}.")]
        shut = [one for one in found if one.state is not CircuitState.CLOSED]
        if self.recover or not shut:
            return None
        told = f"not asked: its breaker is {shut[0].state.value}, and --no-recover sends no probe"
        return HealthCheck(name, HealthStatus.UNHEALTHY, told)

    def well_lately(self, name: str, of: object, look: Callable[[], HealthCheck]) -> HealthCheck:
        """``look``, or what an earlier one found well within ``health_check_interval_seconds``, of the same settings
        ``of``. What was not well is looked at anew every time."""
        return self._lately(name, of, look, timedelta(seconds=self.settings.health_check_interval_seconds))

    def lately(self, name: str, of: object, look: Callable[[], HealthCheck], within: timedelta) -> HealthCheck:
        """The same, well or not: for what is made of so much past that a look later says the same."""
        return self._lately(name, of, look, within, tuple(HealthStatus))

    def _lately(
        self,
        name: str,
        of: object,
        look: Callable[[], HealthCheck],
        within: timedelta,
        kept: Collection[HealthStatus] = (HealthStatus.HEALTHY,),
    ) -> HealthCheck:
        key = f"{name} {self.here.target}"
        digest = sha256(repr(of).encode()).hexdigest()
        before = self._kept(key, digest, within) if self.store is not None and not self.deep else None
        if before is not None:
            return before
        found = look()
        if found.status in kept:
            told: dict[str, Any] = {"of": digest, "at": rfc3339(self.here.clock.now()), "message": found.message}
            told |= {"status": found.status.value, "details": dict(found.details)}
            self.keep(key, orjson.dumps(told).decode())
        return found

    def _kept(self, key: str, digest: str, within: timedelta) -> HealthCheck | None:
        told = _read(self.state.kept_checks.look(key))
        try:
            at, status = parse_rfc3339(told["at"]), HealthStatus(told.get("status", HealthStatus.HEALTHY.value))
            if told["of"] != digest or not timedelta() <= self.age(at) < within:
                return None
            return HealthCheck(key, status, str(told["message"]), details=dict(told["details"]), as_of=at)
        except (KeyError, TypeError, ValueError):
            return None


def _read(text: str | None) -> dict[str, Any]:
    try:
        told = orjson.loads(text or "{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def well(message: str, **details: Any) -> HealthCheck:
    """Its name is that under which it is registered, as with the others here."""
    return HealthCheck("", HealthStatus.HEALTHY, message, details=details)


def poor(message: str, **details: Any) -> HealthCheck:
    return HealthCheck("", HealthStatus.DEGRADED, message, details=details)


def ill(message: str, **details: Any) -> HealthCheck:
    return HealthCheck("", HealthStatus.UNHEALTHY, message, details=details)


Judged = Callable[..., HealthCheck]
"""One of the three above."""


def judged(status: CheckStatus) -> Judged:
    return {CheckStatus.FAIL: ill, CheckStatus.WARN: poor}.get(status, well)


def folded(lines: Iterable[Check], otherwise: str) -> HealthCheck:
    """What lines of the doctor come to: those that are not well with what to do about them, else ``otherwise``."""
    listed = list(lines)
    bad = [line for line in listed if line.status in _STATUS]
    details = {"lines": len(listed), "not_well": len(bad)}
    if not bad:
        return well(otherwise, **details)
    told = " ".join(map(_sentences, bad))
    worst = ill if any(line.status is CheckStatus.FAIL for line in bad) else poor
    return worst(told, **details)


def _sentences(line: Check) -> str:
    found = f"{line.subject}: {line.found}" if line.subject else line.found
    return ". ".join(part.rstrip(".") for part in (found, line.fix) if part) + "."


def put_right(check: HealthCheck, told: str) -> HealthCheck:
    """The check, well again, with what was done."""
    return replace(check, status=HealthStatus.HEALTHY, recovered=told)
