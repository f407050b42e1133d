"""Cool-downs and quotas of one service: what was asked for is kept, no more and no less (R2.2, X2)."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

import pytest

from beast_dream_snow_loader.errors import StateError
from beast_dream_snow_loader.operations.concurrency import AdaptiveLimit
from beast_dream_snow_loader.operations.governor import Governor
from beast_dream_snow_loader.operations.pace import CoolDown, OwnPace


class Shared(OwnPace):
    """What another process said: ``said`` seconds are left of its cool-down."""

    def __init__(self) -> None:
        super().__init__()
        self.said, self.looks, self.away = 0.0, 0, False
        self.asked, self.spent = 0, False
        self.told: list[tuple[float, int]] = []

    def stamp(self) -> object:
        return self.said

    def cool_down(self, service: str) -> CoolDown:
        self.looks += 1
        if self.away:
            raise StateError("away")
        return CoolDown(seconds=self.said, streak=1)

    def portion(self, service: str, rule: str, limit: int, seconds: float, wanted: int) -> int:
        self.asked += 1
        if self.away:
            raise StateError("away")
        return 0 if self.spent else super().portion(service, rule, limit, seconds, wanted)

    def cool(self, service: str, seconds: float, streak: int) -> None:
        self.told.append((seconds, streak))
        if self.away:
            raise StateError("away")


@pytest.fixture
def shared() -> Shared:
    return Shared()


@pytest.fixture
def governor(clock, shared: Shared) -> Governor:
    return Governor("servicenow", clock, AdaptiveLimit(4, clock), shared)


def wait(governor: Governor) -> float:
    return governor.seconds_to_wait("table.read")


@pytest.mark.parametrize("form", ["seconds", "date", "reset", "their own date"])
def test_the_wait_ends_to_the_second_when_it_was_said_to(governor: Governor, clock, form: str) -> None:
    moment = clock.now() + timedelta(seconds=30)
    skewed = clock.now() + timedelta(hours=5)
    headers = {
        "seconds": {"retry-after": "30"},
        "date": {"retry-after": format_datetime(moment, usegmt=True)},
        "reset": {"x-ratelimit-reset": str(int(moment.timestamp()))},
        "their own date": {
            "date": format_datetime(skewed, usegmt=True),
            "retry-after": format_datetime(skewed + timedelta(seconds=30), usegmt=True),
        },
    }[form]
    governor.answered("table.read", 429, headers, clock.monotonic())
    clock.seconds += 29.9
    assert wait(governor) == pytest.approx(0.1)
    clock.seconds += 0.1
    assert wait(governor) == 0


def test_without_a_word_the_wait_doubles_until_an_answer_is_none(governor: Governor, clock) -> None:
    waits = []
    for _ in range(8):
        governor.answered("table.read", 429, {}, clock.monotonic())
        waits.append(wait(governor))
        clock.seconds += waits[-1]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    governor.answered("table.read", 200, {}, clock.monotonic())
    governor.answered("table.read", 429, {}, clock.monotonic())
    assert wait(governor) == 1


def test_refusals_of_what_was_under_way_together_are_one(governor: Governor, clock, shared: Shared) -> None:
    sent = clock.monotonic()
    clock.seconds += 0.1
    for _ in range(4):
        governor.answered("table.read", 429, {}, sent)
        clock.seconds += 0.01
    assert shared.told == [(1.0, 1)]


def test_what_another_process_was_told_holds_here_and_is_looked_at_once(governor: Governor, clock, shared) -> None:
    assert wait(governor) == 0
    shared.said = 50.0
    assert wait(governor) == 50
    clock.seconds += 20
    assert wait(governor) == 30
    assert shared.looks == 2


def test_a_shared_state_that_is_away_is_left_alone_and_the_own_word_holds(governor: Governor, clock, shared) -> None:
    shared.away = True
    for _ in range(100):
        assert wait(governor) == 0
        clock.seconds += 0.01
    assert shared.looks == 1
    governor.answered("table.read", 429, {"retry-after": "9"}, clock.monotonic())
    assert wait(governor) == 9


def test_nothing_is_sent_beyond_the_quota_of_the_hour(governor: Governor, clock) -> None:
    """And what belongs to another rule goes on."""
    reset = str(int(clock.now().timestamp()) + 600)
    headers = {"x-ratelimit-limit": "100", "x-ratelimit-reset": reset, "x-ratelimit-rule": "abc"}
    governor.answered("table.read", 200, headers, clock.monotonic())
    sent = 1
    while wait(governor) == 0:
        sent += 1
    assert sent == 100
    assert wait(governor) == 600
    assert governor.seconds_to_wait("ire.enhanced") == 0
    clock.seconds += 600
    assert wait(governor) == 0


@pytest.mark.parametrize("trouble", ["away", "spent"])
def test_a_quota_is_not_asked_for_again_and_again(governor: Governor, clock, shared: Shared, trouble: str) -> None:
    """Neither where the others have used it up nor where nobody answers: each question holds up every lane."""
    setattr(shared, trouble, True)
    headers = {"x-ratelimit-limit": "1000", "x-ratelimit-reset": str(int(clock.now().timestamp()) + 600)}
    governor.answered("table.read", 200, headers, clock.monotonic())
    sent = sum(wait(governor) == 0 for _ in range(200))
    assert (shared.asked, sent) == ({"away": (0, 200), "spent": (1, 0)})[trouble]


def test_the_width_halves_on_429_and_is_back_soon_after_a_storm(clock) -> None:
    limit = AdaptiveLimit(4, clock, start=4)
    for _ in range(5):
        clock.seconds += 1
        limit.too_much(clock.monotonic())
    assert limit.now == 1
    for _ in range(3):
        limit.good("table.read", 0.1, clock.monotonic(), full=True)
    assert limit.now == 4


def test_the_width_grows_gently_from_two_and_only_when_it_is_used(clock) -> None:
    limit = AdaptiveLimit(4, clock)
    for _ in range(100):
        limit.good("table.read", 0.1, clock.monotonic(), full=False)
    assert limit.now == 2
    seen = []
    for _ in range(26):
        limit.good("table.read", 0.1, clock.monotonic(), full=True)
        seen.append(limit.now)
    assert [seen.index(width) + 1 for width in (3, 4)] == [10, 25]
    assert max(seen) == 4


def test_a_width_that_was_too_much_is_not_tried_again_at_once(clock) -> None:
    limit = AdaptiveLimit(4, clock, start=3)
    limit.too_much(clock.monotonic())
    for _ in range(290):
        clock.seconds += 0.1
        limit.good("table.read", 0.1, clock.monotonic(), full=True)
    assert limit.now == 2
    clock.seconds += 2
    for _ in range(10):
        limit.good("table.read", 0.1, clock.monotonic(), full=True)
    assert limit.now == 3


def test_answers_much_slower_than_usual_halve_the_width_and_big_batches_do_not(clock) -> None:
    limit = AdaptiveLimit(4, clock, start=4)
    for _ in range(10):
        limit.good("ire.enhanced", 4.0, clock.monotonic(), full=True)
        limit.good("ire.enhanced", 9.0, clock.monotonic(), full=True)
    assert limit.now == 4
    limit.good("ire.enhanced", 30.0, clock.monotonic(), full=True)
    assert limit.now == 2
