"""What growing an estate yields, before it becomes mutable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from beast_dream_snow_loader.sandbox.estate.things import EstateClient, EstateConsole, EstateDevice, EstateSite


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    consoles: Sequence[EstateConsole] = ()
    sites: Sequence[EstateSite] = ()
    devices: Sequence[EstateDevice] = ()
    clients: Sequence[EstateClient] = ()
