"""``snowload health`` on towns in which one thing is wrong: the check that says so, and those that it explains."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from beast_dream_snow_loader.sandbox.certificate import self_signed
from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.servicenow.auth import User
from beast_dream_snow_loader.sandbox.serving import Server
from tests.conftest import Ended
from tests.scenarios.conftest import Town
from tests.scenarios.desk import LOAD, OpenTown, looked, row, rows, sql

BEHIND_SERVICENOW = {"certificate", "clock", "authentication", "rights", "engine", "quota", "latency"}


@pytest.fixture
def here(town: OpenTown) -> Town:
    return town(Estate.generate(seed=3, sites=1, devices=4))


def console(town: Town) -> str:
    """What the town's console is called in brackets."""
    (only,) = json.loads(town.run.variables["SNOWLOAD_UNIFI__CONSOLES"])
    return str(only["url"]).removeprefix("http://")


def behind(town: Town, url: str, verify: object) -> dict[str, str]:
    """Variables that name the console at ``url`` in place of the town's own."""
    (only,) = json.loads(town.run.variables["SNOWLOAD_UNIFI__CONSOLES"])
    return {"SNOWLOAD_UNIFI__CONSOLES": json.dumps([{**only, "url": url, "verify_tls": verify}])}


def explained(ended: Ended, cause: str) -> set[str]:
    return {name for name, row in rows(ended).items() if row["explained_by"] == cause}


def test_on_a_loaded_town_in_which_nothing_is_amiss_every_check_is_healthy(here: Town) -> None:
    """R4.1, R4.3."""
    assert here.run(*LOAD).code == 0
    ended = looked(here)
    assert ended.code == 0, ended.document["causes"]
    assert {row["status"] for row in rows(ended).values()} == {"healthy"}
    at = console(here)
    assert set(rows(ended)) == {
        *("configuration", "files", "system", "credentials", "servicenow"),
        *(f"servicenow.{name}" for name in BEHIND_SERVICENOW),
        *("credentials[site-manager]", "unifi[site-manager]", "unifi.hosts[site-manager]"),
        *(f"unifi.{kind}[site-manager]" for kind in ("certificate", "clock", "authentication")),
        *(f"credentials[{at}]", f"unifi[{at}]"),
        *(f"unifi.{kind}[{at}]" for kind in ("certificate", "clock", "authentication")),
        *("database", "lock", "belonging", "queue", "dead-letters", "snapshots", "breakers", "classes"),
        *("last-load", "last-success", "overdue", "forecast", "growth"),
    }
    numbers = rows(ended)["system"]["details"]
    assert all(isinstance(number, int | float) for number in numbers.values())
    assert numbers["process_memory_bytes"] > 0
    assert here.writes() == 1, "the load's own"


def test_a_table_for_people_shows_each_check_under_the_one_it_stands_on(here: Town) -> None:
    shown = here.run("health", "--env", "testing", SERVICENOW_PASSWORD="wrong").out
    lines = [line.split("│")[0].rstrip() for line in shown.splitlines()]
    assert lines.index("credentials") < lines.index("  servicenow") < lines.index("    servicenow.authentication")
    assert "      servicenow.rights" in lines
    assert "not checked: servicenow.authentication is unhealthy" in shown
    assert "health: unhealthy: servicenow.authentication" in shown


def test_a_cheap_look_asks_so_much_and_what_was_well_is_not_asked_again_within_the_interval(here: Town) -> None:
    """R4.1: rights are eight reads, kept for ``health_check_interval_seconds``."""

    def asked(*arguments: str, **variables: str) -> tuple[int, int, int]:
        here.sandbox.log.clear()
        assert looked(here, *arguments, **variables).code == 0
        services = ("servicenow", "site-manager", "console-1")
        return tuple(len(here.sandbox.log.lines(service)) for service in services)  # type: ignore[return-value]

    assert asked() == (9, 1, 1)
    assert asked() == (1, 1, 1)
    assert rows(looked(here))["servicenow.rights"]["as_of"]
    assert asked("--check", "database") == (0, 0, 0)
    sql(here, "UPDATE meta SET value = replace(value, '\"at\":\"20', '\"at\":\"19') WHERE key LIKE 'health %'")
    assert asked()[0] == 9
    assert asked("--deep") == (14, 5, 12)
    assert here.writes() == 0


def test_what_was_not_well_is_looked_at_anew_every_time(here: Town) -> None:
    here.app.backend.set_options(table_reading={"cmn_location": "refused"})
    assert row(here, "servicenow.rights")["status"] == "degraded"
    here.app.backend.set_options(table_reading={})
    assert (row(here, "servicenow.rights")["status"], row(here, "servicenow.rights")["as_of"] is None) == (
        "healthy",
        False,
    )


def test_a_service_that_is_away_explains_all_that_stands_on_it_and_is_the_one_cause(here: Town) -> None:
    """X7."""
    ended = looked(here, SERVICENOW_INSTANCE="http://127.0.0.1:9")
    assert (ended.code, ended.document["causes"]) == (2, ["servicenow"])
    assert explained(ended, "servicenow") == {f"servicenow.{name}" for name in BEHIND_SERVICENOW}
    assert rows(ended)["servicenow.rights"]["message"] == "not checked: servicenow is unhealthy"
    assert "connection refused" in rows(ended)["servicenow"]["message"]
    assert rows(ended)["database"]["status"] == rows(ended)["unifi[site-manager]"]["status"] == "healthy"
    assert ended.err.splitlines()[0] == "snowload: unhealthy: servicenow."


def test_a_login_that_is_refused_is_told_apart_from_a_service_that_does_not_answer(here: Town) -> None:
    """R1.4, X7."""
    ended = looked(here, SERVICENOW_PASSWORD="canary-wrong", UNIFI_API_KEY="canary-wrong")
    assert ended.code == 2
    assert ended.document["causes"] == ["servicenow.authentication", "unifi.authentication[site-manager]"]
    assert rows(ended)["servicenow"]["status"] == rows(ended)["unifi[site-manager]"]["status"] == "healthy"
    assert "SERVICENOW_PASSWORD" in rows(ended)["servicenow.authentication"]["message"]
    assert "UNIFI_API_KEY" in rows(ended)["unifi.authentication[site-manager]"]["message"]
    assert "servicenow.rights" in explained(ended, "servicenow.authentication")
    assert explained(ended, "unifi.authentication[site-manager]") == {"unifi.hosts[site-manager]"}
    assert "canary" not in ended.out + ended.err


def test_credentials_that_are_missing_or_do_not_resolve_leave_the_rest_to_be_looked_at(here: Town) -> None:
    """R5.1."""
    ended = looked(here, SERVICENOW_PASSWORD="", UNIFI_API_KEY="env:NOT_THERE")
    assert (ended.code, ended.document["causes"]) == (2, ["credentials", "credentials[site-manager]"])
    assert "SERVICENOW_CLIENT_ID" in rows(ended)["credentials"]["message"]
    assert "unifi.api_key" in rows(ended)["credentials[site-manager]"]["message"]
    assert explained(ended, "credentials") == {"servicenow", *(f"servicenow.{name}" for name in BEHIND_SERVICENOW)}
    assert rows(ended)[f"unifi[{console(here)}]"]["status"] == rows(ended)["database"]["status"] == "healthy"
    none = looked(here, UNIFI_API_KEY="", SNOWLOAD_UNIFI__CONSOLES="[]")
    assert (none.code, none.document["causes"]) == (2, ["unifi"])


def test_every_end_is_asked_with_the_secret_behind_a_reference(here: Town) -> None:
    """R5.1."""
    given = here.run.variables
    (only,) = json.loads(given["SNOWLOAD_UNIFI__CONSOLES"])
    references = {
        "SERVICENOW_PASSWORD": "env:KEPT_PASSWORD",
        "UNIFI_API_KEY": "env:KEPT_KEY",
        "SNOWLOAD_UNIFI__CONSOLES": json.dumps([{**only, "api_key": "env:KEPT_CONSOLE"}]),
        "KEPT_PASSWORD": given["SERVICENOW_PASSWORD"],
        "KEPT_KEY": given["UNIFI_API_KEY"],
        "KEPT_CONSOLE": only["api_key"],
    }
    ended = looked(here, "--deep", **references)
    assert ended.code == 0, ended.document["causes"]


def test_one_console_that_is_away_costs_its_own_checks_only(here: Town) -> None:
    here.sandbox.consoles[0].server.faults.add(Fault(effect=Effect.STATUS, status=503, path="*"))
    ended = looked(here)
    at = console(here)
    assert (ended.code, ended.document["causes"]) == (2, [f"unifi[{at}]"])
    assert f"unifi.authentication[{at}]" in explained(ended, f"unifi[{at}]")
    assert rows(ended)["unifi.authentication[site-manager]"]["status"] == "healthy"
    assert ended.document["degradation"]["level"] == "reduced"


@pytest.mark.parametrize(
    ("table", "status", "told"),
    [("cmn_location", "degraded", "locations stay empty"), ("cmdb_ci", "unhealthy", "cmdb_ci")],
)
def test_tables_that_may_not_be_read_are_named_with_what_becomes_of_it(
    here: Town, table: str, status: str, told: str
) -> None:
    """R6.4."""
    here.app.backend.set_options(table_reading={table: "refused"})
    found = row(here, "servicenow.rights")
    assert found["status"] == status
    assert told in found["message"]
    assert row(here, "servicenow.authentication")["status"] == "healthy"


def test_an_engine_that_the_last_load_found_closed_is_told_without_asking_it_and_a_deep_look_asks(here: Town) -> None:
    """R6.4."""
    assert "no load has asked it yet" in row(here, "servicenow.engine")["message"]
    closed = Fault(effect=Effect.STATUS, status=403, path="/api/now/identifyreconcile/*")
    here.sandbox.servicenow.faults.add(closed)
    assert here.run(*LOAD).code == 0
    assert row(here, "servicenow.engine")["status"] == "degraded"
    deep = looked(here, "--deep")
    assert rows(deep)["servicenow.simulation"]["status"] == "unhealthy"
    assert "itil" in rows(deep)["servicenow.simulation"]["message"]
    assert rows(deep)["classes"]["status"] == "degraded"
    here.sandbox.servicenow.faults.clear()
    assert row(here, "servicenow.simulation")["status"] == "healthy"


def test_a_discovery_source_that_is_no_choice_is_found_by_a_deep_look(town: OpenTown) -> None:
    here = town(Estate.generate(seed=4, sites=1, devices=2), sources=())
    found = row(here, "servicenow.simulation")
    assert found["status"] == "unhealthy"
    assert "doctor --register-source" in found["message"]
    assert here.run(*LOAD).code == 6
    assert row(here, "servicenow.engine")["status"] == "unhealthy"


def test_a_deep_look_finds_what_an_account_without_roles_may_not_do(here: Town) -> None:
    here.app.users.put(User(user_name="snowload", password="snowload-demo", roles=frozenset()))
    here.app.backend.set_options(table_reading={"cmdb_ci": "all"})
    deep = rows(looked(here, "--deep"))
    assert deep["servicenow.interfaces"]["status"] == "unhealthy"
    assert "itil" in deep["servicenow.interfaces"]["message"]


def test_the_guide_explains_every_check_there_is(here: Town) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "health.md").read_text(encoding="utf-8")
    table = guide.split("## The checks")[1].split("##")[0]
    explained = set(re.findall(r"^\| `([a-z.-]+)` \|", table, re.MULTILINE))
    assert explained == {name.partition("[")[0] for name in rows(looked(here, "--deep"))}


def test_a_deep_look_reads_a_page_of_everything_each_source_has(here: Town) -> None:
    at = console(here)
    well = rows(looked(here, "--deep"))
    assert well["unifi.read[site-manager]"]["status"] == well[f"unifi.read[{at}]"]["status"] == "healthy"
    here.sandbox.consoles[0].server.faults.add(Fault(effect=Effect.STATUS, status=403, path="*/stat/sta"))
    found = row(here, f"unifi.read[{at}]")
    assert found["status"] == "unhealthy"
    assert "stat/sta may not be read" in found["message"]
    assert looked(here).code == 0, "a cheap look does not read so far"


def test_requests_that_a_rule_of_the_instance_leaves_us_are_counted(here: Town) -> None:
    assert row(here, "servicenow.quota")["message"] == "no rule limits us"
    rule = {"name": "all", "type": "all", "request_limit": "400", "active": "true"}
    here.app.instance.insert("sys_rate_limit_rules", rule)
    assert here.run(*LOAD).code == 0
    told = row(here, "servicenow.quota")
    assert (told["status"], told["details"]["limit"]) == ("healthy", 400)
    assert 0 < told["details"]["left"] < 400
    tight = row(here, "servicenow.quota", SNOWLOAD_HEALTH__QUOTA_WARN_PERCENT="1")
    assert tight["status"] == "degraded"
    assert "sys_rate_limit_rules" in tight["message"]


def test_an_instance_that_is_slow_to_answer_is_degraded(here: Town) -> None:
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.LATENCY, path="/api/*", seconds=0.06))
    found = row(here, "servicenow.latency", SNOWLOAD_HEALTH__SLOW_ANSWER="50ms")
    assert (found["status"], found["details"]["median_ms"] > 50) == ("degraded", True)
    assert row(here, "servicenow.latency", SNOWLOAD_HEALTH__SLOW_ANSWER="1m")["status"] == "healthy"


@pytest.mark.parametrize(("seconds", "status"), [(90.0, "degraded"), (-7200.0, "unhealthy"), (10.0, "healthy")])
def test_a_clock_that_is_off_at_either_end_is_told_with_how_far(here: Town, seconds: float, status: str) -> None:
    for server in (here.sandbox.servicenow, here.sandbox.site_manager, here.sandbox.consoles[0].server):
        server.off_by_seconds = seconds
    found = rows(looked(here))
    for name in ("servicenow.clock", "unifi.clock[site-manager]", f"unifi.clock[{console(here)}]"):
        assert found[name]["status"] == status
        assert abs(found[name]["details"]["skew_seconds"] - seconds) < 5


@contextmanager
def at_tls(here: Town, days_ago: int) -> Iterator[tuple[str, str]]:
    """The town's console behind a certificate that was made for a year so long ago: its address and fingerprint."""
    certificate = self_signed(now=datetime.now(UTC) - timedelta(days=days_ago))
    with Server(here.sandbox.consoles[0].server.application, tls=certificate) as secure:
        yield secure.url, certificate.fingerprint


@pytest.mark.parametrize(
    ("days_ago", "status", "told"),
    [
        (0, "healthy", "365.0 days left"),
        (350, "degraded", "15.0 days left"),
        (363, "unhealthy", "renew it"),
        (370, "unhealthy", "ended 5.0 days ago"),
    ],
)
def test_a_certificate_is_told_by_how_long_it_is_still_valid(here: Town, days_ago: int, status: str, told: str) -> None:
    with at_tls(here, days_ago) as (url, pin):
        name = f"unifi.certificate[{url.removeprefix('https://')}]"
        found = row(here, name, **behind(here, url, f"fingerprint:{pin}"))
        again = row(here, name, **behind(here, url, f"fingerprint:{pin}"))
    assert found["status"] == status, found
    assert told in found["message"]
    assert bool(again["as_of"]) is (status == "healthy"), "what was well is kept for the interval"


def test_a_certificate_that_is_not_trusted_or_not_verified_is_told(here: Town) -> None:
    with at_tls(here, 0) as (url, pin):
        at = url.removeprefix("https://")
        refused = looked(here, "--check", "unifi.certificate", **behind(here, url, True))
        unverified = row(here, f"unifi.certificate[{at}]", **behind(here, url, False))
    assert refused.document["causes"] == [f"unifi[{at}]"]
    assert "not trusted" in rows(refused)[f"unifi[{at}]"]["message"]
    assert rows(refused)[f"unifi.certificate[{at}]"]["explained_by"] == f"unifi[{at}]"
    assert unverified["status"] == "degraded"
    assert f"fingerprint:{pin}" in unverified["message"]


def test_the_certificate_of_the_instance_is_judged_by_the_authorities_of_the_system(here: Town, tmp_path: Path) -> None:
    almost = self_signed(now=datetime.now(UTC) - timedelta(days=350))
    file = tmp_path / "authorities.pem"
    file.write_bytes(almost.certificate_pem)
    with Server(here.sandbox.servicenow.application, tls=almost) as secure:
        found = row(here, "servicenow.certificate", SERVICENOW_INSTANCE=secure.url, SSL_CERT_FILE=str(file))
        unknown = looked(here, "--check", "servicenow.certificate", SERVICENOW_INSTANCE=secure.url)
    assert (found["status"], found["details"]["days_left"]) == ("degraded", 15.0)
    assert unknown.document["causes"] == ["servicenow"]
    assert "not trusted" in rows(unknown)["servicenow"]["message"]


def token(days: float) -> str:
    """A JSON Web Token that ends so many days from now."""
    told = {"exp": int((datetime.now(UTC) + timedelta(days=days)).timestamp())}
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, told))
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "signature"])


@pytest.mark.parametrize(
    ("days", "status", "told"),
    [(-1.0, "unhealthy", "has ended"), (10.0, "degraded", "put a new one"), (300.0, "healthy", "oauth_token ends")],
)
def test_a_token_that_says_when_it_ends_is_judged_by_it_and_of_other_secrets_it_is_not_known(
    here: Town, days: float, status: str, told: str
) -> None:
    """R5.1."""
    given = token(days)
    ended = looked(here, "--check", "credentials", SERVICENOW_OAUTH_TOKEN=given)
    assert (rows(ended)["credentials"]["status"], told in rows(ended)["credentials"]["message"]) == (status, True)
    assert given not in ended.out + ended.err
    assert "when its secrets end is not told by them" in rows(ended)["credentials[site-manager]"]["message"]


def test_a_check_that_hangs_costs_only_itself_and_what_stands_on_it(here: Town) -> None:
    """R4.1."""
    here.sandbox.site_manager.faults.add(Fault(effect=Effect.HANG, seconds=50))
    began = time.monotonic()
    ended = looked(here, "--timeout", "3s", "--check", "unifi.hosts", "--check", "unifi.clock", "--check", "queue")
    assert time.monotonic() - began < 25, "nobody waits for it at the end either"
    assert (ended.code, ended.document["causes"]) == (2, ["unifi[site-manager]"])
    assert "no answer within 3 s" in rows(ended)["unifi[site-manager]"]["message"]
    assert rows(ended)["queue"]["status"] == rows(ended)[f"unifi.clock[{console(here)}]"]["status"] == "healthy"


def test_a_check_that_was_given_up_changes_nothing_any_more(here: Town) -> None:
    """R4.1: it may come to an end when the state is closed."""
    here.sandbox.servicenow.faults.add(Fault(effect=Effect.LATENCY, path="*/cmn_location", seconds=2.5))
    late = row(here, "servicenow.rights", "--timeout", "2s")
    assert late["message"] == "no answer within 2 s"
    for thread in threading.enumerate():
        if thread.name == "health-check":
            thread.join(20)
    here.sandbox.servicenow.faults.clear()
    assert row(here, "servicenow.rights")["as_of"] is None, "nothing was kept"


def test_words_of_the_other_end_cannot_reach_into_a_terminal(here: Town) -> None:
    body = json.dumps({"message": "\x1b[2J\x1b]0;owned\x07\u202egnp [red]stop"})
    here.sandbox.site_manager.faults.add(Fault(effect=Effect.STATUS, status=403, path="*", body=body))
    for form in ((), ("--json",)):
        ended = here.run("health", "--env", "testing", *form)
        assert ended.code == 2
        assert "owned" in ended.out
        assert not {"\x1b", "\x07", "\u202e"} & set(ended.out + ended.err)


def test_one_check_is_looked_at_with_all_it_stands_on_and_an_unknown_one_is_refused(here: Town) -> None:
    named = [one["name"] for one in looked(here, "--check", "servicenow.rights").document["checks"]]
    assert named == ["credentials", "servicenow", "servicenow.authentication", "servicenow.rights"]
    assert len(looked(here, "--check", "unifi.clock").document["checks"]) == 6
    refused = looked(here, "--check", "nosuch")
    assert (refused.code, refused.document["status"]) == (3, "unknown")
    assert "servicenow.rights" in refused.err


@pytest.mark.parametrize("limit", ["banana", "0s"])
def test_a_time_limit_that_is_none_says_nothing_of_what_is_looked_at(here: Town, limit: str) -> None:
    ended = looked(here, "--timeout", limit)
    assert (ended.code, ended.document["status"]) == (3, "unknown")


@pytest.mark.bench
def test_a_cheap_look_takes_less_than_two_seconds(town: OpenTown) -> None:
    """R4.1."""
    here = town(Estate.demo())
    took: list[float] = []
    for _ in range(5):
        began = time.monotonic()
        assert looked(here).code == 0
        took.append(time.monotonic() - began)
    print(f"cheap health on the demo estate: {', '.join(f'{one:.2f}' for one in took)} s")  # noqa: T201
    assert sorted(took)[len(took) // 2] < 2.0
