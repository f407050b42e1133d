"""What people were told, and what waits to be sent, on every database (R4.4)."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import timedelta

from beast_dream_snow_loader.core.notices import Condition, Decision, Notice, Rules, RunFacts, Told, notices_of
from beast_dream_snow_loader.state.notices import AT_ONCE, MOST_ATTEMPTS, MOST_WAITING, OLDEST, Letter
from beast_dream_snow_loader.state.store import Store
from tests.contracts.conftest import NOON, Place

TARGET = "dev1"
RULES = Rules(on=frozenset(Condition), repeat_after=timedelta(days=1), stale_longer_than=timedelta(days=1))
BAD = RunFacts(exit_code=3, cause="partial", message="Some records were not written.", forecasts=())


def letters(*names: str, channel: str = "webhook") -> list[Letter]:
    return [Letter(id=name, channel=channel, body="{}") for name in names]


def posted(store: Store, *names: str, channel: str = "webhook", target: str = TARGET) -> int:
    """So many were let go."""
    return store.notices.decide(target, lambda last: Decision(told=last), lambda _: letters(*names, channel=channel))[1]


def decided(store: Store, facts: RunFacts, target: str = TARGET) -> tuple[Notice, ...]:
    def decide(last: Mapping[Condition, Told]) -> Decision:
        return notices_of(facts, last, RULES, NOON)

    return store.notices.decide(target, decide, lambda _: ())[0].notices


def test_what_was_told_is_known_to_whoever_opens_the_state_next(place: Place) -> None:
    with place.open() as store:
        assert [one.condition for one in decided(store, BAD)] == [Condition.PARTIAL]
    with place.open() as store:
        assert decided(store, BAD) == ()
        assert [one.recovered for one in decided(store, RunFacts(exit_code=0))] == [True]
        assert decided(store, RunFacts(exit_code=0)) == ()


def test_targets_are_told_of_apart(store: Store) -> None:
    assert decided(store, BAD)
    assert decided(store, BAD, target="dev2")


def test_of_many_that_decide_at_once_one_tells(place: Place) -> None:
    found: list[tuple[Notice, ...]] = []

    def run() -> None:
        with place.open() as mine:
            found.append(decided(mine, BAD))

    place.open().close()
    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(len, found)) == [0, 0, 0, 1]


def test_a_letter_is_given_to_one_sender_until_he_has_had_his_time(place: Place) -> None:
    with place.open() as one, place.open() as other:
        posted(one, "a", "b")
        assert [letter.id for letter in one.notices.claim(TARGET, ["webhook"])] == ["a", "b"]
        assert other.notices.claim(TARGET, ["webhook"]) == []
        place.clock.sleep(121)
        assert len(other.notices.claim(TARGET, ["webhook"])) == 2, "the first sender was killed"


def test_nothing_overtakes_a_letter_whose_sender_was_killed(place: Place) -> None:
    """R4.4: what is well again is not told before that it failed. Other channels do not wait for this one."""
    with place.open() as killed, place.open() as next_one:
        posted(killed, "z-failed")
        assert len(killed.notices.claim(TARGET, ["webhook"])) == 1
        place.clock.sleep(1)
        posted(next_one, "a-well")
        posted(next_one, "a-well", channel="smtp")
        assert [one.channel for one in next_one.notices.claim(TARGET, ["webhook", "smtp"])] == ["smtp"]
        place.clock.sleep(121)
        assert [one.id for one in next_one.notices.claim(TARGET, ["webhook"])] == ["z-failed", "a-well"]


def test_what_was_sent_is_gone_and_the_rest_waits(store: Store) -> None:
    posted(store, "a", "b")
    posted(store, "a", channel="smtp")
    first, second = store.notices.claim(TARGET, ["webhook"])
    store.notices.settle(sent=[first], unsent=[second])
    (again,) = store.notices.claim(TARGET, ["webhook"])
    assert (again.id, again.attempts) == ("b", 1)
    assert [letter.channel for letter in store.notices.claim(TARGET, ["smtp"])] == ["smtp"]


def test_the_outbox_does_not_grow_without_end(place: Place, store: Store) -> None:
    names = [f"{number:03}" for number in range(MOST_WAITING + 5)]
    assert sum(posted(store, name) for name in names) == 5
    assert [letter.id for letter in store.notices.claim(TARGET, ["webhook"])] == names[5 : 5 + AT_ONCE]
    place.clock.sleep(OLDEST.total_seconds() + 1)
    assert posted(store) == MOST_WAITING


def test_a_letter_that_nobody_takes_is_let_go(store: Store) -> None:
    posted(store, "a")
    for _ in range(MOST_ATTEMPTS):
        store.notices.settle(sent=[], unsent=store.notices.claim(TARGET, ["webhook"]))
    assert posted(store) == 1
