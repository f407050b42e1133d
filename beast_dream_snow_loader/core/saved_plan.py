"""A plan to be applied later, with what it saw: enough to do exactly that, or to notice that it no longer fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from beast_dream_snow_loader.core.changes import ItemChange, Lane, LinkChange, Plan, UnlinkChange
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import Held, KnownItem

CLASS, MOD_COUNT = "sys_class_name", "sys_mod_count"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A CI as it stood when the plan was made. ``mod_count`` is ``sys_mod_count`` as text."""

    key: SourceKey
    sys_id: SysId
    class_name: str
    mod_count: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """The part of a saved plan that is carried out. ``carriers`` as in :class:`Plan`; ``seen`` holds every CI that is
    there already and that the plan touches or names."""

    lanes: tuple[Lane, ...] = ()
    links: tuple[LinkChange, ...] = ()
    client_links: tuple[LinkChange, ...] = ()
    unlinks: tuple[UnlinkChange, ...] = ()
    retirements: tuple[ItemChange, ...] = ()
    carriers: tuple[ItemChange, ...] = ()
    seen: tuple[Seen, ...] = ()
    held: tuple[Held, ...] = ()
    """Records that the plan kept back for a person: they wait also when it is applied."""

    @classmethod
    def of(cls, plan: Plan, seen: tuple[Seen, ...]) -> SavedPlan:
        carriers = tuple(plan.carriers[key] for key in sorted(plan.carriers))
        return cls(
            lanes=plan.lanes,
            links=plan.links,
            client_links=plan.client_links,
            unlinks=plan.unlinks,
            retirements=plan.retirements,
            carriers=carriers,
            seen=seen,
            held=plan.held,
        )

    @property
    def items(self) -> tuple[ItemChange, ...]:
        return (*(change for lane in self.lanes for change in lane.items), *self.retirements)


def touched(plan: Plan) -> tuple[tuple[ItemChange, KnownItem], ...]:
    """Every change and carrier of a CI that is there already, with what was known of it; each CI once."""
    every = (*plan.items, *plan.retirements, *plan.carriers.values())
    return tuple({c.item.key: (c, c.known) for c in every if c.known is not None}.values())
