"""The statuses the transport acts upon by itself. What any other means is for the one who asked to say."""

from __future__ import annotations

THROTTLED = 429
UNAVAILABLE = 503
FAULTS = frozenset({500, 502, UNAVAILABLE, 504})
"""The server or something before it is in trouble. 501 and 505 are answers: they would be the same again."""
