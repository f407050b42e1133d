"""The optional parts, each with the one setting that switches it (X3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Toggle:
    """``setting`` is its dotted path, wherever it stands. ``usual``: whether the part is on when nobody says anything;
    what is off as usual is no degradation. ``off`` and ``on`` are the values that switch it."""

    name: str
    setting: str
    does: str
    usual: bool = True
    on: object = True
    off: object = False


TOGGLES: tuple[Toggle, ...] = (
    Toggle(name="writes", setting="servicenow.mode", on="normal", off="read-only", does="what is planned is sent"),
    Toggle(name="links", setting="features.links", does="relations are planned, drawn and removed"),
    Toggle(name="clients", setting="clients.mode", usual=False, on="link", off="off", does="clients of the network"),
    Toggle(name="retirement", setting="retire.enabled", usual=False, does="CIs that UniFi no longer shows are retired"),
    Toggle(name="pre-flight", setting="features.preflight", does="new records are tried on the engine before a write"),
    Toggle(name="verify", setting="features.verify", does="what was written is read back and compared"),
    Toggle(name="healing", setting="features.healing", does="our CIs are looked at for what others did to them"),
    Toggle(name="adapters", setting="mapping.write_adapters", usual=False, does="network adapters are items"),
    Toggle(name="locations", setting="mapping.create_locations", usual=False, does="missing locations are made"),
    Toggle(name="manufacturer", setting="mapping.create_manufacturer", usual=False, does="a missing one is made"),
    Toggle(name="models", setting="mapping.create_models", usual=False, does="missing product models are made"),
    Toggle(name="base class", setting="servicenow.base_class_fallback", does="what no class takes goes to cmdb_ci"),
    Toggle(name="class upgrade", setting="servicenow.allow_upgrade", usual=False, does="CIs move to better classes"),
    Toggle(name="connector", setting="unifi.use_connector", does="consoles are read through Site Manager"),
    Toggle(name="sessions", setting="unifi.keep_sessions", does="sessions of consoles are used again"),
    Toggle(name="notifications", setting="features.notifications", does="people are told of what loads come to"),
    Toggle(name="metrics", setting="metrics.enabled", does="requests and their times are counted and exposed"),
    Toggle(name="log file", setting="features.log_file", does="JSON lines go to a rotated file"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A toggle as it stands, and where that was said."""

    toggle: Toggle
    value: object
    source: str

    @property
    def on(self) -> bool:
        return self.value != self.toggle.off

    @property
    def switched_off(self) -> bool:
        """Off though it usually is on."""
        return self.toggle.usual and not self.on


def features(value_of: Callable[[str], object], sources: Mapping[str, str]) -> tuple[Feature, ...]:
    """Every toggle as it stands. ``value_of`` gives the value of a setting, ``sources`` where those set come from."""
    return tuple(
        Feature(toggle=toggle, value=value_of(toggle.setting), source=sources.get(toggle.setting, "default"))
        for toggle in TOGGLES
    )
