"""The retry budget: a tenth of the requests and three, in any minute, whoever asks, state or no state."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beast_dream_snow_loader.errors import StateError
from beast_dream_snow_loader.operations.retry_budget import FLOOR, OwnTokens, RetryBudget

STEPS = st.lists(
    st.tuples(st.sampled_from(["requests", "retry", "retry", "wait"]), st.integers(0, 2), st.integers(1, 30)),
    min_size=20,
    max_size=100,
)
"""What happens, in which of three processes, and how many requests or seconds."""


class Flickering:
    """The shared tokens, which are away now and then."""

    def __init__(self, clock) -> None:
        self.tokens, self.away, self.asked = OwnTokens(clock), False, 0

    def lease(self, service: str, holder: str) -> int | float:
        self._ask()
        return self.tokens.lease(service, holder)

    def renew(self, service: str, holder: str, number: int) -> bool:
        self._ask()
        return self.tokens.renew(service, holder, number)

    def _ask(self) -> None:
        self.asked += 1
        if self.away:
            raise StateError("away")


def test_in_any_minute_the_retries_of_three_processes_are_a_tenth_and_three_at_most(clock) -> None:
    """Q10."""
    reached: Counter[str] = Counter()

    @given(STEPS)
    def any_life(steps) -> None:
        clock.seconds = 0.0
        tokens = OwnTokens(clock)
        budgets = [RetryBudget("servicenow", clock, tokens) for _ in range(3)]
        requests: list[float] = []
        retries: list[float] = []
        for what, who, many in steps:
            if what == "wait":
                clock.seconds += many
            elif what == "requests":
                for _ in range(many):
                    budgets[who].earn()
                    requests.append(clock.seconds)
            elif budgets[who].spend():
                retries.append(clock.seconds)
            else:
                reached["refused"] += 1
        for begin in retries:
            sent = [at for at in retries if begin <= at < begin + 60]
            needed = [at for at in requests if begin <= at < begin + 60]
            assert len(sent) <= 0.1 * len(needed) + FLOOR
        reached["full"] += len(retries) > FLOOR

    any_life()
    assert min(reached["refused"], reached["full"]) >= 5


def test_ten_requests_earn_a_spent_retry_back(clock) -> None:
    budget = RetryBudget("servicenow", clock)
    assert [budget.spend() for _ in range(4)] == [True, True, True, False]
    for _ in range(9):
        budget.earn()
    assert not budget.spend()
    budget.earn()
    assert [budget.spend(), budget.spend()] == [True, False]


def test_nothing_is_saved_up_in_good_times(clock) -> None:
    budget = RetryBudget("servicenow", clock)
    for _ in range(100_000):
        budget.earn()
    assert [budget.spend() for _ in range(5)].count(True) == FLOOR


def test_a_minute_later_the_three_are_there_again(clock) -> None:
    budget = RetryBudget("servicenow", clock)
    for _ in range(3):
        assert [budget.spend() for _ in range(4)] == [True, True, True, False]
        clock.seconds += 60


def test_what_one_process_has_taken_is_not_there_for_another(clock) -> None:
    tokens = OwnTokens(clock)
    one, other = (RetryBudget("servicenow", clock, tokens) for _ in range(2))
    assert [one.spend(), one.spend(), other.spend(), other.spend(), one.spend()] == [True, True, True, False, False]


def test_services_have_budgets_of_their_own(clock) -> None:
    tokens = OwnTokens(clock)
    budgets = [RetryBudget(name, clock, tokens) for name in ("servicenow", "unifi:gw-1")]
    assert [budget.spend() for budget in budgets for _ in range(4)].count(True) == 2 * FLOOR


def test_a_run_without_trouble_asks_the_shared_state_for_nothing(clock) -> None:
    shared = Flickering(clock)
    budget = RetryBudget("servicenow", clock, shared)
    for _ in range(1000):
        budget.earn()
    assert shared.asked == 0


def test_a_minute_of_refusals_asks_the_shared_state_a_handful_of_times(clock) -> None:
    shared = Flickering(clock)
    budget = RetryBudget("servicenow", clock, shared)
    for _ in range(1000):
        budget.spend()
        clock.seconds += 0.06
    assert shared.asked <= 10


@pytest.mark.parametrize("spent", [0, 1])
def test_while_the_shared_state_is_away_each_process_has_one_retry_a_minute(clock, spent: int) -> None:
    shared = Flickering(clock)
    budget = RetryBudget("servicenow", clock, shared)
    for _ in range(spent):
        assert budget.spend()
    shared.away = True
    assert [budget.spend() for _ in range(5)].count(True) == 1 - spent
    clock.seconds += 61
    assert [budget.spend() for _ in range(5)].count(True) == 1
    shared.away = False
    clock.seconds += 61
    assert [budget.spend() for _ in range(5)].count(True) == FLOOR
