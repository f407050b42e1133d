"""What the instance is like: asked lazily, once, and believed where it will not tell (R6.1, R6.4, L6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from beast_dream_snow_loader.core.desired import Reference
from beast_dream_snow_loader.core.findings import Severity
from beast_dream_snow_loader.core.ports import Wishes
from beast_dream_snow_loader.errors import ServerFault
from beast_dream_snow_loader.servicenow.client import ServiceNowAPIClient
from tests.servicenow.conftest import Asked, Instance, Reply, refusal, rows, sys_id

SWITCH = ("cmdb_ci_ip_switch", "cmdb_ci_netgear", "cmdb_ci_hardware")
CAMERA = ("cmdb_ci_ip_camera", "cmdb_ci_iot", "cmdb_ci_hardware")
PHONE = ("cmdb_ci_ip_phone", "cmdb_ci_comm_hardware", "cmdb_ci_hardware")
META = "/api/now/cmdb/meta/"
TABLE = "/api/now/table/"
RULE = {"applies_to": "cmdb_ci_hardware", "active": True, "is_independent": True}
ATTRIBUTES = [
    {"element": "name", "type": "string", "max_length": "255", "is_mandatory": "false", "is_read_only": "false"},
    {"element": "ports", "type": "integer", "max_length": "40", "is_mandatory": "true", "is_read_only": "true"},
]
UNKNOWN_CLASS = Reply(status=404, body=refusal("Invalid class"))


def meta(name: str, parent: str, **more: Any) -> Reply:
    body = {"name": name, "parent": parent, "attributes": ATTRIBUTES, "identification_rules": RULE, **more}
    return Reply(body={"result": body})


class Cmdb:
    """Class definitions by name, table answers by table; everything else does not exist."""

    def __init__(self, classes: Mapping[str, Reply] | None = None, tables: Mapping[str, Reply] | None = None) -> None:
        self.classes, self.tables = classes or {}, {"sys_choice": rows(), **(tables or {})}

    def __call__(self, asked: Asked) -> Reply:
        if asked.path.startswith(META):
            return self.classes.get(asked.path.removeprefix(META), UNKNOWN_CLASS)
        name = asked.path.removeprefix(TABLE)
        return self.tables.get(name, Reply(status=400, body=refusal(f"Invalid table {name}")))


def wishes(*chains: tuple[str, ...], types: tuple[str, ...] = (), references: tuple[Reference, ...] = ()) -> Wishes:
    return Wishes(class_chains=frozenset(chains), relation_types=frozenset(types), references=frozenset(references))


def asked_classes(instance: Instance) -> list[str]:
    return [path.removeprefix(META) for path in instance.paths() if path.startswith(META)]


HARDWARE = meta("cmdb_ci_hardware", "cmdb_ci")
BARE = {"cmdb_ci_ip_switch": meta("cmdb_ci_ip_switch", "cmdb_ci_netgear"), "cmdb_ci_hardware": HARDWARE}


def test_the_first_usable_class_ends_the_chain(client: ServiceNowAPIClient, instance: Instance) -> None:
    instance.answer = Cmdb(BARE)
    facts = client.facts(wishes(SWITCH))
    assert asked_classes(instance) == ["cmdb_ci_ip_switch"]
    assert facts.classes["cmdb_ci_ip_switch"].usable
    assert facts.classes["cmdb_ci_ip_switch"].ancestors[:2] == ("cmdb_ci_netgear", "cmdb_ci_hardware")


def test_each_class_is_asked_once_and_a_second_use_asks_nothing(
    client: ServiceNowAPIClient, instance: Instance
) -> None:
    instance.answer = Cmdb(BARE)
    client.facts(wishes(SWITCH, CAMERA))
    assert sorted(asked_classes(instance)) == [
        "cmdb_ci_hardware", "cmdb_ci_iot", "cmdb_ci_ip_camera", "cmdb_ci_ip_switch",
    ]  # fmt: skip
    before = len(instance.asked)
    client.facts(wishes(SWITCH, CAMERA))
    assert len(instance.asked) == before
    client.facts(wishes(CAMERA, SWITCH[1:], PHONE[2:]))
    assert len(asked_classes(instance)) == 5  # only netgear is new


def test_an_absent_class_is_no_class_and_says_why(client: ServiceNowAPIClient, instance: Instance) -> None:
    instance.answer = Cmdb(BARE)
    facts = client.facts(wishes(CAMERA))
    assert [name for name, fact in facts.classes.items() if fact.usable] == ["cmdb_ci_hardware"]
    assert facts.classes["cmdb_ci_ip_camera"].reason == "the instance has no such class"


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"identification_rules": {**RULE, "active": False}}, "not active"),
        ({"identification_rules": {**RULE, "active": "false"}}, "not active"),
        ({"identification_rules": {**RULE, "is_independent": False}}, "together with its host"),
        ({"identification_rules": {}}, "no identification rule"),
        ({"parent": "cmdb_ci", "identification_rules": {**RULE, "applies_to": "cmdb_ci"}}, "not hardware"),
    ],
)
def test_a_class_that_cannot_be_identified_is_not_used(
    told: dict[str, Any], reason: str, client: ServiceNowAPIClient, instance: Instance
) -> None:
    switch = meta("cmdb_ci_ip_switch", told.pop("parent", "cmdb_ci_netgear"), **told)
    netgear = meta("cmdb_ci_netgear", "cmdb_ci_hardware")
    instance.answer = Cmdb({**BARE, "cmdb_ci_ip_switch": switch, "cmdb_ci_netgear": netgear})
    facts = client.facts(wishes(SWITCH))
    assert not facts.classes["cmdb_ci_ip_switch"].usable
    assert reason in facts.classes["cmdb_ci_ip_switch"].reason
    assert facts.classes["cmdb_ci_netgear"].usable


def test_a_class_outside_hardware_with_its_own_rule_is_used(client: ServiceNowAPIClient, instance: Instance) -> None:
    phone = meta("cmdb_ci_ip_phone", "cmdb_ci", identification_rules={**RULE, "applies_to": "cmdb_ci_ip_phone"})
    instance.answer = Cmdb({"cmdb_ci_ip_phone": phone})
    assert client.facts(wishes(PHONE)).classes["cmdb_ci_ip_phone"].usable


def test_a_rule_of_an_ancestor_in_between_is_followed_upward(client: ServiceNowAPIClient, instance: Instance) -> None:
    rule = {**RULE, "applies_to": "cmdb_ci_netgear"}
    classes = {
        "cmdb_ci_ip_switch": meta("cmdb_ci_ip_switch", "cmdb_ci_netgear", identification_rules=rule),
        "cmdb_ci_netgear": meta("cmdb_ci_netgear", "cmdb_ci_hardware", identification_rules=rule),
    }
    instance.answer = Cmdb(classes)
    assert client.facts(wishes(SWITCH)).classes["cmdb_ci_ip_switch"].usable
    assert asked_classes(instance) == ["cmdb_ci_ip_switch", "cmdb_ci_netgear"]


def test_fields_and_their_lengths_are_read(client: ServiceNowAPIClient, instance: Instance) -> None:
    instance.answer = Cmdb(BARE)
    fields = client.facts(wishes(SWITCH)).classes["cmdb_ci_ip_switch"].fields
    assert fields is not None
    assert fields["name"].max_length == 255
    assert (fields["ports"].type, fields["ports"].mandatory, fields["ports"].read_only) == ("integer", True, True)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=403, body=refusal("User Not Authorized", "Failed API level ACL Validation")),
        Reply(status=400, body=refusal("Requested URI does not represent any resource")),
        Reply(status=404, body=refusal("Requested URI does not represent any resource")),
        Reply(status=404),
        Reply(status=501),
    ],
)
def test_without_meta_the_base_classes_are_believed_and_others_proven(
    reply: Reply, client: ServiceNowAPIClient, instance: Instance
) -> None:
    cmdb = Cmdb(tables={"cmdb_ci_iot": Reply(status=403, body=refusal("Operation Failed", "ACL Exception"))})
    instance.answer = lambda asked: reply if asked.path.startswith(META) else cmdb(asked)
    facts = client.facts(wishes(SWITCH, CAMERA, PHONE))
    usable = sorted(name for name, fact in facts.classes.items() if fact.usable)
    assert usable == ["cmdb_ci_hardware", "cmdb_ci_iot", "cmdb_ci_ip_switch"]
    assert facts.classes["cmdb_ci_ip_switch"].fields is None
    assert [finding.rule for finding in facts.findings if "meta" in finding.rule] == ["facts.meta_unreadable"]
    assert "itil" in next(finding.message for finding in facts.findings if "meta" in finding.rule)
    assert len(asked_classes(instance)) <= 2


def test_an_instance_that_is_away_is_not_taken_for_one_without_meta(
    client: ServiceNowAPIClient, instance: Instance
) -> None:
    instance.answer = lambda _: Reply(status=503)
    with pytest.raises(ServerFault):
        client.facts(wishes(SWITCH))


CONNECTS, MANAGED = "Connects to::Connected by", "Managed by::Manages"


def test_relation_types_are_looked_up_by_name(client: ServiceNowAPIClient, instance: Instance) -> None:
    types = [{"sys_id": sys_id(1), "name": CONNECTS}, {"sys_id": sys_id(2), "name": "Owns::Owned by"}]
    instance.answer = Cmdb(tables={"cmdb_rel_type": rows(*types)})
    facts = client.facts(wishes(types=(CONNECTS, MANAGED)))
    assert facts.relation_types == {CONNECTS}


def test_a_relation_type_that_two_rows_carry_is_not_used(client: ServiceNowAPIClient, instance: Instance) -> None:
    types = [{"sys_id": sys_id(n), "name": CONNECTS} for n in (1, 2)]
    instance.answer = Cmdb(tables={"cmdb_rel_type": rows(*types)})
    facts = client.facts(wishes(types=(CONNECTS,)))
    assert facts.relation_types == frozenset()
    assert "relation_type.doubled" in {finding.rule for finding in facts.findings}


@pytest.mark.parametrize("reply", [rows(), Reply(status=403, body=refusal("x"))])
def test_base_relation_types_are_believed_when_none_can_be_read(
    reply: Reply, client: ServiceNowAPIClient, instance: Instance
) -> None:
    instance.answer = Cmdb(tables={"cmdb_rel_type": reply})
    facts = client.facts(wishes(types=(CONNECTS, "Made up::Up made")))
    assert facts.relation_types == {CONNECTS}
    assert "facts.cmdb_rel_type_unreadable" in {finding.rule for finding in facts.findings}


def choice(number: int, element: str, label: str, value: str, **more: str) -> dict[str, str]:
    return {"sys_id": sys_id(number), "name": "cmdb_ci", "element": element, "label": label, "value": value, **more}


def test_status_labels_give_the_stored_values(client: ServiceNowAPIClient, instance: Instance) -> None:
    listed = rows(
        choice(1, "install_status", "Installed", "11"),
        choice(2, "install_status", "Installed", "99", inactive="true"),
    )
    instance.answer = Cmdb(tables={"sys_choice": listed})
    choices = client.facts(wishes()).choices
    assert choices["install_status.Installed"] == "11"
    assert "install_status.Retired" not in choices, "the instance has no such label"
    assert choices["operational_status.Retired"] == "6", "of this field no label can be read"


def test_unreadable_labels_fall_back_to_the_usual_numbers_quietly(
    client: ServiceNowAPIClient, instance: Instance
) -> None:
    instance.answer = Cmdb(tables={"sys_choice": Reply(status=403, body=refusal("x"))})
    facts = client.facts(wishes())
    assert facts.choices["install_status.Installed"] == "1"
    assert [(finding.rule, finding.severity) for finding in facts.findings] == [
        ("facts.choices_unreadable", Severity.INFO)
    ]


HQ = Reference(element="location", table="cmn_location", any_of=((("name", "HQ"),),), describe="site HQ")
COMPANY = Reference(
    element="manufacturer",
    table="core_company",
    any_of=((("name", "Ubiquiti"),), (("name", "Ubiquiti Inc."),)),
    describe="manufacturer Ubiquiti",
)
MODEL = Reference(
    element="model_id",
    table="cmdb_hardware_product_model",
    any_of=((("model_number", "USW-16"),), (("name", "Switch 16"),)),
    describe="model USW-16",
)


class Rows:
    """Tables whose equality terms really filter; no batch API."""

    def __init__(self, **tables: list[dict[str, str]]) -> None:
        self.tables = tables

    def __call__(self, asked: Asked) -> Reply:
        terms = [term.split("=", 1) for term in asked.query.get("sysparm_query", "").split("^") if "=" in term]
        found = self.tables.get(asked.path.removeprefix(TABLE))
        if found is None:
            return rows() if "sys_choice" in asked.path else Reply(status=404)
        matching = [row for row in found if all(row.get(f, "").casefold() == v.casefold() for f, v in terms)]
        return rows(*matching)


def test_one_matching_row_ignoring_case_is_the_reference(client: ServiceNowAPIClient, instance: Instance) -> None:
    instance.answer = Rows(cmn_location=[{"sys_id": sys_id(5), "name": "hq"}])
    assert client.facts(wishes(references=(HQ,))).references == {HQ.key: sys_id(5)}


def test_no_row_or_several_is_none_and_several_are_told(client: ServiceNowAPIClient, instance: Instance) -> None:
    """cmdb-model 6.6: an ambiguous match counts as no match."""
    two = [{"sys_id": sys_id(n), "name": "HQ"} for n in (5, 6)]
    instance.answer = Rows(cmn_location=two, cmdb_hardware_product_model=[])
    facts = client.facts(wishes(references=(HQ, MODEL)))
    assert facts.references == {HQ.key: None, MODEL.key: None}
    told = {finding.rule: finding.message for finding in facts.findings}
    assert list(told) == ["facts.choices_unreadable", "reference.several"]
    assert "…0005, …0006" in told["reference.several"]


def test_two_spellings_of_one_thing_are_two_rows(client: ServiceNowAPIClient, instance: Instance) -> None:
    """cmdb-model 6.6."""
    named = [{"sys_id": sys_id(1), "name": "Ubiquiti"}, {"sys_id": sys_id(2), "name": "Ubiquiti Inc."}]
    instance.answer = Rows(core_company=named)
    assert client.facts(wishes(references=(COMPANY,))).references == {COMPANY.key: None}


def test_another_sort_of_alternative_is_tried_when_the_first_finds_nothing(
    client: ServiceNowAPIClient, instance: Instance
) -> None:
    instance.answer = Rows(
        cmdb_hardware_product_model=[{"sys_id": sys_id(3), "name": "Switch 16", "model_number": "-"}]
    )
    assert client.facts(wishes(references=(MODEL,))).references == {MODEL.key: sys_id(3)}


def test_a_configured_sys_id_needs_no_lookup(client: ServiceNowAPIClient, instance: Instance) -> None:
    instance.answer = Rows()
    known = Reference(element="company", table="core_company", any_of=(), sys_id=sys_id(4))
    client.facts(wishes(references=(known,)))
    assert instance.paths() == [f"{TABLE}sys_choice"]


def test_a_name_that_cannot_stand_in_a_query_is_asked_of_nobody(
    client: ServiceNowAPIClient, instance: Instance
) -> None:
    """S4: a site named by an attacker."""
    evil = Reference(element="location", table="cmn_location", any_of=((("name", "x^ORname=HQ"),),))
    instance.answer = Rows(cmn_location=[{"sys_id": sys_id(5), "name": "HQ"}])
    assert client.facts(wishes(references=(evil,))).references == {evil.key: None}
    assert f"{TABLE}cmn_location" not in instance.paths()


def test_a_closed_reference_table_is_one_finding(client: ServiceNowAPIClient, instance: Instance) -> None:
    instance.answer = Cmdb(tables={"cmn_location": Reply(status=403, body=refusal("x"))})
    other = Reference(element="location", table="cmn_location", any_of=((("name", "LAB"),),))
    facts = client.facts(wishes(references=(HQ, other)))
    assert facts.references == {HQ.key: None, other.key: None}
    assert [finding.rule for finding in facts.findings].count("facts.cmn_location_unreadable") == 1
