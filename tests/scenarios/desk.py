"""What every scenario has at hand: the commands, the town's devices, and looks into the CMDB's tables."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.estate.things import EstateClient, EstateDevice, Link
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow import oracle
from beast_dream_snow_loader.sandbox.servicenow.ire.options import IreOptions, ItemFault
from tests.conftest import Ended
from tests.scenarios import model
from tests.scenarios.conftest import Town

OpenTown = Callable[..., Town]
LOAD = ("load", "--env", "testing", "--json")
PLAN = ("plan", "--env", "testing")
WRITES = "/api/now/identifyreconcile/enhanced"
HEALTH = ("health", "--env", "testing", "--json")
REPLAY = ("replay-queue", "--env", "testing", "--json")
HELD_BACK = {"SNOWLOAD_SERVICENOW__MODE": "read-only"}
RETIRING = {
    "SNOWLOAD_RETIRE__ENABLED": "true",
    "SNOWLOAD_RETIRE__GRACE": "0s",
    "SNOWLOAD_RETIRE__MISSING_READS": "2",
}
TWO_CIS = {"SNOWLOAD_SERVICENOW__BATCH_SIZE": "2", "SNOWLOAD_SERVICENOW__BATCH_SIZE_MAX": "2"}
"""To a request: most edges wait for a CI that another one makes."""
LOOK_UP = "/api/now/table/sys_object_source"
"""Asked for what was sent without an answer."""
FORBIDDEN = '{"error":{"message":"User Not Authorized","detail":"Failed API level ACL Validation"},"status":"failure"}'
IN_SERVICE, RETIRED = ("1", "1"), ("7", "6")


# The command in a process of its own, which can be sent a signal.


def running(town: Town, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "beast_dream_snow_loader", *arguments]
    return subprocess.Popen(
        command, env=town.run.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def writing(town: Town) -> subprocess.Popen[str]:
    """A load that has begun to write."""
    process = running(town, *LOAD)
    when(town.writes_begun, "no write began")
    return process


def when(there: Callable[[], object], otherwise: str) -> None:
    """Waits for it; AssertionError after a minute."""
    until = time.monotonic() + 60
    while not there():
        assert time.monotonic() < until, otherwise
        time.sleep(0.05)


@contextmanager
def meanwhile(there: Callable[[], object], do: Callable[[], object]) -> Iterator[None]:
    """While the block runs, something is done as soon as it is time for it."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(lambda: (when(there, "the time for it did not come"), do()))
        yield
        done.result()


# Devices and clients of UniFi.


def small() -> Estate:
    return Estate.generate(seed=3, sites=2, devices=16)


def key_of(thing: EstateDevice) -> str:
    """The native key of a device."""
    return model.key_of(thing.mac)


def colons(thing: EstateDevice) -> str:
    return model.colons(thing.mac)


def switches(estate: Estate) -> list[EstateDevice]:
    """Those with a name of their own, console by console."""
    every = [device for console in estate.consoles() for device in estate.devices(console.host_id)]
    return [device for device in every if device.name and device.adopted and device.model_code.startswith("US")]


def switch(estate: Estate) -> EstateDevice:
    return switches(estate)[0]


def one_switch(estate: Estate) -> str:
    return key_of(switch(estate))


def uplinks(estate: Estate) -> dict[str, str]:
    """Native key → native key of the uplink, of every adopted device."""
    devices = [d for console in estate.consoles() for d in estate.devices(console.host_id) if d.adopted]
    return {key_of(d): model.key_of(d.uplink) if d.uplink else "" for d in devices}


def leaves(town: Town, site: int = 0) -> list[EstateDevice]:
    """Devices of one site that nothing hangs on."""
    devices = [d for d in town.estate.site_devices(town.estate.sites()[site].legacy_id) if d.adopted]
    above = {device.uplink for device in devices}
    return [device for device in devices if device.mac not in above and not device.is_gateway]


def remove(town: Town, count: int = 1, site: int = 0) -> list[str]:
    """So many leaves vanish; their native keys."""
    chosen = leaves(town, site)[:count]
    assert len(chosen) == count
    for device in chosen:
        town.estate.remove_device(device.mac)
    return [key_of(device) for device in chosen]


def eligible(estate: Estate) -> list[EstateClient]:
    """Clients connected for long, with a MAC of their own, and no guests: what the modes for clients are for."""
    return [
        client
        for site in estate.sites()
        for client in estate.clients(site.legacy_id)
        if client.connected and client.link in (Link.WIRED, Link.WIRELESS) and client.mac and client.uplink
        if not (client.guest or client.blocked or client.odd) and client.first_ago > 8 * 86400
        if not int(client.mac[1], 16) & 2
    ]


# The ends, when they do not answer.


def away(town: Town) -> None:
    town.sandbox.servicenow.faults.add(Fault(effect=Effect.STATUS, status=503, path="/api/*"))


def unifi_away(town: Town) -> None:
    for server in (town.sandbox.site_manager, *(console.server for console in town.sandbox.consoles)):
        server.faults.add(Fault(effect=Effect.STATUS, status=503, path="*"))


def could_write(town: Town) -> list[str]:
    """Requests to ServiceNow that might have changed something; a batch is judged by what the CMDB holds after it."""
    harmless = ("/oauth_token.do", "/batch", "/identifyreconcile/queryEnhanced")
    lines = (line for line in town.sandbox.log.lines("servicenow") if line.method != "GET")
    return [line.path for line in lines if not line.path.endswith(harmless)]


def fault(code: str, **more: Any) -> IreOptions:
    """The engine answers one item with this code."""
    return IreOptions(item_faults=(ItemFault(code=code, **more),))


def refuse(town: Town, key: str) -> None:
    town.app.backend.set_options(ire=fault("MISSING_MATCHING_ATTRIBUTES", native_key=key, times=None))


# The CMDB's tables.


def keys(town: Town) -> set[str]:
    """The native keys of the CIs that are ours."""
    return set(oracle.by_native_key(town.app.instance, "UniFi"))


def ci(town: Town, thing: EstateDevice) -> oracle.ConfigItem | None:
    return oracle.by_native_key(town.app.instance, "UniFi").get(key_of(thing))


def value(town: Town, key: str, element: str) -> str:
    return oracle.by_native_key(town.app.instance, "UniFi")[key].values.get(element, "")


def names(town: Town) -> list[str]:
    """Of the CIs that are ours."""
    return [item.name for item in oracle.config_items(town.app.instance, "UniFi") if item.native_keys]


def status(town: Town, key: str) -> tuple[str, str]:
    return value(town, key, "install_status"), value(town, key, "operational_status")


def by_hand(town: Town, key: str, **values: str) -> None:
    """An administrator edits the CI."""
    item = oracle.by_native_key(town.app.instance, "UniFi")[key]
    with town.app.instance.lock, town.app.instance.acting_as("admin"):
        town.app.instance.update(item.class_name, item.sys_id, values)


def insert(town: Town, table: str = "cmdb_ci_ip_switch", **values: str) -> str:
    """A CI of somebody else's, by sys_id."""
    with town.app.instance.lock, town.app.instance.acting_as("admin"):
        return str(town.app.instance.insert(table, {"discovery_source": "ServiceNow", **values})["sys_id"])


def stored(town: Town, sys_id: str) -> Mapping[str, str]:
    row = town.app.instance.get("cmdb_ci", sys_id)
    assert row is not None
    return row


def edges(town: Town) -> list[tuple[str, str, str]]:
    """(parent, type, child), of everybody's."""
    return [(edge.parent, edge.type, edge.child) for edge in oracle.edges(town.app.instance)]


def clean(town: Town) -> None:
    assert not oracle.duplicate_keys(town.app.instance)
    assert not oracle.duplicate_edges(town.app.instance)
    assert not oracle.orphans(town.app.instance)


# What the command told.


def findings(ended: Ended, rule: str) -> list[dict[str, Any]]:
    return [finding for finding in ended.document["findings"] if finding["rule"] == rule]


def rules(ended: Ended, record: str = "") -> set[str]:
    """The rules of the findings; of one record, if it is named."""
    return {finding["rule"] for finding in ended.document["findings"] if record in ("", finding["record"])}


def decided(ended: Ended, thing: EstateDevice) -> set[str]:
    """The rules of everything told of a device, why it is held included."""
    held = {one["rule"] for one in ended.document["held"] if one["key"] == key_of(thing)}
    return rules(ended, key_of(thing)) | held


def keeps(document: Mapping[str, Any]) -> None:
    """The document is as the schema that ships with it says."""
    name = document["schema"].removeprefix("snowload.").removesuffix("/1")
    file = resources.files("beast_dream_snow_loader") / "schemas" / f"{name}.schema.json"
    jsonschema.validate(document, json.loads(file.read_text(encoding="utf-8")))


# ``snowload health``.


def looked(town: Town, *arguments: str, **variables: str) -> Ended:
    ended = town.run(*HEALTH, *arguments, **variables)
    keeps(ended.document)
    return ended


def rows(ended: Ended) -> dict[str, Mapping[str, Any]]:
    """The checks by their names."""
    return {row["name"]: row for row in ended.document["checks"]}


def row(town: Town, name: str, *arguments: str, **variables: str) -> Mapping[str, Any]:
    """One check, looked at with what it stands on."""
    return rows(looked(town, "--check", name, *arguments, **variables))[name]


# The state as a file.


def file_of(town: Town) -> Path:
    return next(town.run.home.rglob("state.sqlite"))


def sql(town: Town, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(file_of(town))) as database, database:
        database.execute(statement, values)
