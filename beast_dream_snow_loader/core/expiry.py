"""When a token ends, where it says so itself."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime

_PARTS = 3


def expiry_of(token: str) -> datetime | None:
    """The ``exp`` of a JSON Web Token (RFC 7519), which is not verified here; None for every other secret."""
    parts = token.split(".")
    if len(parts) != _PARTS:
        return None
    try:
        told = json.loads(base64.b64decode(parts[1] + "=" * (-len(parts[1]) % 4), altchars=b"-_", validate=True))
        return datetime.fromtimestamp(float(told["exp"]), UTC)
    except (binascii.Error, ValueError, TypeError, KeyError, OverflowError, OSError):
        return None
