"""Secret references: resolved late, never shown."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from beast_dream_snow_loader.errors import ConfigurationError
from beast_dream_snow_loader.operations.credentials import resolve

CANARY = "s3cret-canary"


def command(folder: Path, name: str, script: str) -> dict[str, str]:
    """An environment in which ``name`` is this script."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "OP_SERVICE_ACCOUNT_TOKEN": "vault-key"}


def refused(reference: str, environ: dict[str, str]) -> str:
    with pytest.raises(ConfigurationError) as error:
        resolve(reference, environ, setting="servicenow.password")
    text = (
        f"{error.value}{error.value.__cause__}{error.value.__context__ if not error.value.__suppress_context__ else ''}"
    )
    assert "servicenow.password" in text
    assert CANARY not in text
    return text


def test_a_literal_is_itself() -> None:
    assert resolve(CANARY, {}, setting="x").reveal() == CANARY


def test_a_variable_and_a_file_are_read_without_the_last_line_end(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{CANARY}\n")
    assert resolve("env:MINE", {"MINE": CANARY}, setting="x").reveal() == CANARY
    assert resolve(f"file:{tmp_path / 'secret'}", {}, setting="x").reveal() == CANARY


def test_a_command_is_run_without_a_shell_and_without_the_key_to_the_vault(tmp_path: Path) -> None:
    environ = command(tmp_path, "give", f'printf "%s|%s|%s" "{CANARY}" "$1" "$OP_SERVICE_ACCOUNT_TOKEN"')
    assert resolve("cmd:give '$(id); rm *'", environ, setting="x").reveal() == f"{CANARY}|$(id); rm *|"


def test_1password_is_asked_by_its_own_command(tmp_path: Path) -> None:
    environ = command(tmp_path, "op", 'printf "%s %s %s|%s" "$1" "$2" "$3" "$OP_SERVICE_ACCOUNT_TOKEN"')
    found = resolve("op://vault/item/field", environ, setting="x").reveal()
    assert found == "read --no-newline op://vault/item/field|vault-key"


def test_a_command_that_fails_tells_its_code_and_nothing_it_said(tmp_path: Path) -> None:
    environ = command(tmp_path, "op", f"echo {CANARY}; echo {CANARY} >&2; exit 3")
    assert "code 3" in refused("op://vault/item/field", environ)


def test_a_command_that_is_missing_waits_for_input_or_says_nothing_is_named(tmp_path: Path) -> None:
    environ = command(tmp_path, "ask", "read line; exit 0")
    assert "gave nothing" in refused("cmd:ask", environ)
    assert "not installed" in refused("cmd:no-such-command --password " + CANARY, environ)
    assert "empty" in refused("cmd:", environ)
    assert "quote" in refused(f"cmd:give '{CANARY}", environ)


def test_what_is_not_there_is_named_but_not_shown(tmp_path: Path) -> None:
    assert "MISSING is not set" in refused("env:MISSING", {})
    assert "cannot be read" in refused(f"file:{tmp_path / 'none'}", {})
    assert "keyring" in refused("keyring:snowload/me", {})
