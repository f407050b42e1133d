"""Health: checks run at once under a time limit, and what they come to. One that fails explains those that stand on it:
they are not made (X7)."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

import psutil

from beast_dream_snow_loader.clock import Clock, SystemClock
from beast_dream_snow_loader.core.check_graph import CheckGraph, CheckNode
from beast_dream_snow_loader.errors import SnowloadError, StateError
from beast_dream_snow_loader.operations.correlation import carried

AT_ONCE = 16
"""Checks that run at a time: of those that are one of many (of each source), and as many of the others beside them."""
_CPU_SECONDS = 0.1
"""So long the processor is watched: one moment alone says nothing."""


class HealthStatus(Enum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """``response_time_ms`` is how long the check took; ``details`` are plain values, numbers where they are such.

    ``explained_by`` names the check whose failure kept this one from being made: it is as ill, and counts no further.
    ``recovered`` says what was put right on the way. ``as_of``: the result is that of an earlier look.
    """

    name: str
    status: HealthStatus
    message: str
    response_time_ms: float = 0.0
    details: Mapping[str, Any] = field(default_factory=dict)
    parents: tuple[str, ...] = ()
    explained_by: str = ""
    recovered: str = ""
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """Everything one look found: each check under the one it stands on."""

    checks: tuple[HealthCheck, ...]
    at: datetime

    @property
    def status(self) -> HealthStatus:
        return HealthMonitor.get_overall_status(self.checks)

    @property
    def causes(self) -> tuple[HealthCheck, ...]:
        """What is not well by itself."""
        ill = (check for check in self.checks if check.status is not HealthStatus.HEALTHY)
        return tuple(check for check in ill if not check.explained_by)


class Pingable(Protocol):
    def ping(self) -> None:
        """One cheap, authenticated request; raises what is wrong."""


CheckFunction = Callable[[], HealthCheck]
_given_up: ContextVar[threading.Event | None] = ContextVar("given_up", default=None)


def given_up() -> bool:
    """Whether the time of the check that runs here is over. Nobody waits for it any more, and what it was given may be
    closed: it looks at this before it changes anything."""
    over = _given_up.get()
    return over is not None and over.is_set()


class HealthMonitor:
    """Runs registered checks side by side; one that hangs or fails is a finding and costs only itself and what stands
    on it. Its time begins when it has one of ``AT_ONCE`` places, and its place is free again when that time is over: n
    sources that all hang cost a look n / 16 time limits, and what is no source waits for none of them. ``state`` names
    the check that answers for the state: what any other one meets there is told by it, once."""

    def __init__(
        self,
        client: Pingable | None,
        *,
        clock: Clock | None = None,
        timeout: timedelta = timedelta(seconds=10),
        state: str = "",
    ) -> None:
        self._client = client
        self._state = state
        self._clock = clock or SystemClock()
        self._timeout = timeout.total_seconds()
        self._checks: dict[str, CheckFunction] = {}
        self._nodes: list[CheckNode] = []

    def register_check(
        self,
        name: str,
        check_func: CheckFunction,
        *,
        parents: tuple[str, ...] = (),
        after: tuple[str, ...] = (),
        deep: bool = False,
    ) -> None:
        """As :class:`~.core.check_graph.CheckNode` says; what it stands on may be registered later."""
        self._checks[name] = check_func
        self._nodes.append(CheckNode(name=name, parents=parents, after=after, deep=deep))

    @property
    def names(self) -> Sequence[str]:
        return tuple(self._checks)

    def unknown(self, names: Sequence[str]) -> Sequence[str]:
        """Those that no check is called."""
        return CheckGraph(self._nodes).unknown(names)

    async def run_all_checks(self, only: Sequence[str] = (), *, deep: bool = False) -> list[HealthCheck]:
        """All of them, or those named with what they stand on; each under its first parent. ValueError for checks that
        stand on nothing that is there, or on each other."""
        chosen = CheckGraph(self._nodes).chosen(only, deep=deep)
        tasks: dict[str, asyncio.Task[HealthCheck]] = {}
        places = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(AT_ONCE)
        for node in chosen:
            place = places[node.name == node.kind]
            tasks[node.name] = asyncio.create_task(self._in_turn(node, tasks, place))
        return _one_cause(list(await asyncio.gather(*tasks.values())), self._state)

    def check_servicenow_connectivity(self) -> HealthCheck:
        if self._client is None:
            return HealthCheck("servicenow", HealthStatus.UNHEALTHY, "no client")
        self._client.ping()
        return HealthCheck("servicenow", HealthStatus.HEALTHY, "answers")

    def check_credential_availability(self, methods: Sequence[str] = ()) -> HealthCheck:
        if not methods:
            return HealthCheck("credentials", HealthStatus.UNHEALTHY, "no complete login is configured")
        return HealthCheck("credentials", HealthStatus.HEALTHY, f"tried in this order: {', '.join(methods)}")

    def check_system_resources(
        self,
        directory: Path = Path(),
        *,
        low_disk_bytes: int | None = None,
        low_memory_percent: float | None = None,
        most_load_per_core: float | None = None,
    ) -> HealthCheck:
        """Free disk where state is kept, memory, processor, and this process's share of them (R4.3). What has no limit
        is told and not judged."""
        measured = _measured(directory)
        free, memory, load = (measured[name] for name in ("disk_free_bytes", "memory_percent", "load_per_core"))
        low = [
            name
            for name, is_low in (
                ("disk", low_disk_bytes is not None and free < low_disk_bytes),
                ("memory", low_memory_percent is not None and memory > low_memory_percent),
                ("processor", most_load_per_core is not None and load > most_load_per_core),
            )
            if is_low
        ]
        told = f"{free / 1e9:.1f} GB free, memory {memory:.0f} % used, load {load:.2f} per core"
        if low:
            told = f"{' and '.join(low)} nearly used up: {told}"
        status = HealthStatus.DEGRADED if low else HealthStatus.HEALTHY
        return HealthCheck("system", status, told, details=measured)

    @staticmethod
    def get_overall_status(checks: Sequence[HealthCheck]) -> HealthStatus:
        """The worst of them. What another one explains says nothing of its own."""
        order = (HealthStatus.HEALTHY, HealthStatus.DEGRADED, HealthStatus.UNHEALTHY)
        own = (check.status for check in checks if not check.explained_by)
        return max(own, key=order.index, default=HealthStatus.UNHEALTHY)

    async def _in_turn(
        self, node: CheckNode, tasks: Mapping[str, asyncio.Task[HealthCheck]], place: asyncio.Semaphore
    ) -> HealthCheck:
        """Once all it stands on, or waits for, is done. What was not chosen is not waited for."""
        before = {name: await tasks[name] for name in (*node.parents, *node.after) if name in tasks}
        for name in node.parents:
            if before[name].status is HealthStatus.UNHEALTHY:
                return _explained(node, before[name])
        async with place:
            return replace(await self._run(node.name, told=self._state in tasks), parents=node.parents)

    async def _run(self, name: str, *, told: bool) -> HealthCheck:
        """``told``: the check of the state is among those of this look, and explains what this one meets there."""
        started = self._clock.monotonic()
        try:
            found = await asyncio.wait_for(_in_thread(self._checks[name]), self._timeout)
        except TimeoutError:
            found = HealthCheck(name, HealthStatus.UNHEALTHY, f"no answer within {self._timeout:g} s")
        except SnowloadError as error:
            found = HealthCheck(name, HealthStatus.UNHEALTHY, str(error), details={"code": error.code})
            if told and name != self._state and _of_database(error):
                found = replace(found, explained_by=self._state)
        except OSError as error:
            found = HealthCheck(name, HealthStatus.UNHEALTHY, error.strerror or type(error).__name__)
        milliseconds = round((self._clock.monotonic() - started) * 1000, 1)
        return replace(found, name=name, response_time_ms=milliseconds)


def _of_database(error: SnowloadError) -> bool:
    """The plain StateError may be about a directory or a file beside it."""
    return isinstance(error, StateError) and type(error) is not StateError


def _one_cause(found: list[HealthCheck], state: str) -> list[HealthCheck]:
    """What checks met in the state is the illness of ``state``, even if that found nothing by itself: it does not read
    every page. The same words of another check are no second cause."""
    own = next((check for check in found if check.name == state), None)
    met = [check for check in found if check.explained_by == state and "code" in check.details]
    if own is None:
        return found
    if met and own.status is not HealthStatus.UNHEALTHY:
        details = {**own.details, **met[0].details}
        own = replace(own, status=HealthStatus.UNHEALTHY, message=met[0].message, details=details)
    if own.status is not HealthStatus.UNHEALTHY:
        return found
    met += [check for check in found if check.name != state and check.message == own.message]
    message = f"not checked: {state} is unhealthy"
    told = {check.name: replace(check, message=message, details={}, explained_by=state) for check in met}
    return [told.get(check.name, own if check.name == state else check) for check in found]


def _explained(node: CheckNode, parent: HealthCheck) -> HealthCheck:
    cause = parent.explained_by or parent.name
    message = f"not checked: {cause} is unhealthy"
    return HealthCheck(node.name, HealthStatus.UNHEALTHY, message, parents=node.parents, explained_by=cause)


def _measured(directory: Path) -> dict[str, float]:
    disk, memory, mine = shutil.disk_usage(directory), psutil.virtual_memory(), psutil.Process()
    times = mine.cpu_times()
    return {
        "disk_free_bytes": disk.free,
        "disk_used_percent": round(100 * disk.used / disk.total, 1) if disk.total else 0.0,
        "memory_percent": memory.percent,
        "memory_available_bytes": memory.available,
        "cpu_percent": psutil.cpu_percent(interval=_CPU_SECONDS),
        "load_per_core": round(psutil.getloadavg()[0] / (psutil.cpu_count() or 1), 2),
        "process_memory_bytes": mine.memory_info().rss,
        "process_cpu_seconds": round(times.user + times.system, 3),
        "process_threads": mine.num_threads(),
    }


async def _in_thread(check: CheckFunction) -> HealthCheck:
    """In a thread of its own that nobody waits for: asyncio's pool is joined at the end, hung checks and all."""
    loop, over = asyncio.get_running_loop(), threading.Event()
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
        _given_up.set(over)
        try:
            found = check()
        except BaseException as error:  # noqa: BLE001 - not swallowed: raised again where it is awaited
            failed = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: the time limit is long over
            loop.call_soon_threadsafe(settle, found, failed)

    threading.Thread(target=carried(run), name="health-check", daemon=True).start()
    try:
        return await result
    finally:
        over.set()
