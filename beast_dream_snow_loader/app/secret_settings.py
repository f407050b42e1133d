"""Which settings hold secrets: found by walking over all of them, so that no list of sections can lack one (S1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from beast_dream_snow_loader.redaction import Secret


def secrets_in(value: object, path: str = "") -> Iterator[tuple[str, Secret]]:
    """Every secret of settings or of one section, with its dotted path: ``unifi.consoles.0.api_key``."""
    if isinstance(value, Secret):
        yield path, value
        return
    inner: Iterator[tuple[object, object]] = iter(())
    if isinstance(value, BaseModel):
        inner = ((name, getattr(value, name)) for name in type(value).model_fields)
    elif isinstance(value, Mapping):
        inner = iter(value.items())
    elif isinstance(value, tuple | list):
        inner = iter(enumerate(value))
    for name, each in inner:
        yield from secrets_in(each, f"{path}.{name}" if path else str(name))
