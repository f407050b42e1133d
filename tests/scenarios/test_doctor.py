"""``snowload doctor``: a healthy setup is all ok; each thing that can be wrong is one line with what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from tests.scenarios.conftest import Town

DOCTOR = ("doctor", "--env", "testing", "--json")
OpenTown = Callable[..., Town]
Line = Mapping[str, Any]
ENGINE = "glide.identification_engine."


@pytest.fixture
def here(town: OpenTown) -> Iterator[Town]:
    """An instance with everything on it, which lets the account see its properties."""
    opened = town(Estate.generate(seed=4, consoles=2, sites=2, devices=8), class_models=True)
    opened.app.seed_demo()
    opened.app.backend.set_options(table_reading={"sys_properties": "all"})
    return opened


def lines(document: Mapping[str, Any], name: str) -> list[Line]:
    return [line for line in document["checks"] if line["name"] == name]


def line(document: Mapping[str, Any], name: str, subject: str | None = None) -> Line:
    found = [one for one in lines(document, name) if subject is None or one["subject"] == subject]
    assert len(found) == 1, [(one["name"], one["subject"]) for one in document["checks"]]
    return found[0]


def examined(town: Town, *names: str, code: int = 0, **variables: str) -> Mapping[str, Any]:
    ended = town.run(*DOCTOR, *(part for name in names for part in ("--check", name)), **variables)
    assert ended.code == code, ended.out + ended.err
    return ended.document


def test_a_healthy_setup_has_nothing_that_fails_or_warns_and_writes_nothing(here: Town) -> None:
    document = examined(here)
    assert document["status"] == "ok"
    troubled = [one for one in document["checks"] if one["status"] not in ("ok",)]
    assert [(one["name"], one["subject"]) for one in troubled] == [("servicenow.hardware-rule", "inclusion rule")]
    assert here.writes() == 0
    simulated = [path for path in here.servicenow_reads() if path.endswith("queryEnhanced")]
    assert len(simulated) == 1
    posts = [one.path for one in here.sandbox.log.lines("servicenow") if one.method != "GET"]
    assert set(posts) <= {"/api/now/identifyreconcile/queryEnhanced", "/api/now/v1/batch"}


def test_every_line_that_is_not_fine_has_a_fix(here: Town) -> None:
    here.app.backend.set_options(table_reading={}, closed_apis=frozenset({"CMDB Meta API"}))
    document = examined(here, code=7)
    statuses = {one["status"] for one in document["checks"]}
    assert {"ok", "fail", "skipped", "unknown"} <= statuses
    assert all(one["fix"] for one in document["checks"] if one["status"] != "ok")
