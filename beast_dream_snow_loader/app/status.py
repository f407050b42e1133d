"""The use case behind ``snowload health``: is everything working now."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from beast_dream_snow_loader.app import degraded
from beast_dream_snow_loader.app.failing import failed
from beast_dream_snow_loader.app.ground import Ground, ground
from beast_dream_snow_loader.app.logins import servicenow_methods
from beast_dream_snow_loader.app.options import Place
from beast_dream_snow_loader.app.places import state_directory
from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.app.waiting import time_to_wait
from beast_dream_snow_loader.app.wiring import Wiring, opened, wire
from beast_dream_snow_loader.clock import SystemClock, rfc3339
from beast_dream_snow_loader.core.events import ignore
from beast_dream_snow_loader.core.exit_codes import HealthCode
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS
from beast_dream_snow_loader.errors import BadArgument, SnowloadError, StateError
from beast_dream_snow_loader.operations.health import HealthCheck, HealthMonitor, HealthStatus
from beast_dream_snow_loader.state.private_files import private_directory
from beast_dream_snow_loader.state.store import Store

_CODES = {
    HealthStatus.HEALTHY: HealthCode.HEALTHY,
    HealthStatus.DEGRADED: HealthCode.DEGRADED,
    HealthStatus.UNHEALTHY: HealthCode.UNHEALTHY,
}


def health(place: Place, *, only: Sequence[str], timeout: str) -> Result:
    """Every dependency, side by side. What keeps the checks themselves from running is status ``unknown``."""
    try:
        with ExitStack() as stack:
            here = stack.enter_context(ground(place))
            store = stack.enter_context(opened(here))
            wiring = wire(here, store, ignore, dry_run=True, spare=True)
            monitor = _monitor(here, store, wiring, timeout, only)
            return _result(here, store, asyncio.run(monitor.run_all_checks(only)))
    except StateError as error:
        return _broken_state(place, error)
    except SnowloadError as error:
        result = failed("health", error, environment=place.environment or "")
        return Result(
            command="health",
            status="unknown",
            exit_code=HealthCode.UNKNOWN,
            environment=result.environment,
            generated_at=result.generated_at,
            error=error,
        )


def _broken_state(place: Place, error: StateError) -> Result:
    """The one check that failed, red: without the state the others were not run."""
    check = HealthCheck("database", HealthStatus.UNHEALTHY, str(error), details={"code": error.code})
    return Result(
        command="health",
        status=HealthStatus.UNHEALTHY.value,
        exit_code=HealthCode.UNHEALTHY,
        environment=place.environment or "",
        generated_at=rfc3339(SystemClock().now()),
        body={"checks": [_row(check)]},
        error=error,
    )


def _monitor(here: Ground, store: Store, wiring: Wiring, timeout: str, only: Sequence[str]) -> HealthMonitor:
    limit = time_to_wait(timeout, "--timeout")
    if not limit:
        raise BadArgument("No check can be made in no time.", next_step="Write --timeout 10s.")
    monitor = HealthMonitor(wiring.cmdb, clock=here.clock, timeout=limit)
    directory = private_directory(state_directory(here.settings))
    monitor.register_check("servicenow", monitor.check_servicenow_connectivity)
    monitor.register_check("unifi", lambda: _unifi(wiring))
    methods = servicenow_methods(here.settings.servicenow)
    monitor.register_check("credentials", lambda: _credentials(here, monitor.check_credential_availability(methods)))
    monitor.register_check("database", lambda: _database(store))
    monitor.register_check("breakers", lambda: _breakers(store))
    monitor.register_check("queue", lambda: _queue(store))
    monitor.register_check("classes", lambda: _classes(store))
    monitor.register_check("last-success", lambda: _last_success(here, store))
    monitor.register_check("system", lambda: monitor.check_system_resources(directory))
    unknown = sorted(set(only) - set(monitor.names))
    if unknown:
        raise BadArgument(
            f"There is no health check {', '.join(unknown)}.", next_step=f"There are: {', '.join(monitor.names)}."
        )
    return monitor


def _credentials(here: Ground, found: HealthCheck) -> HealthCheck:
    """The logins there are; degraded where 1Password keeps some of their secrets and cannot be asked."""
    command = here.credentials.resolver.one_password
    if found.status is not HealthStatus.HEALTHY or not here.credentials.in_1password:
        return found
    if why := command.unusable() or command.warning():
        return replace(found, status=HealthStatus.DEGRADED, message=f"{found.message}; {why}")
    return replace(found, message=f"{found.message}; secrets from 1Password as {command.account()}")


def _unifi(wiring: Wiring) -> HealthCheck:
    found = wiring.source.probe()
    bad = [f"{service}: {error}" for service, error in found if error is not None]
    details = {service: "ok" if error is None else error.code for service, error in found}
    if not bad:
        return HealthCheck("unifi", HealthStatus.HEALTHY, f"{len(found)} answer", details=details)
    status = HealthStatus.UNHEALTHY if len(bad) == len(found) else HealthStatus.DEGRADED
    return HealthCheck("unifi", status, "; ".join(bad), details=details)


def _database(store: Store) -> HealthCheck:
    found = store.check()
    details = {"size_bytes": found.size_bytes, "revision": found.revision}
    if found.whole:
        return HealthCheck("database", HealthStatus.HEALTHY, f"{found.kind}, whole", details=details)
    return HealthCheck(
        "database", HealthStatus.UNHEALTHY, f"{'; '.join(found.problems)} {found.way_back}", details=details
    )


def _breakers(store: Store) -> HealthCheck:
    opened = [one for one in store.breakers.all().values() if not one.over]
    if not opened:
        return HealthCheck("breakers", HealthStatus.HEALTHY, "none is open")
    told = [f"{one.name} is open{' by hand' if one.by_hand else ''} ({one.reason})" for one in opened]
    message = f"{'; '.join(told)}: snowload breakers list says until when"
    return HealthCheck("breakers", HealthStatus.DEGRADED, message, details={one.name: one.reason for one in opened})


def _queue(store: Store) -> HealthCheck:
    found = store.check()
    if not (found.later or found.dead):
        return HealthCheck("queue", HealthStatus.HEALTHY, "empty")
    told = [f"{found.later} writes wait: send them with snowload replay-queue"] if found.later else []
    told += [f"{found.dead} are parked: snowload queue list --state parked says why"] if found.dead else []
    details = {"queued": found.later, "parked": found.dead}
    return HealthCheck("queue", HealthStatus.DEGRADED, "; ".join(told), details=details)


def _classes(store: Store) -> HealthCheck:
    reduced = store.ledger.in_class(BASE_CLASS)
    if not reduced:
        return HealthCheck("classes", HealthStatus.HEALTHY, "no CI of ours is reduced to the base class")
    message = f"{reduced} CIs are plain {BASE_CLASS} for want of a class or of the engine: the next load says why"
    return HealthCheck("classes", HealthStatus.DEGRADED, message, details={"base_class": reduced})


def _last_success(here: Ground, store: Store) -> HealthCheck:
    run = store.memory.last_success(here.target)
    if run is None:
        return HealthCheck("last-success", HealthStatus.HEALTHY, "no load has succeeded yet")
    moment = rfc3339(run.finished_at or run.started_at)
    return HealthCheck("last-success", HealthStatus.HEALTHY, f"load at {moment}", details={"run_id": run.id})


def _result(here: Ground, store: Store, checks: Sequence[HealthCheck]) -> Result:
    overall = HealthMonitor.get_overall_status(checks)
    return Result(
        command="health",
        status=overall.value,
        exit_code=_CODES[overall],
        environment=here.environment,
        generated_at=rfc3339(here.clock.now()),
        body={
            "checks": [_row(check) for check in checks],
            degraded.NAME: degraded.of_health(checks, here, store),
        },
    )


def _row(check: HealthCheck) -> dict[str, Any]:
    return {
        "name": check.name,
        "status": check.status.value,
        "message": check.message,
        "response_time_ms": check.response_time_ms,
        "details": dict(check.details),
    }
