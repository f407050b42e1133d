"""What is told of a sequence of runs: nothing twice too soon, every end once, no end that nobody has seen (R4.4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beast_dream_snow_loader.core.exit_codes import ExitCode
from beast_dream_snow_loader.core.notices import Condition, Decision, Rules, RunFacts, Told, notices_of

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULES = Rules(on=frozenset(Condition), repeat_after=6 * HOUR, stale_longer_than=24 * HOUR, retirements_above=10)
STOPPED = [code for code in ExitCode if code not in (0, 3, 4, 8, 10)]
FACTS = st.builds(
    RunFacts,
    exit_code=st.sampled_from([int(code) for code in ExitCode if code != ExitCode.CHANGES]),
    cause=st.sampled_from(["a", "b"]),
    queued=st.sampled_from([0, 5]),
    stale_seconds=st.sampled_from([None, 3600.0, 1e6]),
    retired=st.sampled_from([0, 50]),
    breakers=st.sampled_from([(), ("servicenow",)]),
    forecasts=st.sampled_from([None, (), ("orphans",)]),
)


def decide(facts: RunFacts, before: Decision = Decision(), hours: int = 0) -> Decision:
    return notices_of(facts, before.told, RULES, NOON + hours * HOUR)


@given(st.lists(FACTS, max_size=20))
def test_the_same_is_told_again_only_after_the_quiet_period_or_when_it_had_been_over(runs: list[RunFacts]) -> None:
    before, told = Decision(), dict[Condition, Told]()
    for hours, facts in enumerate(runs):
        before = decide(facts, before, hours)
        for notice in before.notices:
            last = told.pop(notice.condition, None)
            if notice.recovered:
                assert last is not None, "the end of what nobody was told of"
                continue
            now = before.told[notice.condition]
            assert last is None or last.cause != now.cause or now.told_at - last.told_at >= RULES.repeat_after
            told[notice.condition] = now
        told = {condition: one for condition, one in told.items() if condition in before.told}


@given(FACTS, st.sampled_from(STOPPED))
def test_a_run_that_was_stopped_says_of_nothing_that_it_is_over(facts: RunFacts, code: ExitCode) -> None:
    before = decide(facts)
    after = decide(RunFacts(exit_code=code, cause="stopped"), before, 1)
    assert not [notice for notice in after.notices if notice.recovered]
    assert set(before.told) <= set(after.told)


@given(FACTS)
def test_after_a_run_in_which_all_was_well_nothing_is_left_to_tell(facts: RunFacts) -> None:
    well = decide(RunFacts(exit_code=0, forecasts=()), decide(facts), 1)
    assert well.told == {}
    assert all(notice.recovered for notice in well.notices)
    assert decide(RunFacts(exit_code=0, forecasts=()), well, 2).notices == ()


@pytest.mark.parametrize(
    ("code", "condition"),
    [(1, "failed"), (3, "partial"), (4, "refused"), (8, "queued"), (9, "failed"), (12, "failed"), (143, "failed")],
)
def test_each_way_to_end_is_one_condition(code: int, condition: str) -> None:
    assert [notice.condition.value for notice in decide(RunFacts(exit_code=code)).notices] == [condition]


def test_writes_that_wait_still_are_not_called_well_again_by_a_load_that_wrote_other_things() -> None:
    queued = decide(RunFacts(exit_code=8, cause="queued", queued=3))
    assert decide(RunFacts(exit_code=3, cause="partial", queued=3), queued, 1).told.keys() == {
        Condition.QUEUED,
        Condition.PARTIAL,
    }
