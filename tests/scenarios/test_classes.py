"""Classes of the CMDB: what an instance lacks, what it gets later, and who may be moved (R6.1, R6.4, L6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.servicenow import oracle
from beast_dream_snow_loader.sandbox.servicenow.installing import install
from tests.conftest import Ended
from tests.scenarios.conftest import Town
from tests.scenarios.test_backbone import LOAD, clean

OpenTown = Callable[..., Town]
AP, SWITCH = "cmdb_ci_wap_network", "cmdb_ci_ip_switch"


@pytest.fixture
def estate() -> Estate:
    return Estate.generate(seed=3, sites=1, devices=20)


def classes(town: Town) -> dict[str, int]:
    """How many CIs of ours each class holds."""
    found: dict[str, int] = {}
    for item in oracle.by_native_key(town.app.instance, "UniFi").values():
        found[item.class_name] = found.get(item.class_name, 0) + 1
    return found


def told(ended: Ended, rule: str) -> list[dict[str, Any]]:
    return [finding for finding in ended.document["findings"] if finding["rule"] == rule]


def quiet(town: Town) -> Ended:
    """Another load, which must write nothing."""
    before = town.writes()
    ended = town.run(*LOAD)
    assert town.writes() == before, ended.document["plan"]
    return ended


def only_class(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["field"] == "sys_class_name"]


def test_a_class_that_appears_later_moves_nothing_unasked_and_is_offered_with_the_command(
    town: OpenTown, estate: Estate
) -> None:
    """cmdb-model 6.2."""
    here = town(estate, without=(AP,))
    first = here.run(*LOAD)
    assert first.code == 0, first.err
    [fallback] = told(first, "class.fallback")
    assert fallback["value"] == "cmdb_ci_netgear"
    assert AP not in classes(here)
    install(here.app.instance, only=(AP,))
    second = here.run(*LOAD, "--full")
    [offered] = told(second, "class.upgrade_available")
    assert "snowload load --allow-upgrade" in offered["message"]
    assert AP not in classes(here)


def test_an_upgrade_that_was_asked_for_is_planned_made_and_then_over(town: OpenTown, estate: Estate) -> None:
    here = town(estate, without=(AP,))
    assert here.run(*LOAD).code == 0
    before = classes(here)
    install(here.app.instance, only=(AP,))
    planned = here.run(*LOAD, "--full", "--dry-run", "--allow-upgrade")
    rows = only_class(planned.document["changes"])
    assert {(row["old"], row["new"], row["class"]) for row in rows} == {("cmdb_ci_netgear", AP, AP)}
    assert here.run(*LOAD, "--full", "--allow-upgrade").code == 0
    after = classes(here)
    assert after[AP] == len(rows)
    assert sum(after.values()) == sum(before.values())
    clean(here)
    assert not told(quiet(here), "class.upgrade_available")


def test_an_upgrade_the_instance_does_not_allow_is_reported_and_costs_the_record_nothing(
    town: OpenTown, estate: Estate
) -> None:
    here = town(estate, without=(AP,))
    assert here.run(*LOAD).code == 0
    install(here.app.instance, only=(AP,))
    here.app.instance.set_property("glide.identification_engine.update_without_upgrade_enabled", "true")
    asked = here.run(*LOAD, "--full", "--allow-upgrade")
    assert asked.code == 0, asked.document["failed"]
    assert told(asked, "class.upgrade_refused")
    assert AP not in classes(here)
    clean(here)
