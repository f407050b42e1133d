"""The controller API: ``/api/…`` below the flavour's prefix. Errors may come with HTTP 200."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import orjson

from beast_dream_snow_loader.sandbox.messages import HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.unifi.answers import Json, legacy, legacy_error, text_answer

_YEAR_IN_HOURS = 8760
_EMPTY = frozenset(("rest/dpiapp", "rest/dpigroup", "rest/portforward", "rest/wlanconf", "rest/tag", "stat/rogueap"))
"""Configuration the estate has none of, which client libraries ask for at start."""


class ControllerContent(Protocol):
    """What the API has to show; sites go by their short name."""

    def site_rows(self) -> Sequence[Json]: ...

    def has_site(self, name: str) -> bool: ...

    def system(self) -> Json: ...

    def device_rows(self, site: str) -> Sequence[Json]: ...

    def basic_rows(self, site: str) -> Sequence[Json]: ...

    def station_rows(self, site: str) -> Sequence[Json]: ...

    def known_rows(self, site: str, within_hours: int) -> Sequence[Json]:
        """Clients seen in the last so many hours; 0: all ever known."""

    def network_rows(self, site: str) -> Sequence[Json]: ...


class ControllerApi:
    """Answers requests that are already let in. ``path`` is without the flavour's prefix."""

    def __init__(self, content: ControllerContent) -> None:
        self._content = content

    def answer(self, request: HttpRequest, path: str) -> HttpAnswer:
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "self"] and parts[2:] in (["sites"], []):
            return legacy(self._content.site_rows() if parts[2:] else [{"name": "sandbox", "is_super": False}])
        if parts[:3] == ["api", "stat", "sites"]:
            return legacy(self._content.site_rows())
        if parts[:2] != ["api", "s"] or len(parts) < 4:
            return text_answer("<html><body>404 Not Found</body></html>", 404)
        if not self._content.has_site(parts[2]):
            return legacy_error("api.err.NoSiteContext", 401)
        return self._site_page(request, parts[2], "/".join(parts[3:]))

    def _site_page(self, request: HttpRequest, site: str, page: str) -> HttpAnswer:
        lists: dict[str, Callable[[], Sequence[Json]]] = {
            "self": lambda: [{"name": "sandbox", "site_name": site, "is_super": False}],
            "stat/sysinfo": lambda: [self._content.system()],
            "stat/device": lambda: _chosen(request, self._content.device_rows(site)),
            "stat/device-basic": lambda: self._content.basic_rows(site),
            "stat/sta": lambda: self._content.station_rows(site),
            "rest/user": lambda: self._content.known_rows(site, 0),
            "list/user": lambda: self._content.known_rows(site, 0),
            "stat/alluser": lambda: self._content.known_rows(site, _hours(request.body)),
            "rest/networkconf": lambda: self._content.network_rows(site),
        }
        if page in lists or page in _EMPTY:
            return legacy(lists[page]() if page in lists else [])
        return self._single(site, page)

    def _single(self, site: str, page: str) -> HttpAnswer:
        kind, _, mac = page.rpartition("/")
        rows: dict[str, Callable[[], Sequence[Json]]] = {
            "stat/device": lambda: self._content.device_rows(site),
            "stat/user": lambda: self._content.known_rows(site, 0),
        }
        if kind == "stat/sta":
            return legacy_error("api.err.InvalidArgument", 400)
        if kind not in rows:
            return legacy_error("api.err.NotFound", 404)
        found = [row for row in rows[kind]() if row.get("mac") == mac]
        return legacy(found) if found else legacy_error("api.err.UnknownStation")


def _chosen(request: HttpRequest, rows: Sequence[Json]) -> Sequence[Json]:
    """POST ``{"macs": […]}`` asks for some."""
    wanted = _sent(request.body).get("macs") if request.method == "POST" else None
    return [row for row in rows if row.get("mac") in wanted] if isinstance(wanted, list) else rows


def _hours(body: bytes) -> int:
    within = _sent(body).get("within", _YEAR_IN_HOURS)
    return within if isinstance(within, int) and within > 0 else _YEAR_IN_HOURS


def _sent(body: bytes) -> Json:
    try:
        sent = orjson.loads(body)
    except ValueError:
        return {}
    return sent if isinstance(sent, dict) else {}
