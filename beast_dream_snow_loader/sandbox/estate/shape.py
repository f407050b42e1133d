"""How big an estate is to be, and how its devices are spread."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """``devices`` counts every adopted Network device, gateways included; ``cameras``, ``neighbours`` (unadopted
    devices in sight) and ``other_hosts`` (a recorder, a self-hosted server's ghost, a blocked console) come on top.

    ``awkward`` is the share of devices with awkward names, missing addresses or odd states.
    """

    seed: int = 1
    sites: int = 10
    devices: int = 2000
    clients: int = 0
    consoles: int = 0
    cameras: int = 0
    neighbours: int = 0
    other_hosts: bool = False
    awkward: float = 0.02

    def __post_init__(self) -> None:
        if self.sites < 1 or self.devices < self.sites:
            raise ValueError(f"{self.devices} devices are too few for {self.sites} sites: each needs its gateway")
        if self.consoles > self.sites:
            raise ValueError(f"{self.consoles} consoles need at least as many sites, not {self.sites}")

    @property
    def console_count(self) -> int:
        """As asked, or one console for every five sites."""
        return self.consoles or -(-self.sites // 5)

    def share(self, total: int, number: int) -> int:
        """How many of ``total`` go to site ``number``: equal parts, the first sites take the remainder."""
        return total // self.sites + (number < total % self.sites)
