"""A large console is read in seconds."""

from __future__ import annotations

import time

import orjson
import pytest

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.unifi.config import UniFiSettings
from beast_dream_snow_loader.unifi.source import UniFiSource
from tests.unifi.conftest import FIXTURES

DEVICES = 2_000


def documents() -> dict[str, bytes]:
    """Full recorded records (about 9 KB each) under MACs of their own, each below the one before it."""
    recorded = [
        row
        for file in sorted((FIXTURES / "legacy").glob("stat_device_us*.json"))
        for row in orjson.loads(file.read_bytes())["data"]
        if row.get("mac")
    ]
    macs = [f"00:00:5e:02:{n // 256:02x}:{n % 256:02x}" for n in range(DEVICES)]
    rows = [
        {**recorded[n % len(recorded)], "mac": mac, "adopted": True, "uplink": {"uplink_mac": macs[n - 1]}}
        for n, mac in enumerate(macs)
    ]
    empty = orjson.dumps({"meta": {"rc": "ok"}, "data": []})
    return {
        "self/sites": orjson.dumps({"meta": {"rc": "ok"}, "data": [{"name": "default", "desc": "HQ", "_id": "1"}]}),
        "stat/device": orjson.dumps({"meta": {"rc": "ok"}, "data": rows}),
        "stat/sysinfo": empty,
        "stat/sta": empty,
        "rest/user": empty,
    }


class Recorded:
    def __init__(self) -> None:
        self.bodies = documents()

    def send(self, request: Request) -> Response:
        page = "/".join(request.url.split("/")[-2:])
        return Response(status=200, headers={}, body=self.bodies[page], url=request.url)


@pytest.mark.bench
def test_a_site_of_2000_devices_takes_less_than_a_second_and_a_half_of_processor_time() -> None:
    chosen = UniFiSettings.model_validate({"consoles": [{"url": "https://hq", "api_key": "k"}]})
    answers = Recorded()
    started = time.process_time()
    snapshot = UniFiSource(chosen, lambda service, console: answers, SystemClock()).read()
    spent = time.process_time() - started
    assert len(snapshot.devices) == DEVICES
    assert sum(1 for d in snapshot.devices if d.uplink_mac) == DEVICES
    assert spent < 1.5, f"{spent:.2f} s"
