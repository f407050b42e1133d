"""What is remembered of each console, and how it stands in for one that cannot be read now (R6.3).

What was read now always comes before what is remembered, record by record: a device that has roamed to another console
is shown there. What is remembered is marked with when it was read (``as_of``) and decides nothing (Q18).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.observed import (
    SITE_MANAGER,
    Aged,
    Client,
    Console,
    Device,
    Read,
    Site,
    Snapshot,
    Subject,
)
from beast_dream_snow_loader.core.shown import age, shown

R = TypeVar("R", Device, Client)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one console was when it was read at ``taken_at``. ``lacks`` says what did not come; complete: nothing."""

    console: Console
    taken_at: datetime
    sites: tuple[Site, ...] = ()
    devices: tuple[Device, ...] = ()
    clients: tuple[Client, ...] = ()
    lacks: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return self.console.key

    @property
    def complete(self) -> bool:
        return not self.lacks


def parts_of(snapshot: Snapshot) -> Iterator[Part]:
    """Every console of which devices were read now. What Site Manager last knew of one it has lost is no read."""
    for console in snapshot.consoles:
        devices = tuple(device for device in snapshot.devices if device.console == console.key)
        if console.lost or not devices or not _listed(snapshot, console.key):
            continue
        yield Part(
            console=console,
            taken_at=snapshot.taken_at,
            sites=tuple(site for site in snapshot.sites if site.console == console.key),
            devices=devices,
            clients=tuple(client for client in snapshot.clients if client.console == console.key),
            lacks=tuple(_lacks(snapshot, console.key)),
        )


def _listed(snapshot: Snapshot, console: str) -> bool:
    reads = (read for read in snapshot.reads if read.console == console and read.subject is Subject.DEVICES)
    return any(read.complete and read.records for read in reads)


def _lacks(snapshot: Snapshot, console: str) -> Iterator[str]:
    """Without Site Manager what it alone lists is not in a part, on whichever console."""
    for read in snapshot.reads:
        if not read.complete and read.console in (console, SITE_MANAGER):
            whose = "Site Manager's " if read.console == SITE_MANAGER else ""
            at = f" of site {shown(read.site, 60)}" if read.site else ""
            yield f"{whose}{read.subject}{at}: {shown(read.reason, 120) or 'not told why'}"


def usable(parts: Iterable[Part], now: datetime, max_age: float) -> dict[str, Part]:
    """The part to work from, by console: complete before partial, then the newest; none older than ``max_age``
    seconds."""
    best: dict[str, Part] = {}
    for part in parts:
        if (now - part.taken_at).total_seconds() > max_age:
            continue
        other = best.get(part.key)
        if other is None or (part.complete, part.taken_at) > (other.complete, other.taken_at):
            best[part.key] = part
    return best


def named_as_before(live: Snapshot, parts: Iterable[Part]) -> Snapshot:
    """Reads of a console that told nothing carry its address for a name: they get the key it had when it answered, so
    that what Site Manager lists of it does not pass for all of it."""
    there = {console.key for console in live.consoles if not console.lost}
    by_address = {f"url:{part.console.address}": part.key for part in parts if part.console.address}
    aliases = {name: key for name, key in by_address.items() if name not in there}
    if not aliases:
        return live
    return replace(
        live, reads=tuple(replace(read, console=aliases.get(read.console, read.console)) for read in live.reads)
    )


def remembered_whole(parts: Mapping[str, Part], now: datetime, why: str) -> Snapshot:
    """Nothing was read: everything is what is remembered. ``parts`` holds at least one."""
    newest = max(part.taken_at for part in parts.values())
    standing = _Standing(live=Snapshot(taken_at=newest), now=now, why=why)
    return standing.filled(list(parts.values()), ())


def with_remembered(live: Snapshot, parts: Mapping[str, Part], now: datetime) -> Snapshot:
    """The read with what is remembered of consoles that did not answer, and of what only Site Manager lists when that
    did not."""
    cloud = next((read for read in live.reads if read.console == SITE_MANAGER and not read.complete), None)
    away = [part for part in parts.values() if _unanswered(live, part) or (cloud and _gone_with_cloud(live, part))]
    unlisted = [part for part in parts.values() if cloud and part.console.host_id and part not in away]
    standing = _Standing(live=live, now=now, why=cloud.reason if cloud else "")
    filled = standing.filled(away, unlisted)
    made_up_for = cloud is not None and any(part.console.host_id for part in parts.values())
    return replace(filled, excused=filled.excused | {SITE_MANAGER}) if made_up_for else filled


def _unanswered(live: Snapshot, part: Part) -> bool:
    """Nothing came from the console itself, on whichever way."""
    refused = any(r.subject is Subject.CLIENTS and r.site is None and not r.complete for r in _reads(live, part))
    return refused and not any(d.console == part.key and not d.cloud_only for d in live.devices)


def _gone_with_cloud(live: Snapshot, part: Part) -> bool:
    """It is known through Site Manager only, which did not tell of it now."""
    addresses = {console.address for console in live.consoles if console.address}
    known = part.key in {console.key for console in live.consoles}
    return bool(part.console.host_id) and not known and part.console.address not in addresses


def _reads(live: Snapshot, part: Part) -> Iterator[Read]:
    return (read for read in live.reads if read.console == part.key)


@dataclass(slots=True, kw_only=True)
class _Standing:
    """One read being filled up."""

    live: Snapshot
    now: datetime
    why: str = ""
    devices: dict[str, Device] = field(default_factory=dict)
    clients: dict[str, Client] = field(default_factory=dict)
    aged: list[Aged] = field(default_factory=list)

    def filled(self, away: Sequence[Part], unlisted: Sequence[Part]) -> Snapshot:
        """``unlisted`` are consoles that were read, but for what only Site Manager tells of them."""
        lost = {console.key for console in self.live.consoles if console.lost}
        last_known = {device.mac for part in away if part.key in lost for device in part.devices}
        self.devices = {d.mac: d for d in self.live.devices if not (d.console in lost and d.mac in last_known)}
        self.clients = {client.mac: client for client in self.live.clients}
        for part in sorted(away, key=lambda one: (one.taken_at, one.key), reverse=True):
            self._take(part, part.devices, part.clients)
        for part in sorted(unlisted, key=lambda one: (one.taken_at, one.key), reverse=True):
            self._take(part, [device for device in part.devices if device.cloud_only], (), cloud_only=True)
        consoles = {console.key: console for console in self.live.consoles}
        sites = {site.key: site for site in self.live.sites}
        for part in away:
            consoles.setdefault(part.key, replace(part.console, as_of=part.taken_at))
            sites = {site.key: site for site in part.sites} | sites
        return replace(
            self.live,
            consoles=tuple(consoles[key] for key in sorted(consoles)),
            sites=tuple(sites[key] for key in sorted(sites)),
            devices=tuple(self.devices[mac] for mac in sorted(self.devices)),
            clients=tuple(self.clients[mac] for mac in sorted(self.clients) if mac not in self.devices),
            aged=tuple(sorted(self.aged, key=lambda one: one.console)),
            excused=frozenset(part.key for part in (*away, *unlisted)) & self._excusable(away, unlisted),
        )

    def _excusable(self, away: Iterable[Part], unlisted: Iterable[Part]) -> frozenset[str]:
        """Of a console that was read itself only Site Manager's lists are made up for, not its own that were cut."""
        whole = {part.key for part in unlisted if all(r.complete or r.site is None for r in _reads(self.live, part))}
        return frozenset(whole | {part.key for part in away})

    def _take(
        self, part: Part, devices: Iterable[Device], clients: Iterable[Client], *, cloud_only: bool = False
    ) -> None:
        new_devices = _unshown(devices, self.devices)
        self.devices |= {device.mac: replace(device, as_of=part.taken_at) for device in new_devices}
        new_clients = [client for client in _unshown(clients, self.clients) if client.mac not in self.devices]
        self.clients |= {client.mac: replace(client, as_of=part.taken_at) for client in new_clients}
        refused = next((read.reason for read in _reads(self.live, part) if not read.complete), "")
        self.aged.append(
            Aged(
                console=part.key,
                name=part.console.name,
                taken_at=part.taken_at,
                seconds=max(0.0, (self.now - part.taken_at).total_seconds()),
                complete=part.complete,
                lacks=part.lacks,
                devices=len(new_devices),
                clients=len(new_clients),
                why=refused or self.why,
                cloud_only=cloud_only,
            )
        )


def _unshown(records: Iterable[R], there: Container[str]) -> list[R]:
    return [record for record in records if record.mac not in there]


def told(aged: Aged) -> Finding:
    """The warning about one console that something stands in for."""
    what = "What only Site Manager lists on console" if aged.cloud_only else "Console"
    how = "complete" if aged.complete else f"partial, without {'; '.join(aged.lacks[:3])}"
    return Finding(
        record=f"console/{shown(aged.console, 60)}",
        rule="source.stale",
        severity=Severity.WARNING,
        message=(
            f"{what} {shown(aged.name)} cannot be read: {shown(aged.why, 200).rstrip('.') or 'not told why'}. "
            f"{aged.devices} devices and {aged.clients} clients come from its last good snapshot, "
            f"{age(aged.seconds)} old ({how}). "
            "Nothing is written because of it, and nobody is counted as missing there."
        ),
        value=f"{aged.seconds:.0f}",
    )


def too_old(part: Part, now: datetime) -> Finding:
    """The warning about a console whose snapshot may no longer stand in."""
    return Finding(
        record=f"console/{shown(part.key, 60)}",
        rule="source.too_old",
        severity=Severity.WARNING,
        message=(
            f"Console {shown(part.console.name)} cannot be read, and its last good snapshot is "
            f"{age((now - part.taken_at).total_seconds())} old: too old to stand in (unifi.stale_max_age). "
            "It is missing from this run."
        ),
    )


def answers_again(console: str, since: datetime) -> Finding:
    """That a console is read again, and its snapshot with it."""
    return Finding(
        record=f"console/{shown(console, 60)}",
        rule="source.warmed",
        severity=Severity.INFO,
        message=f"It answers again: its snapshot, which stood in since {since:%Y-%m-%d %H:%M}Z, is a new one.",
    )
