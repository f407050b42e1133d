"""Refusals: what looks like a fault of the source is not acted upon."""

from __future__ import annotations

from beast_dream_snow_loader.core.known import KnownState
from beast_dream_snow_loader.core.observed import Snapshot
from beast_dream_snow_loader.errors import EmptySource


def refuse_empty_source(snapshot: Snapshot, known: KnownState) -> None:
    """Raises EmptySource when UniFi shows no device at all."""
    devices = sum(1 for key in known.items if key.record == "device")
    if snapshot.devices:
        return
    if not devices:
        raise EmptySource(
            "UniFi shows no device at all. Nothing was written.",
            next_step="Check the UniFi account's rights and its sites with: snowload health",
        )
    raise EmptySource(
        f"UniFi shows no device at all on {len(snapshot.consoles)} consoles; {devices} are known from earlier loads. "
        "Nothing was written.",
        next_step="Check the UniFi account's rights and its sites with: snowload health",
    )
