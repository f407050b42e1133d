"""Secret references among the settings, resolved late: just before both ends are wired."""

from __future__ import annotations

import os
from typing import TypeVar

from pydantic import BaseModel

from beast_dream_snow_loader.app.config import Settings
from beast_dream_snow_loader.core.events import CredentialAccessed, Listener, ignore
from beast_dream_snow_loader.errors import ConfigurationError
from beast_dream_snow_loader.operations.credentials import kept_by, resolve
from beast_dream_snow_loader.redaction import Secret

M = TypeVar("M", bound=BaseModel)


def with_secrets(settings: Settings, listener: Listener = ignore) -> Settings:
    """The settings with ``op://``, ``env:``, ``file:``, ``cmd:`` and ``keyring:`` references read; each is told.

    Raises ConfigurationError naming the setting whose reference does not resolve.
    """
    consoles = tuple(
        resolved(console, f"unifi.consoles.{i}", listener) for i, console in enumerate(settings.unifi.consoles)
    )
    unifi = resolved(settings.unifi, "unifi", listener).model_copy(update={"consoles": consoles})
    servicenow = resolved(settings.servicenow, "servicenow", listener)
    return settings.model_copy(update={"unifi": unifi, "servicenow": servicenow})


def resolved(section: M, path: str, listener: Listener = ignore) -> M:
    """One section with its own secrets read. Raises ConfigurationError naming the setting."""
    found = {name: getattr(section, name) for name in type(section).model_fields}
    secrets = {
        name: _read(value, f"{path}.{name}", listener) for name, value in found.items() if isinstance(value, Secret)
    }
    return section.model_copy(update=secrets)


def _read(value: Secret, setting: str, listener: Listener) -> Secret:
    reference = value.reveal()
    method = kept_by(reference)
    try:
        secret = resolve(reference, os.environ, setting=setting)
    except ConfigurationError as error:
        listener(CredentialAccessed(setting=setting, method=method, success=False, code=error.code))
        raise
    listener(CredentialAccessed(setting=setting, method=method, success=True))
    return secret
