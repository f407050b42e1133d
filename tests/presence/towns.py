"""A made-up UniFi that is read well and badly, and what is honestly known of it: the judge of what was retired.

Two places on console ``c``, each a list of its own API read page by page; a camera there that only Site Manager lists;
console ``d``, which Site Manager alone lists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from random import Random
from typing import NamedTuple

import orjson

from beast_dream_snow_loader.core.observed import SITE_MANAGER, Console, Device, Read, Site, Snapshot, Subject
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.unifi.client import Collection, Endpoint, by_offset_unmoved

FOUNDED = datetime(2026, 1, 1, tzinfo=UTC)
PAGE = 2


class Place(NamedTuple):
    """``site`` "" is what only Site Manager lists."""

    console: str
    site: str


WEST, EAST, CAMERAS, AWAY = Place("c", "west"), Place("c", "east"), Place("c", ""), Place("d", "")
PLACES = (WEST, EAST, CAMERAS, AWAY)
BY_CLOUD, BY_CONSOLE = (CAMERAS, AWAY), (WEST, EAST)
CONSOLES = (Console(key="c", name="The big one"), Console(key="d", name="The one away"))
SITES = (
    Site(console="c", short_name="west", name="West wing"),
    Site(console="c", short_name="east", name="East wing"),
    Site(console="d", short_name="east", name="Elsewhere"),
)


class Fault(StrEnum):
    """What is wrong with one read."""

    NONE = "none"
    LIST_FAILED = "list failed"
    TRUNCATED = "truncated"
    SHIFTED = "page-shifted"
    SHIFTED_ONCE = "page-shifted once"
    EMPTY = "empty"
    SITE_HIDDEN = "rights to a site lost"
    CONSOLE_AWAY = "console away"
    CONSOLE_VANISHED = "console vanished"
    CLOUD_AWAY = "Site Manager away"
    CLOUD_EMPTY = "Site Manager lists nothing"
    KEY_REMOVED = "Site Manager no longer read"
    REPEATED = "counted before a crash"
    FILTERED = "filtered"


HARMLESS = (Fault.NONE, Fault.SHIFTED_ONCE, Fault.REPEATED)
STRIKE_ONE_LIST = (Fault.LIST_FAILED, Fault.TRUNCATED, Fault.SHIFTED, Fault.EMPTY, Fault.SITE_HIDDEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a filtered run was asked for, in an operator's words, and the places that it covers."""

    words: Mapping[str, str]
    places: tuple[Place, ...] = ()


FILTERS = (
    Asked(words={"sites": "West wing"}, places=(WEST,)),
    Asked(words={"sites": "d/east", "consoles": "c"}),
    Asked(words={"sites": "EAST"}, places=(EAST,)),
    Asked(words={"consoles": "The big one"}, places=(WEST, EAST, CAMERAS)),
    Asked(words={"consoles": "d"}, places=(AWAY,)),
    Asked(words={"kinds": "switch"}, places=PLACES),
    Asked(words={"kinds": "ap"}),
)


def tells_truly(fault: Fault, hit: Place, asked: Asked | None, place: Place) -> bool:
    """Whether a read with this fault, which struck ``hit`` if it strikes one list, shows who is at ``place``."""
    if fault in HARMLESS:
        return True
    if asked is not None:
        return place in asked.places
    if fault in STRIKE_ONE_LIST:
        return place != hit
    if fault is Fault.CONSOLE_AWAY:
        return place in BY_CLOUD
    return place == AWAY if fault is Fault.CONSOLE_VANISHED else place in BY_CONSOLE


@dataclass(slots=True)
class Town:
    """``there`` is the truth. ``looks`` are the moments at which each absent device was really looked for in vain.
    ``asked`` is the filter of the last read, if it had one."""

    chance: Random
    there: dict[str, Place] = field(default_factory=dict)
    last_at: dict[str, Place] = field(default_factory=dict)
    looks: dict[str, list[datetime]] = field(default_factory=dict)
    now: datetime = FOUNDED
    snapshot: Snapshot = field(default_factory=lambda: Snapshot(taken_at=FOUNDED))
    asked: Asked | None = None
    met: Counter[str] = field(default_factory=Counter)

    @classmethod
    def founded(cls, chance: Random) -> Town:
        sizes = ((WEST, 5), (EAST, 3), (CAMERAS, 2), (AWAY, 2))
        numbers = iter(range(1, 99))
        there = {f"{next(numbers):012x}": place for place, most in sizes for _ in range(chance.randint(1, most))}
        return cls(chance=chance, there=there, last_at=dict(there))

    def live(self, fault: Fault) -> None:
        """Some days go by; now and then a device is taken away, put back, or moved. It is moved only before a read that
        shows where to: what went to a list nobody may see is, to all that can be known, gone."""
        self.now += timedelta(hours=self.chance.choice((1, 24, 24 * 3, 24 * 6, 24 * 15)))
        mac, what = self.chance.choice(sorted(self.last_at)), self.chance.random()
        absent = sorted(self.last_at.keys() - self.there.keys())
        if what < 0.25:
            self.there.pop(mac, None)
        elif what < 0.35 and absent:
            back = self.chance.choice(absent)
            self.there[back] = self.last_at[back]
        elif what < 0.5 and fault in HARMLESS and mac in self.there and self.there[mac] in BY_CONSOLE:
            self.there[mac] = self.chance.choice(BY_CONSOLE)

    def read(self, fault: Fault) -> None:
        """A read of now, in ``snapshot``. Site Manager also lists what the consoles list."""
        hit = self.chance.choice(BY_CONSOLE)
        self.asked = self.chance.choice(FILTERS) if fault is Fault.FILTERED else None
        self.met[fault] += 1
        self._really_looked(fault, hit)
        lists = [*self._by_console(fault, hit), *self._by_cloud(fault)]
        seen = {device.mac: device for read, devices in reversed(lists) for device in devices}
        for mac in seen:
            self.last_at[mac] = self.there[mac]
            self.looks.pop(mac, None)
        devices = tuple(seen[mac] for mac in sorted(seen))
        reads = tuple(read for read, _ in lists if read is not None)
        self.snapshot = Snapshot(taken_at=self.now, consoles=CONSOLES, sites=SITES, devices=devices, reads=reads)

    def _really_looked(self, fault: Fault, hit: Place) -> None:
        for mac in self.last_at.keys() - self.there.keys():
            if tells_truly(fault, hit, self.asked, self.last_at[mac]):
                self.looks.setdefault(mac, []).append(self.now)

    def _at(self, *places: Place) -> list[str]:
        return [mac for mac, place in sorted(self.there.items()) if place in places]

    def _by_console(self, fault: Fault, hit: Place) -> Iterator[tuple[Read | None, list[Device]]]:
        for place in BY_CONSOLE:
            struck = fault is Fault.CONSOLE_AWAY or (fault is Fault.LIST_FAILED and place is hit)
            if fault is Fault.CONSOLE_VANISHED or (fault is Fault.SITE_HIDDEN and place is hit):
                continue
            if struck:
                yield _list(place, complete=False), []
            elif place is hit and fault in (Fault.TRUNCATED, Fault.SHIFTED, Fault.SHIFTED_ONCE):
                yield self._paged(place, fault)
            else:
                macs = [] if fault is Fault.EMPTY and place is hit else self._at(place)
                yield _list(place, records=len(macs)), [_device(mac, place) for mac in macs]

    def _paged(self, place: Place, fault: Fault) -> tuple[Read, list[Device]]:
        found = paged(self._at(place), fault)
        whole = not (found.shortfall or found.moved)
        macs = [str(row["macAddress"]) for row in found.rows if row["macAddress"] in self.there]
        return _list(place, complete=whole, records=len(found.rows)), [_device(mac, place) for mac in macs]

    def _by_cloud(self, fault: Fault) -> Iterator[tuple[Read | None, list[Device]]]:
        if fault is Fault.KEY_REMOVED:
            return
        if fault is Fault.CLOUD_AWAY:
            yield Read(console=SITE_MANAGER, subject=Subject.DEVICES, complete=False), []
            return
        for place in BY_CLOUD:
            if fault is Fault.CONSOLE_VANISHED and place is CAMERAS:
                continue
            macs = [] if fault is Fault.CLOUD_EMPTY else self._at(place)
            yield _list(place, records=len(macs)), [_device(mac, place, cloud_only=True) for mac in macs]


def _list(place: Place, *, complete: bool = True, records: int = 0) -> Read:
    return Read(
        console=place.console, site=place.site or None, subject=Subject.DEVICES, complete=complete, records=records
    )


def _device(mac: str, place: Place, *, cloud_only: bool = False) -> Device:
    return Device(mac=mac, console=place.console, site=place.site or None, cloud_only=cloud_only)


@dataclass(slots=True)
class _Pages:
    """A Network API whose list moves, or ends early, while it is read page by page."""

    rows: list[str]
    fault: Fault
    moves: int
    came: int = 0

    def send(self, request: Request) -> Response:
        told = dict(request.params)
        offset, limit = int(told["offset"]), int(told["limit"])
        if offset and self.moves:
            self.moves -= 1
            self.came += 1
            self.rows = [*self.rows[1:], f"newcomer-{self.came}"]
        there = self.rows[:-1] if self.fault is Fault.TRUNCATED else self.rows
        data = [{"id": mac, "macAddress": mac} for mac in there[offset : offset + limit]]
        body = orjson.dumps({"offset": offset, "count": len(data), "totalCount": len(self.rows), "data": data})
        return Response(status=200, headers={}, body=body, url=request.url)


def paged(macs: list[str], fault: Fault) -> Collection:
    """These devices as the client reads them, on two pages at least. Neighbours stand first in the list: they go."""
    moves = {Fault.SHIFTED: 99, Fault.SHIFTED_ONCE: 1}.get(fault, 0)
    transport = _Pages(rows=["neighbour-1", "neighbour-2", "neighbour-3", *macs], fault=fault, moves=moves)
    endpoint = Endpoint(transport=transport, base="http://unifi", service="UniFi", settings="", headers={})
    return by_offset_unmoved(endpoint, "/devices", PAGE)
