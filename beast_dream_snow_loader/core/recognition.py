"""Who a new record is: the decision table of cmdb-model 2.4, guard 2."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from beast_dream_snow_loader.core.desired import ConfigItem
from beast_dream_snow_loader.core.identity import SourceKey, SysId, parse_sys_id
from beast_dream_snow_loader.core.known import Candidate, Held
from beast_dream_snow_loader.core.matching import Match, MatchedBy
from beast_dream_snow_loader.core.normalize import ip, mac12
from beast_dream_snow_loader.core.shown import shown


class Decision(StrEnum):
    NEW = "new"
    """Nobody's: create it."""
    ACCEPT = "accept"
    """It is the CI ``sys_id``."""
    NEXT_NAME = "next_name"
    """Its name is somebody else's: query again under the next form."""
    HOLD = "hold"
    """A person decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``weak``: accepted on little evidence. ``send_serial`` False: the CI keeps its own serial number, ours and its
    lookup stay out of the payload. ``held`` is set with HOLD and with NEXT_NAME, should there be no further name."""

    decision: Decision
    sys_id: SysId | None = None
    weak: bool = False
    send_serial: bool = True
    held: Held | None = None
    basis: str = ""
    """The rule behind NEW and ACCEPT."""

    @property
    def rule(self) -> str:
        return self.held.rule if self.held is not None else self.basis


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One question to the engine about a record, under ``name``, and what followed from the answer."""

    key: SourceKey
    name: str
    match: Match
    verdict: Verdict


_NEW = Verdict(decision=Decision.NEW, basis="identity.new")


def judge(item: ConfigItem, match: Match, candidates: Mapping[str, Candidate] | None) -> Verdict:
    """What to do with a record that the engine was asked about.

    ``candidates`` are the matched CIs by sys_id, as read a second time; None when that was refused.
    """
    if match.by is MatchedBy.NOTHING:
        return _NEW
    there = candidates or {}
    found = tuple(there[sys_id] for sys_id in match.sys_ids if sys_id in there)
    if match.by is MatchedBy.REFUSED:
        return _hold(item.key, "identity.refused", _refusal(match), found)
    if match.by is MatchedBy.SEVERAL or len(match.sys_ids) > 1:
        return _hold(item.key, "identity.several", f"{len(match.sys_ids)} CIs match it", found)
    sys_id = parse_sys_id(match.sys_ids[0]) if match.sys_ids else None
    if sys_id is None:
        return _hold(item.key, "identity.unreadable", "the engine names no CI that matches", found)
    if match.by in (MatchedBy.SOURCE, MatchedBy.SERIAL):
        return accepted(sys_id, item, there.get(sys_id), basis=f"identity.by_{match.by}")
    if sys_id not in there:
        return _unseen(item, match.by, sys_id, refused=candidates is None)
    return _compare(item, match.by, sys_id, there[sys_id])


def accepted(sys_id: SysId, item: ConfigItem, candidate: Candidate | None, *, basis: str) -> Verdict:
    """The record is this CI, which keeps a serial number of its own; ``basis`` is the rule that says so."""
    theirs = candidate.serial_number.strip().casefold() if candidate is not None else ""
    same = not theirs or theirs == item.values.get("serial_number", "").casefold()
    return Verdict(decision=Decision.ACCEPT, sys_id=sys_id, send_serial=same, basis=basis)


def second_look(
    items: Mapping[SourceKey, ConfigItem], matches: Iterable[Match], candidates: Mapping[str, Candidate]
) -> list[Match]:
    """The matches, corrected where one record of a request hid the CI of another.

    A simulation plays its items in order: one that meets a CI by name gives it its own serial number and name there,
    and a later record, whose CI it really is, finds nothing any more. ``candidates`` are as stored.
    """
    told = tuple(matches)
    seen = _Marks.of(candidates.values())
    return [_corrected(items[match.key], match, seen) for match in told]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Marks:
    """What CIs can be told by, to their sys_ids."""

    serials: Mapping[str, frozenset[str]]
    macs: Mapping[str, frozenset[str]]
    names: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, candidates: Iterable[Candidate]) -> _Marks:
        alive = [candidate for candidate in candidates if not candidate.duplicate_of]
        return cls(
            serials=_grouped((c.serial_number.strip().casefold(), c.sys_id) for c in alive),
            macs=_grouped((mac, c.sys_id) for c in alive for mac in _macs(c)),
            names=_grouped((c.name.strip().casefold(), c.sys_id) for c in alive),
        )


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for mark, sys_id in pairs:
        if mark:
            found[mark] = found.get(mark, frozenset()) | {sys_id}
    return found


_DECIDED = frozenset({MatchedBy.SOURCE, MatchedBy.SERIAL, MatchedBy.SEVERAL, MatchedBy.REFUSED})


def _corrected(item: ConfigItem, match: Match, seen: _Marks) -> Match:
    if match.by in _DECIDED:
        return match
    for by, sys_ids in _better(item, match, seen):
        if sys_ids - set(match.sys_ids):
            several = MatchedBy.SEVERAL if len(sys_ids) > 1 else by
            return replace(match, by=several, sys_ids=tuple(sorted(sys_ids)))
    return match


def _better(item: ConfigItem, match: Match, seen: _Marks) -> Iterator[tuple[MatchedBy, frozenset[str]]]:
    """The strongest mark first. A name counts only for a record that the engine found nothing for."""
    yield MatchedBy.SERIAL, seen.serials.get(item.values.get("serial_number", "").casefold(), frozenset())
    yield MatchedBy.ADAPTER, seen.macs.get(item.key.mac, frozenset())
    if match.by is MatchedBy.NOTHING:
        yield MatchedBy.NAME, seen.names.get(item.name.casefold(), frozenset())


def _unseen(item: ConfigItem, by: MatchedBy, sys_id: SysId, *, refused: bool) -> Verdict:
    """A CI that reading does not show. By name it may be no CI at all but a record before it in the same request,
    whose name the database takes for equal: another name settles that."""
    reason = f"the CI ending {sys_id[-3:]} that matches cannot be read"
    held = _held(item.key, "identity.unreadable", reason, ())
    by_name = by is MatchedBy.NAME and not refused
    return Verdict(decision=Decision.NEXT_NAME if by_name else Decision.HOLD, held=held)


def _compare(item: ConfigItem, by: MatchedBy, sys_id: SysId, candidate: Candidate) -> Verdict:
    """A match by name, adapter or a custom entry says little: serial, MAC and address decide."""
    ours, theirs = item.values.get("serial_number", ""), candidate.serial_number.strip()
    if theirs and theirs.casefold() == ours.casefold():
        return Verdict(decision=Decision.ACCEPT, sys_id=sys_id, basis="identity.serial_equal")
    macs = _macs(candidate)
    if item.key.mac in macs:
        return Verdict(decision=Decision.ACCEPT, sys_id=sys_id, send_serial=False, basis="identity.mac_equal")
    if by is MatchedBy.NAME:
        return _by_name(item, sys_id, candidate, has_mac=bool(macs))
    return _hold(
        item.key,
        "identity.address_only",
        f"{_described(candidate)} agrees with it in the address only: it may have moved from one device to another",
        (candidate,),
    )


def _by_name(item: ConfigItem, sys_id: SysId, candidate: Candidate, *, has_mac: bool) -> Verdict:
    if candidate.serial_number.strip() or has_mac:
        reason = f"its name is that of {_described(candidate)}, which is another device"
        return Verdict(decision=Decision.NEXT_NAME, held=_held(item.key, "identity.name_taken", reason, (candidate,)))
    address = ip(item.values.get("ip_address"))
    if address is not None and address == ip(candidate.ip_address):
        return Verdict(decision=Decision.ACCEPT, sys_id=sys_id, weak=True, basis="identity.weak")
    reason = f"{_described(candidate)} has its name and neither serial number nor MAC to compare"
    return _hold(item.key, "identity.name_only", reason, (candidate,))


def _hold(key: SourceKey, rule: str, reason: str, candidates: tuple[Candidate, ...]) -> Verdict:
    return Verdict(decision=Decision.HOLD, held=_held(key, rule, reason, candidates))


def _held(key: SourceKey, rule: str, reason: str, candidates: tuple[Candidate, ...]) -> Held:
    return Held(key=key, rule=rule, reason=reason, candidates=candidates)


def _refusal(match: Match) -> str:
    said = ": ".join(part for part in (match.code, shown(match.message)) if part)
    return f"the identification engine would not take it ({said or 'no reason given'})"


def _macs(candidate: Candidate) -> frozenset[str]:
    found = (mac12(mac) for mac in (candidate.mac_address, *candidate.adapter_macs))
    return frozenset(mac for mac in found if mac)


def _described(candidate: Candidate) -> str:
    class_name = candidate.class_name or "class not told"
    source = f", from {shown(candidate.discovery_source)}" if candidate.discovery_source else ""
    return f"the CI {shown(candidate.name)} ({class_name}, sys_id …{candidate.sys_id[-3:]}{source})"
