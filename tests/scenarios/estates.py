"""Estates put together thing by thing, with MACs of the block that is reserved for examples (RFC 7042)."""

from __future__ import annotations

from itertools import count

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.estate.contents import Contents
from beast_dream_snow_loader.sandbox.estate.identifiers import DEFAULT_SITE_UUID, host_id, name_uuid, object_id
from beast_dream_snow_loader.sandbox.estate.models import Kind, model_of, models
from beast_dream_snow_loader.sandbox.estate.things import (
    EstateClient,
    EstateConsole,
    EstateDevice,
    EstateSite,
    Flavour,
    HostType,
    Link,
)

SOFTWARE = "software"
_HOUR = 3600


class EstateBuilder:
    """Consoles, sites, devices, clients by labels of the caller's choice; :meth:`build` makes the estate."""

    def __init__(self) -> None:
        self.consoles: dict[str, EstateConsole] = {}
        self.sites: dict[str, EstateSite] = {}
        self.devices: dict[str, EstateDevice] = {}
        self.clients: dict[str, EstateClient] = {}
        self._numbers = count(1)

    def console(self, label: str, model: str = SOFTWARE, mac: str = "", name: str = "") -> EstateConsole:
        """``software``: Network on somebody's machine, which is no device and has no MAC."""
        software = model == SOFTWARE
        mac = "" if software else mac or self.mac()
        self.consoles[label] = EstateConsole(
            host_id=name_uuid(f"host/{label}") if software else host_id(mac, 1),
            hardware_id=name_uuid(f"hardware/{label}"),
            name=name or label,
            type=HostType.NETWORK_SERVER if software else HostType.CONSOLE,
            flavour=Flavour.CLASSIC if software else Flavour.UNIFI_OS,
            mac=mac,
            model="" if software else code_of(model),
            lan_ip="192.0.2.1",
            wan_ip="203.0.113.10",
            owner=not software,
            reachable=not software,
            os_version="" if software else "5.0.16",
        )
        return self.consoles[label]

    def site(self, title: str, console: str) -> EstateSite:
        """The first site of a console is its default one."""
        place = self.consoles[console]
        first = all(site.host_id != place.host_id for site in self.sites.values())
        self.sites[title] = EstateSite(
            host_id=place.host_id,
            legacy_id=object_id(f"site/{title}"),
            external_id=DEFAULT_SITE_UUID if first else name_uuid(f"site/{title}"),
            name="default" if first else object_id(f"site/{title}")[:8],
            title=title,
            time_zone="Europe/Amsterdam",
            number=len(self.sites),
        )
        return self.sites[title]

    def device(
        self,
        label: str,
        site: str,
        *,
        model: str = "USW 24 PoE",
        name: str | None = None,
        mac: str = "",
        ip: str = "",
        uplink: str = "",
        console: str = "",
        online: bool = True,
        seen_ago: int = 2 * _HOUR,
        firmware: str = "",
    ) -> EstateDevice:
        """``console``: the label of the console this device is itself. ``name`` None: UniFi has none."""
        place, code, number = self.sites[site], code_of(model), next(self._numbers)
        gateway = model_of(code).kind is Kind.GATEWAY
        own = self.consoles[console].mac if console else ""
        address = ip or f"10.{place.number % 250}.{number // 250}.{number % 250 + 2}"
        self.devices[label] = EstateDevice(
            mac=own or plain(mac) or self.mac(),
            host_id=place.host_id,
            site=place.legacy_id,
            model_code=code,
            name=name,
            ip="203.0.113.20" if gateway else address if online else "",
            lan_ip=address if gateway else "",
            state=1 if online else 0,
            uplink=self.devices[uplink].mac if uplink else "",
            is_console=bool(console),
            adopted_ago=400 * 24 * _HOUR,
            started_ago=5 * 24 * _HOUR,
            seen_ago=seen_ago,
            firmware=firmware,
        )
        return self.devices[label]

    def client(
        self, label: str, site: str, *, name: str, uplink: str, mac: str = "", wired: bool = False
    ) -> EstateClient:
        place, number = self.sites[site], next(self._numbers)
        self.clients[label] = EstateClient(
            key=label,
            mac=plain(mac) or self.mac(),
            host_id=place.host_id,
            site=place.legacy_id,
            name=name,
            host_name=name,
            ip=f"10.{place.number % 250}.{200 + number // 250}.{number % 250 + 2}",
            link=Link.WIRED if wired else Link.WIRELESS,
            uplink=self.devices[uplink].mac,
            port=0,
            profile=0,
            first_ago=300 * 24 * _HOUR,
            seen_ago=_HOUR,
        )
        return self.clients[label]

    def mac(self) -> str:
        return f"00005E00{0x5300 + next(self._numbers):04X}"

    def build(self) -> Estate:
        return Estate(
            Contents(
                consoles=list(self.consoles.values()),
                sites=list(self.sites.values()),
                devices=list(self.devices.values()),
                clients=list(self.clients.values()),
            )
        )


def plain(mac: str) -> str:
    return mac.replace(":", "").replace("-", "").upper()


def code_of(model: str) -> str:
    """By marketing name or code. ValueError with the nearest ones for a model the sandbox does not know."""
    found = next((code for code, known in models().items() if model in (code, known.name)), None)
    if found is None:
        raise ValueError(f"the sandbox knows no model {model!r}")
    return found
