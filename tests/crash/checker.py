"""Whether the CMDB is what it should be: read from the sandbox's tables, knowing nothing of the program."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.servicenow import oracle
from beast_dream_snow_loader.sandbox.servicenow.app import ServiceNowApp
from beast_dream_snow_loader.sandbox.town import Account, Sandbox

SOURCE = "UniFi"
_MOVING = frozenset({"sys_id", "last_discovered", "first_discovered", "location", "model_id", "manufacturer"})
"""Fields that differ between two equal loads: made by the instance, or times."""


@dataclass(slots=True, kw_only=True)
class Place:
    """One sandbox with an estate, thrown away after each trial."""

    estate: Estate
    app: ServiceNowApp = field(default_factory=ServiceNowApp.create)
    sandbox: Sandbox = field(init=False)

    def __enter__(self) -> Place:
        self.sandbox = Sandbox.create(estate=self.estate, servicenow=self.app)
        self.sandbox.account = Account(username="snowload", password="snowload-demo")
        self.sandbox.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.sandbox.stop()
        self.app.close()

    def writes(self) -> int:
        return sum(1 for line in self.sandbox.log.lines("servicenow") if line.path.endswith("/enhanced"))


def devices(estate: Estate) -> dict[str, str]:
    """Native key → native key of its uplink, of every adopted device."""
    adopted = [d for console in estate.consoles() for d in estate.devices(console.host_id) if d.adopted]
    return {f"device/{d.mac.lower()}": f"device/{d.uplink.lower()}" if d.uplink else "" for d in adopted}


def faults(place: Place) -> Iterator[str]:
    """Everything that is lost, doubled or astray."""
    instance = place.app.instance
    for what, found in (
        ("native key", oracle.duplicate_keys(instance, SOURCE)),
        ("serial number", oracle.duplicate_serials(instance)),
        ("relation", oracle.duplicate_edges(instance)),
    ):
        yield from (f"{what} {value} is there {len(ids)} times" for value, ids in found.items())
    yield from (f"{row} points at nothing" for row in oracle.orphans(instance))
    wanted = devices(place.estate)
    there = {key for item in oracle.config_items(instance, SOURCE) for key in item.native_keys}
    yield from (f"{key} is lost" for key in sorted(wanted.keys() - there))
    drawn = {(edge.parent, edge.child) for edge in oracle.edges(instance, SOURCE) if "Connects" in edge.type}
    uplinks = {(key, uplink) for key, uplink in wanted.items() if uplink}
    yield from (f"the uplink {lower} → {upper} is lost" for lower, upper in sorted(uplinks - drawn))
    yield from (f"the uplink {lower} → {upper} is not true" for lower, upper in sorted(drawn - uplinks))


def contents(place: Place) -> dict[str, object]:
    """The CMDB as far as two loads of one estate must agree: CIs by native key with their values, and edges."""
    instance = place.app.instance
    items = {
        item.native_keys: {
            element: value
            for element, value in item.values.items()
            if element not in _MOVING and not element.startswith("sys_")
        }
        | {"class": item.class_name}
        for item in oracle.config_items(instance, SOURCE)
        if item.native_keys
    }
    return {"items": items, "edges": oracle.edges(instance, SOURCE)}
