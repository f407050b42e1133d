"""What threads find out that may outlive the store (R4.4, X1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.operations.breaker_policy import BreakerPolicy
from beast_dream_snow_loader.operations.circuit_breaker import CircuitBreaker, CircuitState
from beast_dream_snow_loader.operations.withheld_memory import WithheldMemory
from beast_dream_snow_loader.state.store import open_store


def fail() -> None:
    raise ConnectionError


def test_it_is_written_when_they_are_no_longer_waited_for_and_never_later(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'state.sqlite'}", SystemClock()) as store:
        memory = WithheldMemory(store.breakers)
        policy = BreakerPolicy(failure_threshold=1)
        breakers = [CircuitBreaker.of(policy, name=name, memory=memory) for name in ("in time", "late")]
        with pytest.raises(ConnectionError):
            breakers[0].call(fail)
        assert store.breakers.all() == {}
        memory.close()
        with pytest.raises(ConnectionError):
            breakers[1].call(fail)
        assert {name: found.state for name, found in store.breakers.all().items()} == {"in time": CircuitState.OPEN}
