"""The discovery source under which native keys are written cannot change silently (cmdb-model 2.7)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.servicenow import oracle
from tests.scenarios.conftest import Town
from tests.scenarios.desk import LOAD

OpenTown = Callable[[Estate], Town]
RENAMED = {"SERVICENOW_DATA_SOURCE": "UniFi2"}


@pytest.fixture
def here(town: OpenTown) -> Town:
    opened = town(Estate.generate(seed=3, sites=1, devices=6))
    opened.app.instance.insert(
        "sys_choice", {"name": "cmdb_ci", "element": "discovery_source", "label": "UniFi2", "value": "UniFi2"}
    )
    return opened


@pytest.mark.parametrize(
    "command",
    [
        LOAD,
        (*LOAD, "--dry-run"),
        (*LOAD, "--full"),
        ("plan", "--env", "testing", "--json"),
        ("replay-queue", "--env", "testing", "--json"),
        ("validate", "--env", "testing", "--json"),
    ],
)
def test_another_discovery_source_than_the_ledgers_is_refused_with_the_way_on(
    here: Town, command: tuple[str, ...]
) -> None:
    assert here.run(*LOAD).code == 0
    here.sandbox.log.clear()
    refused = here.run(*command, **RENAMED)
    assert (refused.code, refused.document["error"]["code"]) == (6, "config.data_source")
    assert "SERVICENOW_DATA_SOURCE=UniFi" in refused.err
    assert "docs/guides/identity.md" in refused.err
    assert here.writes() == 0
    assert here.run(*LOAD).code == 0
    assert not oracle.by_native_key(here.app.instance, "UniFi2")


def test_doctor_warns_of_another_discovery_source(here: Town) -> None:
    assert here.run(*LOAD).code == 0
    document = here.run("doctor", "--env", "testing", "--json", "--check", "state", **RENAMED).document
    (line,) = [check for check in document["checks"] if check["name"] == "state.data-source"]
    assert (line["status"], "UniFi2" in line["found"], "identity.md" in line["fix"]) == ("warn", True, True)


def test_as_long_as_nothing_was_written_the_discovery_source_may_change(here: Town) -> None:
    here.app.backend.set_options(hibernating=True)
    assert here.run(*LOAD).code == 5
    here.app.backend.set_options(hibernating=False)
    assert here.run(*LOAD, **RENAMED).code == 0
    assert len(oracle.by_native_key(here.app.instance, "UniFi2")) == 6
    assert here.run(*LOAD).code == 6


def test_a_fresh_state_starts_over_under_the_new_name_and_creates_nothing_twice(here: Town, tmp_path: Path) -> None:
    """docs/guides/identity.md."""
    assert here.run(*LOAD).code == 0
    there = {key: item.sys_id for key, item in oracle.by_native_key(here.app.instance, "UniFi").items()}
    over = here.run(*LOAD, **RENAMED, SNOWLOAD_STATE_DIR=str(tmp_path / "anew"))
    assert (over.code, over.document["written"]["created"]) == (0, 0), over.err
    assert {key: item.sys_id for key, item in oracle.by_native_key(here.app.instance, "UniFi2").items()} == there


def test_the_prefix_of_service_graph_connectors_is_refused(here: Town) -> None:
    refused = here.run(*LOAD, SERVICENOW_DATA_SOURCE="SG-UniFi")
    assert refused.code == 6
    assert "SG-" in refused.err
