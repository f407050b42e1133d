"""Clients in the mode ``create``: who gets a CI, and what is in it (cmdb-model 6.4)."""

from __future__ import annotations

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.estate.things import EstateClient, Link
from beast_dream_snow_loader.sandbox.servicenow import oracle
from tests.scenarios.desk import OpenTown, eligible
from tests.scenarios.model import colons

DAY = 86400


def left_out(client: EstateClient) -> str:
    """Why this client must not be in the CMDB; empty when it may be."""
    reasons = (
        ("guest", client.guest),
        ("vpn", client.link is Link.VPN),
        ("teleport", client.link is Link.TELEPORT),
        ("blocked", client.blocked),
        ("randomised", bool(client.mac) and bool(int(client.mac[1], 16) & 2)),
        ("short", client.first_ago - (0 if client.connected else client.seen_ago) < 7 * DAY),
    )
    return next((name for name, applies in reasons if applies), "")


def test_only_clients_that_belong_there_get_a_ci_and_it_holds_no_more_than_it_may(town: OpenTown) -> None:
    estate = Estate.generate(seed=5, sites=2, devices=30, clients=900)
    every = [client for site in estate.sites() for client in estate.clients(site.legacy_id)]
    kinds = {left_out(client) for client in every}
    assert {"guest", "vpn", "blocked", "randomised", "short", ""} <= kinds  # the estate reaches every rule
    here = town(estate)
    ended = here.run("load", "--env", "testing", "--json", SNOWLOAD_CLIENTS__MODE="create")
    assert ended.code in (0, 3), ended.err
    made = {k: item for k, item in oracle.by_native_key(here.app.instance, "UniFi").items() if k.startswith("client/")}
    refused = {f"client/{client.mac.lower()}" for client in every if client.mac and left_out(client)}
    assert not refused & made.keys()
    assert {f"client/{client.mac.lower()}" for client in eligible(estate)} <= made.keys()
    for key, item in made.items():
        mac = key.removeprefix("client/")
        assert item.name.endswith(f" ({colons(mac)})")
        assert item.values["mac_address"] == colons(mac)
        assert not {"serial_number", "model_id", "manufacturer", "assigned_to", "owned_by"} & item.values.keys()
    told = {finding["rule"] for finding in ended.document["findings"]}
    assert {"client.guest", "client.blocked", "client.private_mac", "client.passing"} <= told
