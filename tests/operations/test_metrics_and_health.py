"""Numbers in bounded memory, and checks that cost only themselves."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beast_dream_snow_loader.core.events import RequestFinished
from beast_dream_snow_loader.errors import NotAuthenticated
from beast_dream_snow_loader.operations.health import AT_ONCE, HealthCheck, HealthMonitor, HealthStatus
from beast_dream_snow_loader.operations.listeners import to_metrics
from beast_dream_snow_loader.operations.metrics import MetricsCollector, percentiles


def test_requests_are_summed_by_method_and_path_without_ids(clock) -> None:
    """R4.2."""
    collector = MetricsCollector(clock=clock)
    for number in range(1, 101):
        url = f"https://dev1.service-now.com/api/now/table/cmdb_ci/{number:032x}?sysparm_limit=1"
        collector.record_request("get", url, 200 if number > 10 else 503, float(number))
    collector.record_error("GET", f"https://dev1.service-now.com/api/now/table/cmdb_ci/{0:032x}", TimeoutError())
    (found,) = collector.operations()
    assert found.operation_name == "GET /api/now/table/cmdb_ci/{id}"
    assert (found.total_requests, found.successful_requests, found.failed_requests) == (101, 90, 11)
    assert (found.average_response_time_ms, found.p95_response_time_ms) == (50.5, 95.0)
    assert (found.p50_response_time_ms, found.p99_response_time_ms, found.answered) == (50.0, 99.0, 100)
    assert found.error_rate_percent == pytest.approx(10.89)
    assert found.last_updated == clock.now()


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200), st.floats(0.01, 1))
def test_a_percentile_is_the_smallest_value_not_exceeded_by_its_share(values: list[float], share: float) -> None:
    (found,) = percentiles(values, [share])
    assert sum(value <= found for value in values) >= math.floor(share * len(values))
    assert sum(value < found for value in values) < share * len(values)


def test_memory_is_bounded_however_many_addresses_there_are() -> None:
    collector = MetricsCollector()
    for number in range(5000):
        collector.record_request("GET", f"https://x/page-{number}-of-many", 200, 1.0)
    found = collector.operations()
    assert len(found) <= 201
    assert sum(one.total_requests for one in found) == 5000


def test_threads_lose_no_count() -> None:
    collector = MetricsCollector()
    event = RequestFinished(service="unifi", operation="sites", method="GET", status=200, milliseconds=1)
    listen = to_metrics(collector)
    threads = [threading.Thread(target=lambda: [listen(event) for _ in range(500)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert collector.operations()[0].total_requests == 4000


def test_the_process_is_measured() -> None:
    """R4.3."""
    found = MetricsCollector().system("healthy")
    assert found.memory_usage_mb > 1
    assert found.active_connections >= 0
    assert found.health_status == "healthy"


class Client:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def ping(self) -> None:
        if self.error is not None:
            raise self.error


def well(name: str) -> HealthCheck:
    return HealthCheck(name, HealthStatus.HEALTHY, "fine")


def test_checks_run_side_by_side_and_one_that_hangs_or_fails_costs_only_itself() -> None:
    monitor = HealthMonitor(Client(NotAuthenticated("Wrong password.")), timeout=timedelta(seconds=0.3))
    hanging = threading.Event()

    def unreadable() -> HealthCheck:
        raise PermissionError(13, "Permission denied")

    monitor.register_check("servicenow", monitor.check_servicenow_connectivity)
    monitor.register_check("slow", lambda: (time.sleep(0.2), well("slow"))[1])
    monitor.register_check("hanging", lambda: (hanging.wait(20), well("hanging"))[1])
    monitor.register_check("disk", unreadable)
    began = time.monotonic()
    found = asyncio.run(monitor.run_all_checks())
    assert time.monotonic() - began < 2, "and nobody waits for it at the end either"
    hanging.set()
    assert [(one.name, one.status.value) for one in found] == [
        ("servicenow", "unhealthy"),
        ("slow", "healthy"),
        ("hanging", "unhealthy"),
        ("disk", "unhealthy"),
    ]
    assert found[0].details["code"] == "auth.not_authenticated"
    assert "no answer" in found[2].message
    assert found[1].response_time_ms >= 200


def test_of_many_sources_so_many_are_asked_at_a_time_and_none_loses_time_by_waiting() -> None:
    monitor = HealthMonitor(Client(), timeout=timedelta(seconds=1.5))
    running: list[str] = []
    most: list[int] = []

    def asked(name: str) -> HealthCheck:
        running.append(name)
        most.append(len(running))
        time.sleep(0.2)
        running.remove(name)
        return well(name)

    for number in range(10 * AT_ONCE):
        monitor.register_check(f"unifi[{number}]", partial(asked, f"unifi[{number}]"))
    found = asyncio.run(monitor.run_all_checks())
    assert {one.status for one in found} == {HealthStatus.HEALTHY}
    assert max(most) == AT_ONCE


def test_only_the_checks_named_are_run() -> None:
    monitor = HealthMonitor(Client())
    monitor.register_check("servicenow", monitor.check_servicenow_connectivity)
    monitor.register_check("system", monitor.check_system_resources)
    assert [one.name for one in asyncio.run(monitor.run_all_checks(["system"]))] == ["system"]


def test_a_mistake_in_a_check_is_not_taken_for_illness() -> None:
    monitor = HealthMonitor(Client())
    monitor.register_check("mistaken", lambda: {}["missing"])
    with pytest.raises(KeyError):
        asyncio.run(monitor.run_all_checks())


def test_the_whole_is_as_well_as_its_worst_part() -> None:
    def overall(*statuses: HealthStatus) -> HealthStatus:
        return HealthMonitor.get_overall_status([HealthCheck("x", status, "") for status in statuses])

    good, fair, bad = HealthStatus.HEALTHY, HealthStatus.DEGRADED, HealthStatus.UNHEALTHY
    assert overall(good, good) is good
    assert overall(good, fair) is fair
    assert overall(fair, bad, good) is bad
    assert overall() is bad
