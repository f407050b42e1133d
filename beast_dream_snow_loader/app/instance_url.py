"""The base URL of a ServiceNow instance from the forms people write."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from beast_dream_snow_loader.errors import ConfigurationError

_NAME = re.compile(r"[a-z0-9-]+\Z", re.IGNORECASE)
_HOST = re.compile(r"(?!\.)[a-z0-9_.:-]+\Z", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def instance_url(text: str) -> str:
    """``dev12345``, ``dev12345.service-now.com`` or a URL → ``https://dev12345.service-now.com``. Equal addresses come
    out equal, for the target of runs, locks and memory is named by it.

    ConfigurationError for anything else, and for plain http to an address that is not loopback.
    """
    text = text.strip().rstrip("/")
    if _NAME.match(text) and text.lower() != "localhost":
        return f"https://{text.lower()}.service-now.com"
    parts = _parts(text if "://" in text else f"https://{text}")
    if parts is None:
        raise ConfigurationError(
            "servicenow.instance is no ServiceNow address.",
            next_step="Write dev12345, dev12345.service-now.com or https://host in SERVICENOW_INSTANCE.",
        )
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ConfigurationError(
            f"servicenow.instance uses plain http to {parts.hostname}: credentials would travel unencrypted.",
            next_step="Use https; plain http is for loopback addresses only.",
        )
    return f"{parts.scheme}://{_place(parts)}{parts.path}"


def _parts(url: str) -> SplitResult | None:
    """None for what cannot be an instance. A port that is no number is seen when it is asked for."""
    try:
        parts = urlsplit(url)
        host_is_one = bool(_HOST.match(parts.hostname or "")) and parts.port != 0
    except ValueError:
        return None
    good = parts.scheme in _PORTS and host_is_one and not (parts.username or parts.query or parts.fragment)
    return parts if good else None


def _place(parts: SplitResult) -> str:
    """The host in lower case, without the root's dot; the port where it is not the usual one."""
    host = (parts.hostname or "").removesuffix(".")
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in (None, _PORTS[parts.scheme]) else f"{host}:{parts.port}"


def is_loopback(host: str) -> bool:
    return host.lower() in _LOOPBACK or bool(re.match(r"127(\.\d{1,3}){3}\Z", host))
