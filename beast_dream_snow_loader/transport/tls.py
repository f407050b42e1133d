"""Whom to believe: the ``verify_tls`` setting as a value, and the TLS context made from it."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from pathlib import Path

from beast_dream_snow_loader.errors import ConfigurationError

_PREFIX = "fingerprint:"
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """``pin`` is the SHA-256 of the one certificate to accept (64 lower-case hex digits); ``ca_file`` replaces the
    system's authorities; ``checked`` False believes anybody.
    """

    checked: bool = True
    ca_file: Path | None = None
    pin: str = ""


def trust(setting: bool | str, service: str) -> Trust:
    """Read True, False, a CA file or ``fingerprint:<sha256>``, with or without colons. ConfigurationError otherwise."""
    if isinstance(setting, bool):
        return Trust(checked=setting)
    if setting.lower().startswith(_PREFIX):
        return Trust(pin=_pin(setting[len(_PREFIX) :], service))
    if (file := _file(setting)) is None:
        raise ConfigurationError(
            f"verify_tls of {service} names the file {setting}, which does not exist.",
            next_step="Give true, a PEM file of certificate authorities, or fingerprint:<sha256>.",
        )
    return Trust(ca_file=file)


def _file(setting: str) -> Path | None:
    """None also for what no file can be called: the home of nobody, a loop of links, a name that is too long."""
    try:
        path = Path(setting).expanduser()
        return path if path.is_file() else None
    except (OSError, RuntimeError):
        return None


def _pin(text: str, service: str) -> str:
    pin = text.replace(":", "").replace(" ", "").lower()
    if not _SHA256.fullmatch(pin):
        raise ConfigurationError(
            f"verify_tls of {service} is not a SHA-256 fingerprint: 64 hexadecimal digits are needed.",
            next_step="Show it with: openssl x509 -noout -fingerprint -sha256 -in certificate.pem",
        )
    return pin


def context(chosen: Trust) -> ssl.SSLContext:
    """TLS 1.2 or later. A pinned certificate is compared after the handshake, so nothing else is checked in it."""
    if chosen.pin or not chosen.checked:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif chosen.ca_file:
        made = _with_authorities(chosen.ca_file)
    else:
        import truststore

        made = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made


def _with_authorities(file: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=file)
    except ssl.SSLError:
        raise ConfigurationError(
            f"{file} holds no PEM certificates.", next_step="Name a file of certificate authorities in PEM form."
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be read: {error.strerror or 'an error of the machine'}.",
            next_step="Give the user that runs snowload the right to read that file of certificate authorities.",
        ) from None
