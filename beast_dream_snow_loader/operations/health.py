"""Health: checks run at once under a time limit, and what they come to."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

import psutil

from beast_dream_snow_loader.clock import Clock, SystemClock
from beast_dream_snow_loader.errors import SnowloadError
from beast_dream_snow_loader.operations.correlation import carried

LOW_DISK_BYTES = 500 * 1024 * 1024
LOW_MEMORY_PERCENT = 95.0


class HealthStatus(Enum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """``response_time_ms`` is how long the check took; ``details`` are plain values."""

    name: str
    status: HealthStatus
    message: str
    response_time_ms: float = 0.0
    details: Mapping[str, Any] = field(default_factory=dict)


class Pingable(Protocol):
    def ping(self) -> None:
        """One cheap, authenticated request; raises what is wrong."""


CheckFunction = Callable[[], HealthCheck]


class HealthMonitor:
    """Runs registered checks side by side; one that hangs or fails is a finding and costs only itself."""

    def __init__(
        self, client: Pingable | None, *, clock: Clock | None = None, timeout: timedelta = timedelta(seconds=10)
    ) -> None:
        self._client = client
        self._clock = clock or SystemClock()
        self._timeout = timeout.total_seconds()
        self._checks: dict[str, CheckFunction] = {}

    def register_check(self, name: str, check_func: CheckFunction) -> None:
        self._checks[name] = check_func

    @property
    def names(self) -> Sequence[str]:
        return tuple(self._checks)

    async def run_all_checks(self, only: Sequence[str] = ()) -> list[HealthCheck]:
        """All of them, or those named; in the order of registration."""
        chosen = [name for name in self._checks if not only or name in only]
        return list(await asyncio.gather(*(self._run(name) for name in chosen)))

    def check_servicenow_connectivity(self) -> HealthCheck:
        if self._client is None:
            return HealthCheck("servicenow", HealthStatus.UNHEALTHY, "no client")
        self._client.ping()
        return HealthCheck("servicenow", HealthStatus.HEALTHY, "answers, and the login is accepted")

    def check_credential_availability(self, methods: Sequence[str] = ()) -> HealthCheck:
        if not methods:
            return HealthCheck("credentials", HealthStatus.UNHEALTHY, "no complete login is configured")
        return HealthCheck("credentials", HealthStatus.HEALTHY, f"tried in this order: {', '.join(methods)}")

    def check_system_resources(self, directory: Path = Path()) -> HealthCheck:
        """Free disk where state is kept, memory, CPU (R4.3)."""
        free = shutil.disk_usage(directory).free
        memory, cpu = psutil.virtual_memory().percent, psutil.cpu_percent()
        details = {"disk_free_bytes": free, "memory_percent": memory, "cpu_percent": cpu}
        low = [
            name
            for name, is_low in (("disk", free < LOW_DISK_BYTES), ("memory", memory > LOW_MEMORY_PERCENT))
            if is_low
        ]
        status = HealthStatus.DEGRADED if low else HealthStatus.HEALTHY
        message = (
            f"{' and '.join(low)} nearly used up" if low else f"{free / 1e9:.1f} GB free, memory {memory:.0f} % used"
        )
        return HealthCheck("system", status, message, details=details)

    @staticmethod
    def get_overall_status(checks: Sequence[HealthCheck]) -> HealthStatus:
        """The worst of them."""
        order = (HealthStatus.HEALTHY, HealthStatus.DEGRADED, HealthStatus.UNHEALTHY)
        return max((check.status for check in checks), key=order.index, default=HealthStatus.UNHEALTHY)

    async def _run(self, name: str) -> HealthCheck:
        started = self._clock.monotonic()
        try:
            found = await asyncio.wait_for(_in_thread(self._checks[name]), self._timeout)
        except TimeoutError:
            found = HealthCheck(name, HealthStatus.UNHEALTHY, f"no answer within {self._timeout:.0f} s")
        except SnowloadError as error:
            found = HealthCheck(name, HealthStatus.UNHEALTHY, str(error), details={"code": error.code})
        except OSError as error:
            found = HealthCheck(name, HealthStatus.UNHEALTHY, error.strerror or type(error).__name__)
        milliseconds = round((self._clock.monotonic() - started) * 1000, 1)
        return replace(found, name=name, response_time_ms=milliseconds)


async def _in_thread(check: CheckFunction) -> HealthCheck:
    """In a thread of its own that nobody waits for: asyncio's pool is joined at the end, hung checks and all."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[HealthCheck] = loop.create_future()

    def settle(found: HealthCheck | None, error: BaseException | None) -> None:
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        elif found is not None:
            result.set_result(found)

    def run() -> None:
        found, failed = None, None
        try:
            found = check()
        except BaseException as error:  # noqa: BLE001 - not swallowed: raised again where it is awaited
            failed = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: the time limit is long over
            loop.call_soon_threadsafe(settle, found, failed)

    threading.Thread(target=carried(run), name="health-check", daemon=True).start()
    return await result
