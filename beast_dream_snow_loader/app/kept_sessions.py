"""UniFi sessions between runs, sealed with the password they were opened with (docs/decisions/)."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from beast_dream_snow_loader.app.private_files import write_file
from beast_dream_snow_loader.clock import Clock, parse_rfc3339, rfc3339
from beast_dream_snow_loader.errors import StateError
from beast_dream_snow_loader.state.private_files import private_directory
from beast_dream_snow_loader.unifi.config import ConsoleSettings

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

KEPT_FOR = timedelta(hours=12)
_SALT = 16
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**14, 8, 5
"""What OWASP asks for at 16 MB: a fifth of a second for us, once or twice per console and run."""


class KeptSessions:
    """A file per console in ``directory``, mode 0600: a salt, then the session, readable only with the account's
    password. What does not open, is too old or belongs to another account is not there. Thread-safe.
    """

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock

    def kept(self, console: ConsoleSettings) -> Mapping[str, str]:
        """The headers that carry the session; empty when none is kept."""
        from cryptography.fernet import InvalidToken

        try:
            sealed = self._file(console).read_bytes()
            value = orjson.loads(_seal(console, sealed[:_SALT]).decrypt(sealed[_SALT:]))
            young = self._clock.now() - parse_rfc3339(value["kept_at"]) <= KEPT_FOR
            return value["headers"] if young and value["for"] == _whose(console) else {}
        except (OSError, ValueError, KeyError, TypeError, InvalidToken):
            return {}

    def keep(self, console: ConsoleSettings, headers: Mapping[str, str]) -> bool:
        """False when it cannot be kept: the session is then to be given back."""
        value = {"for": _whose(console), "kept_at": rfc3339(self._clock.now()), "headers": dict(headers)}
        salt = os.urandom(_SALT)
        try:
            private_directory(self._directory)
            write_file(self._file(console), salt + _seal(console, salt).encrypt(orjson.dumps(value)))
        except (StateError, OSError):
            return False
        return True

    def forget(self, console: ConsoleSettings) -> None:
        """One that cannot be removed is refused by the console again."""
        with suppress(OSError):
            self._file(console).unlink(missing_ok=True)

    def _file(self, console: ConsoleSettings) -> Path:
        return self._directory / hashlib.sha256(console.url.encode()).hexdigest()[:32]


def _whose(console: ConsoleSettings) -> list[str]:
    return [console.url, console.username or ""]


def _seal(console: ConsoleSettings, salt: bytes) -> Fernet:
    """Imported where it is needed: it takes its time."""
    from cryptography.fernet import Fernet

    password = console.password.reveal() if console.password is not None else ""
    key = hashlib.scrypt(password.encode(), salt=salt, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P, dklen=32)
    return Fernet(base64.urlsafe_b64encode(key))
