"""Secret references, resolved: ``op://``, ``env:``, ``file:``, ``systemd:``, ``cmd:``, ``keyring:``; anything else is
the secret itself. Nothing that was read is ever shown, nor the arguments of a command."""

from __future__ import annotations

import shlex
import threading
import unicodedata
from collections.abc import Callable, Collection, Mapping
from importlib import import_module

from beast_dream_snow_loader.errors import CircuitBreakerOpen, ConfigurationError
from beast_dream_snow_loader.operations.children import Printed, TooMuch, environment_of_a_child, printed_by
from beast_dream_snow_loader.operations.one_password import OnePassword
from beast_dream_snow_loader.operations.secret_files import Unsafe, credential_of_systemd, secret_in
from beast_dream_snow_loader.redaction import Secret

TIMEOUT_SECONDS = 15.0
LONGEST = 8192
"""Characters. Some tokens are long; a whole file or page is no secret."""
_OP = "op://"


def kept_by(reference: str) -> str:
    """How a secret is kept: ``op``, ``env``, ``file``, …, or ``setting`` when it is no reference."""
    scheme = reference.partition(":")[0]
    return "op" if reference.startswith(_OP) else scheme if scheme in _SCHEMES else "setting"


def variable_behind(reference: str) -> str:
    """The environment variable that an ``env:`` reference names; empty for any other."""
    scheme, _, name = reference.partition(":")
    return name if scheme == "env" else ""


class Resolver:
    """Reads each reference once, however many settings have it, and a failure once too. Thread-safe.

    ``private`` names variables that hold secrets: no child gets them.
    """

    def __init__(self, environ: Mapping[str, str], private: Collection[str] = ()) -> None:
        self.environ, self._private = environ, private
        self.one_password = OnePassword(environ, private, seconds=TIMEOUT_SECONDS)
        self._lock = threading.Lock()
        self._read: dict[str, Secret | _Unread] = {}

    def read(self, reference: str, *, setting: str) -> Secret:
        """The secret behind a reference. ConfigurationError names the setting, and what stands in the way."""
        with self._lock:
            if reference not in self._read:
                self._read[reference] = self._first_read(reference)
            found = self._read[reference]
        if isinstance(found, Secret):
            return found
        raise ConfigurationError(
            f"The secret of {setting} does not resolve: {found.why}.",
            next_step=f"Mend the reference in {setting}, then run: snowload doctor --check configuration.secrets",
        )

    def child_environment(self) -> dict[str, str]:
        """For a command that is not 1Password's own."""
        return environment_of_a_child(self.environ, private=self._private)

    def _first_read(self, reference: str) -> Secret | _Unread:
        scheme, _, rest = reference.partition(":")
        try:
            if reference.startswith(_OP):
                return _sound(_from_1password(reference, self.one_password))
            read = _SCHEMES.get(scheme)
            return _sound(read(rest, self)) if read else _sound(reference)
        except _Unread as why:
            return why


class _Unread(Exception):
    """Why a secret could not be read, in words that show nothing of it."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def _sound(value: str) -> Secret:
    """A login with a line end or an escape in it fails later and worse, or writes a header of its own.

    A command that prints twice, or a greeting besides, gives itself away by its line ends.
    """
    if not value:
        raise _Unread("it is empty")
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in value):
        raise _Unread(
            "what was read has more than one line, or a control character in it, and is no password, key or token"
        )
    if len(value) > LONGEST:
        raise _Unread(f"what was read is longer than {LONGEST} characters, and is no password, key or token")
    return Secret(value)


def _variable(name: str, resolver: Resolver) -> str:
    return _found(resolver.environ.get(name, ""), f"the environment variable {name} is not set")


def _file(name: str, _resolver: Resolver) -> str:
    try:
        return _found(secret_in(name), f"the file {name} is empty")
    except Unsafe as error:
        raise _Unread(str(error)) from None
    except (OSError, ValueError):
        raise _Unread(f"the file {name} cannot be read") from None


def _systemd(name: str, resolver: Resolver) -> str:
    try:
        return _found(credential_of_systemd(name, resolver.environ), f"systemd's credential {name} is empty")
    except Unsafe as error:
        raise _Unread(str(error)) from None
    except (OSError, ValueError):
        raise _Unread(
            f"systemd passed no credential {name}: add LoadCredential={name}:/path or LoadCredentialEncrypted= to the "
            "unit"
        ) from None


def _command(line: str, resolver: Resolver) -> str:
    try:
        command = shlex.split(line)
    except ValueError:
        raise _Unread("its command has a quote that is not closed") from None
    if not command:
        raise _Unread("its command is empty")
    name = command[0]
    ended = _told(name, lambda: printed_by(command, resolver.child_environment(), seconds=TIMEOUT_SECONDS))
    if ended.code != 0:
        raise _Unread(f"{name} failed with code {ended.code}")
    return _text(name, ended)


def _from_1password(reference: str, one_password: OnePassword) -> str:
    ended = _told("op", lambda: one_password.read(reference))
    if ended.code != 0:
        raise _Unread(one_password.why_not(ended.code))
    return _text("op", ended)


def _told(name: str, run: Callable[[], Printed]) -> Printed:
    """What keeps a command from answering, in words."""
    try:
        return run()
    except CircuitBreakerOpen as error:
        raise _Unread(error.message.removesuffix(".")) from None
    except FileNotFoundError:
        raise _Unread(f"the command {name} is not installed") from None
    except TimeoutError:
        raise _Unread(f"{name} did not answer within {TIMEOUT_SECONDS:.0f} s") from None
    except TooMuch:
        raise _Unread(f"{name} prints more than a secret") from None
    except PermissionError as error:
        raise _Unread(f"{name} cannot be started" if error.errno else str(error)) from None
    except (OSError, ValueError):
        raise _Unread(f"{name} cannot be started") from None


def _text(name: str, ended: Printed) -> str:
    try:
        return _found(ended.out.decode("utf-8").rstrip("\r\n"), f"{name} gave nothing")
    except UnicodeDecodeError:
        raise _Unread(f"{name} writes no text") from None


def _keyring(entry: str, _resolver: Resolver) -> str:
    """``service/user`` in the desktop's key store, by the optional package keyring."""
    service, slash, user = entry.rpartition("/")
    if not slash:
        raise _Unread("a keyring reference is written keyring:service/user")
    try:
        keyring = import_module("keyring")
    except ImportError:
        raise _Unread("the package keyring is not installed (pip install 'beast-dream-snow-loader[keyring]')") from None
    try:
        value = keyring.get_password(service, user)
    except keyring.errors.KeyringError:
        raise _Unread("this machine has no key store that can be opened") from None
    return _found(value or "", f"the key store has no entry {entry}")


def _found(value: str, otherwise: str) -> str:
    if not value:
        raise _Unread(otherwise)
    return value


_SCHEMES: Mapping[str, Callable[[str, Resolver], str]] = {
    "env": _variable,
    "file": _file,
    "systemd": _systemd,
    "cmd": _command,
    "keyring": _keyring,
}
