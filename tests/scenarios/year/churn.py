"""What happens in the year, drawn from a seed: in UniFi, in ServiceNow by hand, and by Discovery."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import requests

from beast_dream_snow_loader.sandbox.estate.models import Kind
from beast_dream_snow_loader.sandbox.estate.things import EstateDevice
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow.by_hand import merge_ci
from beast_dream_snow_loader.sandbox.servicenow.storage import Row
from tests.scenarios import model
from tests.scenarios.year.place import LEAVES, SWITCHES
from tests.scenarios.year.truth import Truth

_ADMIN = ("admin", "admin-demo")
_CHILD = {"cmdb_ci_netgear": "cmdb_ci_ip_switch", "cmdb_ci_hardware": "cmdb_ci_netgear"}


class Churn:
    """``counts`` tells how often each kind of event came; ``trace`` the events of the run in hand, in words."""

    def __init__(self, random: Random, town: Any, truth: Truth) -> None:
        self.random, self.town, self.truth = random, town, truth
        self.estate, self.instance = town.estate, town.app.instance
        self.counts: Counter[str] = Counter()
        self.trace: list[str] = []
        self.down: dict[str, int] = {}
        self._gone: list[EstateDevice] = []
        self._foreign: list[str] = []
        self._number = 0
        self._used: set[str] = set()
        self._outage = False

    def happen(self, events: int, *, outage: bool = False) -> None:
        """Consoles come back, then so many events, never two to one device. ``outage``: ServiceNow is away next."""
        self.trace, self._used, self._outage = [], set(), outage
        self._consoles_come_back()
        for _ in range(events):
            name = self.random.choice((*sorted(KINDS), *_OFTEN))
            if KINDS[name](self):
                self.counts[name] += 1

    def _told(self, text: str) -> bool:
        self.trace.append(text)
        return True

    def _some(self, *, leaf: bool = True, known: bool = False, online: bool | None = None) -> EstateDevice | None:
        """A device on a console that answers, not yet touched in this run."""
        devices = [
            device
            for device in self.truth.devices(frozenset(self.down))
            if device.mac not in self._used
            and not device.is_gateway
            and (not leaf or device.model_code in LEAVES)
            and (not known or self._ci(device) is not None)
            and (online is None or device.online == online)
        ]
        if not devices:
            return None
        chosen = self.random.choice(devices)
        self._used.add(chosen.mac)
        return chosen

    def _ci(self, device: EstateDevice) -> Row | None:
        ours = self.truth.ours.get(model.key_of(device.mac))
        found: Row | None = self.instance.get("cmdb_ci", ours.sys_id) if ours else None
        return found

    def _next(self, word: str) -> str:
        self._number += 1
        return f"{word}-{self._number:04d}"

    # UniFi.

    def added(self, name: str | None = "", model_code: str = "") -> bool:
        sites = [site for site in self.estate.sites() if site.host_id not in self.down]
        site = self.random.choice(sites)
        mac = f"00005F{self._number:06X}"
        self._number += 1
        given = self._next("new") if name == "" else name
        code = model_code or self.random.choice(LEAVES + SWITCHES)
        device = self.estate.add_device(site=site.legacy_id, model=code, name=given, mac=mac)
        self._used.add(device.mac)
        return self._told(f"added {mac} {code} {given!r}")

    def added_without_name(self) -> bool:
        return self.added(None, self.random.choice(("UAL6", "U7PRO")))

    def added_namesake(self) -> bool:
        other = self._some()
        return self.added(other.name) if other and other.name else False

    def added_with_a_foreign_name(self) -> bool:
        row = self._foreign_row()
        return self.added(row["name"]) if row else False

    def removed(self) -> bool:
        device = self._some()
        if device is None:
            return False
        self.estate.remove_device(device.mac)
        self._gone.append(device)
        return self._told(f"removed {device.mac}")

    def returned(self) -> bool:
        if not self._gone:
            return False
        device = self._gone.pop(self.random.randrange(len(self._gone)))
        if device.host_id in self.down or device.mac in self._used:
            self._gone.append(device)
            return False
        self.estate.add_device(site=device.site, model=device.model_code, name=device.name, mac=device.mac)
        self._used.add(device.mac)
        return self._told(f"returned {device.mac}")

    def renamed(self) -> bool:
        device = self._some()
        if device is None:
            return False
        self.estate.rename_device(device.mac, self._next("renamed"))
        return self._told(f"renamed {device.mac} from {device.name!r}")

    def moved_uplink(self) -> bool:
        device = self._some()
        switches = [d for d in self.estate.site_devices(device.site) if d.model.kind is Kind.SWITCH] if device else []
        if device is None or not switches:
            return False
        self.estate.change_uplink(device.mac, self.random.choice(switches).mac)
        return self._told(f"moved_uplink {device.mac}")

    def moved_site(self) -> bool:
        return self._moved(same_console=True)

    def moved_console(self) -> bool:
        return self._moved(same_console=False)

    def _moved(self, *, same_console: bool) -> bool:
        device = self._some()
        if device is None or any(one.uplink == device.mac for one in self.truth.devices()):
            return False
        sites = [
            site
            for site in self.estate.sites()
            if site.legacy_id != device.site
            and (site.host_id == device.host_id) == same_console
            and site.host_id not in self.down
        ]
        if not sites:
            return False
        site = self.random.choice(sites)
        self.estate.move_device(device.mac, site.legacy_id)
        return self._told(f"moved {device.mac} to {site.title}")

    def replaced(self) -> bool:
        device = self._some()
        if device is None or not device.name:
            return False
        self.estate.remove_device(device.mac)
        return self.added(device.name, device.model_code) and self._told(f"replaced {device.mac}")

    def readopted(self) -> bool:
        device = self._some()
        return bool(device and self.estate.readopt_device(device.mac) and self._told(f"readopted {device.mac}"))

    def upgraded(self) -> bool:
        device = self._some()
        if device is None:
            return False
        self.estate.upgrade_device(device.mac, f"9.{self._number}.1.17000")
        self._number += 1
        return self._told(f"upgraded {device.mac}")

    def readdressed(self) -> bool:
        device = self._some(online=True)
        if device is None:
            return False
        self._number += 1
        self.estate.readdress_device(device.mac, f"172.16.{self._number // 250}.{self._number % 250 + 1}")
        return self._told(f"readdressed {device.mac}")

    def went_offline(self) -> bool:
        device = self._some(online=True)
        if device is None:
            return False
        self.estate.set_online(device.mac, False)
        return self._told(f"went_offline {device.mac}")

    def came_online(self) -> bool:
        device = self._some(online=False)
        if device is None:
            return False
        self.estate.set_online(device.mac, True)
        return self._told(f"came_online {device.mac}")

    def console_down(self) -> bool:
        """For one to three runs neither its own address nor the cloud answers for it."""
        if self.down:
            return False
        place = self.random.randrange(len(self.estate.consoles()))
        console = self.estate.consoles()[place]
        if any(device.mac in self._used for device in self.estate.devices(console.host_id)):
            return False
        self.down[console.host_id] = self.random.randrange(1, 4)
        self.town.sandbox.consoles[place].server.faults.add(Fault(effect=Effect.STATUS, status=503))
        self.estate.set_reachable(console.host_id, False)
        return self._told(f"console_down {console.name}")

    def _consoles_come_back(self) -> None:
        for host, left in list(self.down.items()):
            if left > 1:
                self.down[host] = left - 1
                continue
            place = [console.host_id for console in self.estate.consoles()].index(host)
            self.town.sandbox.consoles[place].server.faults.clear()
            self.estate.set_reachable(host, True)
            del self.down[host]
            self.trace.append(f"console back {host}")

    def roamed(self) -> bool:
        points = [d for d in self.truth.devices(frozenset(self.down)) if d.model.kind is Kind.ACCESS_POINT]
        clients = self.truth.clients(frozenset(self.down))
        if not clients:
            return False
        client, point = self.random.choice(clients), self.random.choice(points)
        self.estate.roam_client(client.key, point.mac)
        return self._told(f"roamed {client.key} to {point.mac}")

    # People in ServiceNow.

    def _edit(self, what: str, **values: str) -> bool:
        device = self._some(known=True)
        row = self._ci(device) if device else None
        return self._given(row, what, **values) if row is not None else False

    def _given(self, row: Row, what: str, **values: str) -> bool:
        with self.instance.lock, self.instance.acting_as("admin"):
            self.instance.update("cmdb_ci", row["sys_id"], values)
        return self._told(f"{what} on {row['name']!r}: {values}")

    def hand_named(self) -> bool:
        """Every second time UniFi renames the device too."""
        device = self._some(known=True)
        row = self._ci(device) if device else None
        if row is None or device is None:
            return False
        if self.random.random() < 0.5:
            self.estate.rename_device(device.mac, self._next("renamed"))
        return self._given(row, "hand_named", name=self._next("named by hand"))

    def hand_given_back(self) -> bool:
        """The name that we wrote is put back, while no other CI has got it."""
        for device in self.truth.devices(frozenset(self.down)):
            ours, row = self.truth.ours.get(model.key_of(device.mac)), self._ci(device)
            if ours is None or row is None or not ours.created or device.mac in self._used:
                continue
            name = ours.written.get("name", "")
            if name and row["name"] != name and not self.instance.find("cmdb_ci_hardware", name=name):
                self._used.add(device.mac)
                return self._given(row, "hand_given_back", name=name)
        return False

    def hand_model(self) -> bool:
        return self._edit("hand_model", model_number="as printed on the box")

    def hand_unowned(self) -> bool:
        return self._edit("hand_unowned", comments=self._next("remark"), asset_tag=self._next("P"))

    def hand_status(self) -> bool:
        return self._edit("hand_status", install_status="3", operational_status="2")

    def hand_reused(self) -> bool:
        """A CI that was retired is given another status, and its device comes back."""
        retired = [device for device in self._gone if model.key_of(device.mac) in self.truth.retired]
        free = [d for d in retired if d.host_id not in self.down and d.mac not in self._used]
        row = self._ci(free[0]) if free else None
        if row is None:
            return False
        with self.instance.lock, self.instance.acting_as("admin"):
            self.instance.update("cmdb_ci", row["sys_id"], {"install_status": "6", "operational_status": "5"})
        self._gone.remove(free[0])
        self.estate.add_device(site=free[0].site, model=free[0].model_code, name=free[0].name, mac=free[0].mac)
        self._used.add(free[0].mac)
        return self._told(f"hand_reused {free[0].mac}")

    def hand_correlation(self) -> bool:
        return self._edit("hand_correlation", correlation_id=self._next("PRTG"))

    def hand_described(self) -> bool:
        return self._edit("hand_described", short_description=self._next("in the cellar"))

    def foreign_added(self) -> bool:
        """Somebody else's CI; every other time it is called like one of our devices."""
        device = self._some() if self._number % 2 else None
        name = device.name if device and device.name else self._next("foreign")
        self._number += 1
        values = {"name": name, "serial_number": self._next("FOREIGN"), "discovery_source": "ServiceNow"}
        with self.instance.lock, self.instance.acting_as("admin"):
            row = self.instance.insert("cmdb_ci_netgear", values)
        self._foreign.append(row["sys_id"])
        return self._told(f"foreign_added {name!r}")

    def _foreign_row(self) -> Row | None:
        rows = [self.instance.get("cmdb_ci", sys_id) for sys_id in self._foreign]
        free = [row for row in rows if row is not None]
        return self.random.choice(free) if free else None

    # Discovery.

    def discovered_ours(self) -> bool:
        """It scans a device of ours, meets the CI by its serial number, and knows a field that we do not."""
        return self._scan("discovered_ours", known=True, reclassify=False)

    def discovered_child_class(self) -> bool:
        return self._scan("discovered_child_class", known=True, reclassify=True)

    def discovered_first(self) -> bool:
        """It scans a device that is adopted only now: its CI is there before ours could be."""
        if not self.added():
            return False
        mac = self.trace[-1].split()[1]
        device = self.estate.device(mac)
        class_name = model.class_of(device, self.instance)
        values = {"name": self._next("scanned"), "serial_number": mac, "ip_address": "192.0.2.77"}
        return self._ire(class_name, values) and self._told(f"discovered_first {mac}")

    def _scan(self, what: str, *, known: bool, reclassify: bool) -> bool:
        device = self._some(known=known)
        row = self._ci(device) if device else None
        if row is None or not row["serial_number"]:
            return False
        class_name = _CHILD.get(row["sys_class_name"], "") if reclassify else row["sys_class_name"]
        if not class_name:
            return False
        values = {"serial_number": row["serial_number"], "comments": self._next("scanned")}
        return self._ire(class_name, values) and self._told(f"{what} {row['name']!r} {class_name}")

    def _ire(self, class_name: str, values: dict[str, str]) -> bool:
        answer = requests.post(
            f"{self.town.sandbox.servicenow.url}/api/now/identifyreconcile/enhanced",
            params={"sysparm_data_source": "ServiceNow"},
            json={"items": [{"className": class_name, "values": values}]},
            auth=_ADMIN,
            timeout=30,
        )
        told = answer.json()["result"]["items"][0]
        return not told.get("errors")

    def merged(self) -> bool:
        """Somebody else's CI turns out to be a device of ours: the two are made one, and it is theirs."""
        row = self._foreign_row()
        device = self._some(known=True)
        mine = self._ci(device) if device else None
        if row is None or mine is None or device is None or row["sys_id"] == mine["sys_id"]:
            return False
        with self.instance.lock, self.instance.acting_as("admin"):
            self.truth.merged(model.key_of(device.mac))
            merge_ci(self.instance, mine["sys_id"], row["sys_id"])
        self._foreign.remove(row["sys_id"])
        return self._told(f"merged {device.mac} into {row['name']!r}")

    def deleted(self) -> bool:
        device = self._some(known=True)
        mine = self._ci(device) if device else None
        if mine is None or device is None:
            return False
        if self._outage and mine["sys_class_name"] != model.class_of(device, self.instance):
            return False  # what is queued for it would make it again in the class that Discovery has put it in
        with self.instance.lock, self.instance.acting_as("admin"):
            self.instance.delete("cmdb_ci", mine["sys_id"])
        return self._told(f"deleted {mine['name']!r}")


_UNIFI = (
    "added", "added_without_name", "added_namesake", "added_with_a_foreign_name", "removed", "returned", "renamed",
    "moved_uplink", "moved_site", "moved_console", "replaced", "readopted", "upgraded", "readdressed", "went_offline",
    "came_online", "console_down", "roamed",
)  # fmt: skip
_SERVICENOW = (
    "hand_named", "hand_given_back", "hand_model", "hand_unowned", "hand_status", "hand_reused", "hand_correlation",
    "hand_described", "foreign_added", "discovered_ours", "discovered_child_class", "discovered_first", "merged",
    "deleted",
)  # fmt: skip
_OFTEN = (
    "removed", "removed", "removed", "returned", "returned", "hand_reused", "hand_named", "hand_given_back",
    "discovered_child_class",
)  # fmt: skip
"""It takes three runs until what is removed is gone; few CIs are of a class that has a better one below it."""
KINDS: dict[str, Callable[[Churn], bool]] = {name: getattr(Churn, name) for name in (*_UNIFI, *_SERVICENOW)}
