"""Every health check, and what it stands on."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from beast_dream_snow_loader.app.breaker_config import SERVICENOW, UNIFI
from beast_dream_snow_loader.app.health import end_checks, load_checks, machine_checks, state_checks
from beast_dream_snow_loader.app.health.history_checks import Past, growth
from beast_dream_snow_loader.app.health.names import (
    CLASSES,
    CREDENTIALS,
    DATABASE,
    PAGES,
    certificate_of,
    login_of,
    rights_of,
)
from beast_dream_snow_loader.app.health.servicenow_checks import ServiceNow
from beast_dream_snow_loader.app.health.sight import Sight, ill
from beast_dream_snow_loader.app.health.unifi_checks import Source, sources
from beast_dream_snow_loader.app.logins import unifi_problems
from beast_dream_snow_loader.app.places import state_directory
from beast_dream_snow_loader.core.check_graph import named
from beast_dream_snow_loader.errors import StateError
from beast_dream_snow_loader.operations.health import HealthCheck, HealthMonitor
from beast_dream_snow_loader.state.private_files import private_directory


def registered(sight: Sight, limit: timedelta, broken: StateError | None) -> HealthMonitor:
    """``limit`` is the longest time for one check; ``broken`` says why there is no state."""
    servicenow = ServiceNow(sight=sight)
    monitor = HealthMonitor(servicenow, clock=sight.here.clock, timeout=limit, state=DATABASE)
    every = list(sources(sight))
    asked = (login_of(SERVICENOW), *(named(login_of(UNIFI), source.subject) for source in every))
    _state(monitor, sight, broken, after=asked)
    _servicenow(monitor, sight, servicenow)
    for source in every:
        _unifi(monitor, source)
    if not every:
        monitor.register_check(UNIFI, lambda: ill("; ".join(unifi_problems(sight.settings.unifi))))
    _machine(monitor, sight)
    return monitor


def _servicenow(monitor: HealthMonitor, sight: Sight, end: ServiceNow) -> None:
    add, within = monitor.register_check, (login_of(SERVICENOW),)
    add(CREDENTIALS, partial(end.credentials, monitor))
    connected = monitor.check_servicenow_connectivity
    add(SERVICENOW, lambda: sight.left_alone(SERVICENOW) or connected(), parents=(CREDENTIALS,))
    add(certificate_of(SERVICENOW), end.certificate, parents=(SERVICENOW,))
    add(f"{SERVICENOW}.clock", partial(end_checks.clock_agrees, sight, SERVICENOW), parents=(SERVICENOW,))
    add(login_of(SERVICENOW), end.authentication, parents=(SERVICENOW,))
    add(rights_of(SERVICENOW), end.rights, parents=within)
    add(f"{SERVICENOW}.engine", end.engine, parents=within)
    add(f"{SERVICENOW}.simulation", end.simulation, parents=within, deep=True)
    add(f"{SERVICENOW}.interfaces", end.interfaces, parents=within, deep=True)
    last = (rights_of(SERVICENOW), f"{SERVICENOW}.simulation", f"{SERVICENOW}.interfaces")
    add(f"{SERVICENOW}.quota", end.quota, parents=within, after=last)
    add(f"{SERVICENOW}.latency", partial(end_checks.latency, sight, SERVICENOW), parents=within, after=last)


def _unifi(monitor: HealthMonitor, source: Source) -> None:
    def of(kind: str) -> str:
        return named(kind, source.subject)

    add, answers, within = monitor.register_check, of(UNIFI), of(login_of(UNIFI))
    clock = partial(end_checks.clock_agrees, source.sight, source.service)
    add(of(CREDENTIALS), source.credentials)
    add(answers, source.answers, parents=(of(CREDENTIALS),))
    add(of(certificate_of(UNIFI)), source.certificate, parents=(answers,))
    add(of(f"{UNIFI}.clock"), clock, parents=(answers,))
    add(within, source.authentication, parents=(answers,))
    if source.console is None:
        add(of(f"{UNIFI}.hosts"), source.hosts, parents=(within,))
    add(of(f"{UNIFI}.read"), source.read, parents=(within,), deep=True)


def _state(monitor: HealthMonitor, sight: Sight, broken: StateError | None, after: tuple[str, ...]) -> None:
    past, add, on = Past(sight=sight), monitor.register_check, (DATABASE,)
    add(DATABASE, partial(_database, sight, broken))
    add(PAGES, partial(state_checks.pages, sight), parents=on, deep=True)
    add("lock", partial(state_checks.lock, sight), parents=on)
    add("belonging", partial(state_checks.belonging, sight), parents=on)
    add("queue", partial(state_checks.queue, sight), parents=on)
    add("dead-letters", partial(state_checks.dead_letters, sight), parents=on)
    add("snapshots", partial(state_checks.snapshots, sight), parents=on)
    add("breakers", partial(state_checks.breakers, sight), parents=on, after=after)
    add(CLASSES, partial(state_checks.classes, sight), parents=on)
    add("last-load", partial(load_checks.last_load, sight), parents=on)
    add("last-success", partial(load_checks.last_success, sight), parents=on)
    add("overdue", past.overdue, parents=on)
    add("forecast", past.forecast, parents=on)
    add("growth", partial(growth, sight), parents=on)
    add("audit", partial(state_checks.audit, sight), parents=on, deep=True)


def _database(sight: Sight, broken: StateError | None) -> HealthCheck:
    if broken is not None:
        raise broken
    return state_checks.database(sight)


def _machine(monitor: HealthMonitor, sight: Sight) -> None:
    def directory() -> HealthCheck:
        return machine_checks.files(sight, private_directory(state_directory(sight.settings)))

    def system() -> HealthCheck:
        return machine_checks.system(sight, monitor, private_directory(state_directory(sight.settings)))

    monitor.register_check("configuration", partial(machine_checks.configuration, sight))
    monitor.register_check("files", directory)
    monitor.register_check("system", system)
