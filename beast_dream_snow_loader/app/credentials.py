"""Secret references among the settings, resolved late: just before both ends are wired."""

from __future__ import annotations

import os
from typing import TypeVar

from pydantic import BaseModel

from beast_dream_snow_loader.app.config import Settings
from beast_dream_snow_loader.operations.credentials import resolve
from beast_dream_snow_loader.redaction import Secret

M = TypeVar("M", bound=BaseModel)


def with_secrets(settings: Settings) -> Settings:
    """The settings with ``op://``, ``env:``, ``file:``, ``cmd:`` and ``keyring:`` references read.

    Raises ConfigurationError naming the setting whose reference does not resolve.
    """
    consoles = tuple(resolved(console, f"unifi.consoles.{i}") for i, console in enumerate(settings.unifi.consoles))
    unifi = resolved(settings.unifi, "unifi").model_copy(update={"consoles": consoles})
    servicenow = resolved(settings.servicenow, "servicenow")
    return settings.model_copy(update={"unifi": unifi, "servicenow": servicenow})


def resolved(section: M, path: str) -> M:
    """One section with its own secrets read. Raises ConfigurationError naming the setting."""
    found = {name: getattr(section, name) for name in type(section).model_fields}
    secrets = {
        name: resolve(value.reveal(), os.environ, setting=f"{path}.{name}")
        for name, value in found.items()
        if isinstance(value, Secret)
    }
    return section.model_copy(update=secrets)
