"""The level of degradation as each command sees it: of a run, of checks, or as it was last recorded (X3, R6.4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from beast_dream_snow_loader.app.breaker_config import SERVICENOW, UNIFI
from beast_dream_snow_loader.app.features import switched_off
from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.app.health.names import CLASSES, login_of, rights_of
from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.check_graph import kind_of, named, subject_of
from beast_dream_snow_loader.core.checkup import Check, CheckStatus
from beast_dream_snow_loader.core.degradation import (
    RANK,
    Degradation,
    Facts,
    Level,
    Reason,
    Trouble,
    degradation,
    lack,
    lacking,
)
from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.observed import Snapshot
from beast_dream_snow_loader.core.receipts import OPEN
from beast_dream_snow_loader.core.remembered import usable
from beast_dream_snow_loader.core.report import RunReport
from beast_dream_snow_loader.core.run import Run
from beast_dream_snow_loader.errors import (
    CmdbAsleep,
    ReadOnlyMode,
    SnowloadError,
    SourceUnavailable,
    Throttled,
    TransportError,
)
from beast_dream_snow_loader.operations.durations import parse_duration
from beast_dream_snow_loader.operations.health import HealthCheck, HealthStatus
from beast_dream_snow_loader.state.store import Store

NAME = "degradation"
_FETCH = "fetch"
_STALE = "source.stale"
_OF_SETTINGS = frozenset({"feature.off", ReadOnlyMode.code})
_LOOKED_AT = _OF_SETTINGS | {"class.base", "source.partial", "source.detour"}
"""What a check finds out anew."""
_RECENT = 20
_FUNCTIONS = frozenset(
    f"servicenow.{name}"
    for name in ("tables", "meta", "engine", "instance-api", "identification", "native-keys", "classes")
) | {"servicenow.relation-types", "servicenow.discovery-source"}
"""Lines of the doctor about what the instance has for us, or has not."""
_ANY = (CheckStatus.WARN, CheckStatus.FAIL)
_BAD = {"servicenow.classes": (CheckStatus.FAIL,)}
_REACHED = frozenset(f"servicenow.{name}" for name in ("network", "awake", "login"))


def of_run(report: RunReport, here: Ground) -> dict[str, Any]:
    """How much of it could be done, for the document of a run."""
    stale = report.stale_source
    facts = Facts(
        source=_source(report),
        target=_target(report),
        held_back=here.settings.servicenow.read_only,
        stale_seconds=stale,
        partial=report.snapshot is not None and report.snapshot.partial,
        detoured=report.snapshot is not None and report.snapshot.detoured,
        lacks=(*lacking(report.findings), *switched_off(here.loaded)),
    )
    return degradation(facts).document()


def of_snapshot(snapshot: Snapshot, here: Ground) -> dict[str, Any]:
    """After a look at UniFi, or at what stands in for it, ServiceNow having answered."""
    found = Facts(
        source=_nothing_read(snapshot.findings),
        stale_seconds=snapshot.stale_seconds,
        held_back=here.settings.servicenow.read_only,
        partial=snapshot.partial,
        detoured=snapshot.detoured,
        lacks=(*lacking(snapshot.findings), *switched_off(here.loaded)),
    )
    return degradation(found).document()


def of_error(error: SnowloadError, here: Ground) -> dict[str, Any]:
    """Of a command that reads both ends once and was stopped."""
    source = Trouble.of(error) if isinstance(error, SourceUnavailable) else None
    away = isinstance(error, TransportError | CmdbAsleep)
    facts = Facts(
        source=source,
        target=Trouble.of(error) if away else None,
        held_back=here.settings.servicenow.read_only,
        lacks=tuple(switched_off(here.loaded)),
    )
    return degradation(facts).document()


def of_health(checks: Sequence[HealthCheck], here: Ground, store: Store | None) -> dict[str, Any]:
    """From what the checks found now, and what the last run had to do without (R6.4). What was not checked is well."""
    found = {check.name: check for check in checks}
    shut, partial = _sources(checks)
    lacked = () if store is None else _lacked(here, store)
    facts = Facts(
        source=_unwell("source.unavailable", shut),
        target=_unwell("servicenow.unavailable", _closed(SERVICENOW, found)),
        held_back=here.settings.servicenow.read_only,
        stale_seconds=_kept(here, store) if shut is not None and store is not None else None,
        partial=partial,
        lacks=(*_base_class(found.get(CLASSES)), *lacked, *switched_off(here.loaded)),
    )
    return degradation(facts).document()


def _sources(checks: Sequence[HealthCheck]) -> tuple[HealthCheck | None, bool]:
    """Why no source of UniFi can be read, where none can; whether some can and others cannot."""
    found = {check.name: check for check in checks}
    closed = {name: _closed(name, found) for name in found if kind_of(name) == UNIFI}
    shut = [check for check in closed.values() if check is not None]
    if shut and len(shut) == len(closed):
        return shut[0], False
    return None, bool(shut)


def _closed(name: str, found: Mapping[str, HealthCheck]) -> HealthCheck | None:
    """The check that says why this end cannot be worked with: it does not answer, or does not let us in."""
    end = kind_of(name)
    for kind in (end, login_of(end), rights_of(end)):
        check = found.get(named(kind, subject_of(name)))
        if check is not None and check.status is HealthStatus.UNHEALTHY:
            return found.get(check.explained_by, check)
    return None


def of_doctor(lines: Sequence[Check], here: Ground, store: Store | None) -> dict[str, Any]:
    """From what the doctor found now; which kinds of ours go to another class is on record."""
    unifi = [line for line in lines if line.name in ("unifi.site-manager", "unifi.console")]
    shut = [line for line in unifi if line.status in (CheckStatus.FAIL, CheckStatus.SKIPPED)]
    source = _shut("source.unavailable", shut) if shut and len(shut) == len(unifi) else None
    classes = (one for one in _lacked(here, store) if one.code == "class.fallback") if store is not None else ()
    gone = [line for line in lines if line.name in _REACHED and line.status is CheckStatus.FAIL]
    facts = Facts(
        source=source,
        target=_shut("servicenow.unavailable", gone) if gone else None,
        held_back=here.settings.servicenow.read_only,
        stale_seconds=_kept(here, store) if source is not None and store is not None else None,
        partial=bool(shut) and source is None,
        lacks=(*_lines(lines), *classes, *switched_off(here.loaded)),
    )
    return degradation(facts).document()


def on_record(here: Ground, store: Store) -> dict[str, Any]:
    """For commands that look at the state only: as the last run against this target found it, under the settings of
    now. ``as_of`` says when that was, and is None where no run has said anything yet."""
    run = _last(here, store)
    told = run.report[NAME]["reasons"] if run is not None else ()
    kept = [_reason(reason) for reason in told if reason["code"] not in _OF_SETTINGS]
    now = Facts(held_back=here.settings.servicenow.read_only, lacks=(*kept, *switched_off(here.loaded)))
    level = degradation(now)
    if run is not None and run.report[NAME]["level"] == Level.OFFLINE:
        level = Degradation(level=Level.OFFLINE, reasons=level.reasons)
    moment = rfc3339(run.finished_at or run.started_at) if run is not None else None
    return {**level.document(), "as_of": moment, "run_id": run.id if run is not None else None}


def _source(report: RunReport) -> Trouble | None:
    """Why nothing of UniFi was read now: what stopped the first step, or what the snapshot stands in for."""
    if report.error is not None and any(step.step == _FETCH and step.error for step in report.steps):
        away = isinstance(report.error, SourceUnavailable | TransportError)
        return Trouble.of(report.error) if away else None
    return _nothing_read(report.findings)


def _nothing_read(findings: Iterable[Finding]) -> Trouble | None:
    """That everything is remembered; one console that is has a finding of its own."""
    stale = next((one for one in findings if one.rule == _STALE and one.record == "source"), None)
    return Trouble(code=_STALE, message=stale.message) if stale is not None else None


def _target(report: RunReport) -> Trouble | None:
    """Why ServiceNow could not be worked with; what an operator holds back is another reason."""
    in_source = any(step.step == _FETCH and step.error for step in report.steps)
    stopped = report.error if isinstance(report.error, TransportError | CmdbAsleep) and not in_source else None
    away = report.away or stopped
    if away is not None and not isinstance(away, ReadOnlyMode):
        return Trouble.of(away)
    left = (s.receipt for s in report.settlements if s.receipt.outcome in OPEN)
    waits = next((receipt for receipt in left if receipt.code != ReadOnlyMode.code), None)
    if waits is None:
        return None
    message = f"Writes wait: {waits.message}"
    return Trouble(code=waits.code, message=message, next_step="Send them with: snowload replay-queue")


def _unwell(code: str, check: HealthCheck | None) -> Trouble | None:
    if check is None or check.status is not HealthStatus.UNHEALTHY:
        return None
    waits = Throttled.code in check.details.values()
    step = "See how long it is left alone: snowload breakers list" if waits else "Find out why: snowload doctor"
    return Trouble(code=code, message=check.message, next_step=step)


def _kept(here: Ground, store: Store) -> float | None:
    """The age of what a load would work from now, in seconds."""
    now, max_age = here.clock.now(), parse_duration(here.settings.unifi.stale_max_age).total_seconds()
    parts = usable(store.memory.remembered(), now, max_age).values()
    return max(((now - part.taken_at).total_seconds() for part in parts), default=None)


def _base_class(check: HealthCheck | None) -> Iterator[Reason]:
    if check is not None and check.status is not HealthStatus.HEALTHY:
        yield lack("class.base", check.message, "See what is missing with: snowload doctor")


def _shut(code: str, lines: Sequence[Check]) -> Trouble:
    return Trouble(code=code, message=lines[0].found, next_step=lines[0].fix)


def _lines(lines: Sequence[Check]) -> Iterator[Reason]:
    """One reason per name. A finer class that a kind could have is no lack while we have nothing of that kind."""
    told: dict[str, Check] = {}
    for line in lines:
        if line.name in _FUNCTIONS and line.status in _BAD.get(line.name, _ANY):
            told.setdefault(line.name, line)
    yield from (lack(name, line.found, line.fix) for name, line in told.items())


def _lacked(here: Ground, store: Store) -> Iterator[Reason]:
    """What the last run had to do without that only a run finds out."""
    run = _last(here, store)
    for reason in map(_reason, run.report[NAME]["reasons"] if run is not None else ()):
        if reason.level is Level.REDUCED and reason.code not in _LOOKED_AT:
            yield reason


def _last(here: Ground, store: Store) -> Run | None:
    """The newest run that says how much of it could be done."""
    runs = (run for run in store.memory.runs(limit=_RECENT) if run.target == here.target)
    return next((run for run in runs if isinstance(run.report.get(NAME), Mapping)), None)


def _reason(told: Mapping[str, str]) -> Reason:
    level = Level(told["level"]) if told["level"] in RANK else Level.REDUCED
    return Reason(level=level, code=told["code"], message=told["message"], next_step=told["next_step"])
