"""The optional parts as the settings have them: what ``config show`` lists, and what is told when one is off (X3)."""

from __future__ import annotations

from collections.abc import Iterator

from beast_dream_snow_loader.app.config import LoadedSettings, Settings
from beast_dream_snow_loader.core.degradation import Reason, lack
from beast_dream_snow_loader.core.mapping_rules import DEFAULT_RULES
from beast_dream_snow_loader.operations.toggles import Feature, features

_MODE = "servicenow.mode"
"""Not a lack but a level of its own."""


def features_of(loaded: LoadedSettings) -> tuple[Feature, ...]:
    """Every optional part, whichever setting carries it."""
    return features(lambda path: _value(loaded.settings, path), loaded.origins)


def switched_off(loaded: LoadedSettings) -> Iterator[Reason]:
    """A reason for each part that is off though it usually is on."""
    for feature in features_of(loaded):
        toggle = feature.toggle
        if feature.switched_off and toggle.setting != _MODE:
            message = f"The part {toggle.name} is off ({toggle.setting}, {feature.source}): otherwise {toggle.does}."
            step = f"Set {toggle.setting} to true, then run: snowload config show"
            yield lack("feature.off", message, step)


def feature_rows(loaded: LoadedSettings) -> list[dict[str, object]]:
    """One row per part for documents."""
    return [
        {
            "name": feature.toggle.name,
            "on": feature.on,
            "usual": feature.toggle.usual,
            "setting": feature.toggle.setting,
            "value": feature.value,
            "source": feature.source,
            "does": feature.toggle.does,
        }
        for feature in features_of(loaded)
    ]


def _value(settings: Settings, path: str) -> object:
    section, _, leaf = path.partition(".")
    if section == "mapping":  # checked elsewhere: what is wrong in it must not keep the rest from being shown
        return settings.mapping.get(leaf, getattr(DEFAULT_RULES, leaf))
    return getattr(getattr(settings, section), leaf)
