"""What ``load`` would refuse: the use cases behind ``validate`` and ``config``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from beast_dream_snow_loader.app import degraded
from beast_dream_snow_loader.app.belonging import refuse_foreign_state
from beast_dream_snow_loader.app.breaker_config import BreakerOverride, BreakerSettings
from beast_dream_snow_loader.app.config import Settings, metrics_on
from beast_dream_snow_loader.app.failing import failed
from beast_dream_snow_loader.app.features import feature_rows
from beast_dream_snow_loader.app.ground import Ground, ground
from beast_dream_snow_loader.app.layers import installation
from beast_dream_snow_loader.app.logins import require_logins
from beast_dream_snow_loader.app.opening import opened
from beast_dream_snow_loader.app.options import Place
from beast_dream_snow_loader.app.orders import usual_order
from beast_dream_snow_loader.app.private_files import refuse_unwritable, write_file
from beast_dream_snow_loader.app.result import Result, done
from beast_dream_snow_loader.app.textfile import Exposure, with_textfile
from beast_dream_snow_loader.app.tracing import MEND, left_out, refuse_unusable
from beast_dream_snow_loader.app.wiring import mapping_rules, wire
from beast_dream_snow_loader.core.bindings import read_bindings
from beast_dream_snow_loader.core.desired import DesiredState
from beast_dream_snow_loader.core.events import Listener, ignore
from beast_dream_snow_loader.core.exit_codes import ExitCode
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.fitting import fit
from beast_dream_snow_loader.core.mapping import map_snapshot
from beast_dream_snow_loader.core.observed import Snapshot
from beast_dream_snow_loader.core.report import unaccepted
from beast_dream_snow_loader.core.report_rows import stale_consoles
from beast_dream_snow_loader.core.run import RunStatus
from beast_dream_snow_loader.core.validation import check
from beast_dream_snow_loader.core.wanted_facts import wishes
from beast_dream_snow_loader.errors import (
    CmdbAsleep,
    ConfigurationError,
    SnowloadError,
    SourceUnavailable,
    TransportError,
)
from beast_dream_snow_loader.operations.listeners import to_metrics
from beast_dream_snow_loader.operations.metrics import MetricsCollector
from beast_dream_snow_loader.pipeline.prepare import unregistered
from beast_dream_snow_loader.pipeline.steps.fetch import fetch
from beast_dream_snow_loader.redaction import HIDDEN, Secret, without_password
from beast_dream_snow_loader.state.store import Store
from beast_dream_snow_loader.unifi.offline import read_saved


def validate(place: Place, payloads: Path | None) -> Result:
    """Settings, mapping and data. With ``payloads`` offline, else from a live read of both ends; writes nothing."""
    exposure = Exposure(command="validate", place=place)
    return with_textfile(exposure, lambda: _validated(place, payloads, exposure))


def _validated(place: Place, payloads: Path | None, exposure: Exposure) -> Result:
    try:
        with ground(place) as here:
            rules = mapping_rules(here.settings)
            if payloads is None:
                with opened(here) as store, exposure.at(here, store):
                    return _validated_live(here, store)
            with exposure.at(here):
                snapshot = read_saved(payloads)
                return _verdict(here, snapshot, map_snapshot(snapshot, rules))
    except SnowloadError as error:
        return failed("validate", error, environment=place.environment or "")


def check_config(place: Place) -> Result:
    """Settings and mapping, every problem at once; nothing is contacted."""
    try:
        with ground(place) as here:
            problems = [
                *_problems(lambda: require_logins(here.settings)),
                *_problems(lambda: refuse_unusable(here)),
                *_problems(lambda: mapping_rules(here.settings)),
                *_problems(lambda: read_bindings(here.settings.bindings)),
            ]
            if problems:
                raise ConfigurationError(
                    f"The configuration has {len(problems)} problem{'s' if len(problems) > 1 else ''}.",
                    next_step="Mend them, then run this again.",
                    problems=tuple(problems),
                )
            odd = left_out(here)
            return done("config-check", here, {"problems": [], "warnings": [f"{odd} {MEND}"] if odd else []})
    except SnowloadError as error:
        return failed("config-check", error, environment=place.environment or "")


def show_config(place: Place) -> Result:
    """Every setting in force with its source; secrets hidden."""
    try:
        with ground(place) as here:
            return done("config", here, {"settings": settings_in_force(here), "features": feature_rows(here.loaded)})
    except SnowloadError as error:
        return failed("config", error, environment=place.environment or "")


def settings_in_force(here: Ground) -> list[dict[str, object]]:
    """Key, value and source of every setting; secrets hidden."""
    origins = here.loaded.origins
    return [{"key": key, "value": value, "source": origins.get(key, "default")} for key, value in _flat(here.settings)]


def starter_file(file: Path | None) -> str:
    """The commented starter file; written to ``file`` when one is named, which must not exist yet."""
    text = (installation() / "starter.toml").read_text(encoding="utf-8")
    if file is None:
        return text.rstrip("\n")
    if file.exists():
        raise ConfigurationError(f"{file} exists already and is left as it is.", next_step="Name another file.")
    refuse_unwritable(file)
    write_file(file, text.encode("utf-8"))
    return f"wrote {file}; use it with: snowload load --config {file} --env development"


def _validated_live(here: Ground, store: Store) -> Result:
    """With how much could be looked at, also when an end that cannot be worked with stopped it."""
    counted = MetricsCollector(clock=here.clock)
    try:
        snapshot, desired = _live(here, store, to_metrics(counted) if metrics_on(here.settings) else ignore)
    except (SourceUnavailable, TransportError, CmdbAsleep) as error:
        told = failed("validate", error, environment=here.environment)
        return replace(told, body={degraded.NAME: degraded.of_error(error, here), **_operations(counted)})
    result = _verdict(here, snapshot, desired)
    told_level = {degraded.NAME: degraded.of_snapshot(snapshot, here)}
    return replace(result, body={**result.body, **told_level, **_operations(counted)})


def _operations(counted: MetricsCollector) -> dict[str, Any]:
    return {"operations": [one.document() for one in counted.operations()]}


def _live(here: Ground, store: Store, listener: Listener) -> tuple[Snapshot, DesiredState]:
    refuse_foreign_state(here, store)
    wiring = wire(here, store, listener, dry_run=True)
    rules = mapping_rules(here.settings)
    fetched = fetch(wiring.world, usual_order(here, "", dry_run=True))
    snapshot = replace(fetched.snapshot, findings=(*fetched.findings, *fetched.snapshot.findings))
    desired = map_snapshot(snapshot, rules)
    facts = wiring.world.cmdb.facts(wishes(desired, rules))
    if facts.unregistered:
        raise unregistered(facts.unregistered)
    return snapshot, fit(desired, facts, rules)


def _verdict(here: Ground, snapshot: Snapshot, desired: DesiredState) -> Result:
    findings = [*snapshot.findings, *desired.findings, *check(desired)]
    bad, refused = any(finding.severity is Severity.ERROR for finding in findings), unaccepted(findings)
    body = {
        "source": {name: len(getattr(snapshot, name)) for name in ("consoles", "sites", "devices", "clients")},
        "stale_source": snapshot.stale_seconds,
        "stale_consoles": stale_consoles(snapshot),
        "records": len(desired.items),
        "relations": len(desired.relations),
        "findings": [_row(finding) for finding in findings],
    }
    result = done("validate", here, body)
    if refused is not None:
        return replace(failed("validate", refused, environment=here.environment), body=body)
    if not bad:
        return result
    return Result(
        command="validate",
        status=RunStatus.PARTIAL.value,
        exit_code=ExitCode.PARTIAL,
        environment=result.environment,
        generated_at=result.generated_at,
        body=body,
    )


def _row(finding: Finding) -> dict[str, str]:
    names = ("record", "field", "rule", "message", "value")
    return {**{name: getattr(finding, name) for name in names}, "severity": finding.severity.value}


def _problems(checked: Any) -> list[str]:
    try:
        checked()
    except ConfigurationError as error:
        return list(error.problems) or [str(error)]
    return []


def _flat(settings: Settings) -> Iterable[tuple[str, object]]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BreakerSettings):
            yield from _breakers(name, value)
        elif isinstance(value, BaseModel):
            yield from ((f"{name}.{leaf}", _plain(getattr(value, leaf))) for leaf in type(value).model_fields)
        else:
            yield name, _plain(value)


def _breakers(section: str, settings: BreakerSettings) -> Iterable[tuple[str, object]]:
    """What one dependency has otherwise, by its name."""
    yield from ((f"{section}.{leaf}", getattr(settings, leaf)) for leaf in BreakerOverride.model_fields)
    for name, override in settings.by_name.items():
        yield from ((f"{section}.{name}.{leaf}", value) for leaf, value in override.given().items())


def _plain(value: object) -> object:
    """A value fit to be shown: secrets hidden, wherever they stand."""
    if isinstance(value, Secret):
        return HIDDEN
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in value]
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, str):
        return without_password(value)
    return value if value is None or isinstance(value, bool | int | float) else str(value)
