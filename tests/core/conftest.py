"""Small estates, an instance that has everything, and a CMDB that remembers what a plan wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from beast_dream_snow_loader.core.changes import Plan
from beast_dream_snow_loader.core.desired import DesiredState
from beast_dream_snow_loader.core.facts import ClassFacts, InstanceFacts
from beast_dream_snow_loader.core.fingerprint import fingerprint
from beast_dream_snow_loader.core.fitting import fit
from beast_dream_snow_loader.core.identity import SysId
from beast_dream_snow_loader.core.known import KnownItem, KnownRelation, KnownState
from beast_dream_snow_loader.core.mapping import map_snapshot
from beast_dream_snow_loader.core.mapping_rules import DEFAULT_RULES, MappingRules
from beast_dream_snow_loader.core.observed import Console, Device, Site, Snapshot
from beast_dream_snow_loader.core.wanted_facts import wishes

TAKEN_AT = datetime(2026, 1, 10, 8, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Estate:
    """Makes snapshots, and carries them through to a plan."""

    taken_at: datetime = TAKEN_AT

    def mac(self, number: int) -> str:
        """In the range for documentation: 00:00:5e:00:53:xx, then beyond it."""
        return f"00005e{0x5300 + number:06x}"

    def device(self, number: int, **told: object) -> Device:
        defaults: dict[str, object] = {
            "mac": self.mac(number),
            "console": "c0",
            "site": "default",
            "name": f"dev-{number}",
            "model_code": "USPM24P",
            "serial": self.mac(number).upper(),
        }
        return Device(**{**defaults, **told})  # type: ignore[arg-type]

    def snapshot(self, *devices: Device, **told: object) -> Snapshot:
        defaults: dict[str, object] = {
            "consoles": (Console(key="c0", name="HQ console"),),
            "sites": (Site(console="c0", short_name="default", name="HQ"),),
        }
        return Snapshot(taken_at=self.taken_at, devices=devices, **{**defaults, **told})  # type: ignore[arg-type]

    def large(self, consoles: int, per_console: int, sites_per_console: int = 1) -> Snapshot:
        """Gateway → switches → access points, one in seven without a name."""
        devices = [
            self._of_large(c, n, per_console, sites_per_console) for c in range(consoles) for n in range(per_console)
        ]
        return Snapshot(
            taken_at=self.taken_at,
            consoles=tuple(Console(key=f"c{c}", name=f"Console {c}", mac=_large_mac(c, 0)) for c in range(consoles)),
            sites=tuple(
                Site(console=f"c{c}", short_name=f"s{s}", name=f"Site {c}-{s}")
                for c in range(consoles)
                for s in range(sites_per_console)
            ),
            devices=tuple(devices),
        )

    def _of_large(self, console: int, number: int, per_console: int, sites: int) -> Device:
        switch = number % 10 == 1
        above = None if number == 0 else 0 if switch else max(1, (number - 2) // 10 * 10 + 1)
        return Device(
            mac=_large_mac(console, number),
            console=f"c{console}",
            site=f"s{number * sites // per_console}",
            name=None if number % 7 == 3 else f"dev-{console}-{number}",
            model_code="UDMPROMAX" if number == 0 else "USPM24P" if switch else "U7PRO",
            is_console=number == 0,
            serial=_large_mac(console, number).upper(),
            management_ip=f"10.{console}.{number // 250}.{number % 250 + 1}",
            firmware="7.2.123.16565",
            uplink_mac=None if above is None else _large_mac(console, above),
            port_count=24 if switch else None,
        )

    def facts(self, desired: DesiredState, rules: MappingRules = DEFAULT_RULES) -> InstanceFacts:
        """An instance with every class, field, relation type and row."""
        wished = wishes(desired, rules)
        names = {name for chain in wished.class_chains for name in chain}
        return InstanceFacts(
            read_at=self.taken_at,
            classes={name: ClassFacts(name=name, usable=True) for name in names},
            relation_types=wished.relation_types,
            references={reference.key: "a" * 32 for reference in wished.references},
        )

    def fitted(self, snapshot: Snapshot, rules: MappingRules = DEFAULT_RULES) -> DesiredState:
        desired = map_snapshot(snapshot, rules)
        return fit(desired, self.facts(desired, rules), rules)

    def after(self, plan: Plan, known: KnownState | None = None, at: datetime | None = None) -> KnownState:
        """The ledger once the plan was carried out."""
        known = known or KnownState()
        items, relations = dict(known.items), dict(known.relations)
        items |= {item.key: replace(item, stored=None) for item in plan.noted}
        for change in plan.items:
            before = items.get(change.item.key)
            items[change.item.key] = KnownItem(
                key=change.item.key,
                sys_id=SysId(change.item.key.mac.rjust(32, "0")),
                class_name=change.item.class_name,
                created_by_us=before is None or before.created_by_us,
                fingerprint=fingerprint(change.item.values),
                written={**(before.written if before else {}), **change.send},
                written_at=at or self.taken_at,
                name_source=change.item.name_source,
                send_serial=change.send_serial,
            )
        for link in plan.links:
            relation = link.relation
            relations[relation.key] = KnownRelation(
                relation_key=relation.key, parent=relation.parent, child=relation.child, type=relation.type
            )
        return KnownState(items=items, relations=relations)


def _large_mac(console: int, number: int) -> str:
    return f"00005e{console:02x}{number:04x}" if console else f"00005f00{number:04x}"


@pytest.fixture(scope="session")
def estate() -> Estate:
    return Estate()


def rules_of(findings: Iterable[object]) -> list[str]:
    return sorted(finding.rule for finding in findings)  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def found() -> Callable[[Iterable[object]], list[str]]:
    """The rules of findings, sorted."""
    return rules_of


@pytest.fixture(scope="session")
def without_fields() -> Callable[[InstanceFacts, str, dict[str, object]], InstanceFacts]:
    """Facts in which one class has just these fields."""

    def changed(facts: InstanceFacts, name: str, fields: dict[str, object]) -> InstanceFacts:
        return replace(facts, classes={**facts.classes, name: replace(facts.classes[name], fields=fields)})  # type: ignore[arg-type]

    return changed
