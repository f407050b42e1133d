"""What an instance lacked when it was last read, to be asked for again: what has appeared since is used at once (R6.4).

Facts are kept for a day; their gaps are not. Asking for the gaps again costs one request for all classes and their
fields together, and one each for relation types, choices and the engine where these lack something; reference rows
take one to three.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from beast_dream_snow_loader.core.facts import InstanceFacts
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS, LABELS, LIFE_CYCLE_ENDED, LIFE_CYCLE_RUNNING
from beast_dream_snow_loader.core.ports import Wishes


def gaps(facts: InstanceFacts, wishes: Wishes) -> Wishes | None:
    """What to ask again; None when nothing is lacking."""
    without = [names for names in wishes.roles if not facts.relation_types & set(names)]
    asked = Wishes(
        class_chains=frozenset(_classes(facts, wishes)),
        relation_types=frozenset(name for names in without for name in names),
        references=frozenset(wish for wish in wishes.references if facts.references.get(wish.key) is None),
        choices=any(f"{element}.{label}" not in facts.choices for element in LABELS for label in LABELS[element]),
        life_cycle=wishes.life_cycle and not life_cycle_told(facts),
        engine=not facts.engine,
        base=BASE_CLASS not in facts.classes,
        again=True,
    )
    lacking = (asked.class_chains, asked.relation_types, asked.references)
    return asked if any((*lacking, asked.choices, asked.life_cycle, asked.engine)) else None


def mended(facts: InstanceFacts, asked: Wishes, told: InstanceFacts) -> InstanceFacts:
    """The facts with what was asked again. They stay as old as they were, so that all is read anew within the day."""
    kept = [finding for finding in facts.findings if finding.rule.startswith("relation_type.")]
    return replace(
        facts,
        classes={**facts.classes, **told.classes},
        relation_types=facts.relation_types | told.relation_types,
        references={**facts.references, **told.references},
        choices={**facts.choices, **told.choices},
        engine=told.engine if asked.engine else facts.engine,
        findings=(*(kept if not asked.relation_types else ()), *told.findings),
    )


def life_cycle_told(facts: InstanceFacts) -> bool:
    """Whether both ends of the life cycle have a value on this instance."""
    pairs = (*LIFE_CYCLE_ENDED.items(), *LIFE_CYCLE_RUNNING.items())
    return all(f"{element}.{label}" in facts.choices for element, label in pairs)


def _classes(facts: InstanceFacts, wishes: Wishes) -> Iterator[tuple[str, ...]]:
    """Of each chain the classes that were not usable, and the used class by itself if it lacks a field."""
    for chain in wishes.class_chains:
        used = next((name for name in chain if name in facts.classes and facts.classes[name].usable), None)
        refused = chain[: chain.index(used)] if used else chain
        if refused:
            yield refused
        fields = facts.classes[used].fields if used else None
        elements = wishes.elements.get(chain, frozenset())
        if used and fields is not None and not elements <= fields.keys():
            yield (used,)
