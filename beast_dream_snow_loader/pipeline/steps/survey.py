"""Survey: what this instance is like, from memory while it is fresh, from the instance otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from beast_dream_snow_loader.core.facts import InstanceFacts
from beast_dream_snow_loader.core.gaps import gaps, mended
from beast_dream_snow_loader.core.ports import Wishes
from beast_dream_snow_loader.errors import SnowloadError
from beast_dream_snow_loader.pipeline.guard import AWAY
from beast_dream_snow_loader.pipeline.world import Order, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """``away`` is why the instance could not be asked; then ``facts`` are old ones and nothing can be written now."""

    facts: InstanceFacts
    away: SnowloadError | None = None


def survey(world: World, order: Order, wishes: Wishes) -> Survey:
    """Raises the transport's error when the instance is away and was never surveyed before."""
    remembered = world.memory.facts(order.target)
    usable = remembered is not None and not order.full and _fresh(world, order, remembered)
    try:
        if remembered is not None and usable and covers(remembered, wishes):
            facts = _gaps_asked_again(world, remembered, wishes)
        else:
            facts = world.cmdb.facts(wishes)
    except AWAY as error:
        if remembered is None:
            raise
        return Survey(facts=remembered, away=error)
    if not order.dry_run and facts != remembered:
        world.memory.save_facts(order.target, facts)
    return Survey(facts=facts)


def _gaps_asked_again(world: World, remembered: InstanceFacts, wishes: Wishes) -> InstanceFacts:
    asked = gaps(remembered, wishes)
    return remembered if asked is None else mended(remembered, asked, world.cmdb.facts(asked))


def covers(facts: InstanceFacts, wishes: Wishes) -> bool:
    """True when these facts answer everything wished for."""
    return (
        all(_resolved(facts, chain) for chain in wishes.class_chains)
        and bool(facts.relation_types & wishes.relation_types or not wishes.relation_types)
        and all(wish.key in facts.references for wish in wishes.references)
    )


def _resolved(facts: InstanceFacts, chain: tuple[str, ...]) -> bool:
    """The first usable class of the chain is known, or every class of it was asked in vain."""
    for name in chain:
        if name not in facts.classes:
            return False
        if facts.classes[name].usable:
            return True
    return True


def _fresh(world: World, order: Order, facts: InstanceFacts) -> bool:
    """Young enough, and read rather than guessed: what could not be read is asked for again by the next run."""
    guessed = any(finding.rule.startswith("facts.") for finding in facts.findings)
    return (
        not (guessed or facts.unregistered)
        and (world.clock.now() - facts.read_at).total_seconds() < order.facts_max_age
    )
