"""Secret references: resolved late, once, and never shown (R5.1, R5.3)."""

from __future__ import annotations

import copy
import os
import pickle
import select
import stat
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from beast_dream_snow_loader.errors import ConfigurationError
from beast_dream_snow_loader.operations.children import printed_by
from beast_dream_snow_loader.operations.circuit_breaker import BreakerRegistry, install
from beast_dream_snow_loader.operations.credentials import Resolver
from beast_dream_snow_loader.operations.one_password import OnePassword
from beast_dream_snow_loader.redaction import Secret

CANARY = "s3cret-canary"
FIELD = "op://vault/item/field"


@pytest.fixture(autouse=True)
def _breakers_of_this_test_alone() -> None:
    install(BreakerRegistry())


def command(folder: Path, name: str, script: str) -> dict[str, str]:
    """An environment in which ``name`` is this script."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(stat.S_IRWXU)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "OP_SERVICE_ACCOUNT_TOKEN": "ops_vault-key"}


def op(folder: Path, reading: str, whoami: str = "exit 0") -> dict[str, str]:
    """1Password's command: what it does when it is asked to read, and who it says is signed in."""
    count = f'echo "$1" >> "{folder}/calls"'
    return command(folder, "op", f'{count}\ncase "$1" in\nread) {reading} ;;\nwhoami) {whoami} ;;\nesac')


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().split()


def secret(folder: Path, text: str = f"{CANARY}\n", mode: int = 0o600) -> Path:
    file = folder / "secret"
    file.write_text(text)
    file.chmod(mode)
    return file


def read(reference: str, environ: Mapping[str, str]) -> str:
    return Resolver(environ).read(reference, setting="servicenow.password").reveal()


def refused(reference: str, environ: Mapping[str, str]) -> str:
    with pytest.raises(ConfigurationError) as error:
        read(reference, environ)
    text = f"{error.value}{error.value.__cause__}{'' if error.value.__suppress_context__ else error.value.__context__}"
    assert "servicenow.password" in text
    assert "snowload doctor" in error.value.next_step
    assert CANARY not in text
    return text


def test_a_literal_is_itself() -> None:
    assert read(CANARY, {}) == CANARY


def test_a_variable_a_file_and_a_credential_of_systemd_are_read_without_the_last_line_end(tmp_path: Path) -> None:
    file = secret(tmp_path)
    assert read("env:MINE", {"MINE": CANARY}) == CANARY
    assert read(f"file:{file}", {}) == CANARY
    assert read("systemd:secret", {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == CANARY


@pytest.mark.parametrize("name", ["../secret", "..", "", "/etc/hostname", "none"])
def test_a_credential_of_systemd_is_a_name_within_its_directory(tmp_path: Path, name: str) -> None:
    (tmp_path / "given").mkdir()
    secret(tmp_path)
    assert "LoadCredential" in refused(f"systemd:{name}", {"CREDENTIALS_DIRECTORY": str(tmp_path / "given")})
    assert "LoadCredential" in refused("systemd:secret", {})


@pytest.mark.parametrize(
    ("mode", "fix"), [(0o644, "may read"), (0o604, "may read"), (0o620, "may change"), (0o602, "")]
)
def test_a_file_that_others_may_read_or_change_is_refused_with_the_command_that_mends_it(
    tmp_path: Path, mode: int, fix: str
) -> None:
    file = secret(tmp_path, mode=mode)
    told = refused(f"file:{file}", {})
    assert fix in told
    assert f"chmod 600 {file}" in told


def test_a_link_to_a_secret_is_judged_by_what_it_points_to(tmp_path: Path) -> None:
    file = secret(tmp_path)
    (tmp_path / "link").symlink_to(file)
    assert read(f"file:{tmp_path / 'link'}", {}) == CANARY
    file.chmod(0o644)
    assert "chmod 600" in refused(f"file:{tmp_path / 'link'}", {})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_secret_in_another_users_file_is_refused(tmp_path: Path) -> None:
    file = secret(tmp_path)
    os.chown(file, 12345, -1)
    assert "belongs to user 12345" in refused(f"file:{file}", {})


def test_a_command_is_run_without_a_shell_and_without_the_key_to_the_vault(tmp_path: Path) -> None:
    environ = command(tmp_path, "give", f'printf "%s|%s|%s" "{CANARY}" "$1" "$OP_SERVICE_ACCOUNT_TOKEN"')
    assert read("cmd:give '$(id); true *'", environ) == f"{CANARY}|$(id); true *|"


def test_1password_is_asked_by_its_own_command(tmp_path: Path) -> None:
    environ = command(tmp_path, "op", 'printf "%s %s %s|%s" "$1" "$2" "$3" "$OP_SERVICE_ACCOUNT_TOKEN"')
    assert read(FIELD, environ) == f"read --no-newline {FIELD}|ops_vault-key"


def test_no_child_gets_a_secret_that_is_not_its_own(tmp_path: Path) -> None:
    environ = command(tmp_path, "give", f'env > "{tmp_path}/seen"; printf x1234')
    command(tmp_path, "op", f'env > "{tmp_path}/seen-by-op"; printf y1234')
    mine = {"SERVICENOW_PASSWORD": CANARY, "UNIFI_API_KEY": CANARY, "SNOWLOAD_SERVICENOW__API_KEY": CANARY}
    elsewhere = {"REFERRED_TO": f"{CANARY}-2", "HELD": f"{CANARY}-3", "OP_SESSION_me": f"{CANARY}-4", "KEPT": "plain"}
    held = Secret(elsewhere["HELD"])
    resolver = Resolver({**environ, **mine, **elsewhere}, private={"REFERRED_TO"})
    for reference in ("cmd:give", FIELD):
        resolver.read(reference, setting="x")
    seen, by_op = (tmp_path / "seen").read_text(), (tmp_path / "seen-by-op").read_text()
    assert held
    assert (CANARY in seen, "ops_vault-key" in seen, "KEPT=plain" in seen) == (False, False, True)
    assert "ops_vault-key" in by_op
    assert by_op.count(CANARY) == 1  # OP_SESSION_me, which is how a person is signed in


def test_each_reference_is_read_once_however_many_settings_have_it_and_so_is_one_that_fails(tmp_path: Path) -> None:
    resolver = Resolver(op(tmp_path, f"printf {CANARY}"))
    assert {resolver.read(FIELD, setting=name).reveal() for name in "abc"} == {CANARY}
    assert calls(tmp_path) == ["read"]
    (tmp_path / "calls").unlink()
    failing = Resolver(op(tmp_path, "exit 1"))
    for name in ("servicenow.password", "servicenow.api_key"):
        with pytest.raises(ConfigurationError, match=name):
            failing.read(FIELD, setting=name)
    assert calls(tmp_path) == ["read", "whoami"]


@pytest.mark.parametrize(
    ("says", "told"),
    [
        (f"echo {CANARY}; echo {CANARY} >&2; exit 3", "code 3"),
        (f"printf '{CANARY}\\n{CANARY}\\n'", "more than one line"),
        (f"printf '\\033[32m{CANARY}\\033[0m'", "control character"),
        (f"printf '{CANARY}\\r\\nX-Admin: 1'", "more than one line"),
        (f"printf '{CANARY}\\000'", "control character"),
        (f"printf '{CANARY}\\377'", "no text"),
        ("printf ''", "gave nothing"),
        (f"while :; do echo {CANARY}; done", "prints more than a secret"),
        (f"printf '{CANARY}%09000d' 1", "longer than"),
    ],
)
def test_what_is_no_secret_is_refused_in_words_that_show_nothing_of_it(tmp_path: Path, says: str, told: str) -> None:
    """S11: it fails, prints twice, prints escapes, a header, half a character, nothing, for ever."""
    assert told in refused(FIELD, op(tmp_path, says))


def test_a_wrong_value_is_taken_as_it_is_for_only_the_login_can_tell(tmp_path: Path) -> None:
    assert read(FIELD, op(tmp_path, "printf wrong-but-whole")) == "wrong-but-whole"


def test_a_command_that_hangs_is_ended_with_all_it_started_and_waited_for_no_longer(tmp_path: Path) -> None:
    """S11. The grandchild holds the pipe open: whoever waits for its end waits for a minute."""
    os.mkfifo(tmp_path / "held")
    held = os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)
    environ = command(tmp_path, "hang", f'exec 3> "{tmp_path}/held"; sleep 60 & wait')
    with pytest.raises(TimeoutError):
        printed_by([str(tmp_path / "hang")], environ, seconds=1)
    assert select.select([held], [], [], 20)[0], "somebody still holds it open"
    assert os.read(held, 1) == b""
    os.close(held)


def test_a_command_that_left_its_process_group_is_ended_and_waited_for_no_longer(tmp_path: Path) -> None:
    """S11. Ending the group reaches nobody then."""
    left = f"import os, time; os.setpgid(0, {os.getpgid(0)}); os.mkfifo('{tmp_path}/left'); time.sleep(60)"
    environ = command(tmp_path, "leave", f'exec "{sys.executable}" -c "{left}"')
    before = time.monotonic()
    with pytest.raises(TimeoutError):
        printed_by([str(tmp_path / "leave")], environ, seconds=2)
    assert (tmp_path / "left").exists()
    assert time.monotonic() - before < 30


@pytest.mark.parametrize(
    ("whoami", "given", "told"),
    [
        ("exit 1", {"OP_SERVICE_ACCOUNT_TOKEN": ""}, "nobody is signed in to op: run op signin"),
        ("exit 1", {}, "OP_SERVICE_ACCOUNT_TOKEN is not accepted"),
        ("exit 0", {}, "no such vault, item or field, or a service account may not read it"),
        ("exit 0", {"OP_CONNECT_HOST": "h", "OP_CONNECT_TOKEN": "t"}, "or a Connect server may not read it"),
    ],
)
def test_a_read_that_fails_says_whether_anybody_is_signed_in(
    tmp_path: Path, whoami: str, given: dict[str, str], told: str
) -> None:
    assert told in refused(FIELD, {**op(tmp_path, "exit 1", whoami), **given})


def test_how_1password_is_set_up_is_looked_at(tmp_path: Path) -> None:
    environ = op(tmp_path, "exit 0")
    assert OnePassword(environ, (), seconds=5).warning() == ""
    assert OnePassword({**environ, "OP_SERVICE_ACCOUNT_TOKEN": CANARY}, (), seconds=5).warning().endswith("with ops_")
    both = OnePassword({**environ, "OP_CONNECT_HOST": "h", "OP_CONNECT_TOKEN": "t"}, (), seconds=5)
    assert "go before OP_SERVICE_ACCOUNT_TOKEN" in both.warning()
    assert "not installed" in OnePassword({"PATH": str(tmp_path / "none")}, (), seconds=5).unusable()


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777])
@pytest.mark.parametrize("place", ["real/op", "real", "linked"])
def test_a_command_that_others_could_put_in_its_place_does_not_get_the_key_to_the_vault(
    tmp_path: Path, place: str, mode: int
) -> None:
    environ = _linked(tmp_path)
    assert read(FIELD, environ) == CANARY
    (tmp_path / place).chmod(mode)
    assert f"chmod go-w {tmp_path / place}" in refused(FIELD, environ)
    assert calls(tmp_path / "real") == ["read"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("place", ["real/op", "real", "linked"])
def test_a_command_of_another_user_does_not_get_the_key_to_the_vault(tmp_path: Path, place: str) -> None:
    environ = _linked(tmp_path)
    os.chown(tmp_path / place, 12345, -1)
    assert f"{tmp_path / place} belongs to user 12345" in refused(FIELD, environ)
    assert not (tmp_path / "real" / "calls").exists()


def _linked(folder: Path) -> dict[str, str]:
    """An environment that finds ``op`` by a link in another directory than its own."""
    for name in ("real", "linked"):
        (folder / name).mkdir(mode=0o700)
    environ = op(folder / "real", f"printf {CANARY}")
    (folder / "linked" / "op").symlink_to(folder / "real" / "op")
    return {**environ, "PATH": f"{folder / 'linked'}{os.pathsep}{os.environ['PATH']}"}


def test_a_command_that_prints_for_ever_when_it_is_asked_who_is_signed_in_is_told(tmp_path: Path) -> None:
    environ = op(tmp_path, "exit 1", "while :; do echo x; done")
    assert "op prints more than an answer" in refused(FIELD, environ)


def test_a_command_that_is_missing_waits_for_input_or_says_nothing_is_named(tmp_path: Path) -> None:
    environ = command(tmp_path, "ask", "read line; exit 0")
    assert "gave nothing" in refused("cmd:ask", environ)
    assert "not installed" in refused("cmd:no-such-command --password " + CANARY, environ)
    assert "empty" in refused("cmd:", environ)
    assert "quote" in refused(f"cmd:give '{CANARY}", environ)


def test_what_is_not_there_is_named_but_not_shown(tmp_path: Path) -> None:
    assert "MISSING is not set" in refused("env:MISSING", {})
    assert "cannot be read" in refused(f"file:{tmp_path / 'none'}", {})
    assert "cannot be read" in refused("file:/dev/zero", {})
    assert "cannot be read" in refused("file:~nobody-of-that-name/secret", {})
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    assert "cannot be read" in refused(f"file:{tmp_path / 'circle'}", {})
    assert "keyring" in refused("keyring:snowload/me", {})


def test_a_key_store_is_asked_by_service_and_user_and_one_that_is_shut_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package of that name stands in for the optional one, which needs a desktop."""
    (tmp_path / "keyring").mkdir()
    (tmp_path / "keyring" / "errors.py").write_text("class KeyringError(Exception): ...\n")
    (tmp_path / "keyring" / "__init__.py").write_text(
        "from keyring import errors\n"
        "def get_password(service, user):\n"
        "    if service == 'shut': raise errors.KeyringError('secret words')\n"
        f"    return {CANARY!r} if (service, user) == ('snow/load', 'me') else None\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("keyring", "keyring.errors"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert read("keyring:snow/load/me", {}) == CANARY
    assert "no entry" in refused("keyring:snow/load/you", {})
    assert "no key store that can be opened" in refused("keyring:shut/me", {})
    assert "service/user" in refused("keyring:alone", {})


def test_a_secret_does_not_travel_by_accident() -> None:
    held = Secret(CANARY)
    assert CANARY not in f"{held}{held!r}{held!s}{held:>40}{[held]}{ {'x': held} }" + "%s" % held  # noqa: UP031
    for travel in (pickle.dumps, copy.copy, copy.deepcopy, hash, lambda one: one == CANARY, lambda one: one != CANARY):
        with pytest.raises(TypeError):
            travel(held)
