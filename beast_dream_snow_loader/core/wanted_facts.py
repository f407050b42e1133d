"""What must be known of the instance before a desired state can be fitted to it."""

from __future__ import annotations

from collections.abc import Iterator

from beast_dream_snow_loader.core.desired import DesiredState, Reference
from beast_dream_snow_loader.core.mapping_rules import MappingRules
from beast_dream_snow_loader.core.ports import Wishes


def wishes(desired: DesiredState, rules: MappingRules) -> Wishes:
    """What must be known of the instance before :func:`fitting.fit`."""
    items = desired.items.values()
    elements: dict[tuple[str, ...], set[str]] = {}
    for item in items:
        elements.setdefault(item.class_chain, set()).update(item.values)
    return Wishes(
        class_chains=frozenset(item.class_chain for item in items),
        relation_types=frozenset(kind.name for kinds in rules.relation_types.values() for kind in kinds),
        references=frozenset(
            wanted
            for references in {item.references for item in items}
            for reference in references
            for wanted in _with_others(reference)
        ),
        elements={chain: frozenset(names) for chain, names in elements.items()},
        roles=frozenset(tuple(kind.name for kind in kinds) for kinds in rules.relation_types.values()),
        engine=True,
    )


def _with_others(reference: Reference) -> Iterator[Reference]:
    """The reference and those it leans on."""
    yield reference
    for _, other in (*reference.within, *reference.make_from):
        yield from _with_others(other)
