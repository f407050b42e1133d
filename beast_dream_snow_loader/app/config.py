"""Every setting as one frozen value, and how it is put together.

Precedence, leaf by leaf: flag, environment variable, the file named by ``--config`` or ``SNOWLOAD_CONFIG``,
``<environment>.toml`` and ``base.toml`` of the user and of the installation, built-in default.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from beast_dream_snow_loader.app.breaker_config import BreakerSettings, unknown_names
from beast_dream_snow_loader.app.breaker_config import leaves as breaker_leaves
from beast_dream_snow_loader.app.canonical import VARIABLE, by_1password
from beast_dream_snow_loader.app.config_problems import sentences, source_of, told
from beast_dream_snow_loader.app.instance_url import instance_url
from beast_dream_snow_loader.app.layers import Layer, installed_files, merge, origins, read_toml
from beast_dream_snow_loader.app.logins import missing_logins
from beast_dream_snow_loader.app.notify_config import NotifySettings
from beast_dream_snow_loader.app.section_config import (
    FROZEN,
    AuditSettings,
    BulkheadSettings,
    ClientSettings,
    CredentialSettings,
    FeatureSettings,
    HealthSettings,
    LoggingSettings,
    MetricsSettings,
    PlanSettings,
    QueueSettings,
    RetireSettings,
    RetrySettings,
    RollbackSettings,
    StateSettings,
    TelemetrySettings,
)
from beast_dream_snow_loader.app.variables import PREFIX, common_values, misspelt
from beast_dream_snow_loader.core.bindings import read_bindings
from beast_dream_snow_loader.core.mapping_rules import DEFAULT_RULES
from beast_dream_snow_loader.errors import ConfigurationError
from beast_dream_snow_loader.operations.config import ConfigurationManager, Environment, OperationalConfig
from beast_dream_snow_loader.redaction import Secret
from beast_dream_snow_loader.servicenow.config import ServiceNowSettings
from beast_dream_snow_loader.unifi.config import UniFiSettings


class Settings(BaseModel):
    """The whole of it. ``mapping`` overrides the mapping tables (docs/reference/mapping.md); ``bindings`` says
    which CI a record is (docs/guides/identity.md)."""

    model_config = FROZEN

    environment: Environment
    unifi: UniFiSettings = UniFiSettings()
    servicenow: ServiceNowSettings = ServiceNowSettings()
    state: StateSettings = StateSettings()
    audit: AuditSettings = AuditSettings()
    clients: ClientSettings = ClientSettings()
    plan: PlanSettings = PlanSettings()
    retire: RetireSettings = RetireSettings()
    rollback: RollbackSettings = RollbackSettings()
    queue: QueueSettings = QueueSettings()
    features: FeatureSettings = FeatureSettings()
    credentials: CredentialSettings = CredentialSettings()
    logging: LoggingSettings = LoggingSettings()
    metrics: MetricsSettings = MetricsSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    retry: RetrySettings = RetrySettings()
    circuit_breaker: BreakerSettings = BreakerSettings()
    bulkhead: BulkheadSettings = BulkheadSettings()
    health: HealthSettings = HealthSettings()
    health_check_interval_seconds: int = Field(default=OperationalConfig().health_check_interval_seconds, ge=1)
    """So long what a costly check found well is told again without another look."""
    notify: NotifySettings = NotifySettings()
    mapping: Mapping[str, Any] = Field(default_factory=dict)
    bindings: Mapping[str, str] = Field(default_factory=dict)
    broker_url: str | None = None


class _Variables(BaseSettings):
    """The same sections, all optional, only to read ``SNOWLOAD_<SECTION>__<KEY>``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", arbitrary_types_allowed=True)

    unifi: UniFiSettings | None = None
    servicenow: ServiceNowSettings | None = None
    state: StateSettings | None = None
    audit: AuditSettings | None = None
    clients: ClientSettings | None = None
    plan: PlanSettings | None = None
    retire: RetireSettings | None = None
    rollback: RollbackSettings | None = None
    queue: QueueSettings | None = None
    features: FeatureSettings | None = None
    credentials: CredentialSettings | None = None
    logging: LoggingSettings | None = None
    metrics: MetricsSettings | None = None
    telemetry: TelemetrySettings | None = None
    retry: RetrySettings | None = None
    circuit_breaker: BreakerSettings | None = None
    bulkhead: BulkheadSettings | None = None
    health: HealthSettings | None = None
    health_check_interval_seconds: int | None = None
    notify: NotifySettings | None = None
    mapping: dict[str, Any] | None = None
    bindings: dict[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSettings:
    """``origins`` tells for each leaf that was set the layer it came from; what is missing there is a default.
    ``fallbacks`` are what the environment has for settings whose secret is in 1Password, by their path."""

    settings: Settings
    origins: Mapping[str, str]
    fallbacks: Mapping[str, Secret]


def load_settings(
    *, environment: str | None, config_file: Path | None = None, flags: Mapping[str, Any] | None = None
) -> LoadedSettings:
    """Read every layer, check everything, report every problem at once (R7.5).

    Raises ConfigurationError; its ``problems`` name key, source and expected form of each.
    """
    named = ConfigurationManager.resolve_environment(environment)
    problems: list[str] = []
    layers = _layers(named, config_file, flags or {}, problems)
    merged = {**merge(layers), "environment": named.value}
    where: Mapping[str, str] = origins(layers)
    problems.extend(misspelt(os.environ, setting_paths()))
    settings = _validated(merged, where, problems)
    fallbacks: Mapping[str, Secret] = {}
    if settings.credentials.by_1password(named):
        settings, where, fallbacks = by_1password(settings, where, layers)
    return LoadedSettings(settings=settings, origins=where, fallbacks=fallbacks)


def metrics_on(settings: Settings) -> bool:
    """Whether anything is counted: as the environment has it, unless a setting says otherwise."""
    usual = ConfigurationManager.load_configuration(environment=settings.environment.value)
    return usual.metrics_collection_enabled if settings.metrics.enabled is None else settings.metrics.enabled


def setting_as_written(path: str, *, environment: str | None, config_file: Path | None) -> object:
    """What the layers that can be read say of one setting, unchecked: for a command whose settings are refused. None
    when they say nothing, or no environment is named."""
    try:
        found: object = merge(_layers(ConfigurationManager.resolve_environment(environment), config_file, {}, []))
    except ConfigurationError:
        return None
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def setting_paths() -> Iterator[str]:
    """Every setting, dotted: ``servicenow.instance``. A section named alone takes a whole table."""
    for name, field in Settings.model_fields.items():
        yield name
        section = field.annotation
        if section is BreakerSettings:
            yield from (f"{name}.{leaf}" for leaf in breaker_leaves())
        elif isinstance(section, type) and issubclass(section, BaseModel):
            yield from (f"{name}.{leaf}" for leaf in section.model_fields)


def _layers(
    environment: Environment, config_file: Path | None, flags: Mapping[str, Any], problems: list[str]
) -> Sequence[Layer]:
    """Those that can be read; what keeps the others from it is added to ``problems``, and the rest is checked."""
    file = config_file or (Path(os.environ["SNOWLOAD_CONFIG"]) if os.environ.get("SNOWLOAD_CONFIG") else None)
    files = [*([file] if file is not None else []), *installed_files(environment.value)]
    reads: list[tuple[str, Callable[[], Mapping[str, Any]]]] = [
        (VARIABLE, lambda: _variables(problems)),
        (VARIABLE, lambda: common_values(os.environ)),
        *((str(path), partial(_values_in, path)) for path in files),
    ]
    layers = [Layer(name="flag", values=flags)]
    for name, read in reads:
        try:
            layers.append(Layer(name=name, values=read()))
        except ConfigurationError as error:
            problems.append(str(error))
    return layers


def _values_in(path: Path) -> Mapping[str, Any]:
    return read_toml(path).values


def _variables(problems: list[str]) -> dict[str, Any]:
    """Those that parse; a problem for each that does not."""
    source = EnvSettingsSource(_Variables)
    every, broken = dict(source.env_vars), set[str]()
    for name in [name for name in every if name.upper().startswith(PREFIX)]:
        try:
            source.env_vars = {name: every[name]}
            source()
        except SettingsError:
            broken.add(name)
            path = name.lower().removeprefix(PREFIX.lower()).replace("__", ".")
            problems.append(f"{path} ({VARIABLE} {name.upper()}): expected JSON, as lists and tables are written")
    source.env_vars = {name: value for name, value in every.items() if name not in broken}
    return source()


def _validated(merged: dict[str, Any], where: Mapping[str, str], problems: list[str]) -> Settings:
    try:
        instance = merged.get("servicenow", {}).get("instance")
        if isinstance(instance, str) and instance:
            merged["servicenow"]["instance"] = instance_url(instance)
    except ConfigurationError as error:
        problems.append(told("servicenow.instance", str(error).removeprefix("servicenow.instance "), where))
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        problems.extend(sentences(found, where, setting_paths))
    problems.extend(_unknown_breakers(merged, where))
    if problems:
        problems.extend(_of_tables(merged, where))
        problems.extend(missing_logins(merged))
        raise ConfigurationError(
            f"The configuration has {len(problems)} problem{'s' if len(problems) > 1 else ''}.",
            next_step="Mend them, then check with: snowload config check",
            problems=tuple(problems),
        )
    return settings


def _unknown_breakers(merged: Mapping[str, Any], where: Mapping[str, str]) -> Iterator[str]:
    table = merged.get("circuit_breaker", {})
    for name, wrong in unknown_names(table) if isinstance(table, Mapping) else ():
        yield told(f"circuit_breaker.{name}", wrong, where)


def _of_tables(merged: Mapping[str, Any], where: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with the mapping and the bindings, which are read later where all else is well."""
    readers: Mapping[str, Callable[[Any], object]] = {"mapping": DEFAULT_RULES.override, "bindings": read_bindings}
    for section, read in readers.items():
        table = merged.get(section, {})
        try:
            if isinstance(table, Mapping):
                read(table)
        except ConfigurationError as error:
            source = source_of(section, where)
            yield from (f"{one} (in [{section}] of {source})" for one in error.problems or (str(error),))
