"""1Password as the canonical source of secrets, the environment as the fallback that is said aloud (R5.1, R5.5)."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from beast_dream_snow_loader.sandbox.estate import Estate
from tests.conftest import Ended
from tests.scenarios.conftest import Town
from tests.scenarios.desk import OpenTown, findings, keeps

REFERENCE = "op://snowload/servicenow/password"
PASSWORD = "snowload-demo"
DEBUG = {"SNOWLOAD_LOGGING__LEVEL": "DEBUG"}


class Kept:
    """A town whose ServiceNow password is in 1Password, by a settings file, and in the environment as well."""

    def __init__(self, town: Town, folder: Path) -> None:
        self.town, self._folder = town, folder
        self.file = folder / "settings.toml"
        self.file.write_text(f'[credentials]\nsource = "1password"\n[servicenow]\npassword = "{REFERENCE}"\n')

    def op(self, reading: str, whoami: str = "exit 0") -> None:
        file = self._folder / "op"
        file.write_text(
            f'#!/bin/sh\necho "$@" >> "{self._folder}/calls"\ncase $1 in read) {reading};; *) {whoami};; esac\n'
        )
        file.chmod(stat.S_IRWXU)

    def run(self, *arguments: str, **variables: str) -> Ended:
        path = f"{self._folder}{os.pathsep}{os.environ['PATH']}"
        named = ("--env", "testing", "--config", str(self.file), "--json")
        return self.town.run(*arguments, *named, PATH=path, **variables)

    def reads(self) -> list[str]:
        calls = self._folder / "calls"
        return [line for line in calls.read_text().splitlines() if line.startswith("read")] if calls.exists() else []


@pytest.fixture
def here(town: OpenTown, tmp_path: Path) -> Kept:
    return Kept(town(Estate.generate(seed=3, sites=1, devices=4)), tmp_path)


def test_a_reference_to_1password_goes_before_the_environment_and_is_read_once(here: Kept) -> None:
    here.op(f"printf {PASSWORD}")
    ended = here.run("load", SERVICENOW_PASSWORD="not the password")
    assert (ended.code, findings(ended, "credentials.fallback")) == (0, [])
    assert here.reads() == [f"read --no-newline {REFERENCE}"]


def test_where_1password_does_not_answer_the_environment_is_used_and_that_is_said_aloud(here: Kept) -> None:
    here.op("exit 1", "exit 1")
    ended = here.run("load", SERVICENOW_PASSWORD=PASSWORD)
    keeps(ended.document)
    (told,) = findings(ended, "credentials.fallback")
    assert ended.code == 0
    assert "nobody is signed in" in told["message"]
    assert "The environment's value is used" in told["message"]
    assert ended.document["degradation"]["level"] == "reduced"


@pytest.mark.parametrize("there", [True, False])
def test_the_log_says_by_which_way_the_fallback_was_read_and_whether_it_was(
    here: Kept, tmp_path: Path, there: bool
) -> None:
    here.op("exit 1", "exit 1")
    kept, log = tmp_path / "kept", tmp_path / "log.jsonl"
    if there:
        kept.write_text(PASSWORD)
        kept.chmod(0o600)
    ended = here.run("load", "--log-file", str(log), SERVICENOW_PASSWORD=f"file:{kept}", **DEBUG)
    told = [one for one in map(json.loads, log.read_text().splitlines()) if one["event"] == "credential.accessed"]
    assert [(one["method"], one["success"]) for one in told[-2:]] == [("op", False), ("file", there)]
    assert ended.code == (0 if there else 6)


def test_without_a_fallback_it_is_a_mistake_of_the_setup(here: Kept) -> None:
    here.op("exit 1", "exit 1")
    ended = here.run("load", SERVICENOW_PASSWORD="")
    assert ended.code == 6
    assert "servicenow.password" in ended.err


def test_where_the_environment_is_the_source_it_goes_before(here: Kept) -> None:
    here.op("exit 1")
    assert here.run("load", SNOWLOAD_CREDENTIALS__SOURCE="environment", SERVICENOW_PASSWORD=PASSWORD).code == 0
    assert here.reads() == []


def test_production_without_1password_says_so(here: Kept) -> None:
    here.file.write_text('[credentials]\nsource = "1password"\n')
    ended = here.run("load")
    (told,) = findings(ended, "credentials.environment")
    assert (ended.code, told["severity"]) == (0, "info")


def test_config_show_names_the_source_of_each_secret_and_no_secret(here: Kept) -> None:
    ended = here.run("config", "show", SERVICENOW_PASSWORD="not the password")
    (row,) = [one for one in ended.document["settings"] if one["key"] == "servicenow.password"]
    assert (row["value"], row["source"]) == ("[hidden]", str(here.file))


def test_doctor_names_a_settings_file_with_a_secret_that_others_may_read(here: Kept) -> None:
    here.file.write_text('[servicenow]\npassword = "as it is"\n')
    for mode, told in ((0o644, True), (0o600, False)):
        here.file.chmod(mode)
        ended = here.run("doctor", "--check", "configuration", SERVICENOW_PASSWORD="")
        assert ("other users may read the secrets in it" in ended.out) is told


def test_health_and_doctor_say_whether_1password_can_be_asked(here: Kept) -> None:
    here.op(f"printf {PASSWORD}")
    told = {check["name"]: check for check in here.run("health").document["checks"]}
    assert "secrets from 1Password as a signed-in user" in told["credentials"]["message"]
    assert told["servicenow.rights"]["status"] == "healthy"
    here.op(f"printf {PASSWORD}", "exit 1")
    told = {check["name"]: check for check in here.run("health").document["checks"]}
    assert told["credentials"]["status"] == "degraded"
    here.op("exit 1", "exit 1")
    told = {check["name"]: check for check in here.run("health", SERVICENOW_PASSWORD=PASSWORD).document["checks"]}
    assert told["credentials"]["status"] == "degraded"
    assert "The environment's value is used" in told["credentials"]["message"]
    assert told["servicenow.authentication"]["status"] == "healthy"
    ended = here.run("doctor", "--check", "configuration")
    (check,) = [one for one in ended.document["checks"] if one["name"] == "configuration.1password"]
    assert "op signin" in json.dumps(check)
