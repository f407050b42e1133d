"""Names that are attacks or bad luck, from UniFi and from ServiceNow: written, asked for and shown safely (S4)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.servicenow import oracle
from tests.scenarios.conftest import Town
from tests.scenarios.desk import OpenTown, eligible, key_of

LOAD = ("load", "--env", "testing")

NAMES = (
    "core 🏢👨‍👩‍👧 sw",
    "x" * 300,
    "x^ORname=core-sw-01^ORDERBYname",
    "a'b\"c`d\\e",
    "esc\x1b[31mred\x1b[0m bell\x07 csi\x9b2J",
    "=cmd|' /C calc'!A0",
    "<script>alert(1)</script>&amp;",
    "rtl \u202egnp.exe\u202c \u2066iso\u2069",
    "[bold red]markup[/bold red]",
    "${jndi:ldap://x} {{7*7}} %s %n",
    "javascript:gs.getUserID()",
    "tab\tnew\nline\r\u2028sep",
    "zero\u200bwidth\ufeff",
    "' OR 1=1 --",
)
_BIDI = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c")


def raw(text: str) -> set[str]:
    """Characters that would act on a terminal; of a whole output, so that line ends are allowed."""
    return {c for c in text if c in _BIDI or (unicodedata.category(c) in ("Cc", "Zl", "Zp") and c != "\n")}


class Hostile:
    """A town in which everything that has a name has a bad one."""

    def __init__(self, town: Town, file: Path) -> None:
        self.town, self.estate, self.file = town, town.estate, file
        self.instance = town.app.instance

    def devices(self) -> list[Any]:
        return [d for site in self.estate.sites() for d in self.estate.site_devices(site.legacy_id) if d.adopted]

    def rename(self) -> None:
        for device, name in zip(self.devices(), NAMES, strict=False):
            self.estate.rename_device(device.mac, name)
        for site, name in zip(self.estate.sites(), NAMES[2:], strict=False):
            self.estate.rename_site(site.legacy_id, name)
        for client, name in zip(eligible(self.estate), NAMES, strict=False):
            self.estate.change_client(client.key, name=name, host_name=name)

    def rows(self) -> None:
        """What the CMDB holds already: locations and CIs of the same names, and one that a new record matches."""
        with self.instance.lock, self.instance.acting_as("admin"):
            for name in NAMES:
                self.instance.insert("cmn_location", {"name": name})
                self.instance.insert("core_company", {"name": name, "manufacturer": "true"})
                self.instance.insert(
                    "cmdb_ci_netgear", {"name": name, "serial_number": f"FOREIGN{NAMES.index(name):04d}"}
                )

    def run(self, *arguments: str, codes: tuple[int, ...] = (0, 3)) -> Any:
        ended = self.town.run(*arguments, SNOWLOAD_CLIENTS__MODE="create")
        assert ended.code in codes, (ended.code, ended.err[-1500:], ended.out[-1500:])
        assert "Traceback" not in ended.err
        return ended

    def queries(self) -> Iterator[str]:
        for line in self.town.sandbox.log.lines("servicenow"):
            yield from (value for key, value in parse_qsl(line.query) if key == "sysparm_query")


@pytest.fixture
def here(town: OpenTown, tmp_path: Path) -> Hostile:
    made = Hostile(town(Estate.generate(seed=9, sites=3, devices=30, clients=60)), tmp_path / "report.json")
    made.rename()
    made.rows()
    return made


def test_every_record_is_written_once_under_a_clean_name(here: Hostile) -> None:
    before = {item.sys_id: item.values for item in oracle.config_items(here.instance) if not item.native_keys}
    first = here.run(*LOAD, "--json")
    items = oracle.by_native_key(here.instance, "UniFi")
    assert {key_of(d) for d in here.devices()} <= set(items)
    assert sum(key.startswith("client/") for key in items) >= len(NAMES)
    for item in items.values():
        assert not raw(item.name) & set(item.name), item.name
        assert "\n" not in item.name
        assert 0 < len(item.name) <= 255
    assert not [finding for finding in first.document["findings"] if finding["rule"] == "cmdb.write_not_kept"]
    after = {item.sys_id: item.values for item in oracle.config_items(here.instance) if item.sys_id in before}
    assert after == before
    assert not oracle.duplicate_keys(here.instance)
    second = here.run(*LOAD, "--json")
    assert not any(second.document["written"].values())


def test_a_query_holds_one_term_for_each_value_and_no_value_ends_its_term(here: Hostile) -> None:
    here.town.app.backend.set_options(closed_apis=frozenset({"Batch API"}))  # each read then has a line of its own
    here.run(*LOAD, "--json")
    asked = [query.removesuffix("ORDERBYsys_id").removesuffix("^") for query in here.queries()]
    titles = [site.title for site in here.estate.sites()]
    assert [query for query in asked if any(query == f"name={title}" for title in titles)]
    for query in asked:
        assert not raw(query)
        assert not re.search(r"\^OR|\^ORDERBY|\^NQ|javascript:", query), query
        assert all(re.match(r"[a-z_.]+(=|>|IN|STARTSWITH)", term) for term in query.split("^") if term), query


@pytest.mark.parametrize("json", [(), ("--json",)])
@pytest.mark.parametrize("command", [(*LOAD, "--dry-run"), LOAD, ("plan", "--env", "testing")])
def test_nothing_that_is_shown_acts_on_a_terminal(
    here: Hostile, command: tuple[str, ...], json: tuple[str, ...]
) -> None:
    ended = here.run(*command, *json)
    assert raw(ended.out) == set()
    assert raw(ended.err) == set()
    assert json or "[bold red]markup" in ended.out or command == LOAD


def test_a_report_file_and_its_findings_are_safe_to_print(here: Hostile) -> None:
    here.run(*LOAD, "--json", "--report", str(here.file))
    assert raw(here.file.read_text(encoding="utf-8")) == set()


def test_hand_edits_of_a_hostile_kind_are_told_safely(here: Hostile) -> None:
    """What ServiceNow stores comes from people, too: it is shown as what would be written over."""
    here.run(*LOAD, "--json")
    with here.instance.lock, here.instance.acting_as("admin"):
        for item, name in zip(oracle.by_native_key(here.instance, "UniFi").values(), NAMES, strict=False):
            here.instance.update(item.class_name, item.sys_id, {"name": name, "model_number": name})
    for device in here.devices():
        here.estate.rename_device(device.mac, f"new {device.mac}")
    for command in ((*LOAD, "--dry-run", "--full", "--json"), ("plan", "--env", "testing"), (*LOAD, "--json")):
        ended = here.run(*command)
        assert (raw(ended.out), raw(ended.err)) == (set(), set()), command


def test_markdown_for_reviews_carries_no_html_and_no_broken_table(here: Hostile) -> None:
    ended = here.run("plan", "--env", "testing", "--format", "markdown")
    assert "<script" not in ended.out
    assert raw(ended.out) == set()
