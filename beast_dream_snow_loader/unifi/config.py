"""Where UniFi is and how to log in."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from beast_dream_snow_loader.errors import ConfigurationError
from beast_dream_snow_loader.operations.durations import parse_duration
from beast_dream_snow_loader.redaction import Secret
from beast_dream_snow_loader.transport.tls import context, trust


def _secret(value: object) -> object:
    return Secret(value) if isinstance(value, str) and value else (value or None)


def _trusted(value: Any) -> Any:
    """True, False, a file of authorities, or a fingerprint: looked at now, not in the middle of a run."""
    try:
        if isinstance(value, str):
            context(trust(value, "UniFi"))
    except ConfigurationError as wrong:
        raise ValueError(str(wrong)) from None
    if value is not None and not isinstance(value, bool | str):
        raise ValueError("expected true, false, a PEM file of certificate authorities, or fingerprint:<sha256>")
    return value


Trusted = BeforeValidator(_trusted)
OptionalSecret = Annotated[Secret | None, BeforeValidator(_secret)]


class ConsoleSettings(BaseModel):
    """One local console. With ``api_key`` the Network Integration API is read (and the controller API where the
    console takes the key there); with ``username`` and ``password`` the controller API.

    ``verify_tls``: True, False, a CA file, or ``fingerprint:<sha256 of the certificate>``. None: the general setting.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True, allow_inf_nan=False
    )

    url: str
    api_key: OptionalSecret = None
    username: str | None = None
    password: OptionalSecret = None
    verify_tls: Annotated[bool | str | None, Trusted] = None


class UniFiSettings(BaseModel):
    """``[unifi]``. Site Manager is read when ``api_key`` is set."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True, allow_inf_nan=False
    )

    site_manager_url: str = "https://api.ui.com"
    api_key: OptionalSecret = None
    consoles: tuple[ConsoleSettings, ...] = ()
    verify_tls: Annotated[bool | str, Trusted] = True
    use_connector: bool = True
    """Read consoles without local credentials through Site Manager's connector."""
    site_manager_concurrency: int = Field(default=8, ge=1, le=32)
    console_concurrency: int = Field(default=2, ge=1, le=8)
    connect_timeout_seconds: float = Field(default=10.0, gt=0)
    read_timeout_seconds: float = Field(default=30.0, gt=0)
    """The longest time without a byte. A whole answer has 60 s, or this where it is more."""
    keep_sessions: bool = True
    """Sessions of consoles with an account are used again by the next run, sealed with the account's password."""
    client_window_hours: int = Field(default=24 * 30, ge=1)
    """Known clients not seen for longer than this are not read."""
    stale_max_age: str = "7d"
    """A duration: for so long the last good snapshot of a console stands in for it when it cannot be read; ``0s``:
    never. Nothing is written, retired or counted as missing because of it."""

    @field_validator("stale_max_age")
    @classmethod
    def _a_duration(cls, text: str) -> str:
        parse_duration(text)
        return text
