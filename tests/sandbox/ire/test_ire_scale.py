"""The engine under load: a full payload on a filled CMDB, and several callers at once."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from beast_dream_snow_loader.sandbox.servicenow import oracle
from beast_dream_snow_loader.sandbox.servicenow.ire.engine import Engine
from beast_dream_snow_loader.sandbox.servicenow.ire.options import IreOptions
from beast_dream_snow_loader.sandbox.servicenow.ire.payload import read_payload, read_wish
from beast_dream_snow_loader.sandbox.servicenow.records import Instance

CONNECTS = "Connects to::Connected by"
CPU_SECONDS = 0.5
"""Ten times what a payload of 250 takes here, so that a search without an index is found out and a busy machine not."""


def _payload(first: int, count: int = 250) -> dict[str, Any]:
    items = [
        {
            "className": "cmdb_ci_ip_switch",
            "values": {"name": f"SW-{number}", "serial_number": f"S{number:09d}", "ip_address": "10.0.0.1"},
            "sys_object_source_info": {"source_name": "UniFi", "source_native_key": f"device/{number}"},
        }
        for number in range(first, first + count)
    ]
    return {
        "items": items,
        "relations": [{"parent": number, "child": 0, "type": CONNECTS} for number in range(1, count)],
    }


@pytest.mark.bench
def test_a_full_payload_costs_little_on_a_filled_cmdb() -> None:
    instance = Instance.create(seed=1)
    engine, wish = Engine(instance), read_wish("UniFi", "", enhanced=True, commit=True)
    for first in range(0, 10_000, 500):
        engine.run(read_payload(_payload(first, 500)), wish, IreOptions())
    assert instance.count("cmdb_ci") == 10_000

    for first, operation in ((10_000, "INSERT"), (10_000, "NO_CHANGE"), (5_000, "NO_CHANGE")):
        started = time.process_time()
        report = engine.run(read_payload(_payload(first)), wish, IreOptions())
        spent = time.process_time() - started
        assert {one.operation for one in report.items} == {operation}
        assert spent < CPU_SECONDS, f"{operation} of 250 items took {spent:.3f} s of CPU"


def test_callers_at_once_make_no_second_ci(ire: Any) -> None:
    items = [ire.device(number) for number in range(20)]
    relations = [{"parent": number, "child": 0, "type": CONNECTS} for number in range(1, 20)]
    failed: list[str] = []

    def send() -> None:
        for _ in range(3):
            result = ire.send(items, relations)
            if result["hasError"]:
                failed.append(str(result))

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert failed == []
    assert len(oracle.by_native_key(ire.instance, "UniFi")) == ire.count("cmdb_ci") == 20
    assert ire.count("cmdb_rel_ci") == 19
