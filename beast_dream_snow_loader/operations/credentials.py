"""Secret references, resolved: ``op://``, ``env:``, ``file:``, ``cmd:``; anything else is the secret itself."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from beast_dream_snow_loader.errors import ConfigurationError
from beast_dream_snow_loader.redaction import Secret

TIMEOUT_SECONDS = 15.0


def resolve(reference: str, environ: Mapping[str, str], *, setting: str) -> Secret:
    """The secret behind a reference. Raises ConfigurationError naming the setting; never shows what was read."""
    scheme, _, rest = reference.partition(":")
    if reference.startswith("op://"):
        return _output(["op", "read", "--no-newline", reference], setting)
    if scheme == "env":
        return _found(environ.get(rest, ""), setting, f"environment variable {rest} is not set")
    if scheme == "file":
        return _file(Path(rest), setting)
    if scheme == "cmd":
        return _output(shlex.split(rest), setting)
    return Secret(reference)


def _file(path: Path, setting: str) -> Secret:
    try:
        text = path.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise _unresolved(setting, f"file {path} cannot be read") from None
    return _found(text.rstrip("\r\n"), setting, f"file {path} is empty")


def _output(command: list[str], setting: str) -> Secret:
    """No shell, no input, a time limit; neither output nor arguments appear in an error."""
    name = command[0] if command else "an empty command"
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
    except (OSError, ValueError):
        raise _unresolved(setting, f"{name} cannot be started") from None
    except subprocess.TimeoutExpired:
        raise _unresolved(setting, f"{name} did not answer within {TIMEOUT_SECONDS:.0f} s") from None
    if done.returncode != 0:
        raise _unresolved(setting, f"{name} failed with code {done.returncode}; is it signed in?")
    return _found(done.stdout.rstrip("\r\n"), setting, f"{name} gave nothing")


def _found(value: str, setting: str, otherwise: str) -> Secret:
    if not value:
        raise _unresolved(setting, otherwise)
    return Secret(value)


def _unresolved(setting: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"The secret of {setting} does not resolve: {why}.", next_step="Check the reference.")
