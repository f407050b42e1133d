"""The system properties that change what the engine does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from beast_dream_snow_loader.sandbox.servicenow.records import Instance

_ENGINE = "glide.identification_engine."
_CHANGES = ("upgrade", "downgrade", "switch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Properties:
    """``allowed`` and ``without`` are by kind of class change: upgrade, downgrade, switch.

    ``allowed`` False refuses the item; ``without`` True lets the CI keep its class and updates it.
    """

    skip_source_matching: bool = False
    skip_duplicates: bool = True
    duplicates_threshold: int = 5
    required_attributes: bool = True
    override_null: bool = True
    restriction_rules: bool = True
    relation_sources: bool = False
    allowed: Mapping[str, bool] = field(default_factory=dict)
    without: Mapping[str, bool] = field(default_factory=dict)


def read_properties(instance: Instance) -> Properties:
    """As they stand now."""

    def is_on(name: str, otherwise: bool) -> bool:
        return instance.system_property(name, str(otherwise)).strip().lower() == "true"

    threshold = instance.system_property(f"{_ENGINE}skip_duplicates.threshold", "5")
    return Properties(
        skip_source_matching=is_on(f"{_ENGINE}skip_sys_object_source_matching", otherwise=False),
        skip_duplicates=is_on(f"{_ENGINE}skip_duplicates", otherwise=True),
        duplicates_threshold=int(threshold) if threshold.isdigit() else 5,
        required_attributes=is_on("glide.required.attribute.enabled", otherwise=True),
        override_null=is_on("glide.reconciliation.override.null", otherwise=True),
        restriction_rules=is_on(f"{_ENGINE}reclassification_restriction_rules_enabled", otherwise=True),
        relation_sources=is_on(f"{_ENGINE}populate_sys_rel_source", otherwise=False),
        allowed={change: is_on(f"glide.class.{change}.enabled", otherwise=True) for change in _CHANGES},
        without={change: is_on(f"{_ENGINE}update_without_{change}_enabled", otherwise=False) for change in _CHANGES},
    )
