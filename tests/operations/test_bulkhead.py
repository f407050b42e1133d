"""Places of one service: who gets the next one, and who none (X6)."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.errors import BulkheadFull
from beast_dream_snow_loader.operations.bulkhead import Bulkhead, compartments
from beast_dream_snow_loader.operations.criticality import Criticality


class Waiters:
    """Threads that want a place; ``order`` is in which they got it."""

    def __init__(self, bulkhead: Bulkhead) -> None:
        self.bulkhead, self.order, self._threads = bulkhead, list[str](), list[threading.Thread]()

    def wants(self, name: str, kind: Criticality) -> None:
        def ask() -> None:
            with self.bulkhead.place(kind, name):
                self.order.append(name)

        before = self.bulkhead.waiting
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        self._threads.append(thread)
        while self.bulkhead.waiting == before:
            pass

    def served(self) -> list[str]:
        for thread in self._threads:
            thread.join(10)
        return self.order


def test_the_next_place_goes_to_what_matters_most_and_among_equals_to_who_came_first() -> None:
    bulkhead = Bulkhead("servicenow", lambda: 1, SystemClock())
    waiters = Waiters(bulkhead)
    with bulkhead.place(Criticality.ROUTINE, "first"):
        for name, kind in (
            ("health", Criticality.SPARE),
            ("read 1", Criticality.ROUTINE),
            ("write 1", Criticality.ESSENTIAL),
            ("read 2", Criticality.ROUTINE),
            ("write 2", Criticality.ESSENTIAL),
        ):
            waiters.wants(name, kind)
    assert waiters.served() == ["write 1", "write 2", "read 1", "read 2", "health"]


def test_what_can_wait_has_one_place_and_leaves_the_others() -> None:
    bulkhead = Bulkhead("servicenow", lambda: 3, SystemClock(), compartments(queue=10, wait_seconds=0.3))
    with ExitStack() as held:
        held.enter_context(bulkhead.place(Criticality.SPARE, "health"))
        with pytest.raises(BulkheadFull, match="no place became free"):
            held.enter_context(bulkhead.place(Criticality.SPARE, "health"))
        held.enter_context(bulkhead.place(Criticality.ROUTINE, "read"))
        held.enter_context(bulkhead.place(Criticality.ESSENTIAL, "write"))
        assert bulkhead.full


def test_a_place_is_free_again_whatever_became_of_the_call() -> None:
    bulkhead = Bulkhead("servicenow", lambda: 1, SystemClock())
    for _ in range(3):
        with pytest.raises(KeyError), bulkhead.place(Criticality.ROUTINE, "read"):
            raise KeyError
    assert not bulkhead.full


def test_a_service_that_bears_more_by_now_takes_in_who_waits() -> None:
    width = 1
    bulkhead = Bulkhead("servicenow", lambda: width, SystemClock())
    waiters = Waiters(bulkhead)
    with bulkhead.place(Criticality.ROUTINE, "long"):
        waiters.wants("read", Criticality.ROUTINE)
        width = 3
        with bulkhead.place(Criticality.ROUTINE, "another"):
            pass
        assert waiters.served() == ["read"]


def test_who_is_reached_through_another_service_needs_a_place_there_and_keeps_the_others_out_of_its_own() -> None:
    cloud = Bulkhead("site manager", lambda: 2, SystemClock())
    one, other = (Bulkhead(name, lambda: 1, SystemClock(), compartments(10, 0.1), within=cloud) for name in "ab")
    with one.place(Criticality.ROUTINE, "read"):
        with pytest.raises(BulkheadFull, match="a is busy"), one.place(Criticality.ROUTINE, "read"):
            pass
        with other.place(Criticality.ROUTINE, "read"):
            assert cloud.full
    assert not cloud.full
