"""The operator's mapping document: applied where right, every problem told where wrong."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beast_dream_snow_loader.core.desired import Ownership, RelationRole
from beast_dream_snow_loader.core.mapping_rules import DEFAULT_RULES
from beast_dream_snow_loader.core.mapping_tables import CLASS_CHAINS, CLIENT_CHAINS, HARDWARE, LABELS, SOURCES
from beast_dream_snow_loader.core.values import TRANSFORMS
from beast_dream_snow_loader.errors import ConfigurationError

DOCUMENT = """
gateway_class = "firewall"
company = "Acme"
heartbeat_hours = 12
on_manual_change = "overwrite"
location_follows_source = true

[class_map]
nas = "cmdb_ci_hardware"
switch = ["cmdb_ci_my_switch", "cmdb_ci_netgear"]
US8 = "cmdb_ci_small_switch"

[location_map]
HQ = "World/Berlin/HQ"

[groups]
support_group = "Network"

[extra_fields]
u_unifi_site = "site_name"

[fields.ports]
enabled = false

[fields.firmware_version]
ownership = "once"

[models.USWX1]
name = "USW-X1"
kind = "switch"

[relation_types]
uplink = ["reversed Feeds::Fed by"]
"""


def test_a_document_changes_what_it_names_and_nothing_else() -> None:
    rules = DEFAULT_RULES.override(tomllib.loads(DOCUMENT))
    assert rules.heartbeat_hours == 12
    assert rules.chain("gateway")[0] == "cmdb_ci_ip_firewall"
    assert rules.chain("nas") == (HARDWARE,)
    assert rules.chain("switch") == ("cmdb_ci_my_switch", "cmdb_ci_netgear", HARDWARE)
    assert rules.chain("switch", "US8") == ("cmdb_ci_small_switch", HARDWARE)
    assert rules.chain("ap") == CLASS_CHAINS["ap"]
    assert rules.ownership()["location"] is Ownership.OURS
    assert rules.ownership()["firmware_version"] is Ownership.ONCE
    assert "ports" not in rules.ownership()
    assert not rules.protects("u_unifi_site")
    assert rules.protects("u_other")
    model = rules.model("uswx1", None)
    assert model is not None
    assert model.sku == "USW-X1"
    assert rules.relation_types[RelationRole.UPLINK][0].reversed
    assert RelationRole.MANAGED_BY in rules.relation_types


def test_an_empty_document_changes_nothing() -> None:
    assert DEFAULT_RULES.override({}) == DEFAULT_RULES


def test_every_problem_is_told_at_once_with_its_path_and_the_form_expected() -> None:
    wrong = {
        "gateway_clas": "router",
        "gateway_class": "wall",
        "heartbeat_hours": -1,
        "class_map": {"swich": "cmdb_ci_ip_switch", "switch": "cmdb_ci"},
        "location_map": [],
        "manufacturer": "Ubiquiti",
        "groups": {"suport_group": "x"},
        "extra_fields": {"sys_class_name": "kind", "u_x": "color"},
        "fields": {"name": {"enabled": False}, "ports": {"ownership": "mine"}},
        "models": {"X1": {"name": "X-1"}},
        "relation_types": {"uplink": ["Connects to"]},
        "outlets": {"00:00:5e:00:53:01": "rack PDU"},
        "write_adapters": "yes",
    }
    with pytest.raises(ConfigurationError) as raised:
        DEFAULT_RULES.override(wrong)
    told = "\n".join(raised.value.problems)
    for piece in (
        "mapping.gateway_clas is not known; did you mean gateway_class?",
        "mapping.gateway_class is 'wall'; expected is one of router, firewall.",
        "mapping.heartbeat_hours is -1; expected is a number, 0 or more.",
        "mapping.class_map.swich is not known; did you mean switch?",
        "mapping.class_map.switch is 'cmdb_ci'; expected is a class name",
        "mapping.location_map is []; expected is a table.",
        "mapping.manufacturer is 'Ubiquiti'; expected is a sys_id",
        "mapping.groups.suport_group is not known; did you mean support_group?",
        "mapping.extra_fields.sys_class_name is never written",
        "mapping.extra_fields.u_x is 'color'; expected is one of",
        "mapping.fields.name cannot be switched off",
        "mapping.fields.ports.ownership is 'mine'; expected is one of always, ours, once.",
        "mapping.models.X1 is",
        "mapping.relation_types.uplink is 'Connects to'",
        "mapping.outlets.00:00:5e:00:53:01 is 'rack PDU'; expected is a MAC address",
        "mapping.write_adapters is 'yes'; expected is true or false",
    ):
        assert piece in told
    assert len(raised.value.problems) == 16
    assert raised.value.next_step


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.lists(st.text(max_size=4))
)
KEYS = st.one_of(st.sampled_from(["class_map", "fields", "models", "groups", "extra_fields"]), st.text(max_size=8))


@given(st.dictionaries(KEYS, st.one_of(LEAVES, st.dictionaries(st.text(max_size=8), LEAVES)), max_size=4))
def test_any_document_is_applied_or_refused_as_configuration(document: dict[str, object]) -> None:
    problems: tuple[str, ...] = ("none",)
    try:
        DEFAULT_RULES.override(document)
    except ConfigurationError as error:
        problems = error.problems
    assert problems


def test_the_tables_fit_together() -> None:
    assert all(rule.transform in TRANSFORMS or rule.references for rule in DEFAULT_RULES.fields)
    assert all(rule.source in SOURCES or rule.references for rule in DEFAULT_RULES.fields)
    assert all(chain[-1] == HARDWARE for chain in (*CLASS_CHAINS.values(), *CLIENT_CHAINS.values()))
    assert not any(DEFAULT_RULES.protects(rule.element) for rule in DEFAULT_RULES.fields)
    assert LABELS.keys() <= {rule.element for rule in DEFAULT_RULES.fields}


@pytest.mark.parametrize(
    "element",
    ["asset", "assigned_to", "comments", "life_cycle_stage", "sys_class_name", "u_anything", "discovery_source"],
)
def test_what_belongs_to_people_is_never_written(element: str) -> None:
    assert DEFAULT_RULES.protects(element)
