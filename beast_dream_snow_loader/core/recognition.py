"""Who a new record is: the decision table of cmdb-model 2.4, guard 2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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


_NEW = Verdict(decision=Decision.NEW)


def judge(
    item: ConfigItem,
    match: Match,
    candidates: Mapping[str, Candidate],
    bindings: Mapping[str, SysId] | None = None,
) -> Verdict:
    """What to do with a record that the engine was asked about.

    ``candidates`` are the matched CIs by sys_id, as read a second time; ``bindings`` the operator's, native key →
    sys_id, which outweigh the engine.
    """
    bound = (bindings or {}).get(str(item.key))
    if bound:
        return _accept(bound, item, candidates.get(bound))
    if match.by is MatchedBy.NOTHING:
        return _NEW
    found = tuple(candidates[sys_id] for sys_id in match.sys_ids if sys_id in candidates)
    if match.by is MatchedBy.REFUSED:
        return _hold(item.key, "identity.refused", _refusal(match), found)
    if match.by is MatchedBy.SEVERAL or len(match.sys_ids) > 1:
        return _hold(item.key, "identity.several", f"{len(match.sys_ids)} CIs match it", found)
    sys_id = parse_sys_id(match.sys_ids[0]) if match.sys_ids else None
    if sys_id is None:
        return _hold(item.key, "identity.unreadable", "the engine names no CI that matches", found)
    if match.by in (MatchedBy.SOURCE, MatchedBy.SERIAL):
        return _accept(sys_id, item, candidates.get(sys_id))
    return _compare(item, match.by, sys_id, candidates.get(sys_id))


def _compare(item: ConfigItem, by: MatchedBy, sys_id: SysId, candidate: Candidate | None) -> Verdict:
    """A match by name, adapter or a custom entry says little: serial, MAC and address decide."""
    if candidate is None:
        return _hold(item.key, "identity.unreadable", f"the CI ending {sys_id[-3:]} that matches cannot be read", ())
    ours, theirs = item.values.get("serial_number", ""), candidate.serial_number.strip()
    if theirs and theirs.casefold() == ours.casefold():
        return Verdict(decision=Decision.ACCEPT, sys_id=sys_id)
    macs = _macs(candidate)
    if item.key.mac in macs:
        return Verdict(decision=Decision.ACCEPT, sys_id=sys_id, send_serial=False)
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
        return Verdict(decision=Decision.ACCEPT, sys_id=sys_id, weak=True)
    reason = (
        f"{_described(candidate)} has its name and neither serial number nor MAC to compare. "
        f"If it is the same, bind {item.key} to sys_id {sys_id}"
    )
    return _hold(item.key, "identity.name_only", reason, (candidate,))


def _accept(sys_id: SysId, item: ConfigItem, candidate: Candidate | None) -> Verdict:
    theirs = candidate.serial_number.strip().casefold() if candidate is not None else ""
    same = not theirs or theirs == item.values.get("serial_number", "").casefold()
    return Verdict(decision=Decision.ACCEPT, sys_id=sys_id, send_serial=same)


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
