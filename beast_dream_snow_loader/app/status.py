"""The use case behind ``snowload health``: is everything working now."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from beast_dream_snow_loader.app import degraded
from beast_dream_snow_loader.app.doctor.ends import Answers, Ends
from beast_dream_snow_loader.app.failing import failed
from beast_dream_snow_loader.app.ground import Ground, ground
from beast_dream_snow_loader.app.health.names import DATABASE, PAGES
from beast_dream_snow_loader.app.health.registry import registered
from beast_dream_snow_loader.app.health.sight import Sight
from beast_dream_snow_loader.app.listening import healings_to_log
from beast_dream_snow_loader.app.opening import opened_within
from beast_dream_snow_loader.app.options import Place
from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.app.textfile import Exposure, with_textfile
from beast_dream_snow_loader.app.waiting import time_to_wait
from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.exit_codes import HEALTH, HealthCode, code_of_failure
from beast_dream_snow_loader.core.mapping_rules import MappingRules
from beast_dream_snow_loader.errors import BadArgument, SnowloadError, StateError
from beast_dream_snow_loader.operations.health import HealthCheck, HealthReport, HealthStatus
from beast_dream_snow_loader.state.store import Store
from beast_dream_snow_loader.transport.observing import RequestMeter

_CODES = {
    HealthStatus.HEALTHY: HealthCode.HEALTHY,
    HealthStatus.DEGRADED: HealthCode.DEGRADED,
    HealthStatus.UNHEALTHY: HealthCode.UNHEALTHY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthOptions:
    """``only`` are names or kinds of checks; ``timeout`` is a duration for each of them. ``recover``: what is safe is
    put right on the way."""

    place: Place
    only: tuple[str, ...] = ()
    timeout: str = "10s"
    deep: bool = False
    recover: bool = True


def health(options: HealthOptions) -> Result:
    """Every dependency, side by side. What keeps the checks themselves from running is status ``unknown``."""
    exposure = Exposure(command=HEALTH, place=options.place)
    return with_textfile(exposure, lambda: _examined(options, exposure))


def _examined(options: HealthOptions, exposure: Exposure) -> Result:
    try:
        with ExitStack() as stack:
            here = stack.enter_context(ground(options.place))
            store, broken = _store(here, stack, _limit(options.timeout))
            stack.enter_context(exposure.at(here, store, unreadable=broken is not None))
            report = look(options, here, store, broken)
            return _result(here, store, report, broken)
    except SnowloadError as error:
        result = failed(HEALTH, error, environment=options.place.environment or "")
        return Result(
            command=HEALTH,
            status="unknown",
            exit_code=code_of_failure(HEALTH, error),
            environment=result.environment,
            generated_at=result.generated_at,
            error=error,
        )


def look(options: HealthOptions, here: Ground, store: Store | None, broken: StateError | None = None) -> HealthReport:
    """What every check found. ``broken`` says why there is no ``store``. Raises BadArgument for a check that there is
    not, or no time."""
    limit = _limit(options.timeout)
    ends = Ends(
        here=here,
        listener=healings_to_log(here),
        meter=RequestMeter(),
        answers=Answers(here.clock),
        rules=MappingRules(),
        store=store,
        beside=True,
    )
    sight = Sight(here=here, store=store, ends=ends, recover=options.recover, deep=options.deep)
    monitor = registered(sight, limit, broken)
    if absent := monitor.unknown(options.only):
        raise BadArgument(
            f"There is no health check {', '.join(absent)}.", next_step=f"There are: {', '.join(monitor.names)}."
        )
    checks = asyncio.run(monitor.run_all_checks(options.only, deep=options.deep))
    return HealthReport(checks=tuple(checks), at=here.clock.now())


def _limit(timeout: str) -> timedelta:
    limit = time_to_wait(timeout, "--timeout")
    if not limit:
        raise BadArgument("No check can be made in no time.", next_step="Write --timeout 10s.")
    return limit


def _store(here: Ground, stack: ExitStack, limit: timedelta) -> tuple[Store | None, StateError | None]:
    """The state, or what is wrong with it: then both ends are looked at all the same. It has the time of a check."""
    try:
        return stack.enter_context(opened_within(here, limit.total_seconds())), None
    except StateError as error:
        return None, error


def _result(here: Ground, store: Store | None, report: HealthReport, broken: StateError | None) -> Result:
    looked = [check for check in report.checks if check.name in (DATABASE, PAGES)]
    if any(check.status is HealthStatus.UNHEALTHY for check in looked):
        store = None  # nothing in it is to be relied on
    return Result(
        command=HEALTH,
        status=report.status.value,
        exit_code=_CODES[report.status],
        environment=here.environment,
        generated_at=rfc3339(report.at),
        body={
            "checks": [_row(check) for check in report.checks],
            "causes": [check.name for check in report.causes],
            degraded.NAME: degraded.of_health(report.checks, here, store),
        },
        error=broken if looked else None,
    )


def _row(check: HealthCheck) -> Mapping[str, Any]:
    return {
        "name": check.name,
        "status": check.status.value,
        "message": check.message,
        "response_time_ms": check.response_time_ms,
        "details": dict(check.details),
        "parents": list(check.parents),
        "explained_by": check.explained_by or None,
        "recovered": check.recovered or None,
        "as_of": rfc3339(check.as_of) if check.as_of is not None else None,
    }
