"""Which class each kind of record got on this instance, and why not a better one (cmdb-model 6.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from beast_dream_snow_loader.core.desired import DesiredState
from beast_dream_snow_loader.core.facts import InstanceFacts
from beast_dream_snow_loader.core.mapping_tables import Chain


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassStep:
    """One class of a chain as it was tried. ``reason`` says why it is not usable."""

    name: str
    usable: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassChoice:
    """``class_name`` is empty when no class of the chain can be used: then these records are left out."""

    kind: str
    class_name: str
    records: int
    steps: tuple[ClassStep, ...]


def class_steps(chain: Chain, facts: InstanceFacts) -> Iterator[ClassStep]:
    """The classes of a chain in the order they are tried, up to the first usable one."""
    for name in chain:
        told = facts.classes.get(name)
        if told is not None and told.usable:
            yield ClassStep(name=name, usable=True)
            return
        reason = (told.reason or "not usable") if told is not None else "not looked at"
        yield ClassStep(name=name, usable=False, reason=reason)


def class_choices(mapped: DesiredState, fitted: DesiredState, facts: InstanceFacts) -> tuple[ClassChoice, ...]:
    """One per kind, chain and class, sorted; ``fitted`` is ``mapped`` for this instance."""
    counted = Counter(
        (item.kind, fitted.items[key].class_name if key in fitted.items else "", item.class_chain)
        for key, item in mapped.items.items()
    )
    return tuple(
        ClassChoice(kind=kind, class_name=name, records=count, steps=tuple(class_steps(chain, facts)))
        for (kind, name, chain), count in sorted(counted.items())
    )
