"""The parts of the instance's API that fail by themselves: each has a breaker of its own."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from beast_dream_snow_loader.transport.messages import Request

_PATHS: Mapping[str, str] = {
    "/api/now/table/": "table",
    "/api/now/identifyreconcile": "ire",
    "/api/now/v1/batch": "batch",
    "/api/now/stats/": "stats",
    "/api/now/cmdb/meta/": "meta",
    "/api/now/cmdb/instance/": "instance",
}
_OTHER = "other"

FAMILIES = (*_PATHS.values(), _OTHER)


def family_of(request: Request) -> str:
    """One of :data:`FAMILIES`. A batch of many requests is one request to the Batch API."""
    path = urlsplit(request.url).path
    return next((family for start, family in _PATHS.items() if path.startswith(start)), _OTHER)
