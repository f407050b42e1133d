"""The sandbox instance stays quick at the sizes a large customer has."""

from __future__ import annotations

import time

import pytest

from beast_dream_snow_loader.sandbox.servicenow.encoded_query import parse
from beast_dream_snow_loader.sandbox.servicenow.records import Instance
from beast_dream_snow_loader.sandbox.servicenow.selection import Selector

ROWS = 40_000


@pytest.fixture(scope="module")
def large() -> tuple[Instance, Selector]:
    instance = Instance.create(seed=1)
    for number in range(ROWS):
        instance.insert(
            "cmdb_ci_computer",
            {
                "name": f"client-{number}",
                "serial_number": f"{number:012X}",
                "correlation_id": f"client/{number:012x}",
                "discovery_source": "UniFi",
            },
        )
    return instance, Selector(instance)


@pytest.mark.bench
def test_keyset_pages_over_everything_cost_one_evaluation(large: tuple[Instance, Selector]) -> None:
    """Two hundred pages; evaluating the query for each would take over ten seconds."""
    _, selector = large
    started, last, read = time.perf_counter(), "", 0
    while page := selector.select("cmdb_ci", parse(f"discovery_source=UniFi^sys_id>{last}^ORDERBYsys_id")).sys_ids[
        :200
    ]:
        last, read = page[-1], read + len(page)
    assert read == ROWS
    assert time.perf_counter() - started < 5


@pytest.mark.bench
def test_looking_up_by_an_indexed_field_does_not_walk_the_table(large: tuple[Instance, Selector]) -> None:
    """Two thousand look-ups with writes between them; walking the table for each would take minutes."""
    instance, selector = large
    started = time.perf_counter()
    for number in range(2000):
        query = parse(f"correlation_id=client/{number:012x}^ORserial_numberIN{number:012x},nothing")
        (sys_id,) = selector.select("cmdb_ci", query).sys_ids
        instance.update("cmdb_ci", sys_id, {"comments": str(number)})
    assert time.perf_counter() - started < 5
