"""Which edges of clients to draw and remove, where the client's CI belongs to somebody else (cmdb-model 6.4, 6.7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from beast_dream_snow_loader.core.changes import LinkChange, UnlinkChange
from beast_dream_snow_loader.core.desired import ClientLink
from beast_dream_snow_loader.core.edge_checks import removed
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import KnownRelation
from beast_dream_snow_loader.core.moves import follow
from beast_dream_snow_loader.core.observed import Looked

_NAMED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """``open`` are to be looked for by MAC, ``over`` edges whose client hangs elsewhere now, ``watched`` what is to be
    remembered for the next read."""

    open: tuple[ClientLink, ...] = ()
    over: tuple[UnlinkChange, ...] = ()
    watched: tuple[KnownRelation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientPlan:
    """``orphans`` counts clients without an edge that will be drawn; ``forgotten`` are edges of others, no longer true;
    ``removed`` those that a person removed and that stay away."""

    links: tuple[LinkChange, ...] = ()
    unlinks: tuple[UnlinkChange, ...] = ()
    watched: tuple[KnownRelation, ...] = ()
    forgotten: tuple[KnownRelation, ...] = ()
    removed: tuple[KnownRelation, ...] = ()
    orphans: int = 0
    findings: tuple[Finding, ...] = ()


def sort_out(
    wanted: Sequence[ClientLink], known: Mapping[str, KnownRelation], looked: Looked, *, full: bool = False
) -> Sorted:
    """What has to be looked for: clients without an edge, and those that have moved. ``full`` looks for every client
    again. A client that is not wanted now keeps its edge."""
    mine = {link.key: link for link in wanted}
    edges = [edge for edge in known.values() if edge.lower in mine]
    moves = follow((link.relation for link in wanted), edges, mine, looked)
    return Sorted(
        open=tuple(
            link
            for link in wanted
            if (full or link.relation.key not in known) and link.relation.key not in moves.waiting
        ),
        over=tuple(moves.over),
        watched=tuple(moves.watched),
    )


def plan_clients(
    sorted_out: Sorted,
    found: Mapping[str, Sequence[SysId]],
    known: Mapping[str, KnownRelation],
    devices: Iterable[SysId],
    lost: Mapping[str, KnownRelation],
    *,
    redraw: bool = False,
) -> ClientPlan:
    """The changes, once the CIs with the clients' MACs are ``found``. ``devices`` are CIs of UniFi's own devices: such
    a CI is no client's. ``lost`` are edges that are gone: where their CI is the one they were drawn to, somebody
    removed them, and they stay away unless ``redraw``."""
    own = frozenset(devices)
    links: list[LinkChange] = []
    by_hand: list[KnownRelation] = []
    told: list[Finding] = []
    none: list[SourceKey] = []
    several: dict[SourceKey, list[SysId]] = {}
    for link in sorted_out.open:
        there = [sys_id for sys_id in found.get(link.key.mac, ()) if sys_id not in own]
        edge = lost.get(link.relation.key)
        if edge is not None and there == [edge.lower_sys_id]:
            told.append(removed(edge, str(link.relation.role), link.relation.upper, again=redraw))
            if not redraw:
                by_hand.append(edge)
                continue
        if len(there) == 1:
            links.append(LinkChange(relation=link.relation, lower_sys_id=there[0]))
        elif there:
            several[link.key] = there
        else:
            none.append(link.key)
    drawn = {link.subject for link in links} | known.keys()
    over = [unlink for unlink in sorted_out.over if unlink.replaced_by in drawn]
    return ClientPlan(
        links=tuple(links),
        unlinks=tuple(unlink for unlink in over if unlink.known.ours),
        watched=sorted_out.watched,
        forgotten=tuple(unlink.known for unlink in over if not unlink.known.ours),
        removed=tuple(by_hand),
        orphans=len(none) + len(several) + len(by_hand),
        findings=(*told, *_told(none, several)),
    )


def _told(none: Sequence[SourceKey], several: Mapping[SourceKey, Sequence[SysId]]) -> Iterable[Finding]:
    if none:
        message = (
            f"{len(none)} clients have no CI with their MAC address: no edge is drawn ({_some(map(str, none))}). "
            "Once another source has made the CI, the next load links it."
        )
        yield _finding("client.no_ci", Severity.INFO, message, len(none))
    if several:
        shown = _some(f"{key}: …{', …'.join(one[-4:] for one in ids)}" for key, ids in sorted(several.items()))
        message = (
            f"{len(several)} clients have more than one CI with their MAC address: no edge is drawn ({shown}). "
            "Retire or merge the duplicates, the next load links what is left."
        )
        yield _finding("client.several_cis", Severity.WARNING, message, len(several))


def _some(texts: Iterable[str]) -> str:
    listed = list(texts)
    return ", ".join(listed[:_NAMED]) + (f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else "")


def _finding(rule: str, severity: Severity, message: str, count: int) -> Finding:
    return Finding(record="clients", rule=rule, severity=severity, message=message, value=str(count))


def as_drawn(link: LinkChange, ends: Mapping[SourceKey, SysId]) -> KnownRelation | None:
    """The edge as it is in the CMDB once drawn, to look it up by its ends. None when one of them is not known."""
    relation = link.relation
    lower, upper = link.lower_sys_id or ends.get(relation.lower), ends.get(relation.upper)
    if lower is None or upper is None:
        return None
    parent, child = (upper, lower) if relation.reversed else (lower, upper)
    return KnownRelation(
        relation_key=relation.key,
        parent=relation.parent,
        child=relation.child,
        type=relation.type,
        parent_sys_id=parent,
        child_sys_id=child,
    )
