"""The desired state is cut to what an instance has, and what is lacking is told once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from beast_dream_snow_loader.core.desired import DesiredState
from beast_dream_snow_loader.core.facts import ClassFacts, FieldFacts, InstanceFacts
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.fitting import fit
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.mapping import map_snapshot
from beast_dream_snow_loader.core.mapping_rules import DEFAULT_RULES
from beast_dream_snow_loader.core.observed import Console
from beast_dream_snow_loader.core.validation import accepted, check
from beast_dream_snow_loader.core.wanted_facts import wishes

if TYPE_CHECKING:
    from conftest import Estate

Found = Callable[[Iterable[object]], list[str]]
SWITCH = "cmdb_ci_ip_switch"


def _desired(estate: Estate, count: int = 2, **told: object) -> DesiredState:
    console = Console(key="c0", name="HQ", mac=estate.mac(1))
    first = estate.device(1, model_code="UDMPRO", is_console=True)
    rest = [estate.device(n, uplink_mac=estate.mac(1), **told) for n in range(2, count + 1)]
    return map_snapshot(estate.snapshot(first, *rest, consoles=(console,)), DEFAULT_RULES)


def _with_class(facts: InstanceFacts, name: str, **told: object) -> InstanceFacts:
    changed = replace(facts.classes[name], **told)  # type: ignore[arg-type]
    return replace(facts, classes={**facts.classes, name: changed})


def _all_fields(**lengths: int) -> dict[str, FieldFacts]:
    fields = {rule.element: FieldFacts() for rule in DEFAULT_RULES.fields}
    return {**fields, **{name: FieldFacts(max_length=length) for name, length in lengths.items()}}


def _new(desired: DesiredState, fitted: DesiredState) -> list[object]:
    return list(fitted.findings[len(desired.findings) :])


def test_wishes_name_every_class_relation_type_and_row(estate: Estate) -> None:
    wished = wishes(_desired(estate), DEFAULT_RULES)
    assert ("cmdb_ci_ip_switch", "cmdb_ci_netgear", "cmdb_ci_hardware") in wished.class_chains
    assert {"Connects to::Connected by", "Manages::Managed by"} <= wished.relation_types
    assert {"cmn_location", "core_company", "cmdb_hardware_product_model"} == {r.table for r in wished.references}


def test_the_first_usable_class_of_the_chain_is_taken_and_the_step_down_told_once(estate: Estate, found: Found) -> None:
    desired = _desired(estate, 5)
    facts = _with_class(estate.facts(desired), SWITCH, usable=False, reason="no such class")
    fitted = fit(desired, facts, DEFAULT_RULES)
    assert fitted.items[SourceKey("device", estate.mac(2))].class_name == "cmdb_ci_netgear"
    assert found(_new(desired, fitted)) == ["class.fallback"]
    assert "no such class" in fitted.findings[-1].message


def test_without_a_usable_class_a_record_is_left_out_with_the_reasons_and_its_edges_wait(estate: Estate) -> None:
    desired = _desired(estate)
    usable = {"cmdb_ci_ip_router": True, SWITCH: False, "cmdb_ci_netgear": False, "cmdb_ci_hardware": False}
    classes = {name: ClassFacts(name=name, usable=can, reason="no such class") for name, can in usable.items()}
    fitted = fit(desired, replace(estate.facts(desired), classes=classes), DEFAULT_RULES)
    assert [key.mac for key in fitted.items] == [estate.mac(1)]
    (error,) = [finding for finding in fitted.findings if finding.severity is Severity.ERROR]
    assert (error.record, error.rule) == (f"device/{estate.mac(2)}", "class.none")
    assert "cmdb_ci_netgear: no such class" in error.message
    assert not fitted.relations
    assert len(fitted.orphans) == 2


def test_a_record_whose_class_was_never_asked_of_the_instance_waits_and_gets_no_worse_one(estate: Estate) -> None:
    desired = _desired(estate)
    facts = estate.facts(desired)
    asked = {name: told for name, told in facts.classes.items() if name != SWITCH}
    fitted = fit(desired, replace(facts, classes=asked), DEFAULT_RULES)
    assert [key.mac for key in fitted.items] == [estate.mac(1)]
    assert "class.unasked" in [finding.rule for finding in fitted.findings]
    assert not fitted.held


def test_a_field_the_class_lacks_is_left_out_and_told_once_per_class(estate: Estate, found: Found) -> None:
    desired = _desired(estate, 4, firmware="7.1.1")
    fields = _all_fields()
    del fields["firmware_version"]
    fitted = fit(desired, _with_class(estate.facts(desired), SWITCH, fields=fields), DEFAULT_RULES)
    assert all("firmware_version" not in item.values for item in fitted.items.values())
    assert found(_new(desired, fitted)) == ["field.absent"]


def test_free_text_is_cut_and_an_identifier_is_not(estate: Estate) -> None:
    desired = _desired(estate, 3)
    short = _with_class(estate.facts(desired), SWITCH, fields=_all_fields(short_description=12))
    fitted = fit(desired, short, DEFAULT_RULES)
    assert fitted.items[SourceKey("device", estate.mac(2))].values["short_description"] == "UniFi switch"
    tight = _with_class(estate.facts(desired), SWITCH, fields=_all_fields(serial_number=8))
    refused = fit(desired, tight, DEFAULT_RULES)
    assert [key.mac for key in refused.items] == [estate.mac(1)]
    assert {f.rule for f in refused.findings if f.severity is Severity.ERROR} == {"field.too_long"}


def test_names_stay_unique_where_the_name_field_is_short(estate: Estate) -> None:
    devices = [estate.device(n, name=f"a very long name of a switch in building {n}") for n in range(1, 5)]
    desired = map_snapshot(estate.snapshot(*devices), DEFAULT_RULES)
    fitted = fit(desired, _with_class(estate.facts(desired), SWITCH, fields=_all_fields(name=30)), DEFAULT_RULES)
    names = [item.name for item in fitted.items.values()]
    assert len(set(names)) == 4
    assert all(len(name) <= 30 for name in names)
    assert all(name.endswith(item.key.mac[-6:]) for name, item in zip(names, fitted.items.values(), strict=True))


def test_rows_are_filled_in_and_the_missing_ones_told_once(estate: Estate, found: Found) -> None:
    desired = _desired(estate, 6)
    facts = estate.facts(desired)
    locations = [key for key in facts.references if key.startswith("cmn_location")]
    gone = replace(facts, references={**facts.references, **dict.fromkeys(locations)})
    fitted = fit(desired, gone, DEFAULT_RULES)
    item = fitted.items[SourceKey("device", estate.mac(2))]
    assert "location" not in item.values
    assert item.values["manufacturer"] == item.values["model_id"] == "a" * 32
    assert found(_new(desired, fitted)) == ["reference.unresolved"]


def test_a_missing_row_is_not_told_again_after_the_look_up_told_it(estate: Estate) -> None:
    desired = _desired(estate)
    told = Finding(
        record="instance",
        rule="reference.none",
        severity=Severity.INFO,
        message="cmn_location has no row for site HQ",
        field="location",
        value="site HQ",
    )
    facts = estate.facts(desired)
    locations = dict.fromkeys(key for key in facts.references if key.startswith("cmn_location"))
    facts = replace(facts, references={**facts.references, **locations}, findings=(told,))
    assert _new(desired, fit(desired, facts, DEFAULT_RULES)) == []


def test_status_labels_become_the_numbers_of_this_instance(estate: Estate, found: Found) -> None:
    desired = _desired(estate)
    choices = {"install_status.Installed": "11", "operational_status.Working": "1"}
    fitted = fit(desired, replace(estate.facts(desired), choices=choices), DEFAULT_RULES)
    item = fitted.items[SourceKey("device", estate.mac(2))]
    assert item.values["install_status"] == "11"
    assert "operational_status" not in item.values
    assert found(_new(desired, fitted)) == ["choice.absent"]


def test_relation_types_fall_back_and_turn_round(estate: Estate) -> None:
    desired = _desired(estate)
    types = frozenset({"IP Connection::IP Connection", "Manages::Managed by"})
    fitted = fit(desired, replace(estate.facts(desired), relation_types=types), DEFAULT_RULES)
    uplink, managed = fitted.relations
    assert (uplink.type, uplink.parent.mac, uplink.child.mac) == (
        "IP Connection::IP Connection",
        estate.mac(2),
        estate.mac(1),
    )
    assert (managed.type, managed.parent.mac, managed.child.mac) == (
        "Manages::Managed by",
        estate.mac(1),
        estate.mac(2),
    )


def test_without_a_relation_type_the_edges_are_off_and_that_is_told_once(estate: Estate, found: Found) -> None:
    desired = _desired(estate, 5)
    fitted = fit(desired, replace(estate.facts(desired), relation_types=frozenset()), DEFAULT_RULES)
    assert not fitted.relations
    assert found(_new(desired, fitted)) == ["relation.type_absent"] * 2


def test_fields_the_instance_demands_are_told_once(estate: Estate, found: Found) -> None:
    desired = _desired(estate, 5)
    fields = {**_all_fields(), "u_owner": FieldFacts(mandatory=True)}
    fitted = fit(desired, _with_class(estate.facts(desired), SWITCH, fields=fields), DEFAULT_RULES)
    assert found(_new(desired, fitted)) == ["field.mandatory"]


def test_what_is_fitted_passes_every_check(estate: Estate) -> None:
    assert check(estate.fitted(estate.large(2, 40))) == ()


def test_each_bad_field_is_one_finding_and_the_record_is_not_sent(estate: Estate) -> None:
    """R3.1, R3.3: record, field, rule, value fit to be shown, severity."""
    desired = estate.fitted(estate.snapshot(*(estate.device(n) for n in range(1, 4)), estate.device(9)))
    bad = {
        1: ("name", "bell\x07", "text.form"),
        2: ("mac_address", "00005e005302", "mac.form"),
        3: ("location", "HQ", "reference.form"),
    }
    items = dict(desired.items)
    for number, (element, value, _) in bad.items():
        key = SourceKey("device", estate.mac(number))
        items[key] = replace(items[key], values={**items[key].values, element: value})
    findings = check(replace(desired, items=items))
    assert [(f.record, f.field, f.rule) for f in findings] == [
        (f"device/{estate.mac(number)}", element, rule) for number, (element, _, rule) in bad.items()
    ]
    assert "\x07" not in findings[0].value
    assert [key.mac for key in accepted(replace(desired, items=items), findings).items] == [estate.mac(9)]


def test_required_protected_and_foreign_keys_are_caught(estate: Estate) -> None:
    desired = estate.fitted(estate.snapshot(estate.device(1)))
    ((key, item),) = desired.items.items()
    values = {**item.values, "assigned_to": "x", "correlation_id": "device/000000000001", "install_status": "Installed"}
    del values["serial_number"]
    findings = check(replace(desired, items={key: replace(item, values=values)}))
    assert sorted(finding.rule for finding in findings) == [
        "choice.form",
        "field.protected",
        "field.required",
        "key.form",
    ]


def test_edges_of_a_refused_record_become_orphans(estate: Estate) -> None:
    desired = estate.fitted(estate.snapshot(estate.device(1), estate.device(2, uplink_mac=estate.mac(1))))
    key = SourceKey("device", estate.mac(1))
    items = {**desired.items, key: replace(desired.items[key], values={})}
    broken = replace(desired, items=items)
    sound = accepted(broken, check(broken))
    assert not sound.relations
    assert [orphan.record for orphan in sound.orphans if orphan.rule == "relation.orphan"][
        -1
    ] == f"device/{estate.mac(2)}"
