"""Whether the CMDB is what it should be: read from the sandbox's tables, knowing nothing of the program."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.servicenow import oracle
from beast_dream_snow_loader.sandbox.servicenow.app import ServiceNowApp
from beast_dream_snow_loader.sandbox.town import Account, Sandbox
from tests.crash.sent import Witness

SOURCE = "UniFi"
_MOVING = frozenset({"sys_id", "last_discovered", "first_discovered", "location", "model_id", "manufacturer"})
"""Fields that differ between two equal loads: made by the instance, or times."""


@dataclass(slots=True, kw_only=True)
class Place:
    """One sandbox with an estate, thrown away after each trial."""

    estate: Estate
    app: ServiceNowApp = field(default_factory=ServiceNowApp.create)
    sandbox: Sandbox = field(init=False)
    witness: Witness = field(init=False)

    def __enter__(self) -> Place:
        self.witness = Witness(self.app)
        self.sandbox = Sandbox.create(estate=self.estate, servicenow=self.witness)
        self.sandbox.account = Account(username="snowload", password="snowload-demo")
        self.sandbox.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.sandbox.stop()
        self.app.close()

    def writes(self) -> int:
        """Requests so far that changed the CMDB, or might have."""
        return len(self.witness.sent)


def ours(place: Place) -> Mapping[str, list[oracle.ConfigItem]]:
    """Our CIs by key: its native key, or what stands in for it where the engine did not write."""
    found: dict[str, list[oracle.ConfigItem]] = defaultdict(list)
    for item in oracle.config_items(place.app.instance, SOURCE):
        plain = item.values.get("correlation_id", "") if item.values.get("discovery_source") == SOURCE else ""
        for key in item.native_keys or filter(None, (plain,)):
            found[key].append(item)
    return found


def edges(place: Place) -> Mapping[str, tuple[str, str, str]]:
    """By sys_id: parent, type, child, as keys where the ends are ours."""
    instance = place.app.instance
    keys = {item.sys_id: key for key, items in ours(place).items() for item in items}
    types = {row["sys_id"]: row["name"] for row in instance.rows("cmdb_rel_type")}
    return {
        row["sys_id"]: (
            keys.get(row["parent"], row["parent"]),
            types.get(row["type"], row["type"]),
            keys.get(row["child"], row["child"]),
        )
        for row in instance.rows("cmdb_rel_ci")
    }


def devices(estate: Estate) -> dict[str, str]:
    """Key → key of its uplink, of every adopted device."""
    adopted = [d for console in estate.consoles() for d in estate.devices(console.host_id) if d.adopted]
    return {f"device/{d.mac.lower()}": f"device/{d.uplink.lower()}" if d.uplink else "" for d in adopted}


def doubled(place: Place) -> Iterator[str]:
    """What is there twice: wrong whatever happened."""
    instance = place.app.instance
    for what, found in (
        ("native key", oracle.duplicate_keys(instance, SOURCE)),
        ("serial number", oracle.duplicate_serials(instance)),
        ("relation", oracle.duplicate_edges(instance)),
    ):
        yield from (f"{what} {value} is there {len(ids)} times" for value, ids in found.items())
    yield from (f"{key} is there {len(items)} times" for key, items in ours(place).items() if len(items) > 1)


def faults(place: Place) -> Iterator[str]:
    """Everything that is lost, doubled or astray after a load."""
    yield from doubled(place)
    yield from (f"{row} points at nothing" for row in oracle.orphans(place.app.instance))
    wanted = devices(place.estate)
    there = ours(place)
    yield from (f"{key} is lost" for key in sorted(wanted.keys() - there.keys()))
    drawn = {(parent, child) for parent, kind, child in edges(place).values() if "Connects" in kind}
    uplinks = {(key, uplink) for key, uplink in wanted.items() if uplink}
    yield from (f"the uplink {lower} → {upper} is lost" for lower, upper in sorted(uplinks - drawn))
    yield from (f"the uplink {lower} → {upper} is not true" for lower, upper in sorted(drawn - uplinks))


def contents(place: Place) -> dict[str, object]:
    """The CMDB as far as two loads of one estate must agree: CIs by key with their values, and edges."""
    items = {
        key: {
            element: value
            for element, value in item.values.items()
            if element not in _MOVING and not element.startswith("sys_")
        }
        | {"class": item.class_name}
        for key, found in ours(place).items()
        for item in found
    }
    return {"items": items, "edges": sorted(edges(place).values())}


def touched(place: Place, strangers: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Which of these CIs of others are no longer what they were; by sys_id."""
    instance = place.app.instance
    yield from (sys_id for sys_id, row in strangers.items() if (instance.get("cmdb_ci", sys_id) or {}) != row)
