"""Site Manager's connector: a console's own API through the cloud (needs no key of the console's)."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import replace

from beast_dream_snow_loader.sandbox.estate.estate import Estate
from beast_dream_snow_loader.sandbox.messages import HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.unifi.console import PREFIX, ConsoleApp

LARGEST_ANSWER = 10 * 1024 * 1024
"""Bytes the connector passes on."""


class EstateConnector:
    """``squeezed`` packs bodies with gzip and does not say so, as the real one has been seen to do."""

    def __init__(self, estate: Estate, consoles: Mapping[str, ConsoleApp], *, squeezed: bool = False) -> None:
        self._estate = estate
        self._consoles = consoles
        self._squeezed = squeezed

    def answer(self, host_id: str, request: HttpRequest) -> HttpAnswer | tuple[int, str, str]:
        console = next((one for one in self._estate.consoles() if one.host_id == host_id), None)
        if console is None:
            return 404, "not_found", f"thing not found: {host_id}"
        if not console.owner or console.blocked:
            return 403, "forbidden", "insufficient permissions or not the owner of the host"
        if not console.reachable:
            return 408, "DeviceTimeout", "Device connection timeout"
        if not request.path.startswith(f"{PREFIX}/"):
            return 400, "parameter_invalid", "path is invalid"
        app = self._consoles.get(host_id)
        if app is None:
            return 404, "not_found", "application is not installed"
        return self._passed_on(app.trusted(request))

    def _passed_on(self, answer: HttpAnswer) -> HttpAnswer | tuple[int, str, str]:
        if len(answer.body) > LARGEST_ANSWER:
            return 500, "server_error", "failed to proxy request"
        return replace(answer, body=gzip.compress(answer.body, 1)) if self._squeezed else answer
