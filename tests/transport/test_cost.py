"""What resilience costs: processor time per request of the whole stack and of bare ``requests``, side by side."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.operations.circuit_breaker import CircuitBreaker
from beast_dream_snow_loader.operations.config import LoggingConfig
from beast_dream_snow_loader.operations.listeners import fan_out, to_log, to_metrics
from beast_dream_snow_loader.operations.log_sinks import logging_to
from beast_dream_snow_loader.operations.logger import StructuredLogger
from beast_dream_snow_loader.operations.metrics import MetricsCollector
from beast_dream_snow_loader.operations.restraint import Restraints
from beast_dream_snow_loader.operations.retry import RetryPolicy
from beast_dream_snow_loader.sandbox.serving import Server
from beast_dream_snow_loader.state.store import open_store
from beast_dream_snow_loader.transport.http import HttpTransport
from beast_dream_snow_loader.transport.messages import Request
from beast_dream_snow_loader.transport.observing import RequestMeter
from beast_dream_snow_loader.transport.port import Transport
from beast_dream_snow_loader.transport.stack import build_stack

from .conftest import Remembering

ROUNDS, EACH = 30, 50
MOST_MILLISECONDS = 0.3


def whole_stack(tmp_path: Path, state: str) -> Transport:
    """As a load has it: log, metrics, and cool-downs shared through the state."""
    clock = SystemClock()
    shared = open_store(state, clock).pacing("dev1")
    listener = fan_out(to_log(StructuredLogger("snowload", "INFO")), to_metrics(MetricsCollector()))
    return build_stack(
        HttpTransport("servicenow", listener=listener, clock=clock),
        policy=RetryPolicy(),
        breaker=CircuitBreaker(name="servicenow", clock=clock),
        meter=RequestMeter(),
        restraint=Restraints(clock, tokens=shared, pace=shared).of("servicenow"),
        listener=listener,
    )


def spent(call: Callable[[], object]) -> float:
    """Milliseconds of this thread's processor time per call."""
    started = time.thread_time()
    for _ in range(EACH):
        call()
    return (time.thread_time() - started) * 1000 / EACH


@pytest.mark.bench
def test_the_whole_stack_adds_at_most_three_tenths_of_a_millisecond_to_a_request(
    server: Server, app: Remembering, tmp_path: Path
) -> None:
    """Measured in turns, so that whatever else the machine does falls upon both."""
    request = Request(method="GET", url=f"{server.url}/x", operation="table.read", repeatable=True, reads=True)
    config = LoggingConfig(file=tmp_path / "log.jsonl", level="INFO")
    with requests.Session() as session, logging_to(config, sys.stderr):
        stack = whole_stack(tmp_path, f"sqlite:///{tmp_path / 'state.sqlite'}")
        ways: dict[str, Callable[[], object]] = {
            "bare": lambda: session.get(request.url, timeout=30).content,
            "stack": lambda: stack.send(request),
        }
        for call in ways.values():
            spent(call)
        taken = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, call in ways.items():
                taken[name].append(spent(call))
    bare, full = (statistics.median(taken[name]) for name in ("bare", "stack"))
    figure = f"bare requests {bare:.3f} ms, whole stack {full:.3f} ms, difference {full - bare:+.3f} ms per request"
    sys.stdout.write(f"\n{figure}\n")
    assert full - bare <= MOST_MILLISECONDS, figure
