"""Locations, maker and models are looked up, and made only where that was asked for (cmdb-model 6.5, 6.6)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow import oracle
from tests.scenarios.conftest import Town
from tests.scenarios.desk import OpenTown

TABLES = ("cmn_location", "core_company", "cmdb_hardware_product_model")
CREATE = 'create_locations = true\nlocation_parent = "Europe"\ncreate_manufacturer = true\ncreate_models = true\n'


class Rows:
    """A town with its rows, and loads with a ``[mapping]`` table."""

    def __init__(self, town: Town, file: Path) -> None:
        self.town, self.estate, self._file = town, town.estate, file
        self.instance = town.app.instance

    def add(self, table: str, **values: str) -> str:
        with self.instance.lock, self.instance.acting_as("admin"):
            return str(self.instance.insert(table, values)["sys_id"])

    def of(self, table: str) -> list[dict[str, str]]:
        with self.instance.lock:
            return [dict(row) for row in self.instance.rows(table)]

    def load(self, mapping: str = "", *more: str, code: int = 0) -> dict[str, Any]:
        self._file.write_text(f"[mapping]\n{mapping}", encoding="utf-8")
        ended = self.town.run("load", "--env", "testing", "--json", "--config", str(self._file), *more)
        assert ended.code == code, (ended.code, ended.err, ended.out[-1500:])
        return ended.document

    def stored(self, element: str) -> set[str]:
        return {item.values.get(element, "") for item in oracle.by_native_key(self.instance, "UniFi").values()}

    def told(self, document: dict[str, Any], rule: str) -> list[str]:
        return [finding["message"] for finding in document["findings"] if finding["rule"] == rule]


@pytest.fixture
def here(town: OpenTown, tmp_path: Path) -> Rows:
    return Rows(town(Estate.generate(seed=3, sites=2, devices=24)), tmp_path / "snowload.toml")


def test_a_site_is_the_one_location_of_its_name_whatever_the_case(here: Rows) -> None:
    titles = [site.title for site in here.estate.sites()]
    there = {here.add("cmn_location", name=title.upper()) for title in titles}
    here.load()
    assert here.stored("location") == there


def test_two_locations_of_one_name_are_none_and_told_with_what_to_do(here: Rows) -> None:
    title = here.estate.sites()[0].title
    for _ in range(2):
        here.add("cmn_location", name=title)
    document = here.load(CREATE)
    (message,) = self_told = here.told(document, "reference.several")
    assert title in message
    assert "sys_id" in message
    assert len(self_told) == 1
    assert sum(row["name"] == title for row in here.of("cmn_location")) == 2


def test_the_map_leads_a_site_to_a_location_by_full_name_or_sys_id(here: Rows) -> None:
    first, second = here.estate.sites()
    by_name = here.add("cmn_location", name="Hall 3", parent=here.add("cmn_location", name="Europe"))
    by_id = here.add("cmn_location", name="Hall 4")
    here.load(f'[mapping.location_map]\n"{first.title}" = "Europe/Hall 3"\n"{second.title}" = "{by_id}"\n')
    assert here.stored("location") == {by_name, by_id}


@pytest.mark.parametrize("setting", ["location_map", "company", "manufacturer", "groups"])
def test_a_sys_id_that_does_not_exist_is_told_and_left_out(here: Rows, setting: str) -> None:
    wrong = "0123456789abcdef0123456789abcdef"
    title = here.estate.sites()[0].title
    written = {
        "location_map": f'[mapping.location_map]\n"{title}" = "{wrong}"\n',
        "groups": f'[mapping.groups]\nsupport_group = "{wrong}"\n',
    }
    document = here.load(written.get(setting, f'{setting} = "{wrong}"\n'))
    assert [message for message in here.told(document, "reference.unresolved") if wrong in message]
    stored = {value for item in oracle.by_native_key(here.instance, "UniFi").values() for value in item.values.values()}
    assert wrong not in stored


def test_a_configured_maker_that_is_no_manufacturer_is_left_out(here: Rows) -> None:
    plain = here.add("core_company", name="Ubiquiti")
    document = here.load(f'manufacturer = "{plain}"\n')
    assert here.stored("manufacturer") == {""}
    assert [message for message in here.told(document, "reference.unresolved") if plain in message]


def test_a_model_of_another_maker_is_not_taken_for_ours(here: Rows) -> None:
    ours = here.add("core_company", name="Ubiquiti", manufacturer="true")
    other = here.add("core_company", name="Acme", manufacturer="true")
    here.load()
    numbers = sorted(here.stored("model_number") - {""})
    foreign = {here.add("cmdb_hardware_product_model", name=n, model_number=n, manufacturer=other) for n in numbers}
    right = here.add("cmdb_hardware_product_model", name="ours", model_number=numbers[0], manufacturer=ours)
    here.load("", "--full")
    assert right in here.stored("model_id")
    assert not here.stored("model_id") & foreign


def test_each_model_without_a_row_is_listed_once(here: Rows) -> None:
    document = here.load()
    listed = [f["value"] for f in document["findings"] if f["rule"] == "reference.unresolved" and "model" in f["value"]]
    assert len(listed) == len(set(listed)) == len(here.stored("model_number") - {""})


def test_nothing_is_made_unless_asked_for(here: Rows) -> None:
    before = {table: here.of(table) for table in TABLES}
    here.load()
    assert {table: here.of(table) for table in TABLES} == before


def test_what_is_asked_for_is_made_once_and_used(here: Rows) -> None:
    parent = here.add("cmn_location", name="Europe")
    document = here.load(CREATE)
    made = here.told(document, "reference.made")
    titles = {site.title for site in here.estate.sites()}
    locations = {row["name"]: row for row in here.of("cmn_location") if row["name"] != "Europe"}
    assert set(locations) == titles
    assert {row["parent"] for row in locations.values()} == {parent}
    (company,) = here.of("core_company")
    assert (company["name"], company["manufacturer"]) == ("Ubiquiti", "true")
    models = here.of("cmdb_hardware_product_model")
    assert {row["model_number"] for row in models} == here.stored("model_number") - {""}
    assert {row["manufacturer"] for row in models} == {company["sys_id"]}
    assert not any(row.get("cmdb_model_category") for row in models)
    assert len(made) == len(titles) + 1 + len(models)
    assert here.stored("location") == {row["sys_id"] for row in locations.values()}
    assert here.stored("model_id") == {row["sys_id"] for row in models}
    before = oracle.everything(here.instance)
    again = here.load(CREATE)
    assert (oracle.everything(here.instance), here.told(again, "reference.made")) == (before, [])
    here.load(CREATE, "--full")
    assert {table: len(here.of(table)) for table in TABLES} == {
        "cmn_location": 3, "core_company": 1, "cmdb_hardware_product_model": len(models)
    }  # fmt: skip


@pytest.mark.parametrize("effect", [Effect.RESET_AFTER, Effect.RESET_BEFORE, Effect.CUT_JSON])
def test_a_lost_answer_makes_no_second_row(here: Rows, effect: Effect) -> None:
    here.add("cmn_location", name="Europe")
    for table in TABLES:
        here.town.sandbox.servicenow.faults.add(
            Fault(effect=effect, path=f"/api/now/table/{table}", method="POST", first=1)
        )
    here.load(CREATE)
    here.load(CREATE)
    names = [(table, row["name"]) for table in TABLES for row in here.of(table)]
    assert len(names) == len(set(names))
    assert {site.title for site in here.estate.sites()} < {name for _, name in names}


def test_a_dry_run_tells_what_would_be_made_and_makes_nothing(here: Rows) -> None:
    here.add("cmn_location", name="Europe")
    before = oracle.everything(here.instance)
    document = here.load(CREATE, "--dry-run")
    told = here.told(document, "reference.would_make")
    assert oracle.everything(here.instance) == before
    for site in here.estate.sites():
        assert any(site.title in message for message in told)
    assert any("core_company" in message for message in told)
    assert any("cmdb_hardware_product_model" in message for message in told)


def test_without_the_parent_no_location_is_made(here: Rows) -> None:
    document = here.load(CREATE)
    assert not here.of("cmn_location")
    assert here.told(document, "reference.not_made")


def test_an_account_that_may_not_make_rows_is_told_so_and_the_load_goes_on(here: Rows) -> None:
    here.add("cmn_location", name="Europe")
    here.town.sandbox.servicenow.faults.add(
        Fault(effect=Effect.STATUS, status=403, path="/api/now/table/*", method="POST")
    )
    document = here.load(CREATE)
    assert here.told(document, "reference.not_made")
    assert document["written"]["created"] == document["source"]["devices"]


def test_a_filter_makes_rows_for_what_it_covers_only(here: Rows) -> None:
    here.add("cmn_location", name="Europe")
    first, second = here.estate.sites()
    here.load(CREATE, "--site", first.title)
    names = {row["name"] for row in here.of("cmn_location")}
    assert first.title in names
    assert second.title not in names


def test_sites_of_one_name_share_no_new_location(here: Rows) -> None:
    here.add("cmn_location", name="Europe")
    for site in here.estate.sites():
        here.estate.rename_site(site.legacy_id, "Branch")
    here.load(CREATE)
    assert [row["name"] for row in here.of("cmn_location")] == ["Europe"]


def test_making_locations_without_saying_where_is_refused(here: Rows) -> None:
    file = here.town.run.home / "wrong.toml"
    file.write_text("[mapping]\ncreate_locations = true\n", encoding="utf-8")
    ended = here.town.run("load", "--env", "testing", "--json", "--config", str(file))
    assert ended.code == 6
    assert "location_parent" in ended.err
