"""``snowload plan``: what a load would write, shown and saved, with no write sent."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len

from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow import oracle
from tests.scenarios.conftest import Town
from tests.scenarios.desk import (
    LOAD,
    PLAN,
    OpenTown,
    away,
    by_hand,
    could_write,
    keeps,
    key_of,
    small,
    switch,
    unifi_away,
)

HOSTILE = "<img src=x onerror=alert(1)>|[click](http://evil.example)\u202e`x`\u009b31m"


def test_a_plan_counts_what_the_load_after_it_writes(town: OpenTown) -> None:
    """L3, L8: 10 while there is something to do, 0 when there is nothing."""
    here = town(small())
    first = here.run(*PLAN, "--json", "--detailed-exitcode")
    assert first.code == 10, first.err
    load = here.run(*LOAD)
    planned, written = first.document["plan"], load.document["written"]
    assert (planned["create"], planned["link"]) == (written["created"], written["linked"])
    again = here.run(*PLAN, "--json", "--detailed-exitcode")
    assert (again.document["empty"], again.document["changes"]) == (True, [])
    assert again.code == (3 if again.document["held"] else 0)


def test_a_changed_field_is_shown_from_old_to_new_with_its_reason(town: OpenTown) -> None:
    here = town(small())
    assert here.run(*LOAD).code in (0, 3)
    device = switch(here.estate)
    here.estate.rename_device(device.mac, "renamed-by-a-test")
    (change,) = here.run(*PLAN, "--json").document["changes"]
    assert (change["change"], change["record"]) == ("update", key_of(device))
    assert change["sys_id"] == oracle.by_native_key(here.app.instance, "UniFi")[key_of(device)].sys_id
    (field,) = [field for field in change["fields"] if field["field"] == "name"]
    assert field == {"field": "name", "old": device.name, "new": "renamed-by-a-test", "reason": "changed in UniFi"}
    text = here.run(*PLAN).out
    assert f"{device.name} → renamed-by-a-test" in text


def unloaded(_: Town) -> None:
    """Nothing there yet."""


def loaded(here: Town) -> None:
    assert here.run(*LOAD).code in (0, 3)


def changed(here: Town) -> None:
    loaded(here)
    here.estate.rename_device(switch(here.estate).mac, "renamed-by-a-test")


def gone(here: Town) -> None:
    loaded(here)
    here.estate.remove_device(switch(here.estate).mac)


def edited(here: Town) -> None:
    loaded(here)
    by_hand(here, key_of(switch(here.estate)), name="theirs")
    here.estate.rename_device(switch(here.estate).mac, "renamed-by-a-test")


def foreign(here: Town) -> None:
    device = switch(here.estate)
    with here.app.instance.lock:
        here.app.instance.insert("cmdb_ci_ip_switch", {"name": device.name})


def queued(here: Town) -> None:
    changed(here)
    away(here)
    assert here.run(*LOAD).code == 8
    here.sandbox.servicenow.faults.clear()


def lost_answer(here: Town) -> None:
    loaded(here)
    here.estate.rename_device(switch(here.estate).mac, "renamed-by-a-test")
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.RESET_AFTER, path="*/identifyreconcile/enhanced"))
    here.run(*LOAD)
    here.sandbox.servicenow.faults.clear()


def asleep(here: Town) -> None:
    changed(here)
    away(here)


def without_unifi(here: Town) -> None:
    changed(here)
    unifi_away(here)


STATES = (unloaded, loaded, changed, gone, edited, foreign, queued, lost_answer, asleep, without_unifi)


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_a_plan_sends_no_write_whatever_the_state(
    town: OpenTown, tmp_path: Path, state: Callable[[Town], None]
) -> None:
    here = town(small())
    state(here)
    before = oracle.everything(here.app.instance)
    here.sandbox.log.clear()
    for more in (("--full",), ("--json", "--out", str(tmp_path / "saved.plan"))):
        ended = here.run(*PLAN, *more)
        assert ended.code in (0, 3, 5), (more, ended.err)
    keeps(ended.document)
    assert here.sandbox.log.lines("servicenow")
    assert could_write(here) == []
    assert oracle.everything(here.app.instance) == before


@pytest.mark.parametrize("form", ["table", "json", "markdown"])
def test_text_from_a_device_stays_text(town: OpenTown, form: str) -> None:
    here = town(small())
    here.estate.rename_device(switch(here.estate).mac, HOSTILE)
    text = here.run(*PLAN, "--format", form).out
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert "onerror" in text
    if form == "markdown":
        assert "<img" not in text
        assert "http://" not in text
        lines = [line for line in text.splitlines() if line.startswith("|")]
        rows = [len(re.findall(r"(?<!\\)\|", line)) for line in lines if "onerror" in line]
        assert rows
        assert set(rows) == {9}


def test_a_plan_fits_a_terminal_of_80_columns(town: OpenTown) -> None:
    here = town(small())
    here.estate.rename_device(switch(here.estate).mac, "東京のスイッチ" * 12)
    text = on_a_terminal(here, *PLAN)
    assert "東京" in text
    assert max(cell_len(line) for line in text.splitlines()) <= 80


def on_a_terminal(here: Town, *arguments: str) -> str:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "beast_dream_snow_loader", *arguments]
    environment = here.run.environment({"COLUMNS": "80", "LINES": "24", "TERM": "dumb"})
    with subprocess.Popen(command, env=environment, stdout=theirs, stderr=subprocess.DEVNULL, cwd=here.run.home) as run:
        os.close(theirs)
        read = b""
        while part := _read(ours):
            read += part
        assert run.wait(60) in (0, 3)
    os.close(ours)
    return read.decode("utf-8").replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the far side is closed
        return b""


def test_a_plan_tells_class_per_kind_fill_rates_and_who_is_held(town: OpenTown) -> None:
    """cmdb-model 5, 6.2."""
    here = town(small())
    foreign(here)
    document = here.run(*PLAN, "--json").document
    switches = [choice for choice in document["classes"] if choice["kind"] == "switch"]
    assert [choice["class"] for choice in switches] == ["cmdb_ci_ip_switch"]
    rates = {rate["field"]: rate for rate in document["fill_rates"]}
    assert (rates["serial_number"]["percent"], rates["owned_by"]["percent"]) == (100, 0)
    (held,) = document["held"]
    assert held["key"] == key_of(switch(here.estate))
    assert held["candidates"][0]["name"] == switch(here.estate).name


def test_a_filter_plans_only_its_part(town: OpenTown) -> None:
    here = town(small())
    document = here.run(*PLAN, "--json", "--kind", "switch").document
    items = [change for change in document["changes"] if change["change"] == "create"]
    assert {item["kind"] for item in items} == {"switch"}
    assert document["filters"]["kinds"] == ["switch"]


def test_a_plan_is_saved_for_its_owner_only_and_only_when_servicenow_was_seen(town: OpenTown, tmp_path: Path) -> None:
    here, file = town(small()), tmp_path / "saved.plan"
    assert here.run(*PLAN, "--out", str(file)).code in (0, 3)
    assert file.stat().st_mode & 0o777 == 0o600
    loaded(here)
    away(here)
    other = tmp_path / "other.plan"
    assert here.run(*PLAN, "--out", str(other)).code == 5
    assert not other.exists()
