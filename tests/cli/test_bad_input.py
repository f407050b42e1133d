"""Bad input: a clear message with the next step, and its exit code."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from tests.cli.logins import CREDENTIALS
from tests.conftest import Snowload
from tests.scenarios.in_process import InProcess


@pytest.fixture
def snowload(tmp_path: Path) -> Snowload:
    return InProcess(tmp_path)


@pytest.fixture
def process(tmp_path: Path) -> Snowload:
    """A real one, which has printed nothing before."""
    return Snowload(tmp_path)


@pytest.mark.parametrize("command", ["load", "validate", "health", "doctor", "report", "replay-queue"])
def test_no_environment_named_is_refused_with_guidance_and_nothing_is_guessed(snowload: Snowload, command: str) -> None:
    """R7.1."""
    ended = snowload(command)
    assert ended.code == (3 if command == "health" else 6)
    assert "--env" in ended.err
    assert "BEAST_ENVIRONMENT" in ended.err


def test_an_unknown_environment_is_refused_with_the_names_there_are(snowload: Snowload) -> None:
    ended = snowload("load", "--env", "prod")
    assert ended.code == 6
    assert "production" in ended.err


def test_no_credentials_at_all_names_the_variables_to_set(snowload: Snowload) -> None:
    ended = snowload("load", "--env", "testing")
    assert ended.code == 6
    assert "SERVICENOW_INSTANCE" in ended.err
    assert "UNIFI_API_KEY" in ended.err


def test_an_instance_without_a_login_names_the_ways_to_log_in(snowload: Snowload) -> None:
    given = {k: v for k, v in CREDENTIALS.items() if "USER" not in k and "PASS" not in k}
    ended = snowload("load", "--env", "testing", **given)
    assert ended.code == 6
    assert "SERVICENOW_CLIENT_ID" in ended.err
    assert "SERVICENOW_API_KEY" in ended.err


def test_an_unreachable_host_is_named_and_the_exit_code_says_unavailable(snowload: Snowload) -> None:
    ended = snowload("load", "--env", "testing", **CREDENTIALS)
    assert ended.code == 5
    assert "127.0.0.1" in ended.err
    assert "snowload health" in ended.err


def test_malformed_toml_is_reported_with_file_and_line(snowload: Snowload, tmp_path: Path) -> None:
    file = tmp_path / "broken.toml"
    file.write_text("[servicenow\ninstance = 'x'\n")
    ended = snowload("load", "--env", "testing", "--config", str(file))
    assert ended.code == 6
    assert "broken.toml" in ended.err
    assert "line 1" in ended.err


def test_the_client_mode_has_one_place_in_the_settings(snowload: Snowload, tmp_path: Path) -> None:
    file = tmp_path / "two.toml"
    file.write_text('[clients]\nmode = "off"\n[mapping]\nclients_mode = "create"\n')
    ended = snowload("config", "check", "--env", "testing", "--config", str(file), **CREDENTIALS)
    assert (ended.code, "clients.mode" in ended.err) == (6, True)


def test_a_misspelt_variable_is_reported_with_the_nearest_name(snowload: Snowload) -> None:
    ended = snowload("load", "--env", "testing", SNOWLOAD_SERVICENOW__INSTANSE="dev1", **CREDENTIALS)
    assert ended.code == 6
    assert "SNOWLOAD_SERVICENOW__INSTANCE" in ended.err


def test_a_misspelt_key_in_a_file_is_reported_with_the_nearest_name_and_the_file(
    snowload: Snowload, tmp_path: Path
) -> None:
    file = tmp_path / "odd.toml"
    file.write_text("[servicenow]\nusernam = 'x'\n")
    ended = snowload("config", "check", "--env", "testing", "--config", str(file))
    assert ended.code == 6
    assert "servicenow.username" in ended.err
    assert "odd.toml" in ended.err


def test_every_problem_is_reported_at_once(snowload: Snowload, tmp_path: Path) -> None:
    """R7.5."""
    file = tmp_path / "many.toml"
    file.write_text("[servicenow]\nusernam = 'x'\nbatch_size = 0\n[clients]\nmode = 'maybe'\n")
    ended = snowload("config", "check", "--env", "testing", "--config", str(file), SNOWLOAD_FOO__BAR="1")
    assert ended.code == 6
    for name in ("servicenow.usernam", "servicenow.batch_size", "clients.mode", "SNOWLOAD_FOO__BAR"):
        assert name in ended.err


def test_problems_of_every_layer_and_table_are_reported_at_once_each_with_its_source(
    snowload: Snowload, tmp_path: Path
) -> None:
    """R7.5: also where one variable or one file does not even parse."""
    file = tmp_path / "many.toml"
    file.write_text('[mapping]\ngateway_class = "toaster"\n[bindings]\n"switch one" = "x"\n[retry]\nmax_attempts = 0\n')
    given = {"SNOWLOAD_QUEUE__MAX_ATTEMPTS": "1", "SERVICENOW_DATA_SOURCE": "SG-UniFi"}
    ended = snowload("config", "check", "--env", "testing", "--config", str(file), **given)
    assert ended.code == 6
    for told in (
        "queue.max_attempts (environment variable SNOWLOAD_QUEUE__MAX_ATTEMPTS): ",
        "servicenow.data_source (environment variable SERVICENOW_DATA_SOURCE): ",
        f"retry.max_attempts ({file}): ",
        "gateway_class",
        "switch one",
    ):
        assert told in ended.err, ended.err
    file.write_text("[servicenow\n")
    ended = snowload(
        "config", "check", "--env", "testing", "--config", str(file), SNOWLOAD_UNIFI__CONSOLES="[", **given
    )
    assert ended.code == 6
    for told in ("many.toml", "line 1", "unifi", "servicenow.data_source"):
        assert told in ended.err, ended.err


MANY = """
[servicenow]
mode = "sometimes"
concurrency = 99
batch_size = "many"
total_timeout_seconds = inf
[unifi]
stale_max_age = "soon"
[retire]
missing_reads = 1.5
[features]
links = "perhaps"
[circuit_breaker]
slow_call_seconds = nan
[circuit_breaker.servicenow.ire]
failure_rate = 3
[circuit_breaker.servicenow.nope]
failure_threshold = 1
[nonsense]
one = 1
"""


def test_each_problem_of_the_settings_names_its_key_its_source_and_what_was_expected(
    snowload: Snowload, tmp_path: Path
) -> None:
    """R7.5: all of them in one go, those of logins too, and in no library's words."""
    file = tmp_path / "many.toml"
    file.write_text(MANY)
    given = {
        "UNIFI_VERIFY_TLS": "maybe",
        "SNOWLOAD_STATE_URL": "mysql://db",
        "SNOWLOAD_UNIFI__CONSOLES": "[{",
        "SNOWLOAD_RETRY__MAX_DELAY_SECONDS": "inf",
        "SERVICENOW_INSTANCE": "http://example.com",
    }
    ended = snowload("config", "check", "--env", "testing", "--config", str(file), "--json", **given)
    told = ended.document["error"]["problems"]
    variable = "environment variable"
    for key, source, expected in (
        ("servicenow.mode", file, "'normal' or 'read-only'"),
        ("servicenow.concurrency", file, "4 at most"),
        ("servicenow.batch_size", file, "a whole number"),
        ("servicenow.total_timeout_seconds", file, "a finite number"),
        ("unifi.stale_max_age", file, "7d"),
        ("retire.missing_reads", file, "a whole number"),
        ("features.links", file, "true or false"),
        ("circuit_breaker.slow_call_seconds", file, "a finite number"),
        ("circuit_breaker.servicenow.ire.failure_rate", file, "1.0 at most"),
        ("circuit_breaker.servicenow.nope", file, "there is no circuit breaker"),
        ("nonsense", file, "unknown setting"),
        ("unifi.verify_tls", f"{variable} UNIFI_VERIFY_TLS", "fingerprint:<sha256>"),
        ("state.url", f"{variable} SNOWLOAD_STATE_URL", "postgresql+psycopg://"),
        ("retry.max_delay_seconds", f"{variable} SNOWLOAD_RETRY__MAX_DELAY_SECONDS", "a finite number"),
        ("servicenow.instance", f"{variable} SERVICENOW_INSTANCE", "https"),
    ):
        assert [one for one in told if one.startswith(f"{key} ({source}): ") and expected in one], (key, told)
    assert [
        one for one in told if one.startswith(f"unifi.consoles ({variable} SNOWLOAD_UNIFI__CONSOLES): expected JSON")
    ]
    assert [one for one in told if "no ServiceNow login" in one]
    assert (ended.code, len(told)) == (6, len(set(told)))
    assert not [one for one in told if "Input should" in one or "Value error" in one]


def test_the_schema_of_the_settings_takes_the_starter_file_and_refuses_what_the_command_refuses(
    snowload: Snowload,
) -> None:
    """R7.5."""
    schema = json.loads(snowload("config", "schema").out)
    starter = tomllib.loads(snowload("config", "init").out)
    jsonschema.validate(starter, schema)
    for wrong in ({"retry": {"max_attempts": 0}}, {"clients": {"mode": "maybe"}}, {"servicenow": {"usernam": "x"}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


def test_plain_http_to_another_machine_is_refused(snowload: Snowload) -> None:
    ended = snowload("load", "--env", "testing", **{**CREDENTIALS, "SERVICENOW_INSTANCE": "http://192.0.2.1"})
    assert ended.code == 6
    assert "plain http" in ended.err


def test_a_failed_command_still_prints_one_json_document(snowload: Snowload) -> None:
    ended = snowload("load", "--env", "testing", "--json", **CREDENTIALS)
    assert ended.code == 5
    assert ended.document["schema"] == "snowload.load/1"
    assert ended.document["exit_code"] == 5
    assert ended.document["error"]["message"]


@pytest.mark.parametrize("command", ["load", "validate", "health", "doctor", "report"])
def test_no_failure_shows_a_secret_or_a_traceback(snowload: Snowload, command: str) -> None:
    """R5.3."""
    ended = snowload(command, "--env", "testing", **CREDENTIALS)
    for text in (ended.out, ended.err):
        assert "canary" not in text
        assert "Traceback" not in text


def test_a_truncated_payload_is_named_with_its_file(snowload: Snowload, tmp_path: Path) -> None:
    file = tmp_path / "stat_device.json"
    file.write_text('{"meta": {"rc": "ok"}, "data": [{"mac": "00:00:5e:00:53:')
    ended = snowload("validate", "--env", "testing", "--input", str(file))
    assert ended.code == 3
    assert "stat_device.json" in ended.err


@pytest.mark.parametrize(
    "arguments", [("load", "--nope"), ("load", "--workers", "0"), ("runs", "list", "--limit", "0")]
)
def test_arguments_that_do_not_parse_give_a_document_too(process: Snowload, arguments: tuple[str, ...]) -> None:
    ended = process(*arguments, "--json")
    assert (ended.code, ended.document["exit_code"]) == (2, 2)
    assert ended.err


def test_arguments_that_health_does_not_take_are_unknown_to_a_monitor_and_not_unhealthy(process: Snowload) -> None:
    ended = process("health", "--nope", "--json")
    assert (ended.code, ended.document["exit_code"]) == (3, 3)
    assert "--nope" in ended.err
