"""Which kind of thing a device is: the recognition order of cmdb-model 6.1 as data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from beast_dream_snow_loader.core.models import Model
from beast_dream_snow_loader.core.observed import Device

OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRule:
    """``kind`` when one of ``any_of`` holds: words that are all evidence, those with ``!`` none of it.

    Words are ``model:<kind>`` (capability of a known model), ``feature:``, ``type:``, ``line:`` (what the APIs showed),
    ``prefix:`` (how an unknown model's name begins) and ``role:`` (its place in the estate).
    """

    kind: str
    any_of: tuple[str, ...]


KIND_RULES: tuple[KindRule, ...] = (
    KindRule(
        kind="gateway",
        any_of=(
            "role:site-gateway",
            "model:gateway",
            "feature:gateway",
            "type:ugw",
            "type:usg",
            "type:uxg",
            "type:ucg",
            "type:udm !role:extender",
        ),
    ),
    KindRule(
        kind="controller",
        any_of=(
            "model:controller",
            "feature:cloud_key",
            "feature:network_application",
            "type:uck",
            "type:uas",
            "role:runs-network !type:unvr !type:unas !line:protect",
        ),
    ),
    KindRule(kind="nvr", any_of=("model:nvr", "feature:protect_application feature:storage", "type:unvr")),
    KindRule(kind="nas", any_of=("model:nas", "feature:storage", "type:unas")),
    KindRule(kind="ups", any_of=("model:ups", "feature:battery")),
    KindRule(
        kind="switch",
        any_of=(
            "model:switch",
            "feature:switching !feature:accesspoint !type:uap",
            "feature:switch !feature:access_point !type:uap",
        ),
    ),
    KindRule(kind="ap", any_of=("model:ap", "feature:accesspoint", "feature:access_point", "type:udm role:extender")),
    KindRule(
        kind="pdu",
        any_of=("model:pdu", "feature:smart_power !feature:switch", "feature:outlets !feature:ports"),
    ),
    KindRule(
        kind="power",
        any_of=("model:power", "feature:redundant_power", "feature:battery_power !feature:switch", "type:upb"),
    ),
    KindRule(kind="phone", any_of=("model:phone", "feature:phone", "type:uph", "line:talk")),
    KindRule(kind="camera", any_of=("line:protect prefix:camera", "prefix:camera !line:network")),
    KindRule(kind="access", any_of=("line:access", "prefix:access !line:network")),
    KindRule(kind="display", any_of=("line:connect",)),
    KindRule(kind="sensor", any_of=("line:protect", "prefix:sensor !line:network")),
    # The controller's own word for it, when nothing better is known about a model that is new.
    KindRule(kind="switch", any_of=("type:usw",)),
    KindRule(kind="ap", any_of=("type:uap !feature:ulte",)),
    KindRule(
        kind="network-other",
        any_of=(
            "model:network-other",
            "line:network",
            "feature:ulte",
            "feature:building_bridge",
            "feature:wireless_switch",
            "type:ubb",
            "type:udb",
            "type:uacc",
            "type:umbb",
            "type:uci",
            "type:utr",
        ),
    ),
    KindRule(kind=OTHER, any_of=("",)),
)
"""First that holds wins; the last one always holds."""

KINDS: tuple[str, ...] = tuple(dict.fromkeys(rule.kind for rule in KIND_RULES))

# How the names of Protect, Access and Connect products begin (cmdb-model 6.1, line 11).
_PREFIXES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("camera", ("uvc", "g3", "g4", "g5", "g6", "ai ", "ai-")),
    ("access", ("ua-", "ua ")),
    ("sensor", ("up-sense", "up sense", "usl-", "ufp-sense")),
)

NAMED_BY_LINE = frozenset({"camera", "access", "sensor", "display"})
"""Kinds of product lines whose models are not in the model list: they are recognised by line and name alone."""

EXTENDERS = frozenset({"UX", "UX7", "UDR", "UDR7", "UDR-5G-Max"})
"""Gateways that may also serve as a plain access point below another device (unifi-api 4.2)."""


def evidence(device: Device, model: Model | None, roles: Iterable[str] = ()) -> frozenset[str]:
    """All that speaks for a kind. A known model's capability outweighs what the APIs showed: they call a PDU, a UPS
    and a redundant power supply ``usw`` alike, and a captured UDR7 shows no ``gateway`` (unifi-api 4.2)."""
    words = {f"role:{role}" for role in roles}
    line = (device.product_line or "").casefold()
    if line:
        words.add(f"line:{line}")
    if model is not None:
        extends = "role:extender" in words and model.kind == "gateway"
        return frozenset(words - {"role:runs-network"} | {"model:ap" if extends else f"model:{model.kind}"})
    words.update(f"feature:{feature.casefold()}" for feature in device.features)
    if device.type:
        words.add(f"type:{device.type.casefold()}")
    names = [name.casefold() for name in (device.model_code, device.model_name) if name]
    words.update(f"prefix:{word}" for word, starts in _PREFIXES if any(name.startswith(starts) for name in names))
    return frozenset(words)


def kind_of(words: frozenset[str], rules: tuple[KindRule, ...] = KIND_RULES) -> str:
    """The kind of the first rule that holds; ``other`` when none does."""
    return next((rule.kind for rule in rules if any(_holds(line, words) for line in rule.any_of)), OTHER)


def _holds(line: str, words: frozenset[str]) -> bool:
    return all((word[1:] not in words) if word[0] == "!" else (word in words) for word in line.split())
