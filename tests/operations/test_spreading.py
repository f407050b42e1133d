"""Work over several threads, told as if it had been done in one."""

from __future__ import annotations

import threading

import pytest

from beast_dream_snow_loader.operations.correlation import correlated, correlation_id
from beast_dream_snow_loader.operations.spreading import spread


def test_results_come_in_the_order_of_the_parts_whichever_ends_first() -> None:
    first_may_end = threading.Event()

    def work(part: int) -> int:
        if part:
            first_may_end.set()
        else:
            first_may_end.wait(5)
        return part * 10

    assert spread(work, range(5), 2, "lane") == [0, 10, 20, 30, 40]


def test_no_more_than_so_many_are_worked_on_at_once_and_each_carries_the_id_of_the_run() -> None:
    together = threading.Barrier(3)

    def work(_: int) -> tuple[str, str]:
        together.wait(5)
        return correlation_id(), threading.current_thread().name

    with correlated("run-1"):
        told = spread(work, range(6), 3, "console")
    assert {one for one, _ in told} == {"run-1"}
    assert {name for _, name in told} <= {"console_0", "console_1", "console_2"}


def test_the_first_error_is_raised_when_what_was_begun_has_ended_and_nothing_more_is_begun() -> None:
    begun, ended, both = [], [], threading.Barrier(2)

    def work(part: int) -> None:
        begun.append(part)
        if part < 2:
            both.wait(5)
        if part == 0:
            raise ValueError(part)
        threading.Event().wait(0.2)
        ended.append(part)

    with pytest.raises(ValueError, match="0"):
        spread(work, range(50), 2, "lane")
    assert sorted(begun)[:2] == [0, 1]
    assert set(begun) - {0} == set(ended)
    assert len(begun) < 50
