"""Which record somebody means by a MAC, a serial number, a sys_id, a native key or a name."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from beast_dream_snow_loader.core.identity import SourceKey, parse_sys_id
from beast_dream_snow_loader.core.known import KnownState
from beast_dream_snow_loader.core.normalize import colon_mac, mac12
from beast_dream_snow_loader.core.observed import Snapshot
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.errors import BadArgument

_MOST = 10
_NONE: Mapping[str, Collection[SourceKey]] = MappingProxyType({})
_CANDIDATE = "candidate"
_WAYS = ("native key", "MAC", "sys_id", _CANDIDATE, "serial number", "name")
Candidates = Mapping[str, Collection[SourceKey]]
"""The held records that each CI might be, by sys_id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """``by`` is the way in which the text names the record."""

    key: SourceKey
    by: str


def meant(text: str, snapshot: Snapshot | None, known: KnownState, candidates: Candidates = _NONE) -> Meant:
    """Raises BadArgument when the text names nobody, with the nearest names, or several records. The sys_id of a CI
    that a held record might be names that record."""
    book = _book(snapshot, known, candidates)
    for by in _WAYS:
        keys = sorted(book[by].get(_spelled(by, text), frozenset()))
        if len(keys) == 1:
            return Meant(key=keys[0], by=by)
        if keys:
            listed = ", ".join(str(key) for key in keys[:_MOST])
            message = f"{shown(text, 60)} is the {by} of {len(keys)} records."
            raise BadArgument(message, next_step=f"Name one of them by its native key: {listed}")
    raise BadArgument(f"Nothing here is called {shown(text, 60)}.", next_step=_nearest(text, book))


_Book = Mapping[str, dict[str, frozenset[SourceKey]]]


def _book(snapshot: Snapshot | None, known: KnownState, candidates: Candidates) -> _Book:
    book: dict[str, dict[str, frozenset[SourceKey]]] = {by: {} for by in _WAYS}
    held = ((_CANDIDATE, sys_id, key) for sys_id, keys in candidates.items() for key in keys)
    for by, text, key in (*_of_snapshot(snapshot), *_of_known(known), *held):
        spelled = _spelled(by, text)
        if spelled:
            book[by][spelled] = book[by].get(spelled, frozenset()) | {key}
    return book


def _of_snapshot(snapshot: Snapshot | None) -> Iterator[tuple[str, str, SourceKey]]:
    devices = {mac: device for device in snapshot.devices if (mac := mac12(device.mac))} if snapshot else {}
    for mac, device in devices.items():
        key = SourceKey("device", mac)
        yield from _same_for_all(key)
        yield "serial number", device.serial or "", key
        yield "name", device.name or "", key
    for client in snapshot.clients if snapshot else ():
        mac = mac12(client.mac) or ""
        if mac and mac not in devices:
            key = SourceKey("client", mac)
            yield from _same_for_all(key)
            yield from (("name", name or "", key) for name in (client.name, client.host_name))


def _of_known(known: KnownState) -> Iterator[tuple[str, str, SourceKey]]:
    for key, item in known.items.items():
        yield from _same_for_all(key)
        yield "sys_id", item.sys_id, key
        yield "serial number", item.written.get("serial_number", ""), key
        yield "name", item.written.get("name", ""), key


def _same_for_all(key: SourceKey) -> Iterator[tuple[str, str, SourceKey]]:
    yield "native key", str(key), key
    yield "MAC", key.mac, key


def _spelled(by: str, text: str) -> str:
    if by == "MAC":
        return mac12(text) or ""
    if by in ("sys_id", _CANDIDATE):
        return parse_sys_id(text) or ""
    return text.strip().casefold()


def _nearest(text: str, book: _Book) -> str:
    """MACs are compared in the spelling with colons, in which people mistype them."""
    spellings = {name: name for by in ("name", "serial number", "native key") for name in book[by]}
    spellings |= {colon_mac(mac): colon_mac(mac) for mac in book["MAC"]}
    found = difflib.get_close_matches(text.strip().casefold(), list(spellings), n=3, cutoff=0.5)
    if not found:
        return "Give a MAC, a serial number, a sys_id, a native key or a name; snowload plan lists records."
    return f"Did you mean {', '.join(shown(name, 60) for name in found)}?"
