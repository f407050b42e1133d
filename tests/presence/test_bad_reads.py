"""No read that was partial, empty, cut, shifted, filtered or counted before ever retires anything (Q9, L5); in short,
``make presence`` runs ten thousand inventories. That a stale snapshot counts for nobody: scenarios/test_disappearance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beast_dream_snow_loader.state.store import Store, open_store
from tests.presence.stories import bad_reads, never, story
from tests.state.conftest import StillClock

STORIES = 100


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    file = tmp_path_factory.mktemp("presence") / "state" / "state.sqlite"
    with open_store(f"sqlite:///{file}", StillClock()) as opened:
        yield opened


@given(chance=st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_whatever_the_reads_were_like_only_what_is_gone_is_retired(store: Store, chance: Random) -> None:
    story(chance, store, Counter())


def test_hundreds_of_bad_reads_lose_nothing_but_what_is_gone(store: Store) -> None:
    """The counts say that every fault, every state and real retirements were reached."""
    met: Counter[str] = Counter()
    for seed in range(STORIES):
        story(Random(seed), store, met)
    assert bad_reads(met) >= 500, met
    assert not never(met, least=5), met
