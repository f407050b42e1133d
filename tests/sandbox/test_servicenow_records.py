"""The sandbox instance's database keeps what a real one keeps, and drops what a real one drops."""

from __future__ import annotations

from pathlib import Path

import pytest

from beast_dream_snow_loader.sandbox.servicenow.records import (
    Instance,
    RecordMissing,
    TableMissing,
    UniqueViolation,
)


@pytest.fixture
def instance() -> Instance:
    return Instance.create(seed=3)


def test_a_record_of_a_child_class_is_seen_through_every_table_above(instance: Instance) -> None:
    row = instance.insert("cmdb_ci_ip_switch", {"name": "sw-1"})
    assert [instance.get(table, row["sys_id"]) for table in ("cmdb_ci_ip_switch", "cmdb_ci_netgear", "cmdb_ci")] == [
        row
    ] * 3
    assert instance.get("cmdb_ci_ip_router", row["sys_id"]) is None
    assert [found["name"] for found in instance.rows("cmdb")] == ["sw-1"]


def test_unknown_fields_and_choices_are_dropped_and_long_text_is_cut(instance: Instance) -> None:
    row = instance.insert(
        "cmdb_ci_ip_switch",
        {"name": "n" * 300, "u_shoe_size": "44", "install_status": "55", "discovery_source": "Nobody", "ports": 24},
    )
    assert (len(row["name"]), row["ports"]) == (255, "24")
    assert [row["u_shoe_size"], row["install_status"], row["discovery_source"]] == ["", "", ""]


def test_values_of_the_wrong_type_come_out_empty_and_booleans_as_words(instance: Instance) -> None:
    row = instance.insert(
        "cmdb_ci_ip_switch", {"ports": "many", "last_discovered": "yesterday", "can_switch": True, "comments": None}
    )
    assert [row["ports"], row["last_discovered"], row["can_switch"], row["comments"]] == ["", "", "true", ""]


def test_the_number_of_changes_moves_only_when_something_changed(instance: Instance) -> None:
    row = instance.insert("cmdb_ci", {"name": "a"})
    assert instance.update("cmdb_ci", row["sys_id"], {"name": "a", "bogus": "b"})["sys_mod_count"] == "0"
    assert instance.update("cmdb_ci", row["sys_id"], {"name": "b"})["sys_mod_count"] == "1"


def test_a_row_once_read_stays_as_it_was(instance: Instance) -> None:
    row = instance.insert("cmdb_ci", {"name": "a"})
    instance.update("cmdb_ci", row["sys_id"], {"name": "b"})
    assert row["name"] == "a"


def test_reclassifying_loses_the_fields_the_new_class_lacks(instance: Instance) -> None:
    row = instance.insert("cmdb_ci_ip_switch", {"name": "a", "firmware_version": "7.2", "stack_mode": "ring"})
    moved = instance.change_class("cmdb_ci", row["sys_id"], "cmdb_ci_ip_router")
    assert (moved["sys_class_name"], moved["firmware_version"], moved["stack_mode"]) == ("cmdb_ci_ip_router", "7.2", "")
    assert instance.count("cmdb_ci_ip_switch") == 0
    with pytest.raises(TableMissing):
        instance.change_class("cmdb_ci", row["sys_id"], "incident")


def test_what_was_done_in_a_dry_run_or_before_an_error_is_undone(instance: Instance) -> None:
    kept = instance.insert("cmdb_ci", {"name": "kept"})
    with instance.transaction(keep=False):
        instance.update("cmdb_ci", kept["sys_id"], {"name": "changed"})
        instance.insert("cmdb_ci", {"name": "extra"})
        instance.delete("cmdb_ci", kept["sys_id"])

    def add_and_fail() -> None:
        with instance.transaction():
            instance.insert("cmdb_ci", {"name": "extra"})
            instance.update("cmdb_ci", "0" * 32, {"name": "x"})

    with pytest.raises(RecordMissing):
        add_and_fail()
    assert [row["name"] for row in instance.rows("cmdb_ci")] == ["kept"]
    assert [row["name"] for row in instance.find("cmdb_ci", name="KEPT")] == ["kept"]
    assert instance.find("cmdb_ci", name="extra") == []


def test_a_nested_transaction_falls_with_the_outer_one(instance: Instance) -> None:
    with instance.transaction(keep=False):
        with instance.transaction():
            instance.insert("cmdb_ci", {"name": "inner"})
        with instance.transaction(keep=False):
            instance.insert("cmdb_ci", {"name": "dry"})
        assert [row["name"] for row in instance.rows("cmdb_ci")] == ["inner"]
    assert instance.count("cmdb_ci") == 0


def test_a_known_sys_id_and_a_unique_value_are_refused(instance: Instance) -> None:
    row = instance.insert("cmdb_ci", {"sys_id": "a" * 32, "name": "first"})
    with pytest.raises(UniqueViolation, match=r"Error during insert of cmdb_ci_computer \(second\)"):
        instance.insert("cmdb_ci_computer", {"sys_id": row["sys_id"], "name": "second"})
    instance.insert("sys_user", {"user_name": "ann"})
    with pytest.raises(UniqueViolation):
        instance.insert("sys_user", {"user_name": "ANN"})


def test_removing_a_ci_takes_its_relations_along(instance: Instance) -> None:
    parent, child = (instance.insert("cmdb_ci_netgear", {"name": name})["sys_id"] for name in "ab")
    kind = instance.find("cmdb_rel_type", name="connects to::connected by")[0]["sys_id"]
    instance.insert("cmdb_rel_ci", {"parent": parent, "child": child, "type": kind})
    assert instance.delete("cmdb_ci", child)
    assert not instance.delete("cmdb_ci", child)
    assert instance.count("cmdb_rel_ci") == 0


def test_priority_follows_impact_and_urgency_whatever_was_sent(instance: Instance) -> None:
    row = instance.insert("incident", {"impact": "1", "urgency": "2", "priority": "5"})
    assert (row["priority"], row["active"], row["number"][:3]) == ("2", "true", "INC")
    closed = instance.update("incident", row["sys_id"], {"state": "7"})
    assert (closed["incident_state"], closed["active"]) == ("7", "false")


def test_an_instance_kept_in_a_file_opens_as_it_was_left(tmp_path: Path) -> None:
    path = tmp_path / "cmdb.sqlite"
    first = Instance.create(path, seed=1, class_models=True, without=["cmdb_ci_wap_network"], sources=["UniFi"])
    row = first.insert("cmdb_ci_ip_camera", {"name": "cam"})
    gone = first.insert("cmdb_ci", {"name": "gone"})
    first.flush()
    first.delete("cmdb_ci", gone["sys_id"])
    first.close()
    again = Instance.create(path)
    assert again.get("cmdb_ci", row["sys_id"]) == row
    assert again.get("cmdb_ci", gone["sys_id"]) is None
    assert "cmdb_ci_wap_network" not in again.tables
    assert again.insert("cmdb_ci", {"name": "new"})["sys_id"] not in (row["sys_id"], gone["sys_id"])
    again.close()


def test_a_removed_class_takes_what_extends_it_along_and_the_store_app_adds_its_own() -> None:
    bare = Instance.create(without=["cmdb_ci_computer"])
    assert not {"cmdb_ci_computer", "cmdb_ci_storage_server", "cmdb_ci_iot"} & set(bare.tables)
    full = Instance.create(class_models=True)
    assert full.ancestors("cmdb_ci_ip_camera")[:3] == ("cmdb_ci_imaging", "cmdb_ci_iot", "cmdb_ci_hardware")


def test_shipped_rows_have_the_sys_ids_of_the_base_system(instance: Instance) -> None:
    assert instance.find("cmdb_rel_type", name="Depends on::Used by")[0]["sys_id"] == "1a9cb166f1571100a92eb60da2bce5c5"
    assert {row["element"] for row in instance.find("sys_dictionary", name="cmdb_ci_pdu")} == {"", "outlet_count"}
