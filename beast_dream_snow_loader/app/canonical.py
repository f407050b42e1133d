"""1Password as the canonical source of secrets: its reference goes before what the environment says (R5.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

from beast_dream_snow_loader.app.layers import Layer
from beast_dream_snow_loader.app.secret_settings import secrets_in
from beast_dream_snow_loader.redaction import Secret

VARIABLE = "environment variable"
"""The name of the layers that come from the environment."""
_WITHOUT_FALLBACK = ("audit",)
"""Another key would begin another trail."""

S = TypeVar("S", bound=BaseModel)


def by_1password(
    settings: S, origins: Mapping[str, str], layers: Sequence[Layer]
) -> tuple[S, Mapping[str, str], Mapping[str, Secret]]:
    """The settings with the strongest ``op://`` reference of each secret, whatever a variable says; where each setting
    came from; and what a variable has for those secrets, by their path: the fallback.

    Secrets of consoles stand in a list, which is one leaf: they are as their layer has them.
    """
    where, fallbacks = dict(origins), {}
    for path, _ in secrets_in(settings):
        name, _, leaf = path.partition(".")
        given = [(one.name, text) for one in layers if (text := _text_in(one.values, name, leaf))]
        found = next((one for one in given if one[1].startswith("op://")), None)
        if found is None:
            continue
        where[path] = found[0]
        section = getattr(settings, name).model_copy(update={leaf: Secret(found[1])})
        settings = settings.model_copy(update={name: section})
        if name not in _WITHOUT_FALLBACK and (
            other := next((text for at, text in given if at == VARIABLE and not text.startswith("op://")), "")
        ):
            fallbacks[path] = Secret(other)
    return settings, where, fallbacks


def _text_in(values: Mapping[str, Any], section: str, leaf: str) -> str:
    table = values.get(section)
    value = table.get(leaf) if isinstance(table, Mapping) else None
    return value if isinstance(value, str) else ""
