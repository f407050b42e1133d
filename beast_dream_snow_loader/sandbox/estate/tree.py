"""Growing one site's devices as a tree under its gateway: every other device has exactly one uplink."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from beast_dream_snow_loader.sandbox.estate.identifiers import device_mac
from beast_dream_snow_loader.sandbox.estate.models import Kind, codes_of, model_of
from beast_dream_snow_loader.sandbox.estate.names import awkward_name, device_name, site_prefix
from beast_dream_snow_loader.sandbox.estate.things import EstateDevice, EstateSite

_SWITCH_SHARE = 0.28
_LEAVES = (
    (Kind.ACCESS_POINT, 0.90),
    (Kind.PDU, 0.03),
    (Kind.UPS, 0.02),
    (Kind.PLUG, 0.02),
    (Kind.BRIDGE, 0.01),
    (Kind.MODEM, 0.01),
    (Kind.RPS, 0.01),
)
_LEAF_KINDS = tuple(kind for kind, _ in _LEAVES)
_LEAF_WEIGHTS = tuple(weight for _, weight in _LEAVES)
_MESH_SHARE = 0.06
_YEAR = 365 * 86400


@dataclass(slots=True)
class _Parent:
    mac: str
    free: int
    used: int = 0

    def take(self) -> int:
        """The next port, from 1."""
        self.used += 1
        self.free -= 1
        return self.used


@dataclass(slots=True)
class Tree:
    """Devices of one site, in order of planting. ``numbers`` gives each device of the estate its own number."""

    site: EstateSite
    seed: int
    awkward: float
    numbers: Iterator[int]
    random: Random
    _open: deque[_Parent] = field(default_factory=deque)
    _points: list[str] = field(default_factory=list)
    _root: str = ""
    _planted: int = 0
    _odd: int = 0

    def grow(self, gateway: EstateDevice, others: int) -> Iterator[EstateDevice]:
        """The gateway, then ``others`` devices under it."""
        self._root = gateway.mac
        self._open.append(_Parent(mac=gateway.mac, free=max(1, gateway.model.ports - 2)))
        yield gateway
        switches = min(others, max(1, round(others * _SWITCH_SHARE))) if others else 0
        for _ in range(switches):
            yield self._switch()
        for _ in range(others - switches):
            yield self._leaf()

    def _switch(self) -> EstateDevice:
        device = self._plant(self.random.choice(codes_of(Kind.SWITCH)), *self._wire())
        self._open.append(_Parent(mac=device.mac, free=device.model.ports - 1))
        return device

    def _leaf(self) -> EstateDevice:
        kind = self.random.choices(_LEAF_KINDS, _LEAF_WEIGHTS)[0]
        code = self.random.choice(codes_of(kind))
        if self._points and (kind is Kind.PLUG or (kind is Kind.ACCESS_POINT and self.random.random() < _MESH_SHARE)):
            return self._plant(code, self.random.choice(self._points[-20:]), 0, wireless=True)
        device = self._plant(code, *self._wire())
        if kind is Kind.ACCESS_POINT:
            self._points.append(device.mac)
        return device

    def _wire(self) -> tuple[str, int]:
        """A parent with a free port, in turn, and that port; the gateway without a port when all are full."""
        while self._open and not self._open[0].free:
            self._open.popleft()
        if not self._open:
            return self._root, 0
        parent = self._open[0]
        if self.random.random() < 0.3:
            self._open.rotate(-1)
        return parent.mac, parent.take()

    def _plant(self, code: str, uplink: str, port: int, *, wireless: bool = False) -> EstateDevice:
        self._planted += 1
        odd = self.random.random() < self.awkward
        self._odd += odd
        model = model_of(code)
        usual = device_name(site_prefix(self.site.title), model, self._planted, self.random)
        state = self._state(odd)
        adopted_ago = self.random.randrange(30 * 86400, 4 * _YEAR)
        return EstateDevice(
            mac=device_mac(self.seed, next(self.numbers)),
            host_id=self.site.host_id,
            site=self.site.legacy_id,
            model_code=code,
            name=awkward_name(self._odd + self.site.number, model) if odd else usual,
            ip="" if state == 0 else device_ip(self.site.number, self._planted),
            state=state,
            uplink=uplink,
            uplink_port=port,
            wireless=wireless,
            adopted_ago=adopted_ago,
            started_ago=self.random.randrange(3600, min(adopted_ago, 90 * 86400)),
            seen_ago=self.random.randrange(7200, 20 * 86400),
        )

    def _state(self, odd: bool) -> int:
        if not odd:
            return 1
        return self.random.choice((1, 1, 0, 0, 4, 5, 6))


def device_ip(site: int, number: int) -> str:
    """Management addresses: 10.<site>.0.0/20."""
    return f"10.{site % 250}.{number // 250 % 16}.{number % 250 + 2}"


def client_ip(site: int, number: int) -> str:
    """Client addresses: the rest of 10.<site>.0.0/16."""
    return f"10.{site % 250}.{16 + number // 250 % 240}.{number % 250 + 2}"
