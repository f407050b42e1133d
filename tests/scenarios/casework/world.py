"""A case's world: its UniFi and its ServiceNow, running, and everything that can happen to them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow.app import ServiceNowApp
from beast_dream_snow_loader.sandbox.servicenow.by_hand import merge_ci
from beast_dream_snow_loader.sandbox.servicenow.ire.options import IreOptions, SilentField
from beast_dream_snow_loader.sandbox.servicenow.options import BusinessRule, Options
from beast_dream_snow_loader.sandbox.town import Account, Sandbox
from tests.conftest import Ended, Snowload
from tests.scenarios.ageing import pass_time
from tests.scenarios.casework.reading import CI, DEVICE, Case, CaseError, Run, Table, known
from tests.scenarios.estates import SOFTWARE, EstateBuilder, code_of, plain
from tests.scenarios.model import PRODUCTS, key_of

HOME_SITE, HOME_CONSOLE = "HQ", "controller"
_ADMIN = ("admin", "admin-demo")


class World:
    """``cis`` are the sys_ids of the CIs the file names, ``devices`` the MACs of the devices and clients; ``started``
    is when the load in hand began."""

    def __init__(self, case: Case, snowload: Snowload) -> None:
        self.case = case
        self.command = snowload
        self.started = datetime.now(UTC)
        self.cis: dict[str, str] = {}
        self.devices: dict[str, str] = {}
        self.app = ServiceNowApp.create(
            class_models=bool(case.instance.get("class_models")),
            without=case.instance.get("without", ()),
            options=_options(case.instance),
        )
        self.instance = self.app.instance
        self._furnish()
        self.estate = self._estate()
        self.sandbox = Sandbox.create(estate=self.estate, servicenow=self.app)
        self.sandbox.account = Account(username="snowload", password="snowload-demo")

    def __enter__(self) -> World:
        self.sandbox.start()
        self.command.variables |= dict(self.sandbox.environment())
        for section, settings in self.case.settings.items():
            for name, value in settings.items():
                text = value if isinstance(value, str) else json.dumps(value)
                self.command.variables[f"SNOWLOAD_{section}__{name}".upper()] = text
        if mapping := self.case.settings.get("mapping"):
            self.command.variables["SNOWLOAD_MAPPING"] = json.dumps(mapping)
            for name in mapping:
                self.command.variables.pop(f"SNOWLOAD_MAPPING__{name}".upper(), None)
        return self

    def __exit__(self, *_: object) -> None:
        self.sandbox.stop()
        self.app.close()

    def label(self, record: str) -> str:
        """``device/<mac>``, a sys_id or a console by its address or id, as the file calls it."""
        for console, serving in zip(self.estate.consoles(), self.sandbox.consoles, strict=False):
            if record in (f"console/url:{serving.server.url.partition('://')[2]}", f"console/host:{console.host_id}"):
                return console.name
        for name, mac in self.devices.items():
            if record in (key_of(mac), f"client/{mac.lower()}"):
                return name
        return next((name for name, sys_id in self.cis.items() if sys_id == record), record)

    def happen(self, run: Run) -> None:
        if run.after:
            pass_time(run.after, self.estate, self.instance, self.command.home)
        for event in run.unifi:
            what = next(iter(event))
            getattr(self, f"_unifi_{what}")(event[what], {name: v for name, v in event.items() if name != what})
        with self.instance.lock, self.instance.acting_as("admin"):
            for deed in (deed for deed in run.cmdb if "discover" not in deed):
                what = next(iter(deed))
                getattr(self, f"_cmdb_{what}")(deed[what], {name: v for name, v in deed.items() if name != what})
        for deed in (deed for deed in run.cmdb if "discover" in deed):
            self._discover(deed["discover"], {name: v for name, v in deed.items() if name != "discover"})
        if run.bind is not None:
            lines = {key_of(self.devices[label]): self.ci(ci) for label, ci in run.bind.items()}
            self.command.variables["SNOWLOAD_BINDINGS"] = json.dumps(lines)

    def run(self, run: Run) -> Ended:
        return self.command(*run.command, "--env", "testing", "--json")

    # What the CMDB holds before.

    def _furnish(self) -> None:
        """The maker and the models of the products in the scenarios, a location per site, and the file's own CIs."""
        given, insert = self.case.instance, self.instance.insert
        with self.instance.lock, self.instance.acting_as("admin"):
            for name in given.get("manufacturers", ["Ubiquiti"]):
                maker = insert("core_company", {"name": name, "manufacturer": "true"})["sys_id"]
            for sku in given.get("models", [product.sku for product in PRODUCTS.values()]):
                values = {"name": sku, "model_number": sku, "manufacturer": maker}
                insert("cmdb_hardware_product_model", values)
            for name in given.get("locations", dict.fromkeys([HOME_SITE, *self.case.unifi.get("site", {})])):
                insert("cmn_location", {"name": name})
            for label, values in self.case.cmdb.items():
                self.cis[label] = self._insert(values)
            for relation in self.case.relations:
                self._cmdb_relate(*_relation(relation))

    def _insert(self, values: Table) -> str:
        class_name = values.get("class", "cmdb_ci_hardware")
        fields = {name: value for name, value in values.items() if name not in CI}
        known(fields, self.instance.fields(class_name), f"a CI of class {class_name}")
        stored = self.instance.insert(class_name, {**fields, **self._references(class_name, fields)})
        sys_id = stored["sys_id"]
        for mac in values.get("adapters", ()):
            adapter = {"name": mac, "mac_address": mac, "ip_address": fields.get("ip_address", ""), "cmdb_ci": sys_id}
            self.instance.insert("cmdb_ci_network_adapter", adapter)
        for serial in values.get("serials", ()):
            row = {"serial_number": serial, "serial_number_type": "system", "valid": "true", "absent": "false"}
            self.instance.insert("cmdb_serial_number", {**row, "cmdb_ci": sys_id})
        if "key" in values:
            row = {"name": "UniFi", "id": values["key"], "target_table": class_name, "target_sys_id": sys_id}
            self.instance.insert("sys_object_source", row)
        return sys_id

    def _references(self, class_name: str, fields: Table) -> dict[str, str]:
        """Reference fields are written by name in a file."""
        found: dict[str, str] = {}
        for name, value in fields.items():
            definition = self.instance.fields(class_name)[name]
            if definition.is_reference and value:
                rows = self.instance.find(definition.reference, name=str(value))
                rows = rows or [self.instance.insert(definition.reference, {"name": str(value)})]
                found[name] = rows[0]["sys_id"]
        return found

    def _estate(self) -> Any:
        given, builder = self.case.unifi, EstateBuilder()
        consoles = given.get("console", {HOME_CONSOLE: {"model": SOFTWARE}})
        for label, values in consoles.items():
            builder.console(label, **{**values, "mac": plain(values.get("mac", ""))})
        sites = given.get("site") or {HOME_SITE: {}}
        for title, values in sites.items():
            builder.site(title, values.get("console", next(iter(consoles))))
        for label, values in given.get("device", {}).items():
            device = builder.device(label, **{"site": next(iter(sites)), "name": label, **_unnamed(values)})
            self.devices[label] = device.mac
        for label, values in given.get("client", {}).items():
            self.devices[label] = builder.client(label, **{"site": next(iter(sites)), "name": label, **values}).mac
        return builder.build()

    # What happens in UniFi.

    def _unifi_add(self, label: str, more: Table) -> None:
        sites = {site.title: site.legacy_id for site in self.estate.sites()}
        uplink = self.devices[more["uplink"]] if "uplink" in more else ""
        values = {"name": label, **_unnamed(more)}
        device = self.estate.add_device(
            site=sites[more.get("site", next(iter(sites)))],
            model=code_of(more.get("model", "USW 24 PoE")),
            name=values["name"],
            uplink=uplink,
            mac=plain(more.get("mac", "")) or f"00005E00{0x5400 + len(self.devices):04X}",
        )
        self.devices[label] = device.mac

    def _unifi_remove(self, label: str, _: Table) -> None:
        self.estate.remove_device(self.devices[label])

    def _unifi_rename(self, label: str, more: Table) -> None:
        self.estate.rename_device(self.devices[label], more["to"] or None)

    def _unifi_uplink(self, label: str, more: Table) -> None:
        self.estate.change_uplink(self.devices[label], self.devices[more["to"]])

    def _unifi_move(self, label: str, more: Table) -> None:
        site = next(site for site in self.estate.sites() if site.title == more["site"])
        uplink = self.devices[more["uplink"]] if "uplink" in more else ""
        self.estate.move_device(self.devices[label], site.legacy_id, uplink)

    def _unifi_offline(self, label: str, _: Table) -> None:
        self.estate.set_online(self.devices[label], False)
        self.estate.readdress_device(self.devices[label], "")

    def _unifi_online(self, label: str, more: Table) -> None:
        self.estate.set_online(self.devices[label], True)
        if "ip" in more:
            self.estate.readdress_device(self.devices[label], more["ip"])

    def _unifi_upgrade(self, label: str, more: Table) -> None:
        self.estate.upgrade_device(self.devices[label], more["firmware"])

    def _unifi_readdress(self, label: str, more: Table) -> None:
        self.estate.readdress_device(self.devices[label], more["ip"])

    def _unifi_readopt(self, label: str, _: Table) -> None:
        self.estate.readopt_device(self.devices[label])

    def _unifi_roam(self, label: str, more: Table) -> None:
        self.estate.roam_client(label, self.devices[more["to"]])

    def _unifi_leave(self, label: str, _: Table) -> None:
        self.estate.remove_client(label)

    def _unifi_console_down(self, label: str, _: Table) -> None:
        """Neither its own address nor the cloud answers for it."""
        place = next(at for at, console in enumerate(self.estate.consoles()) if console.name == label)
        self.sandbox.consoles[place].server.faults.add(Fault(effect=Effect.STATUS, status=503))
        self.estate.set_reachable(self.estate.consoles()[place].host_id, False)

    def _unifi_console_up(self, label: str, _: Table) -> None:
        place = next(at for at, console in enumerate(self.estate.consoles()) if console.name == label)
        self.sandbox.consoles[place].server.faults.clear()
        console = self.estate.consoles()[place]
        self.estate.set_reachable(console.host_id, bool(console.mac))

    def _unifi_cloud_down(self, *_: object) -> None:
        self.sandbox.site_manager.faults.add(Fault(effect=Effect.STATUS, status=503))

    def _unifi_cloud_up(self, *_: object) -> None:
        self.sandbox.site_manager.faults.clear()

    # What people and other sources do in ServiceNow.

    def _cmdb_edit(self, label: str, values: Table) -> None:
        class_name = self.instance.class_of("cmdb_ci", self.instance.get("cmdb_ci", self.ci(label)) or {})
        known(values, self.instance.fields(class_name), f"the edit of {label}")
        wanted = {**values, **self._references(class_name, values)}
        self.instance.update("cmdb_ci", self.ci(label), wanted)

    def _cmdb_add(self, label: str, values: Table) -> None:
        self.cis[label] = self._insert(values)

    def _cmdb_delete(self, label: str, _: Table) -> None:
        self.instance.delete("cmdb_ci", self.ci(label))

    def _cmdb_merge(self, label: str, more: Table) -> None:
        merge_ci(self.instance, self.ci(label), self.ci(more["into"]))
        self.cis[label] = self.ci(more["into"])

    def _cmdb_reclassify(self, label: str, more: Table) -> None:
        self.instance.change_class("cmdb_ci", self.ci(label), more["to"])

    def _cmdb_mark_duplicate(self, label: str, more: Table) -> None:
        self.instance.update("cmdb_ci", self.ci(label), {"duplicate_of": self.ci(more["of"])})

    def _cmdb_relate(self, label: str, more: Table) -> None:
        kind = self.instance.find("cmdb_rel_type", name=more["type"])[0]["sys_id"]
        self.instance.insert("cmdb_rel_ci", {"parent": self.ci(label), "child": self.ci(more["to"]), "type": kind})

    def _cmdb_unrelate(self, label: str, more: Table) -> None:
        for row in self.instance.find("cmdb_rel_ci", parent=self.ci(label), child=self.ci(more["from"])):
            self.instance.delete("cmdb_rel_ci", row["sys_id"])

    def _cmdb_away(self, *_: object) -> None:
        self.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=503, path="/api/*"))

    def _cmdb_back(self, *_: object) -> None:
        self.sandbox.servicenow.faults.clear()

    def _cmdb_refuse(self, class_name: str, more: Table) -> None:
        rule = BusinessRule(table=class_name, name=more.get("because", "closed for changes"))
        self.app.backend.set_options(business_rules=(rule,))

    def _cmdb_allow(self, *_: object) -> None:
        self.app.backend.set_options(business_rules=())

    def _cmdb_model(self, sku: str, _: Table) -> None:
        (maker,) = self.instance.find("core_company", name="Ubiquiti")
        values = {"name": sku, "model_number": sku, "manufacturer": maker["sys_id"]}
        self.instance.insert("cmdb_hardware_product_model", values)

    def _cmdb_cut(self, label: str, more: Table) -> None:
        """A business rule keeps only so many characters of a field of this device's CI, silently."""
        cut = SilentField(element=more["field"], native_key=key_of(self.devices[label]), keep=more.get("to", 0))
        self._ire(silent_fields=(*self.app.backend.options.ire.silent_fields, cut))

    def _cmdb_drop_relations(self, kind: str, _: Table) -> None:
        self._ire(dropped_relations=frozenset({kind}))

    def _cmdb_mend(self, *_: object) -> None:
        """The rules that cut and drop are gone."""
        self._ire(silent_fields=(), dropped_relations=frozenset())

    def _ire(self, **changed: Any) -> None:
        backend = self.app.backend
        backend.set_options(ire=replace(backend.options.ire, **changed))

    def _discover(self, label: str, values: Table) -> None:
        """Discovery scans a device and tells the engine, under its own source and without our key."""
        fields = {name: value for name, value in values.items() if name not in ("class", "as")}
        answer = requests.post(
            f"{self.sandbox.servicenow.url}/api/now/identifyreconcile/enhanced",
            params={"sysparm_data_source": "ServiceNow"},
            json={"items": [{"className": values.get("class", "cmdb_ci_hardware"), "values": fields}]},
            auth=_ADMIN,
            timeout=30,
        )
        told = answer.json()["result"]["items"][0]
        if told.get("errors"):
            raise CaseError(f"Discovery could not write {label}: {told['errors']}")
        self.cis.setdefault(values.get("as", label), told["sysId"])

    def ci(self, label: str) -> str:
        """The sys_id behind a label of the file, or of the device of that label."""
        if label in self.cis:
            return self.cis[label]
        mac = self.devices.get(label, "").lower()
        for key in (f"device/{mac}", f"client/{mac}"):
            if mac and (found := self.instance.find("sys_object_source", id=key)):
                return found[0]["target_sys_id"]
        raise CaseError(f"there is no CI called {label!r} yet")


def _options(given: Table) -> Options:
    """``adapters_match_by``: what the entry of the Hardware Rule that looks at adapters compares on this instance."""
    compared = given.get("adapters_match_by")
    return Options(ire=IreOptions(adapter_attributes=tuple(compared))) if compared else Options()


def _unnamed(values: Table) -> dict[str, Any]:
    """``name = ""`` is a device without a name."""
    known(values, DEVICE, "a device")
    return {**values, **({"name": None} if values.get("name") == "" else {})}


def _relation(text: str) -> tuple[str, Mapping[str, str]]:
    """``a | Connects to::Connected by | b``."""
    parent, kind, child = (part.strip() for part in text.split("|"))
    return parent, {"type": kind, "to": child}


def case_paths() -> list[Path]:
    return sorted((Path(__file__).resolve().parents[1] / "cases").glob("*.toml"))
