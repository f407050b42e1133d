"""``snowload health`` and ``snowload doctor`` on the same thing: one judgement, by the limits of ``[health]``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from beast_dream_snow_loader.sandbox.certificate import self_signed
from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.serving import Server
from tests.scenarios.conftest import Town
from tests.scenarios.desk import LOAD, OpenTown, row

SAME = {"healthy": "ok", "degraded": "warn", "unhealthy": "fail"}


@pytest.fixture
def here(town: OpenTown) -> Town:
    return town(Estate.generate(seed=3, sites=1, devices=2))


def line(town: Town, name: str, where: str, **variables: str) -> Mapping[str, Any]:
    """The doctor's."""
    ended = town.run("doctor", "--env", "testing", "--json", "--check", name, **variables)
    (found,) = [one for one in ended.document["checks"] if one["name"] == name and one["subject"].startswith(where)]
    return dict(found)


def both(town: Town, check: str, of_doctor: str, where: str = "", **variables: str) -> tuple[str, str]:
    """What health says, which the doctor says too; and the doctor's words."""
    status, told = row(town, check, **variables)["status"], line(town, of_doctor, where, **variables)
    assert SAME[status] == told["status"], told
    return status, told["found"] + told["fix"]


@contextmanager
def at_tls(here: Town, days_ago: int) -> Iterator[tuple[str, dict[str, str]]]:
    """The town's console behind a certificate made for a year so long ago: where, and the settings that pin it."""
    certificate = self_signed(now=datetime.now(UTC) - timedelta(days=days_ago))
    (only,) = json.loads(here.run.variables["SNOWLOAD_UNIFI__CONSOLES"])
    with Server(here.sandbox.consoles[0].server.application, tls=certificate) as secure:
        pinned = {**only, "url": secure.url, "verify_tls": f"fingerprint:{certificate.fingerprint}"}
        yield secure.url.removeprefix("https://"), {"SNOWLOAD_UNIFI__CONSOLES": json.dumps([pinned])}


@pytest.mark.parametrize(
    ("days_ago", "warn", "status", "told"),
    [
        (340, "21d", "healthy", "24 days left"),
        (340, "30d", "degraded", "Renew the certificate"),
        (363, "21d", "unhealthy", "Renew the certificate"),
        (370, "21d", "unhealthy", "it has ended; the pin alone is believed"),
    ],
)
def test_a_certificate_is_judged_alike(here: Town, days_ago: int, warn: str, status: str, told: str) -> None:
    with at_tls(here, days_ago) as (where, pinned):
        limits = {"SNOWLOAD_HEALTH__EXPIRES_WARN": warn}
        found = both(here, f"unifi.certificate[{where}]", "unifi.certificate", where, **pinned, **limits)
        asked = here.run("doctor", "--env", "testing", "--json", "--check", "unifi.console", **pinned).document
    assert (found[0], told in found[1]) == (status, True), found
    assert asked["counts"]["skipped"] == asked["counts"]["fail"] == 0, "what ends soon is not yet in the way"


@pytest.mark.parametrize(("warn", "status"), [("30s", "degraded"), ("1m", "healthy")])
def test_a_clock_is_judged_alike(here: Town, warn: str, status: str) -> None:
    here.sandbox.servicenow.off_by_seconds = 45.0
    found = both(here, "servicenow.clock", "servicenow.clock", SNOWLOAD_HEALTH__CLOCK_WARN=warn)
    assert found[0] == status


def test_room_on_the_disk_is_judged_alike(here: Town) -> None:
    """R4.3."""
    assert both(here, "system", "state.disk", "/", SNOWLOAD_HEALTH__MEMORY_PERCENT="100")[0] == "healthy"
    found = both(here, "system", "state.disk", "/", SNOWLOAD_HEALTH__DISK_FREE_MB="1e12")
    assert (found[0], "health.disk_free_mb" in found[1]) == ("degraded", True)


def test_a_quota_is_judged_alike(here: Town) -> None:
    rule = {"name": "all", "type": "all", "request_limit": "400", "active": "true"}
    here.app.instance.insert("sys_rate_limit_rules", rule)
    assert here.run(*LOAD).code == 0
    tight = {"SNOWLOAD_HEALTH__QUOTA_WARN_PERCENT": "1"}
    assert row(here, "servicenow.quota", **tight)["status"] == "degraded"
    ended = here.run("doctor", "--env", "testing", "--json", "--check", "servicenow.login", **tight)
    (found,) = [one for one in ended.document["checks"] if one["name"] == "servicenow.quota"]
    assert (found["status"], "sys_rate_limit_rules" in found["fix"]) == ("warn", True)
