"""Settings in layers, the strongest first; each leaf comes from the first layer that has it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_config_path

from beast_dream_snow_loader.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """``name`` is what people are shown: ``flag``, ``environment``, a file."""

    name: str
    values: Mapping[str, Any]


def read_toml(path: Path) -> Layer:
    """One TOML file. ConfigurationError when it is missing, unreadable or malformed; names file and line."""
    try:
        return Layer(name=str(path), values=tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ConfigurationError(
            f"Configuration file {path} does not exist.", next_step="Create one with: snowload config init FILE"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"Configuration file {path} cannot be read: {error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"Configuration file {path} is not valid TOML: {error}.",
            next_step="Mend that line, then check with: snowload config check",
        ) from None


def installed_files(environment: str) -> list[Path]:
    """``<environment>.toml`` and ``base.toml``, of the user before those of the installation; existing ones only."""
    places = [user_config_path("snowload", appauthor=False), installation()]
    names = [f"{environment}.toml", "base.toml"]
    return [place / name for name in names for place in places if (place / name).is_file()]


def installation() -> Path:
    """The directory of the shipped configuration: inside the wheel, or beside the package in a checkout."""
    package = Path(__file__).resolve().parents[1]
    packed = package / "_config"
    return packed if packed.is_dir() else package.parent / "config"


def merge(layers: Sequence[Layer]) -> dict[str, Any]:
    """One nested mapping, leaf by leaf; lists are leaves."""
    merged: dict[str, Any] = {}
    for layer in reversed(layers):
        _lay_over(merged, layer.values)
    return merged


def origins(layers: Sequence[Layer]) -> dict[str, str]:
    """``{"servicenow.instance": "environment", …}``: the layer each leaf came from."""
    found: dict[str, str] = {}
    for layer in reversed(layers):
        found.update(dict.fromkeys(leaves(layer.values), layer.name))
    return found


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _lay_over(merged: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), dict):
            _lay_over(merged[key], value)
        else:
            merged[key] = _copied(value)


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        fresh: dict[str, Any] = {}
        _lay_over(fresh, value)
        return fresh
    return value
