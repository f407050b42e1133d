"""A made-up UniFi of three consoles that change while some of it cannot be read; ``seen`` is what was read last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from random import Random

from beast_dream_snow_loader.core.observed import (
    SITE_MANAGER,
    Console,
    Device,
    Presence,
    Read,
    Site,
    Snapshot,
    Subject,
)
from beast_dream_snow_loader.errors import SourceUnavailable

CONSOLES = tuple(
    Console(key=f"c{n}", name=f"Console {n}", host_id=f"host-{n}", address=f"192.0.2.{n}:443") for n in range(3)
)
FOUNDED = datetime(2026, 1, 1, tzinfo=UTC)


class Outage(StrEnum):
    """What cannot be read."""

    NONE = "none"
    LOST = "console lost"
    """Neither itself nor the cloud answers for it; the cloud lists what it last knew."""
    SHUT = "console shut"
    """Its own address does not answer, the cloud lists its devices; nothing tells that both are one console."""
    CUT = "console cut"
    """Half of its devices arrive."""
    CLOUD = "cloud away"
    CLOUD_AND_ONE = "cloud and a console away"
    ALL = "all away"


class StoryClock:
    """Moves when the story says so."""

    def __init__(self) -> None:
        self.moment = FOUNDED

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return (self.moment - FOUNDED).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@dataclass(slots=True, kw_only=True)
class Estate:
    """The source of a story. ``there`` is the truth, ``seen`` what was read last, ``listed`` what the cloud alone
    tells, without having seen it, of a console it has lost; ``once_elsewhere`` are devices that have roamed."""

    chance: Random
    clock: StoryClock
    there: dict[str, Device] = field(default_factory=dict)
    seen: dict[str, Device] = field(default_factory=dict)
    listed: dict[str, Device] = field(default_factory=dict)
    once_elsewhere: set[str] = field(default_factory=set)
    outage: Outage = Outage.NONE
    hit: str = "c0"
    _last: dict[str, Device] = field(default_factory=dict)
    _reads: tuple[Read, ...] = ()

    @classmethod
    def founded(cls, chance: Random, clock: StoryClock) -> Estate:
        estate = cls(chance=chance, clock=clock)
        for console in CONSOLES:
            for _ in range(chance.randint(3, 5)):
                estate._add(console.key)
        return estate

    def live(self) -> None:
        """Some hours or days go by, and a few things change."""
        self.clock.sleep(3600 * self.chance.choice((1, 6, 25, 25, 50, 100)))
        for _ in range(self.chance.randint(0, 3)):
            mac = self.chance.choice(sorted(self.there))
            change = self.chance.choice((self._upgrade, self._move, self._roam, self._remove, self._upgrade))
            change(mac)
        if self.chance.random() < 0.3:
            self._add(self.chance.choice(CONSOLES).key)

    def suffer(self, outage: Outage) -> None:
        self.outage, self.hit = outage, self.chance.choice(CONSOLES).key

    def read(self) -> Snapshot:
        """As the source gives it; ``seen`` is what really was read now."""
        if self.outage is Outage.ALL:
            self.seen, self.listed, self._reads = {}, {}, ()
            raise SourceUnavailable("UniFi cannot be read: nothing answers.")
        rows = list(self._rows())
        told = {d.mac: d for d in rows}
        lost = self.outage is Outage.LOST
        self.seen = {mac: d for mac, d in told.items() if not (lost and d.console == self.hit)}
        self.listed = {mac: device for mac, device in told.items() if mac not in self.seen}
        self._last = {**self._last, **self.seen}
        self._reads = tuple(self._all_reads())
        here = [c for c in CONSOLES if not (self.outage is Outage.CLOUD_AND_ONE and c.key == self.hit)]
        consoles = tuple(self._console(console) for console in here)
        sites = tuple(Site(console=c.key, short_name="default", name=c.name) for c in here)
        return Snapshot(
            taken_at=self.clock.now(),
            consoles=consoles,
            sites=sites,
            devices=tuple(told[mac] for mac in sorted(told)),
            reads=self._reads,
        )

    def really_looked(self, mac: str, console: str) -> bool:
        """Whether this read would have shown the device at that console."""
        if self.outage in (Outage.NONE, Outage.CLOUD):
            return True
        return self.outage is not Outage.ALL and console != self.hit

    def _console(self, console: Console) -> Console:
        if console.key != self.hit or self.outage not in (Outage.LOST, Outage.SHUT):
            return replace(console, host_id=None) if self.outage is Outage.CLOUD else console
        return replace(console, address=None, lost=self.outage is Outage.LOST)

    def _rows(self) -> Iterator[Device]:
        """Without the half that is cut off, and what the cloud last knew of a lost console."""
        for number, (mac, device) in enumerate(sorted(self.there.items())):
            whole = device.console != self.hit or self.outage in (Outage.NONE, Outage.CLOUD)
            if whole or (self.outage is Outage.CUT and number % 2):
                yield device
            elif self.outage is Outage.SHUT:
                yield replace(device, cloud_only=True, uplink_mac=None)
            elif self.outage is Outage.LOST and mac in self._last and self._last[mac].console == self.hit:
                yield replace(self._last[mac], cloud_only=True, uplink_mac=None, presence=Presence.OFFLINE)

    def _all_reads(self) -> Iterator[Read]:
        cloud_away = self.outage in (Outage.CLOUD, Outage.CLOUD_AND_ONE)
        if cloud_away:
            yield Read(console=SITE_MANAGER, subject=Subject.DEVICES, complete=False, reason="away")
        for console in CONSOLES:
            count = sum(device.console == console.key for device in self.seen.values())
            struck = console.key == self.hit
            if struck and self.outage in (Outage.LOST, Outage.SHUT, Outage.CLOUD_AND_ONE):
                for subject in Subject:
                    name = f"url:{console.address}"
                    yield Read(console=name, subject=subject, complete=False, reason="timed out")
                if self.outage is not Outage.CLOUD_AND_ONE:
                    yield Read(console=console.key, subject=Subject.DEVICES, records=max(1, count))
                continue
            whole = not (struck and self.outage is Outage.CUT)
            for subject in Subject:
                yield Read(console=console.key, site="default", subject=subject, complete=whole, records=count)

    def _add(self, console: str) -> None:
        mac = f"00005e{self.chance.getrandbits(24):06x}"
        above = [d.mac for d in self.there.values() if d.console == console]
        self.there[mac] = Device(
            mac=mac,
            console=console,
            site="default",
            name=f"dev-{mac[-6:]}",
            model_code="USPM24P",
            firmware="1.0.0",
            uplink_mac=self.chance.choice(above) if above else None,
        )

    def _upgrade(self, mac: str) -> None:
        self.there[mac] = replace(self.there[mac], firmware=f"1.{self.chance.randrange(1000)}.{len(self.there)}")

    def _move(self, mac: str) -> None:
        beside = [d.mac for d in self.there.values() if d.console == self.there[mac].console and d.mac != mac]
        if beside:
            self.there[mac] = replace(self.there[mac], uplink_mac=self.chance.choice(beside))

    def _roam(self, mac: str) -> None:
        console = self.chance.choice([c.key for c in CONSOLES if c.key != self.there[mac].console])
        above = [d.mac for d in self.there.values() if d.console == console]
        self.once_elsewhere.add(mac)
        uplink = self.chance.choice(above) if above else None
        self.there[mac] = replace(self.there[mac], console=console, uplink_mac=uplink)

    def _remove(self, mac: str) -> None:
        if len(self.there) > 6:
            del self.there[mac]
