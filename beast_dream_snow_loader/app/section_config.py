"""The sections of the settings, each a frozen value that says what it is for and what it may be."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from beast_dream_snow_loader.core.parking import QueueLimits
from beast_dream_snow_loader.core.presence import RetirePolicy
from beast_dream_snow_loader.operations.config import Environment
from beast_dream_snow_loader.operations.durations import parse_duration
from beast_dream_snow_loader.servicenow.config import OptionalSecret
from beast_dream_snow_loader.state.retention import Retention
from beast_dream_snow_loader.state.urls import DRIVERS

FROZEN = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)
WITH_SECRETS = ConfigDict(
    frozen=True, extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True, allow_inf_nan=False
)


class StateSettings(BaseModel):
    """``[state]``. ``dir`` None: the user's state directory, one folder per environment. ``url`` None: SQLite there.

    Runs, with their reports and with the journal that a rollback needs, are kept for ``keep_runs_days`` days, and
    ``keep_runs`` of one target at most; console snapshots for ``keep_snapshots_days`` days, the audit trail for
    ``keep_audit_days`` (docs/guides/state.md).
    """

    model_config = FROZEN

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

    model_config = WITH_SECRETS

    key: OptionalSecret = None
    head_file: Path | None = None


class ClientSettings(BaseModel):
    """``[clients]``."""

    model_config = FROZEN

    mode: Literal["off", "link", "create"] = "off"
    minimum_days: float = Field(default=7.0, ge=0)


class PlanSettings(BaseModel):
    """``[plan]``. A saved plan older than this is refused."""

    model_config = FROZEN

    max_age_hours: float = Field(default=24.0, gt=0)


class RetireSettings(BaseModel):
    """``[retire]``: what becomes of CIs that UniFi no longer shows.

    ``grace`` is a duration (``14d``, ``2w``). One run retires at most ``allow_percent`` of all CIs, of a class or of a
    site, or ``allow_count``, whichever is more. ``offline_nonoperational_days`` 0: gear offline keeps its status.
    ``lifecycle`` csdm: End of Operation, Pending Evaluation is written in place of Retired.
    """

    model_config = FROZEN

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

    model_config = FROZEN

    created: Literal["retire", "delete"] = "retire"


class QueueSettings(BaseModel):
    """``[queue]``. A queued write that ServiceNow refused or left without an answer so often is parked; more writes
    than ``max_entries`` do not wait: new ones are refused (docs/guides/queue.md)."""

    model_config = FROZEN

    max_attempts: int = Field(default=5, ge=2)
    max_entries: int = Field(default=100_000, ge=1)

    def limits(self) -> QueueLimits:
        return QueueLimits(max_attempts=self.max_attempts, max_entries=self.max_entries)


class LoggingSettings(BaseModel):
    """``[logging]``. ``level`` None: DEBUG in development, WARNING in testing, otherwise INFO. ``file`` None: in the
    state directory; it is rotated at ``max_bytes``, and ``backups`` old ones are kept (docs/guides/log.md)."""

    model_config = FROZEN

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] | None = None
    format: Literal["auto", "console", "json"] = "auto"
    file: Path | None = None
    max_bytes: int = Field(default=10_000_000, ge=1000)
    backups: int = Field(default=5, ge=0, le=1000)


class MetricsSettings(BaseModel):
    """``[metrics]``. ``enabled`` false: nothing is counted and no file written; None: as the environment has it.
    ``textfile``: for the textfile collector of node_exporter, written after every run (docs/guides/metrics.md)."""

    model_config = FROZEN

    enabled: bool | None = None
    textfile: Path | None = None


class TelemetrySettings(BaseModel):
    """``[telemetry]``. Where traces go by OTLP over HTTP: the base address of a collector, to which ``/v1/traces`` is
    added; empty: nowhere. ``otlp_headers`` go with them, as ``name=value,name=value``: a login of the collector. Needs
    the extra ``otel`` (docs/guides/metrics.md)."""

    model_config = WITH_SECRETS

    otlp_endpoint: str = ""
    otlp_headers: OptionalSecret = None


class FeatureSettings(BaseModel):
    """``[features]``: optional parts that no other setting switches; ``config show`` lists them all
    (docs/explanation/degradation.md)."""

    model_config = FROZEN

    links: bool = True
    preflight: bool = True
    verify: bool = True
    healing: bool = True
    log_file: bool = True
    notifications: bool = True


class CredentialSettings(BaseModel):
    """``[credentials]``. Where secrets belong: with ``1password`` an ``op://`` reference in any layer goes before a
    variable of the environment, which is the fallback (docs/guides/credentials.md). None: 1password in production."""

    model_config = FROZEN

    source: Literal["1password", "environment"] | None = None

    def by_1password(self, environment: Environment) -> bool:
        return (self.source or ("1password" if environment is Environment.PRODUCTION else "")) == "1password"


class RetrySettings(BaseModel):
    """``[retry]``. ``max_attempts`` None: development 2, testing 1, production 5, otherwise 3. Each wait may be
    ``exponential_base`` times as long as the one before; with ``jitter`` it is any time up to that."""

    model_config = FROZEN

    max_attempts: int | None = Field(default=None, ge=1, le=10)
    base_delay_seconds: float = Field(default=1.0, gt=0)
    max_delay_seconds: float = Field(default=60.0, gt=0)
    exponential_base: float = Field(default=2.0, ge=1)
    jitter: bool = True


class HealthSettings(BaseModel):
    """``[health]``: from where on ``health`` calls something degraded, or unhealthy (docs/guides/health.md). All but
    numbers are durations.

    ``expected_every`` None: loads are expected as often as they came before. ``most_load_per_core`` None: the load of
    the machine is told and not judged.
    """

    model_config = FROZEN

    expected_every: str | None = None
    expires_warn: str = "21d"
    expires_fail: str = "3d"
    clock_warn: str = "30s"
    clock_fail: str = "5m"
    slow_answer: str = "2s"
    queue_age_fail: str = "1d"
    quota_warn_percent: float = Field(default=90.0, ge=0, le=100)
    database_log_mb: float = Field(default=64.0, ge=0)
    disk_free_mb: float = Field(default=500.0, ge=0)
    memory_percent: float = Field(default=95.0, ge=0, le=100)
    most_load_per_core: float | None = Field(default=None, gt=0)

    @field_validator(
        "expected_every", "expires_warn", "expires_fail", "clock_warn", "clock_fail", "slow_answer", "queue_age_fail"
    )
    @classmethod
    def _a_duration(cls, text: str | None) -> str | None:
        if text is not None and not parse_duration(text):
            raise ValueError("expected a duration above nothing")
        return text


class BulkheadSettings(BaseModel):
    """``[bulkhead]``: how many requests to one service may wait for a place, and for how many seconds. What can be
    asked for again at any time (health) gets a tenth of the queue and a thirtieth of the patience."""

    model_config = FROZEN

    queue: int = Field(default=50, ge=1)
    wait_seconds: float = Field(default=300.0, gt=0)
