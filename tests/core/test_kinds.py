"""Every line of the recognition order (cmdb-model 6.1), and the models of unifi-api 4.3."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from beast_dream_snow_loader.core.mapping import map_snapshot
from beast_dream_snow_loader.core.mapping_rules import DEFAULT_RULES
from beast_dream_snow_loader.core.mapping_tables import CLASS_CHAINS
from beast_dream_snow_loader.core.models import MODELS, find_model
from beast_dream_snow_loader.core.observed import Console, Site

if TYPE_CHECKING:
    from conftest import Estate

LINES: list[tuple[str, dict[str, object]]] = [
    ("gateway", {"model_code": "UDMPRO"}),
    ("gateway", {"model_name": "UDR7", "features": frozenset({"switching", "accesspoint"})}),
    ("gateway", {"features": frozenset({"gateway", "switching"})}),
    ("gateway", {"type": "ugw"}),
    ("gateway", {"type": "uxg"}),
    ("gateway", {"type": "udm"}),
    ("controller", {"model_code": "UCKP", "is_console": True}),
    ("controller", {"type": "uck"}),
    ("controller", {"model_code": "UASXG", "type": "uas"}),
    ("controller", {"is_console": True}),
    ("nvr", {"model_code": "UNVRPRO", "is_console": True, "product_line": "protect"}),
    ("nvr", {"type": "unvr"}),
    ("nas", {"model_code": "UNASPRO"}),
    ("nas", {"features": frozenset({"storage"})}),
    ("ups", {"model_code": "USWDA26", "type": "usw", "features": frozenset({"battery", "outlets"})}),
    ("ups", {"model_code": "USWDA99", "type": "usw", "features": frozenset({"battery", "outlets", "ports"})}),
    ("switch", {"model_code": "USL8MP", "type": "usw"}),
    ("switch", {"model_code": "UDC48X6", "type": "usw"}),
    ("switch", {"features": frozenset({"switching", "ports"})}),
    ("switch", {"type": "usw"}),
    ("ap", {"model_code": "U6IW", "features": frozenset({"switching", "accesspoint"})}),
    ("ap", {"features": frozenset({"switching", "accesspoint"}), "type": "uap"}),
    ("ap", {"type": "uap"}),
    ("pdu", {"model_code": "USPPDUP", "type": "usw", "features": frozenset({"ports", "outlets", "switching"})}),
    ("pdu", {"model_code": "UP1", "type": "uap"}),
    ("pdu", {"features": frozenset({"outlets"}), "type": "uap"}),
    ("power", {"model_code": "USPRPS", "type": "usw"}),
    ("power", {"model_code": "USPRPSP", "type": "usw"}),
    ("power", {"type": "upb"}),
    ("phone", {"model_code": "UP5c"}),
    ("phone", {"type": "uph"}),
    ("phone", {"product_line": "talk"}),
    ("camera", {"product_line": "protect", "model_name": "G5 Bullet", "model_code": "UVC G5 Bullet"}),
    ("access", {"product_line": "access", "model_name": "UA-Hub"}),
    ("sensor", {"product_line": "protect", "model_name": "UP-Sense"}),
    ("display", {"product_line": "connect", "model_name": "Display 27"}),
    ("network-other", {"model_code": "ULTE", "type": "uap"}),
    ("network-other", {"model_code": "UBB"}),
    ("network-other", {"model_code": "UCI"}),
    ("network-other", {"product_line": "network", "model_name": "UniFi Thing 2030"}),
    ("other", {"model_name": "UniFi Thing 2030"}),
    ("other", {}),
]


@pytest.mark.parametrize(("kind", "told"), LINES, ids=lambda v: v if isinstance(v, str) else "-")
def test_a_device_is_recognised_by_the_first_line_that_applies(
    estate: Estate, kind: str, told: dict[str, object]
) -> None:
    device = estate.device(1, **{"model_code": None, **told})
    desired = map_snapshot(estate.snapshot(device), DEFAULT_RULES)
    assert [item.kind for item in desired.items.values()] == [kind]
    assert next(iter(desired.items.values())).class_chain == CLASS_CHAINS[kind]


def test_the_console_that_is_a_sites_gateway_is_a_gateway(estate: Estate) -> None:
    site = Site(console="c0", short_name="default", name="HQ", gateway_mac="00:00:5E:00:53:01")
    device = estate.device(1, model_code="NEW1", is_console=True)
    desired = map_snapshot(estate.snapshot(device, sites=(site,)), DEFAULT_RULES)
    assert [item.kind for item in desired.items.values()] == ["gateway"]


def test_a_dream_router_below_another_device_serves_as_an_access_point(estate: Estate) -> None:
    above = estate.device(1, model_code="UDMPRO", is_console=True)
    below = estate.device(2, model_code="UX", type="udm", uplink_mac=above.mac)
    kinds = {i.key.mac: i.kind for i in map_snapshot(estate.snapshot(above, below), DEFAULT_RULES).items.values()}
    assert kinds == {above.mac: "gateway", below.mac: "ap"}


def test_a_console_that_no_api_lists_as_a_device_is_one_all_the_same(estate: Estate) -> None:
    console = Console(key="c0", name="Key in the rack", mac=estate.mac(9))
    desired = map_snapshot(estate.snapshot(estate.device(1), consoles=(console,)), DEFAULT_RULES)
    assert {item.key.mac: item.kind for item in desired.items.values()} == {
        estate.mac(1): "switch",
        estate.mac(9): "controller",
    }


def test_software_on_a_server_is_no_ci(estate: Estate) -> None:
    console = Console(key="c0", name="server", mac=estate.mac(9), software_only=True)
    desired = map_snapshot(estate.snapshot(estate.device(1), consoles=(console,)), DEFAULT_RULES)
    assert [key.mac for key in desired.items] == [estate.mac(1)]
    assert not desired.relations
    assert not desired.orphans


def test_the_model_list_is_whole_and_has_no_code_twice() -> None:
    codes = [code.casefold() for model in MODELS for code in model.codes]
    assert len(codes) >= 160
    assert len(codes) == len(set(codes))
    assert {model.kind for model in MODELS} <= CLASS_CHAINS.keys()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.sku)
def test_a_product_is_found_by_each_of_its_names(model: object) -> None:
    assert all(find_model(code, None) is model for code in (*model.codes, *model.aliases))  # type: ignore[attr-defined]
    assert find_model(None, model.sku.replace("-", " ")) is model  # type: ignore[attr-defined]


def test_a_hyphen_tells_two_access_points_apart() -> None:
    by_code, by_name = find_model("U7IW", None), find_model(None, "U7-IW")
    assert by_code is not None
    assert by_name is not None
    assert (by_code.sku, by_name.sku) == ("UAP-AC-IW", "U7-IW")


def test_an_unknown_model_is_told_once(estate: Estate, found: object) -> None:
    devices = (estate.device(n, model_code="NEW1", type="usw") for n in range(1, 6))
    desired = map_snapshot(estate.snapshot(*devices), DEFAULT_RULES)
    assert [f.message.split(":")[1].strip()[:15] for f in desired.findings if f.rule == "model.unknown"] == [
        "5 taken as swit"
    ]
