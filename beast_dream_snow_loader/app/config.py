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
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from beast_dream_snow_loader.app.breaker_config import BreakerSettings, unknown_names
from beast_dream_snow_loader.app.breaker_config import leaves as breaker_leaves
from beast_dream_snow_loader.app.canonical import VARIABLE, by_1password
from beast_dream_snow_loader.app.config_problems import sentences, source_of, told
from beast_dream_snow_loader.app.instance_url import instance_url
from beast_dream_snow_loader.app.layers import Layer, installed_files, merge, origins, read_toml
from beast_dream_snow_loader.app.logins import missing_logins
from beast_dream_snow_loader.app.variables import PREFIX, common_values, misspelt
from beast_dream_snow_loader.core.bindings import read_bindings
from beast_dream_snow_loader.core.mapping_rules import DEFAULT_RULES
from beast_dream_snow_loader.core.parking import QueueLimits
from beast_dream_snow_loader.core.presence import RetirePolicy
from beast_dream_snow_loader.errors import ConfigurationError
from beast_dream_snow_loader.operations.config import ConfigurationManager, Environment
from beast_dream_snow_loader.operations.durations import parse_duration
from beast_dream_snow_loader.redaction import Secret
from beast_dream_snow_loader.servicenow.config import OptionalSecret, ServiceNowSettings
from beast_dream_snow_loader.state.retention import Retention
from beast_dream_snow_loader.state.urls import DRIVERS
from beast_dream_snow_loader.unifi.config import UniFiSettings

_FROZEN = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)


class StateSettings(BaseModel):
    """``[state]``. ``dir`` None: the user's state directory, one folder per environment. ``url`` None: SQLite there.

    Runs, with their reports and with the journal that a rollback needs, are kept for ``keep_runs_days`` days, and
    ``keep_runs`` of one target at most; console snapshots for ``keep_snapshots_days`` days, the audit trail for
    ``keep_audit_days`` (docs/guides/state.md).
    """

    model_config = _FROZEN

    dir: Path | None = None
    url: str | None = None
    keep_runs_days: float = Field(default=90.0, gt=0)
    keep_runs: int = Field(default=1000, ge=1)
    keep_snapshots_days: float = Field(default=30.0, gt=0)
    keep_audit_days: float = Field(default=400.0, gt=0)

    @field_validator("url")
    @classmethod
    def _a_database(cls, url: str | None) -> str | None:
        if url and url.partition(":")[0] not in DRIVERS:
            raise ValueError("expected sqlite:////path/to/state.sqlite or postgresql+psycopg://user@host/database")
        return url

    def retention(self) -> Retention:
        return Retention(runs_days=self.keep_runs_days, runs=self.keep_runs, snapshots_days=self.keep_snapshots_days)


class AuditSettings(BaseModel):
    """``[audit]``. ``key`` None: a file beside the state; else a secret that all hosts on one database share. To
    ``head_file`` each run that changed something appends the end of the trail, to be kept elsewhere
    (docs/guides/audit.md)."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True, allow_inf_nan=False
    )

    key: OptionalSecret = None
    head_file: Path | None = None


class ClientSettings(BaseModel):
    """``[clients]``."""

    model_config = _FROZEN

    mode: Literal["off", "link", "create"] = "off"
    minimum_days: float = Field(default=7.0, ge=0)


class PlanSettings(BaseModel):
    """``[plan]``. A saved plan older than this is refused."""

    model_config = _FROZEN

    max_age_hours: float = Field(default=24.0, gt=0)


class RetireSettings(BaseModel):
    """``[retire]``: what becomes of CIs that UniFi no longer shows.

    ``grace`` is a duration (``14d``, ``2w``). One run retires at most ``allow_percent`` of all CIs, of a class or of a
    site, or ``allow_count``, whichever is more. ``offline_nonoperational_days`` 0: gear offline keeps its status.
    ``lifecycle`` csdm: End of Operation, Pending Evaluation is written in place of Retired.
    """

    model_config = _FROZEN

    enabled: bool = False
    grace: str = "14d"
    missing_reads: int = Field(default=3, ge=1)
    allow_percent: float = Field(default=10.0, ge=0, le=100)
    allow_count: int = Field(default=5, ge=0)
    offline_nonoperational_days: int = Field(default=0, ge=0)
    lifecycle: Literal["status", "csdm"] = "status"

    @field_validator("grace")
    @classmethod
    def _a_duration(cls, text: str) -> str:
        parse_duration(text)
        return text

    def policy(self, allow_percent: float | None = None) -> RetirePolicy:
        """These settings for one run; ``allow_percent`` was given on the command line."""
        return RetirePolicy(
            enabled=self.enabled,
            grace=parse_duration(self.grace),
            missing_reads=self.missing_reads,
            allow_percent=self.allow_percent if allow_percent is None else allow_percent,
            allow_count=self.allow_count,
            csdm=self.lifecycle == "csdm",
        )


class RollbackSettings(BaseModel):
    """``[rollback]``: what becomes of CIs that the run to be undone had made."""

    model_config = _FROZEN

    created: Literal["retire", "delete"] = "retire"


class QueueSettings(BaseModel):
    """``[queue]``. A queued write that ServiceNow refused or left without an answer so often is parked; more writes
    than ``max_entries`` do not wait: new ones are refused (docs/guides/queue.md)."""

    model_config = _FROZEN

    max_attempts: int = Field(default=5, ge=2)
    max_entries: int = Field(default=100_000, ge=1)

    def limits(self) -> QueueLimits:
        return QueueLimits(max_attempts=self.max_attempts, max_entries=self.max_entries)


class LoggingSettings(BaseModel):
    """``[logging]``. ``level`` None: DEBUG in development, WARNING in testing, otherwise INFO. ``file`` None: in the
    state directory; it is rotated at ``max_bytes``, and ``backups`` old ones are kept (docs/guides/log.md)."""

    model_config = _FROZEN

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] | None = None
    format: Literal["auto", "console", "json"] = "auto"
    file: Path | None = None
    max_bytes: int = Field(default=10_000_000, ge=1000)
    backups: int = Field(default=5, ge=0, le=1000)


class FeatureSettings(BaseModel):
    """``[features]``: optional parts that no other setting switches; ``config show`` lists them all
    (docs/explanation/degradation.md)."""

    model_config = _FROZEN

    links: bool = True
    preflight: bool = True
    verify: bool = True
    healing: bool = True
    log_file: bool = True


class CredentialSettings(BaseModel):
    """``[credentials]``. Where secrets belong: with ``1password`` an ``op://`` reference in any layer goes before a
    variable of the environment, which is the fallback (docs/guides/credentials.md). None: 1password in production."""

    model_config = _FROZEN

    source: Literal["1password", "environment"] | None = None

    def by_1password(self, environment: Environment) -> bool:
        return (self.source or ("1password" if environment is Environment.PRODUCTION else "")) == "1password"


class RetrySettings(BaseModel):
    """``[retry]``. ``max_attempts`` None: development 2, testing 1, production 5, otherwise 3. Each wait may be
    ``exponential_base`` times as long as the one before; with ``jitter`` it is any time up to that."""

    model_config = _FROZEN

    max_attempts: int | None = Field(default=None, ge=1, le=10)
    base_delay_seconds: float = Field(default=1.0, gt=0)
    max_delay_seconds: float = Field(default=60.0, gt=0)
    exponential_base: float = Field(default=2.0, ge=1)
    jitter: bool = True


class BulkheadSettings(BaseModel):
    """``[bulkhead]``: how many requests to one service may wait for a place, and for how many seconds. What can be
    asked for again at any time (health) gets a tenth of the queue and a thirtieth of the patience."""

    model_config = _FROZEN

    queue: int = Field(default=50, ge=1)
    wait_seconds: float = Field(default=300.0, gt=0)


class Settings(BaseModel):
    """The whole of it. ``mapping`` overrides the mapping tables (docs/reference/mapping.md); ``bindings`` says
    which CI a record is (docs/guides/identity.md)."""

    model_config = _FROZEN

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
    retry: RetrySettings = RetrySettings()
    circuit_breaker: BreakerSettings = BreakerSettings()
    bulkhead: BulkheadSettings = BulkheadSettings()
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
    retry: RetrySettings | None = None
    circuit_breaker: BreakerSettings | None = None
    bulkhead: BulkheadSettings | None = None
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
