"""Numbers about requests and the process, in bounded memory."""

from __future__ import annotations

import math
import re
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from beast_dream_snow_loader.clock import Clock, SystemClock
from beast_dream_snow_loader.operations.circuit_breaker import breaker_states

_SAMPLES = 1000
_OPERATIONS = 200
_OTHER = "other"
_ID = re.compile(r"/(?:[0-9a-fA-F]{32}|[0-9a-fA-F-]{36}|[0-9a-fA-F:]{17}|\d+)(?=/|$)")


@dataclass(frozen=True, slots=True)
class OperationMetrics:
    """Times in milliseconds; percentiles are of the latest thousand requests, the rest is of all of them.

    ``answered`` requests had an answer, whatever it was: their times count. ``retries`` were sent after a failure.
    ``per_second`` is their number in each second since collecting began.
    """

    operation_name: str
    total_requests: int
    successful_requests: int
    failed_requests: int
    average_response_time_ms: float
    p95_response_time_ms: float
    error_rate_percent: float
    last_updated: datetime
    p50_response_time_ms: float = 0.0
    p99_response_time_ms: float = 0.0
    answered: int = 0
    retries: int = 0
    per_second: float = 0.0

    def document(self) -> dict[str, Any]:
        """Its row in a document."""
        return {
            "operation": self.operation_name,
            "requests": self.total_requests,
            "failed": self.failed_requests,
            "answered": self.answered,
            "retries": self.retries,
            "error_rate_percent": self.error_rate_percent,
            "per_second": self.per_second,
            "average_ms": self.average_response_time_ms,
            "p50_ms": self.p50_response_time_ms,
            "p95_ms": self.p95_response_time_ms,
            "p99_ms": self.p99_response_time_ms,
        }


@dataclass(frozen=True, slots=True)
class SystemMetrics:
    """This process: resident memory in MiB, its share of one CPU, its open connections, seconds since it began."""

    memory_usage_mb: float
    cpu_usage_percent: float
    active_connections: int
    circuit_breaker_states: Mapping[str, str]
    health_status: str
    uptime_seconds: float


@dataclass(slots=True)
class _Series:
    updated: datetime
    total: int = 0
    failed: int = 0
    retries: int = 0
    timed: int = 0
    milliseconds: float = 0.0
    latest: deque[float] = field(default_factory=lambda: deque(maxlen=_SAMPLES))


class MetricsCollector:
    """Thread-safe. Requests are grouped by method and path, ids left out; beyond two hundred groups by ``other``."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._started = self._clock.monotonic()
        self._lock = threading.Lock()
        self._series: dict[str, _Series] = {}

    def record_request(
        self, method: str, url: str, status_code: int, duration_ms: float, *, again: bool = False
    ) -> None:
        """An answered request; 4xx and 5xx are failed ones. ``url`` may be an operation's name; ``again``: it was sent
        before, in vain."""
        with self._lock:
            series = self._of(method, url)
            series.retries += again
            series.failed += int(status_code >= 400)
            series.timed += 1
            series.milliseconds += duration_ms
            series.latest.append(duration_ms)

    def record_error(self, method: str, url: str, error: BaseException | str, *, again: bool = False) -> None:  # noqa: ARG002
        """A request without an answer. It counts as failed and has no duration."""
        with self._lock:
            series = self._of(method, url)
            series.failed += 1
            series.retries += again

    def operations(self) -> tuple[OperationMetrics, ...]:
        """By name."""
        with self._lock:
            seconds = self._clock.monotonic() - self._started
            return tuple(_summed(name, series, seconds) for name, series in sorted(self._series.items()))

    def system(self, health_status: str = "unknown") -> SystemMetrics:
        """The process now. ``health_status`` is what the last check found."""
        import psutil

        process = psutil.Process()
        return SystemMetrics(
            memory_usage_mb=round(process.memory_info().rss / 2**20, 1),
            cpu_usage_percent=process.cpu_percent(),
            active_connections=len(process.net_connections()),
            circuit_breaker_states=breaker_states(),
            health_status=health_status,
            uptime_seconds=round(self._clock.monotonic() - self._started, 3),
        )

    def _of(self, method: str, url: str) -> _Series:
        """Counted in: the caller is about to say how it went."""
        name = _named(method, url)
        if name not in self._series and len(self._series) >= _OPERATIONS:
            name = _OTHER
        series = self._series.setdefault(name, _Series(updated=self._clock.now()))
        series.total += 1
        series.updated = self._clock.now()
        return series


def _named(method: str, url: str) -> str:
    path = urlsplit(url).path if "://" in url else url.partition("?")[0]
    return f"{method.upper()} {_ID.sub('/{id}', path)}"


def _summed(name: str, series: _Series, seconds: float) -> OperationMetrics:
    p50, p95, p99 = percentiles(series.latest, (0.5, 0.95, 0.99))
    return OperationMetrics(
        operation_name=name,
        total_requests=series.total,
        successful_requests=series.total - series.failed,
        failed_requests=series.failed,
        average_response_time_ms=round(series.milliseconds / series.timed, 3) if series.timed else 0.0,
        p95_response_time_ms=p95,
        error_rate_percent=round(100 * series.failed / series.total, 2),
        last_updated=series.updated,
        p50_response_time_ms=p50,
        p99_response_time_ms=p99,
        answered=series.timed,
        retries=series.retries,
        per_second=round(series.total / seconds, 3) if seconds > 0 else 0.0,
    )


def percentiles(values: Iterable[float], shares: Iterable[float]) -> list[float]:
    """Nearest rank: for each share the smallest value that at least so many do not exceed. 0 when there is none."""
    ranked = sorted(values)
    return [ranked[math.ceil(share * len(ranked)) - 1] if ranked else 0.0 for share in shares]
