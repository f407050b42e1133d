"""Units that start snowload on time are whole, hardened, and mean what was asked, whatever stands in a path (R5.4)."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from beast_dream_snow_loader.cli.commands.schedule import Scheduler
from beast_dream_snow_loader.operations.scheduling.units import FORMS
from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.servicenow.config import ServiceNowSettings
from tests.conftest import Ended, Snowload
from tests.programs import program
from tests.scenarios.desk import OpenTown, keeps

ODD = "/etc/snow load/$HOME %n '\"\\ $(id) `id` ; # {{ 7*7 }} ü.toml"
PROGRAM = "/usr/bin/env"
"""Stands in for snowload where a program must be there."""


def printed(snowload: Snowload, form: str, *more: str) -> Ended:
    return snowload("schedule", "print", form, "--env", "production", *more)


def text(snowload: Snowload, form: str, *more: str) -> str:
    ended = printed(snowload, form, *more)
    assert ended.code == 0, ended.err
    return ended.out


def unit(snowload: Snowload, name: str, *more: str) -> str:
    return text(snowload, "systemd", "--health-every", "5m", *more, "--unit", f"snowload-production{name}")


def values(unit_text: str, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit_text, re.MULTILINE)


def systemd_words(line: str) -> list[str]:
    """As systemd.service(5) reads them: quotes, backslashes, %% and $$."""
    words = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', line)
    taken = [re.sub(r"\\(.)", r"\1", quoted) if quoted else bare for quoted, bare in words]
    assert not re.search(r"(?<!%)%(?:%%)*[^%]", line), "a specifier"
    assert not re.search(r"(?<!\$)\$(?:\$\$)*[^$]", line), "a variable"
    return [word.replace("%%", "%").replace("$$", "$") for word in taken]


def shell_words(line: str) -> list[str]:
    """As /bin/sh hands them to a program."""
    done = subprocess.run(["/bin/sh", "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True)
    return done.stdout.decode().split("\0")[:-1]


def cron_lines(crontab: str) -> list[str]:
    return [line for line in crontab.splitlines() if re.match(r"[*\d]", line)]


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [program("systemd-analyze"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def written(snowload: Snowload, folder: Path, *more: str) -> list[Path]:
    document = printed(snowload, "systemd", "--health-every", "5m", "--program", PROGRAM, "--json", *more).document
    folder.mkdir(exist_ok=True)
    for one in document["files"]:
        (folder / one["name"]).write_text(one["text"], "utf-8")
    return sorted(folder.iterdir())


def load_words(snowload: Snowload, form: str, config: str) -> list[str]:
    """The load as the scheduler would start it, read back out of the unit."""
    if form == "systemd":
        return systemd_words(values(unit(snowload, ".service", "--config", config), "ExecStart")[0])
    out = text(snowload, form, "--config", config)
    if form == "cron":
        return shell_words(cron_lines(out)[0].split(" ", 5)[5].replace("\\%", "%"))
    document = list(yaml.safe_load_all(out))[-1]
    if form == "k8s":
        command = container(document)["command"]
        return [word.replace("$$", "$") for word in command]
    return shell_words(document["jobs"]["load"]["steps"][-1]["run"].removeprefix("code=0; ").partition(" || ")[0])


def container(cron_job: dict[str, Any]) -> dict[str, Any]:
    return cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]


def options_of(words: Sequence[str]) -> list[str]:
    """From the verb on."""
    return list(words[list(words).index("load") :])


@pytest.mark.parametrize("form", FORMS)
def test_a_path_with_everything_in_it_arrives_as_it_is(snowload: Snowload, form: str) -> None:
    """S4: neither the unit's own reader nor a shell makes anything of it."""
    found = options_of(load_words(snowload, form, ODD))
    assert found == ["load", "--env", "production", "--config", ODD, "--quiet"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("odd", ["/etc/a\nExecStartPre=/bin/sh", "/etc/a\x1b[2J", "/etc/a\u202eb", "/etc/a\u2028b"])
def test_a_path_that_would_begin_a_line_of_its_own_is_refused(snowload: Snowload, form: str, odd: str) -> None:
    ended = printed(snowload, form, "--config", odd)
    assert (ended.code, ended.out) == (2, "")
    assert "cannot be printed" in ended.err
    assert odd not in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("systemd", "--user", "root\nUser=x"),
        ("cron", "--user", "a b"),
        ("k8s", "--user", "snowload"),
        ("k8s", "--image", "a\nb"),
        ("k8s", "--config", "relative.toml"),
        ("github-actions", "--user", "me"),
        ("github-actions", "--config", "${{ secrets.X }}"),
        ("github-actions", "--every", "1m"),
        ("github-actions", "--health-every", "5m"),
        ("systemd", "--secret", "A=b"),
        ("systemd", "--secret", "${{ x }}"),
        ("systemd", "--program", "/bin/sh -c 'id'"),
        ("systemd", "--program", "snowload"),
        ("systemd", "--every", "7h"),
        ("systemd", "--every", "soon"),
        ("systemd", "--at", "24:00"),
        ("systemd", "--at", "03:30", "--every", "6h"),
        ("systemd", "--unit", "other.service"),
        ("systemd", "--textfile", "relative.prom"),
        ("systemd", "--textfile", "/a b/c.prom"),
        ("k8s", "--textfile", "/var/lib/node_exporter/a.prom"),
        ("github-actions", "--textfile", "/var/lib/node_exporter/a.prom"),
    ],
    ids=" ".join,
)
def test_what_no_unit_can_say_is_refused_with_a_way_on(snowload: Snowload, arguments: tuple[str, ...]) -> None:
    ended = printed(snowload, *arguments)
    assert (ended.code, ended.out) == (2, ""), ended.out
    assert len(ended.err.splitlines()) == 2


def test_every_form_can_be_asked_for() -> None:
    assert {one.value for one in Scheduler} == set(FORMS)


def test_a_unit_that_leaves_metrics_may_write_where_they_go(snowload: Snowload) -> None:
    """R4.5."""
    file = "/var/lib/node_exporter/snowload.prom"
    for suffix in (".service", "-health.service"):
        service = unit(snowload, suffix, "--textfile", file)
        words = systemd_words(values(service, "ExecStart")[0])
        assert words[words.index("--textfile") + 1] == file
        assert values(service, "ReadWritePaths") == ["/var/lib/node_exporter"]
        assert values(unit(snowload, suffix), "ReadWritePaths") == []
    assert file in cron_lines(text(snowload, "cron", "--textfile", file))[0].split()


def test_without_an_environment_nothing_is_guessed(snowload: Snowload) -> None:
    """R7.1."""
    ended = snowload("schedule", "print", "cron")
    assert (ended.code, ended.out) == (6, "")


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("--user", "daemon"),
        ("--textfile", "/tmp/snowload.prom"),
        ("--at", "03:30"),
        ("--config", "/home/a b/%n$x.toml"),
    ],
)
def test_systemd_finds_nothing_wrong_with_its_units(snowload: Snowload, tmp_path: Path, more: tuple[str, ...]) -> None:
    files = written(snowload, tmp_path / "units", *more)
    assert len(files) == 4
    done = analyze("verify", "--man=no", *map(str, files))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_systemd_rates_the_services_as_well_guarded(snowload: Snowload, tmp_path: Path) -> None:
    """Exposure 3.0 of 10 at most; a unit without any of it has 9.6."""
    for file in written(snowload, tmp_path / "units"):
        if file.suffix == ".service":
            done = analyze("security", "--offline=yes", "--threshold=30", "--no-pager", str(file))
            assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_every_calendar_of_ours_is_one_to_systemd(snowload: Snowload) -> None:
    for cadence in (("--every", "1m"), ("--every", "15m"), ("--every", "1h"), ("--every", "1d"), ("--at", "23:05")):
        (found,) = values(unit(snowload, ".timer", *cadence), "OnCalendar")
        assert analyze("calendar", found).returncode == 0, found


def test_the_same_cadence_is_told_to_each_scheduler(snowload: Snowload) -> None:
    for cadence, cron in (("1m", "* * * * *"), ("15m", "*/15 * * * *"), ("1h", "17 * * * *"), ("1d", "17 3 * * *")):
        assert cron_lines(text(snowload, "cron", "--every", cadence))[0].startswith(f"{cron} ")
        (_, job) = yaml.safe_load_all(text(snowload, "k8s", "--every", cadence))
        assert job["spec"]["schedule"] == cron
    assert cron_lines(text(snowload, "cron", "--at", "23:05"))[0].startswith("5 23 * * * ")


def test_the_service_keeps_its_state_private_and_gets_secrets_from_systemd_alone(snowload: Snowload) -> None:
    """S9, R5.4."""
    service = unit(snowload, ".service", "--secret", "SERVICENOW_API_KEY")
    assert values(service, "StateDirectoryMode") == ["0700"]
    assert values(service, "LoadCredential") == ["servicenow_api_key:/etc/snowload/secrets/SERVICENOW_API_KEY"]
    assert "SERVICENOW_API_KEY=systemd:servicenow_api_key" in values(service, "Environment")
    assert values(service, "SuccessExitStatus") == ["8"]
    assert int(values(service, "TimeoutStopSec")[0]) > ServiceNowSettings().total_timeout_seconds
    timer = unit(snowload, ".timer")
    assert (values(timer, "Persistent"), bool(values(timer, "RandomizedDelaySec"))) == (["true"], True)


def test_a_program_below_a_home_is_still_seen_by_its_service(snowload: Snowload) -> None:
    at_home = unit(snowload, ".service", "--program", "/home/me/.local/bin/snowload")
    elsewhere = unit(snowload, ".service", "--program", "/usr/bin/snowload", "--config", "/etc/a.toml")
    assert (values(at_home, "ProtectHome"), values(elsewhere, "ProtectHome")) == (["read-only"], ["yes"])


def test_a_crontab_names_path_and_mail_and_the_user_only_where_there_is_a_field_for_one(snowload: Snowload) -> None:
    mine, systems = text(snowload, "cron"), text(snowload, "cron", "--user", "snow", "--health-every", "5m")
    assert "\nPATH=" in mine
    assert "\nMAILTO=" not in mine
    assert "\nMAILTO=snow\n" in systems
    assert [line.split()[5] for line in cron_lines(systems)] == ["snow", "snow"]
    assert "load" in cron_lines(mine)[0].split()


def test_a_cron_job_of_kubernetes_may_do_next_to_nothing_and_runs_once_at_a_time(snowload: Snowload) -> None:
    claim, load, health = yaml.safe_load_all(text(snowload, "k8s", "--health-every", "5m", "--user", "2000"))
    assert (claim["kind"], load["kind"], health["kind"]) == ("PersistentVolumeClaim", "CronJob", "CronJob")
    assert load["spec"]["concurrencyPolicy"] == "Forbid"
    pod = load["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == 2000
    assert (pod["securityContext"]["runAsNonRoot"], pod["automountServiceAccountToken"]) == (True, False)
    assert pod["terminationGracePeriodSeconds"] > ServiceNowSettings().total_timeout_seconds
    guarded = container(load)["securityContext"]
    assert (guarded["readOnlyRootFilesystem"], guarded["allowPrivilegeEscalation"]) == (True, False)
    assert guarded["capabilities"]["drop"] == ["ALL"]
    assert container(load)["resources"]["limits"]["memory"]
    mounts = {one["name"]: one["mountPath"] for one in container(load)["volumeMounts"]}
    variables = {one["name"]: one["value"] for one in container(load)["env"]}
    assert set(mounts) == {one["name"] for one in pod["volumes"]}
    assert variables["UNIFI_API_KEY"].startswith(f"file:{mounts['secrets']}/")
    assert variables["SNOWLOAD_STATE_DIR"].startswith(mounts["state"])
    (secret,) = [one["secret"] for one in pod["volumes"] if "secret" in one]
    assert secret["defaultMode"] == 0o440


def test_a_workflow_reads_only_runs_alone_and_keeps_its_state_in_a_database(snowload: Snowload) -> None:
    flow = yaml.safe_load(text(snowload, "github-actions"))
    assert flow["permissions"] == {"contents": "read"}
    assert flow["concurrency"] == {"group": "snowload-production", "cancel-in-progress": False}
    steps = flow["jobs"]["load"]["steps"]
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", one["uses"]) for one in steps if "uses" in one)
    assert steps[-1]["env"]["SNOWLOAD_STATE_URL"] == "${{ secrets.SNOWLOAD_STATE_URL }}"
    assert not [one for one in steps[:-2] if "env" in one], "a step that needs no secret has one"


@pytest.mark.parametrize(("code", "ends"), [(0, 0), (8, 0), (3, 3), (7, 7)])
def test_a_workflow_ends_as_the_load_did_and_queued_is_no_failure(
    snowload: Snowload, tmp_path: Path, code: int, ends: int
) -> None:
    run = yaml.safe_load(text(snowload, "github-actions"))["jobs"]["load"]["steps"][-1]["run"]
    program = tmp_path / "bin" / "snowload"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nexit {code}\n")
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    assert subprocess.run(["/bin/bash", "-e", "-c", run], env={"PATH": path}, check=False).returncode == ends


@pytest.mark.parametrize("form", FORMS)
def test_the_command_in_the_unit_is_a_load_that_works(town: OpenTown, tmp_path: Path, form: str) -> None:
    here = town(Estate.generate(seed=3, sites=1, devices=3))
    folder = tmp_path / "a $b %c"
    folder.mkdir()
    (folder / "production.toml").write_text("[clients]\nmode = 'off'\n")
    ended = here.run(*options_of(load_words(here.run, form, str(folder / "production.toml"))))
    assert (ended.code, ended.out) == (0, ""), ended.err
    assert here.writes() > 0


@pytest.mark.parametrize("form", FORMS)
def test_the_document_holds_the_same_files_and_keeps_to_its_schema(snowload: Snowload, form: str) -> None:
    ended = printed(snowload, form, "--json")
    keeps(ended.document)
    out = text(snowload, form)
    assert all(one["text"] in out for one in ended.document["files"])
    keeps(printed(snowload, form, "--every", "7h", "--json").document)


def test_what_is_printed_without_options_starts_this_very_program(snowload: Snowload) -> None:
    words = shlex.split(values(unit(snowload, ".service"), "ExecStart")[0])
    assert Path(words[0]).parent == Path(sys.executable).parent
