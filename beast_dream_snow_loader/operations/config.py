"""How the operations layer is set up in each environment."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from beast_dream_snow_loader.errors import ConfigurationError

VARIABLE = "BEAST_ENVIRONMENT"
_FROZEN = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)


class Environment(StrEnum):
    DEVELOPMENT = "development"
    TESTING = "testing"
    STAGING = "staging"
    PRODUCTION = "production"
    UNKNOWN = "unknown"
    """For values read back from elsewhere; it cannot be chosen."""


class LoggingConfig(BaseModel):
    """``file`` is rotated at ``max_bytes``, and ``backups`` old ones are kept."""

    model_config = _FROZEN

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["auto", "console", "json"] = "auto"
    file: Path | None = None
    max_bytes: int = Field(default=10_000_000, ge=1000)
    backups: int = Field(default=5, ge=0)


class RetryConfig(BaseModel):
    """Times in seconds; ``max_attempts`` counts the first one."""

    model_config = _FROZEN

    max_attempts: int = Field(default=3, ge=1, le=10)
    base_delay_seconds: float = Field(default=1.0, gt=0)
    max_delay_seconds: float = Field(default=60.0, gt=0)
    exponential_base: float = Field(default=2.0, ge=1)
    jitter: bool = True


class CircuitBreakerConfig(BaseModel):
    model_config = _FROZEN

    failure_threshold: int = Field(default=5, ge=1)
    recovery_timeout_seconds: float = Field(default=60.0, gt=0)
    half_open_max_calls: int = Field(default=1, ge=1)


class OperationalConfig(BaseModel):
    model_config = _FROZEN

    environment: Environment = Environment.UNKNOWN
    logging: LoggingConfig = LoggingConfig()
    retry: RetryConfig = RetryConfig()
    circuit_breaker: CircuitBreakerConfig = CircuitBreakerConfig()
    health_check_interval_seconds: int = Field(default=300, ge=1)
    metrics_collection_enabled: bool = True
    audit_trail_enabled: bool = True

    @field_validator("audit_trail_enabled")
    @classmethod
    def _always(cls, enabled: bool) -> bool:
        """A change that cannot be written down is not made (R5.2), so there is nothing to switch off."""
        if not enabled:
            raise ValueError("the audit trail cannot be switched off: leave the line out")
        return enabled


_OVERRIDES: Mapping[Environment, Mapping[str, Mapping[str, object]]] = {
    Environment.DEVELOPMENT: {"logging": {"level": "DEBUG"}, "retry": {"max_attempts": 2}},
    Environment.TESTING: {"logging": {"level": "WARNING"}, "retry": {"max_attempts": 1}},
    Environment.PRODUCTION: {"logging": {"level": "INFO"}, "retry": {"max_attempts": 5}},
}


class ConfigurationManager:
    """Operational defaults by environment. The environment is named, never guessed from the machine."""

    @staticmethod
    def load_configuration(
        config_file: str | Path | None = None, environment: str | None = None, environ: Mapping[str, str] | None = None
    ) -> OperationalConfig:
        """Base, then the environment's overrides, then the sections of ``config_file`` (TOML) that concern us.

        Raises ConfigurationError: no environment named, the file missing, malformed or out of bounds.
        """
        named = ConfigurationManager.resolve_environment(environment, environ)
        values: dict[str, Any] = {"environment": named}
        for layer in (_OVERRIDES.get(named, {}), _ours(Path(config_file)) if config_file else {}):
            for key, value in layer.items():
                values[key] = {**values.get(key, {}), **value} if isinstance(value, Mapping) else value
        return _validated(values)

    @staticmethod
    def resolve_environment(environment: str | None = None, environ: Mapping[str, str] | None = None) -> Environment:
        """The one named, else that in ``BEAST_ENVIRONMENT``. ConfigurationError when neither or an unknown one."""
        name = environment or (os.environ if environ is None else environ).get(VARIABLE, "")
        choices = ", ".join(one.value for one in Environment if one is not Environment.UNKNOWN)
        if not name:
            raise ConfigurationError(
                "No environment is named, and none is guessed.",
                next_step=f"Give --env or set {VARIABLE} to one of: {choices}.",
            )
        if name.lower() not in choices.split(", "):
            raise ConfigurationError(f"There is no environment {name!r}.", next_step=f"Use one of: {choices}.")
        return Environment(name.lower())


def _ours(file: Path) -> dict[str, Any]:
    """The file may hold other sections too; they are read elsewhere."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"The file {file} does not exist.", next_step="Check --config.") from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file} does not read as TOML: {error}.", next_step="Mend the file.") from None
    return {key: document[key] for key in OperationalConfig.model_fields if key in document and key != "environment"}


def _validated(values: Mapping[str, Any]) -> OperationalConfig:
    try:
        return OperationalConfig.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        problems = tuple(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found)
        raise ConfigurationError(
            f"The operational settings have {len(problems)} problem{'s' if len(problems) > 1 else ''}.",
            next_step="Mend them, then check with: snowload config check",
            problems=problems,
        ) from None
