"""Survey: what this instance is like, from memory while it is fresh, from the instance otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from beast_dream_snow_loader.core.events import FindingRaised
from beast_dream_snow_loader.core.facts import InstanceFacts
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.gaps import gaps, mended
from beast_dream_snow_loader.core.ports import Wishes
from beast_dream_snow_loader.errors import CircuitBreakerOpen, SnowloadError
from beast_dream_snow_loader.pipeline.guard import AWAY
from beast_dream_snow_loader.pipeline.world import Order, World

_SHORTEST_WAIT_SECONDS = 0.1


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
        elif remembered is not None:
            facts = world.cmdb.facts(wishes)
        else:
            facts = _patiently(world, order, wishes)
    except AWAY as error:
        if remembered is None:
            raise
        return Survey(facts=remembered, away=error)
    if not order.dry_run and facts != remembered:
        world.memory.save_facts(order.target, facts)
    return Survey(facts=facts)


def _patiently(world: World, order: Order, wishes: Wishes) -> InstanceFacts:
    """The first survey: without it nothing can be queued, so a service left alone for a moment is waited for."""
    ends = world.clock.monotonic() + order.patience
    while True:
        try:
            return world.cmdb.facts(wishes)
        except CircuitBreakerOpen as opened:
            seconds = max(_SHORTEST_WAIT_SECONDS, opened.retry_in)
            if world.clock.monotonic() + seconds > ends or world.stopping():
                raise
            world.listener(FindingRaised(finding=_told(opened, seconds)))
            world.clock.sleep(seconds)


def _told(opened: CircuitBreakerOpen, seconds: float) -> Finding:
    message = f"{opened.message} It is asked again in {ceil(seconds)} s: this is the first load."
    return Finding(record="instance", rule="breaker.waited", severity=Severity.INFO, message=message)


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
