"""1Password's command ``op``, the canonical source of secrets: whether it can be used, and one secret from it.

Facts about ``op``: a Connect server (``OP_CONNECT_HOST``, ``OP_CONNECT_TOKEN``) goes before a service account
(``OP_SERVICE_ACCOUNT_TOKEN``), and that before a signed-in user (1Password's documentation of service accounts).
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Collection, Mapping
from pathlib import Path

from beast_dream_snow_loader.operations.children import Printed, TooMuch, environment_of_a_child, printed_by
from beast_dream_snow_loader.operations.circuit_breaker import get_breaker

ONE_PASSWORD = "op"
"""The command, and its breaker's name."""
_SERVER = "a Connect server"
_TOKEN, _CONNECT = "OP_SERVICE_ACCOUNT_TOKEN", ("OP_CONNECT_HOST", "OP_CONNECT_TOKEN")


class OnePassword:
    """``op`` as the environment has it. Nothing it prints is ever shown, only how it ended."""

    def __init__(self, environ: Mapping[str, str], private: Collection[str], *, seconds: float) -> None:
        self._environ, self._private, self._seconds = environ, private, seconds

    def account(self) -> str:
        """As whom it will read."""
        if all(self._environ.get(name) for name in _CONNECT):
            return _SERVER
        return "a service account" if self._environ.get(_TOKEN) else "a signed-in user"

    def warning(self) -> str:
        """What surprises people in how it is set up; empty where nothing does."""
        if self._environ.get(_TOKEN) and all(self._environ.get(name) for name in _CONNECT):
            return f"{' and '.join(_CONNECT)} go before {_TOKEN}, which is not used: unset one of the two"
        if self._environ.get(_TOKEN, "ops_").startswith("ops_"):
            return ""
        return f"{_TOKEN} is no token of a service account: those begin with ops_"

    def unusable(self) -> str:
        """Why it cannot be used, empty when it can: not installed, not safe to run, not signed in."""
        asked = ("--version",) if self.account() == _SERVER else ("whoami",)  # a Connect server knows nobody
        try:
            ended = self._run(*asked)
        except FileNotFoundError:
            return "1Password's command op is not installed, or not in PATH"
        except PermissionError as error:
            return "op cannot be started" if error.errno else str(error)
        except TooMuch:
            return "op prints more than an answer"
        except OSError:
            return f"op did not answer within {self._seconds:.0f} s"
        return "" if ended.code == 0 else self._signed_out()

    def read(self, reference: str) -> Printed:
        """One secret. Raises what :func:`~.children.printed_by` raises, PermissionError for an ``op`` that others may
        change, CircuitBreakerOpen after it hung too often. What it says no to is no failure of the breaker's."""

        def reading() -> Printed:
            return self._run("read", "--no-newline", reference)

        return get_breaker(ONE_PASSWORD).call(reading, "op read", failures=TimeoutError)

    def why_not(self, code: int) -> str:
        """After a read that ended with ``code``: it costs one more call to know whether anybody is signed in."""
        return self.unusable() or (
            f"op failed with code {code}: there is no such vault, item or field, or {self.account()} may not read it"
        )

    def _signed_out(self) -> str:
        ways: Mapping[str, str] = {
            _SERVER: "the Connect server does not take OP_CONNECT_TOKEN, or cannot be reached",
            "a service account": f"{_TOKEN} is not accepted: it has expired, was revoked, or is cut short",
        }
        return ways.get(
            self.account(), f"nobody is signed in to op: run op signin, or give a service account's {_TOKEN}"
        )

    def _run(self, *arguments: str) -> Printed:
        environ = environment_of_a_child(self._environ, private=self._private, vault=True)
        return printed_by([_found(self._environ), *arguments], environ, seconds=self._seconds)


def _found(environ: Mapping[str, str]) -> str:
    """The command's absolute path. It gets the key to the vault: nobody else may be able to put another in its place.

    FileNotFoundError when there is none in PATH; PermissionError saying what to mend."""
    there = shutil.which(ONE_PASSWORD, path=environ.get("PATH", os.defpath))
    if there is None:
        raise FileNotFoundError
    file = Path(there).resolve()
    for one in (file, file.parent, Path(there).absolute().parent):
        _refuse(one)
    return str(file)


def _refuse(one: Path) -> None:
    """Whoever may write into a directory may replace what is in it; the group is others too."""
    if not hasattr(os, "geteuid"):
        return
    found = one.stat()
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(f"others may change {one}: run chmod go-w {one}, and look whether op is still op")
    if found.st_uid not in (0, os.geteuid()):
        raise PermissionError(
            f"{one} belongs to user {found.st_uid}: install op as root, or as the user that runs snowload"
        )
