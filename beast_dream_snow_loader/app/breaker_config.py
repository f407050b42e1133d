"""``[circuit_breaker]``, and ``[circuit_breaker.<name>]`` for what one dependency has otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from beast_dream_snow_loader.core.nearest import nearest
from beast_dream_snow_loader.core.notices import CHANNELS
from beast_dream_snow_loader.operations.breaker_policy import BreakerPolicy
from beast_dream_snow_loader.operations.call_window import CountWindow
from beast_dream_snow_loader.operations.config import CircuitBreakerConfig
from beast_dream_snow_loader.servicenow.families import FAMILIES

SERVICENOW, UNIFI, ONE_PASSWORD, DATABASE = "servicenow", "unifi", "op", "database"
NOTIFY = tuple(f"notify.{channel}" for channel in CHANNELS)
FIXED = (SERVICENOW, *(f"{SERVICENOW}.{family}" for family in FAMILIES), UNIFI, ONE_PASSWORD, DATABASE, *NOTIFY)
"""Names that do not depend on the configuration. ``unifi`` stands for all of its sources, and is no breaker itself."""

_FROZEN = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)


_USUAL = CircuitBreakerConfig()


class BreakerOverride(BaseModel):
    """What is None is as for every breaker."""

    model_config = _FROZEN

    failure_threshold: int | None = Field(default=None, ge=1)
    first_wait_seconds: float | None = Field(default=None, gt=0)
    recovery_timeout_seconds: float | None = Field(default=None, gt=0)
    jitter: bool | None = None
    half_open_max_calls: int | None = Field(default=None, ge=1)
    half_open_then_calls: int | None = Field(default=None, ge=0)
    half_open_seconds: float | None = Field(default=None, gt=0)
    window_size: int | None = Field(default=None, ge=1)
    minimum_calls: int | None = Field(default=None, ge=1)
    failure_rate: float | None = Field(default=None, gt=0, le=1)
    slow_call_seconds: float | None = Field(default=None, ge=0)
    slow_rate: float | None = Field(default=None, gt=0, le=1)

    def given(self) -> dict[str, Any]:
        return self.model_dump(exclude_none=True, exclude={"by_name"})


class BreakerSettings(BreakerOverride):
    """``[circuit_breaker]``. ``slow_call_seconds`` 0: no call is slow. ``by_name`` is written as tables."""

    failure_threshold: int = Field(default=_USUAL.failure_threshold, ge=1)
    first_wait_seconds: float = Field(default=5.0, gt=0)
    recovery_timeout_seconds: float = Field(default=_USUAL.recovery_timeout_seconds, gt=0)
    jitter: bool = True
    half_open_max_calls: int = Field(default=_USUAL.half_open_max_calls, ge=1)
    half_open_then_calls: int = Field(default=3, ge=0)
    half_open_seconds: float = Field(default=60.0, gt=0)
    window_size: int = Field(default=20, ge=1)
    minimum_calls: int = Field(default=5, ge=1)
    failure_rate: float = Field(default=0.5, gt=0, le=1)
    slow_call_seconds: float = Field(default=10.0, ge=0)
    slow_rate: float = Field(default=0.8, gt=0, le=1)
    by_name: Mapping[str, BreakerOverride] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _tables(cls, values: Any) -> Any:
        """``servicenow = {ire = {…}}`` becomes ``by_name = {"servicenow.ire" = {…}}``."""
        if not isinstance(values, Mapping):
            return values
        leaves = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
        tables = {key: value for key, value in values.items() if isinstance(value, Mapping) and key != "by_name"}
        return {**leaves, "by_name": {**values.get("by_name", {}), **dict(_named(tables))}}

    def policy_of(self, name: str) -> BreakerPolicy:
        """For the breaker of that name: what all have, then what its service has, then its own."""
        service = name.partition(":")[0].partition(".")[0]
        values = self.given()
        for one in dict.fromkeys((service, name)):
            values |= self.by_name[one].given() if one in self.by_name else {}
        return _policy(BreakerSettings.model_validate(values))


def unknown_names(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names in the section under which there is no breaker, and what is wrong with each."""
    tables = {key: value for key, value in table.items() if isinstance(value, Mapping) and key != "by_name"}
    for name in dict.fromkeys([*(name for name, _ in _named(tables)), *table.get("by_name", {})]):
        if name not in FIXED and not name.startswith(f"{UNIFI}:"):
            near = nearest(name, FIXED)
            yield name, f"there is no circuit breaker {name}{f'; did you mean {near}?' if near else ''}"


def leaves() -> Iterator[str]:
    """Every setting below ``circuit_breaker`` that can be told beforehand."""
    for leaf in BreakerOverride.model_fields:
        yield leaf
        yield from (f"{name}.{leaf}" for name in FIXED)


def _named(tables: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for key, table in tables.items():
        name = f"{prefix}{key}"
        own = {leaf: value for leaf, value in table.items() if not isinstance(value, Mapping)}
        if own:
            yield name, own
        yield from _named({leaf: value for leaf, value in table.items() if isinstance(value, Mapping)}, f"{name}.")


def _policy(settings: BreakerSettings) -> BreakerPolicy:
    return BreakerPolicy(
        failure_threshold=settings.failure_threshold,
        recovery_timeout_seconds=settings.recovery_timeout_seconds,
        first_wait_seconds=settings.first_wait_seconds,
        jitter=settings.jitter,
        half_open_max_calls=settings.half_open_max_calls,
        half_open_then_calls=settings.half_open_then_calls,
        half_open_seconds=settings.half_open_seconds,
        window=CountWindow(
            size=settings.window_size,
            minimum_calls=settings.minimum_calls,
            failure_rate=settings.failure_rate,
            slow_call_seconds=settings.slow_call_seconds or None,
            slow_rate=settings.slow_rate,
        ),
    )
