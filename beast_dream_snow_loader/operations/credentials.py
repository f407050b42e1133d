"""Secret references, resolved: ``op://``, ``env:``, ``file:``, ``cmd:``, ``keyring:``; anything else is the secret
itself. Nothing that was read is ever shown, nor the arguments of a command."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from beast_dream_snow_loader.errors import CircuitBreakerOpen, ConfigurationError
from beast_dream_snow_loader.operations.circuit_breaker import get_breaker
from beast_dream_snow_loader.redaction import Secret

TIMEOUT_SECONDS = 15.0
ONE_PASSWORD = "op"
"""1Password's command, and its breaker's name."""
_OP_ONLY = frozenset({"OP_SERVICE_ACCOUNT_TOKEN", "OP_CONNECT_TOKEN"})
"""What opens the whole vault goes to 1Password's own command and to no other."""


def resolve(reference: str, environ: Mapping[str, str], *, setting: str) -> Secret:
    """The secret behind a reference. ConfigurationError names the setting, and what stands in the way."""
    scheme, _, rest = reference.partition(":")
    if reference.startswith("op://"):
        return _output([ONE_PASSWORD, "read", "--no-newline", reference], environ, setting)
    read = _SCHEMES.get(scheme)
    return read(rest, environ, setting) if read else Secret(reference)


def kept_by(reference: str) -> str:
    """How a secret is kept: ``op``, ``env``, ``file``, ``cmd``, ``keyring``, or ``setting`` when it is no reference."""
    scheme = reference.partition(":")[0]
    return "op" if reference.startswith("op://") else scheme if scheme in _SCHEMES else "setting"


def _variable(name: str, environ: Mapping[str, str], setting: str) -> Secret:
    return _found(environ.get(name, ""), setting, f"the environment variable {name} is not set")


def _file(name: str, _environ: Mapping[str, str], setting: str) -> Secret:
    try:
        text = Path(name).expanduser().read_text(encoding="utf-8")
    except (OSError, ValueError):
        raise _unresolved(setting, f"the file {name} cannot be read") from None
    return _found(text.rstrip("\r\n"), setting, f"the file {name} is empty")


def _command(line: str, environ: Mapping[str, str], setting: str) -> Secret:
    try:
        command = shlex.split(line)
    except ValueError:
        raise _unresolved(setting, "its command has a quote that is not closed") from None
    if not command:
        raise _unresolved(setting, "its command is empty")
    return _output(command, {name: value for name, value in environ.items() if name not in _OP_ONLY}, setting)


def _output(command: list[str], environ: Mapping[str, str], setting: str) -> Secret:
    """No shell, no input, a time limit."""
    name = command[0]
    try:
        done = _run(command, environ)
    except CircuitBreakerOpen as error:
        raise _unresolved(setting, error.message.removesuffix(".")) from None
    except FileNotFoundError:
        raise _unresolved(setting, f"the command {name} is not installed") from None
    except subprocess.TimeoutExpired:
        raise _unresolved(setting, f"{name} did not answer within {TIMEOUT_SECONDS:.0f} s") from None
    except (OSError, ValueError):
        raise _unresolved(setting, f"{name} cannot be started or writes no text") from None
    if done.returncode != 0:
        raise _unresolved(setting, f"{name} failed with code {done.returncode}; is it signed in?")
    return _found(done.stdout.rstrip("\r\n"), setting, f"{name} gave nothing")


def _run(command: list[str], environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """1Password has a breaker: one that hangs costs its time limit only so often. What it says no to is no failure."""

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
            encoding="utf-8",
            timeout=TIMEOUT_SECONDS,
            check=False,
        )

    if command[0] != ONE_PASSWORD:
        return run()
    return get_breaker(ONE_PASSWORD).call(run, "op read", failures=subprocess.TimeoutExpired)


def _keyring(entry: str, _environ: Mapping[str, str], setting: str) -> Secret:
    """``service/user`` in the desktop's key store, by the optional package keyring."""
    service, slash, user = entry.rpartition("/")
    if not slash:
        raise _unresolved(setting, "a keyring reference is written keyring:service/user")
    try:
        keyring = import_module("keyring")
    except ImportError:
        raise _unresolved(setting, "the package keyring is not installed (pip install keyring)") from None
    try:
        value = keyring.get_password(service, user)
    except keyring.errors.KeyringError:
        raise _unresolved(setting, "this machine has no key store that can be opened") from None
    return _found(value or "", setting, f"the key store has no entry {entry}")


_SCHEMES: Mapping[str, Callable[[str, Mapping[str, str], str], Secret]] = {
    "env": _variable,
    "file": _file,
    "cmd": _command,
    "keyring": _keyring,
}


def _found(value: str, setting: str, otherwise: str) -> Secret:
    if not value:
        raise _unresolved(setting, otherwise)
    return Secret(value)


def _unresolved(setting: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"The secret of {setting} does not resolve: {why}.",
        next_step=f"Mend the reference in {setting}, then run: snowload config check",
    )
