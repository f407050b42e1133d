"""One short text for all we want a CI to hold, to see at a glance that nothing changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from beast_dream_snow_loader.core.identity import Fingerprint

TIMESTAMPS = frozenset({"last_discovered", "first_discovered"})
"""Different on every run; never a reason to write."""


def canonical(values: Mapping[str, str]) -> str:
    """The values without timestamps and without empty ones, in one spelling whatever their order."""
    kept = {element: value for element, value in values.items() if value and element not in TIMESTAMPS}
    return json.dumps(kept, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def fingerprint(values: Mapping[str, str]) -> Fingerprint:
    """SHA-256 of the canonical form, 64 hex digits. Give it ``ConfigItem.values``."""
    return Fingerprint(hashlib.sha256(canonical(values).encode("ascii")).hexdigest())


def of_ci(values: Mapping[str, str], *, created_by_us: bool) -> Fingerprint:
    """Of what we want a CI to hold. No name is ours on a CI of others, and which one it has is seen only when read."""
    return fingerprint(values if created_by_us else {e: value for e, value in values.items() if e != "name"})
