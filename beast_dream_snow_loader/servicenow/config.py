"""Where ServiceNow is, how to log in, how much to ask of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from beast_dream_snow_loader.redaction import Secret


def _secret(value: object) -> object:
    return Secret(value) if isinstance(value, str) and value else (value or None)


OptionalSecret = Annotated[Secret | None, BeforeValidator(_secret)]


class ServiceNowSettings(BaseModel):
    """``[servicenow]``. ``instance`` is a base URL here: the short forms are expanded when settings are read.

    Methods are tried most secure first: a ready token, OAuth (client credentials, or the password grant when user
    name and password are given too), API key, basic.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True, allow_inf_nan=False
    )

    instance: str = ""
    mode: Literal["normal", "read-only"] = "normal"
    """``read-only``: everything is read, checked and planned, every write is queued and none is sent."""
    oauth_token: OptionalSecret = None
    client_id: str | None = None
    client_secret: OptionalSecret = None
    api_key: OptionalSecret = None
    username: str | None = None
    password: OptionalSecret = None
    data_source: str = Field(default="UniFi", pattern=r"^[^\^=,\x00-\x1f]{1,40}$")
    """A choice value of ``discovery_source``, exact case."""
    concurrency: int = Field(default=4, ge=1, le=4)
    batch_size: int = Field(default=100, ge=1, le=250)
    batch_size_max: int = Field(default=250, ge=1, le=500)
    page_size: int = Field(default=1000, ge=1, le=10000)
    connect_timeout_seconds: float = Field(default=10.0, gt=0)
    read_timeout_seconds: float = Field(default=30.0, gt=0)
    total_timeout_seconds: float = Field(default=60.0, gt=0)
    check_within_runs: int = Field(default=24, ge=1)
    """Every load looks at a share of our CIs, so that all are seen within so many loads."""
    recheck_seconds: float = Field(default=5.0, ge=0)
    """Older than this, what a plan is made from is read again right before the write."""
    quarantine_seconds: float = Field(default=60.0, ge=0)
    """So long the instance may still carry out a Table API request whose answer was lost: its own limit for them."""
    facts_max_age_hours: float = Field(default=24.0, ge=0)
    base_class_fallback: bool = True
    """What no class below hardware takes goes to ``cmdb_ci`` by the Table API, all without the engine; False: held."""
    allow_upgrade: bool = False
    """CIs that we made move to a child class that the instance has got since; also ``load --allow-upgrade``."""

    @field_validator("data_source")
    @classmethod
    def _not_a_connectors(cls, source: str) -> str:
        if source.casefold().startswith("sg-"):
            raise ValueError("a name without SG-, which marks certified Service Graph connectors")
        return source

    @property
    def read_only(self) -> bool:
        return self.mode == "read-only"
