"""The base URL of a ServiceNow instance from the forms people write."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from beast_dream_snow_loader.errors import ConfigurationError

_NAME = re.compile(r"[a-z0-9-]+\Z", re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9_.:-]+\Z", re.IGNORECASE)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def instance_url(text: str) -> str:
    """``dev12345``, ``dev12345.service-now.com`` or a URL → ``https://dev12345.service-now.com``.

    ConfigurationError for anything else, and for plain http to an address that is not loopback.
    """
    text = text.strip().rstrip("/")
    if _NAME.match(text) and text.lower() != "localhost":
        return f"https://{text.lower()}.service-now.com"
    parts = urlsplit(text if "://" in text else f"https://{text}")
    host_is_one = bool(_HOST.match(parts.hostname or ""))
    if parts.scheme not in ("http", "https") or not host_is_one or parts.username or parts.query or parts.fragment:
        raise ConfigurationError(
            "servicenow.instance is no ServiceNow address.",
            next_step="Write dev12345, dev12345.service-now.com or https://host in SERVICENOW_INSTANCE.",
        )
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ConfigurationError(
            f"servicenow.instance uses plain http to {parts.hostname}: credentials would travel unencrypted.",
            next_step="Use https; plain http is for loopback addresses only.",
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def is_loopback(host: str) -> bool:
    return host.lower() in _LOOPBACK or bool(re.match(r"127(\.\d{1,3}){3}\Z", host))
