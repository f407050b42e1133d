"""Refusals: what looks like a fault of the source is not acted upon."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from beast_dream_snow_loader.core.known import KnownItem, KnownState
from beast_dream_snow_loader.core.observed import Snapshot
from beast_dream_snow_loader.core.presence import RetirePolicy
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.errors import EmptySource, TooManyRetirements


def refuse_empty_source(snapshot: Snapshot, known: KnownState) -> None:
    """Raises EmptySource when UniFi shows no device at all."""
    devices = sum(1 for key in known.items if key.record == "device")
    if snapshot.devices:
        return
    if not devices:
        raise EmptySource(
            "UniFi shows no device at all. Nothing was written.",
            next_step="Check the UniFi account's rights and its sites with: snowload health",
        )
    raise EmptySource(
        f"UniFi shows no device at all on {len(snapshot.consoles)} consoles; {devices} are known from earlier loads. "
        "Nothing was written.",
        next_step="Check the UniFi account's rights and its sites with: snowload health",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """``leaving`` of the ``known`` CIs of one group: all, a class, a site."""

    group: str
    leaving: int
    known: int

    @property
    def percent(self) -> float:
        return 100 * self.leaving / self.known

    def __str__(self) -> str:
        return f"{self.leaving} of {self.known} {self.group} ({self.percent:.0f} %)"


def excess(leaving: Sequence[KnownItem], known: Iterable[KnownItem], policy: RetirePolicy) -> tuple[Share, ...]:
    """The groups that would lose more than the policy allows, worst first; ``known`` are all that are not retired yet,
    those who leave included. Up to ``allow_count`` of a group may always go."""
    counts = Counter(group for item in leaving for group in _groups(item))
    totals = Counter(group for item in known for group in _groups(item))
    shares = [Share(group=group, leaving=count, known=max(count, totals[group])) for group, count in counts.items()]
    over = [s for s in shares if s.leaving > policy.allow_count and s.percent > policy.allow_percent]
    return tuple(sorted(over, key=lambda share: (-share.percent, -share.leaving, share.group)))


def _groups(item: KnownItem) -> Iterator[str]:
    yield "known CIs"
    yield f"known {item.key.record}s"
    yield f"CIs of class {shown(item.class_name, 60)}"
    yield (
        f"CIs at site {shown(f'{item.lane}/{item.site}', 80)}"
        if item.site
        else f"CIs of console {shown(item.lane, 60)}"
    )


def too_many_retirements(over: Sequence[Share], policy: RetirePolicy, again: str) -> TooManyRetirements:
    """Why the retire step was not done, and the command that does it; ``again`` is this run's own."""
    named = "; ".join(str(share) for share in over[:5])
    more = f"; {len(over) - 5} more groups" if len(over) > 5 else ""
    percent = min(100, math.ceil(max(share.percent for share in over)))
    return TooManyRetirements(
        f"Nothing was retired: more than {policy.allow_percent:g} % and more than {policy.allow_count} CIs of a group "
        f"would go. {named}{more}. All the rest of the run was done.",
        next_step=f"Look at them in the report. If they are really gone: {again} --allow-retire {percent}",
    )
