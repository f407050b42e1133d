"""``[notify]``: who is told of what a load came to (docs/guides/notifications.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from beast_dream_snow_loader.core.notices import CHANNELS, Condition, Rules
from beast_dream_snow_loader.errors import ConfigurationError
from beast_dream_snow_loader.operations.credentials import kept_by
from beast_dream_snow_loader.operations.durations import parse_duration
from beast_dream_snow_loader.redaction import Secret
from beast_dream_snow_loader.servicenow.config import OptionalSecret
from beast_dream_snow_loader.transport.manners import is_loopback, refuse_unsafe

_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,64}@[A-Za-z0-9.-]{1,253}", re.ASCII)
_PORTS = {"starttls": 587, "tls": 465, "plain": 25}


class NotifySettings(BaseModel):
    """``[notify]``. Nothing is sent where no channel is set.

    ``on`` names what is told, each again after ``repeat_after`` while it lasts. A channel is ``webhook_url``,
    ``smtp_host`` with ``smtp_sender`` and ``smtp_recipients``, or ``apprise_url``; ``ping_url`` hears of every start
    and end. ``ca_file`` are the authorities to believe for them. Addresses that hold a secret are secrets themselves.
    ``timeout_seconds`` are for each step (to connect, for an answer), ``total_seconds`` for all channels together.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True, allow_inf_nan=False
    )

    on: tuple[Condition, ...] = tuple(Condition)
    repeat_after: str = "24h"
    stale_longer_than: str = "24h"
    retirements_above: int | None = Field(default=10, ge=0)
    ping_url: OptionalSecret = None
    webhook_url: OptionalSecret = None
    webhook_secret: OptionalSecret = None
    smtp_host: str | None = None
    smtp_port: int | None = Field(default=None, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "plain"] = "starttls"
    smtp_username: str | None = None
    smtp_password: OptionalSecret = None
    smtp_sender: str | None = None
    smtp_recipients: tuple[str, ...] = ()
    apprise_url: OptionalSecret = None
    ca_file: Path | None = None
    timeout_seconds: float = Field(default=5.0, gt=0, le=30)
    total_seconds: float = Field(default=20.0, gt=0, le=60)

    @field_validator("repeat_after", "stale_longer_than")
    @classmethod
    def _a_duration(cls, text: str) -> str:
        parse_duration(text)
        return text

    @field_validator("ping_url", "webhook_url")
    @classmethod
    def _an_address(cls, url: Secret | None) -> Secret | None:
        """A reference is looked at when it is resolved."""
        if url is not None and kept_by(url.reveal()) == "setting":
            try:
                refuse_unsafe("it", url.reveal())
            except (ConfigurationError, ValueError):
                raise ValueError(
                    "expected https://…, http:// to a loopback address, or a reference to a secret"
                ) from None
        return url

    @field_validator("smtp_sender", "smtp_recipients")
    @classmethod
    def _mail_addresses(cls, given: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        for one in (given,) if isinstance(given, str) else given or ():
            if not _ADDRESS.fullmatch(one):
                raise ValueError("expected plain mail addresses: name@example.com")
        return given

    @field_validator("ca_file")
    @classmethod
    def _a_file(cls, file: Path | None) -> Path | None:
        if file is not None and not file.expanduser().is_file():
            raise ValueError("expected a PEM file of certificate authorities that is there")
        return file.expanduser() if file is not None else None

    @model_validator(mode="after")
    def _whole(self) -> NotifySettings:
        if wrong := list(self._missing()):
            raise ValueError("; ".join(wrong))
        return self

    def _missing(self) -> Iterator[str]:
        if self.webhook_secret is not None and self.webhook_url is None:
            yield "webhook_secret signs nothing without webhook_url"
        if self.smtp_host and not (self.smtp_sender and self.smtp_recipients):
            yield "smtp_host needs smtp_sender and smtp_recipients"
        if not self.smtp_host and (self.smtp_sender or self.smtp_recipients or self.smtp_password is not None):
            yield "smtp_sender, smtp_recipients and smtp_password need smtp_host"
        if bool(self.smtp_username) != (self.smtp_password is not None):
            yield "smtp_username and smtp_password go together"
        if self.smtp_host and self.smtp_security == "plain" and not is_loopback(self.smtp_host):
            yield "smtp_security plain is for a mail server on this machine only"

    @property
    def channels(self) -> tuple[str, ...]:
        """Those that are set, by name."""
        there = zip(CHANNELS, (self.webhook_url, self.smtp_host, self.apprise_url), strict=True)
        return tuple(name for name, setting in there if setting)

    @property
    def port(self) -> int:
        return self.smtp_port or _PORTS[self.smtp_security]

    def rules(self) -> Rules:
        return Rules(
            on=frozenset(self.on),
            repeat_after=parse_duration(self.repeat_after),
            stale_longer_than=parse_duration(self.stale_longer_than),
            retirements_above=self.retirements_above,
        )

    def only(self, *secrets: str) -> NotifySettings:
        """Without the other secrets: one that cannot be read keeps no other channel from being used."""
        others = {name: None for name, value in self if isinstance(value, Secret) and name not in secrets}
        return self.model_copy(update=others)
