"""Nothing is ever decided from memory, whatever cannot be read and whatever changed meanwhile (Q18); in short,
``make outages`` runs ten thousand outages."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path
from random import Random

from tests.outages.estates import StoryClock
from tests.outages.stories import Story, never, opened, outages, tell

ENOUGH = 200


def test_whatever_is_away_nothing_is_decided_from_memory() -> None:
    """The counts say that every outage and every temptation was reached."""
    met: Counter[str] = Counter()
    tell(range(1, ENOUGH), met, enough=ENOUGH)
    assert outages(met) >= ENOUGH
    assert not list(never(met, least=3)), met


def test_a_run_that_did_decide_from_memory_is_found_out(tmp_path: Path) -> None:
    """The same judge, the rule left out."""
    caught, clock = 0, StoryClock()
    with opened(tmp_path, clock) as store:
        for seed in range(10):
            story = Story(chance=Random(seed), store=store, clock=clock, met=Counter(), lax=True, number=100 * seed)
            with contextlib.suppress(AssertionError):
                story.tell()
                caught -= 1
            caught += 1
    assert caught >= 5
