"""The connections of a run to its PostgreSQL server, ended by the server again and again (Q1, Q6).

``python -m tests.crash.cut_off --trials 100``: from some request to ServiceNow on, every connection of ours is ended as
soon as it is there, for a while. Nothing is lost, the end is told, and the same command does the rest.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from sqlalchemy import make_url

from tests.contracts.conftest import LOCAL_POSTGRES, own_schema
from tests.crash.books import astray
from tests.crash.checker import Place, doubled, faults
from tests.crash.harness import Ended, Forge
from tests.crash.stories import CHANGED, FIRST, LOAD, QUEUED, Stage, Story
from tests.crash.sweep import Sweep

STORIES = (FIRST, CHANGED, QUEUED)
ROUNDS = 40
"""So often in a row at most: longer than any transaction of ours."""
_CODES = frozenset({0, 3, 5, 8})
_END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s"


@dataclass(slots=True, kw_only=True)
class Seen:
    """``cut``: connections that were ended."""

    trials: int = 0
    cut: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scissors:
    """``name``: what our connections call themselves."""

    server: str
    name: str

    def cut(self, rounds: int) -> int:
        with psycopg.connect(self.server, autocommit=True) as connection:
            return sum(len(connection.execute(_END, (self.name,)).fetchall()) for _ in range(rounds))


@contextmanager
def bench(server: str) -> Iterator[tuple[Forge, Scissors]]:
    """A fork server with a schema of its own."""
    with own_schema(server) as schema:
        url = make_url(schema)
        name = f"snowload-cut-off-{os.getpid()}"
        plain = make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
        named = url.update_query_dict({"application_name": name}).render_as_string(hide_password=False)
        with Sweep(devices=8, server=named).forge() as forge:
            yield forge, Scissors(server=plain, name=name)


def trial(forge: Forge, scissors: Scissors, story: Story, seed: int, into: Seen) -> None:
    """One command whose connections are ended from a request on that the seed chooses, for as long as it chooses."""
    chosen = random.Random(seed)
    into.trials += 1
    forge.clear()
    with Place(estate=Sweep(devices=8).estate()) as place:
        stage = Stage(forge=forge, place=place, variables=story.variables)
        story.before(stage)
        ended = _cut_off(stage, story, scissors, chosen, into)
        into.ended[str(ended.code)] += 1
        into.violations += [f"{story.name}, seed {seed}: {one}" for one in _wrong(stage, story, ended)]


def _cut_off(stage: Stage, story: Story, scissors: Scissors, chosen: random.Random, into: Seen) -> Ended:
    witness = stage.place.witness
    at, rounds = witness.asked + chosen.randint(1, 12), chosen.randint(1, ROUNDS)
    cutting: list[threading.Thread] = []

    def cut() -> None:
        into.cut += scissors.cut(rounds)

    def meanwhile(number: int) -> None:
        if number == at:
            cutting.append(threading.Thread(target=cut))
            cutting[0].start()

    witness.meanwhile = meanwhile
    ended = stage.run(*story.command(stage))
    for thread in cutting:
        thread.join()
    return ended


def _wrong(stage: Stage, story: Story, ended: Ended) -> Iterator[str]:
    place = stage.place
    if ended.code not in _CODES:
        yield f"it ended {ended.code}: {ended.err[-300:]}"
    if ended.code == 0 and story.whole:
        yield from list(faults(place))[:2]
    again = stage.run(*LOAD)
    if again.code != 0:
        yield f"the same again ended {again.code}: {again.err[-300:]}"
    yield from list(faults(place) if story.whole else doubled(place))[:3]
    yield from list(astray(place, stage.forge.state))[:3]
    writes = place.writes()
    if (quiet := stage.run(*LOAD)).code != 0 or place.writes() != writes:
        yield f"once more ended {quiet.code}, with {place.writes() - writes} writes"


def tried(server: str, seeds: Sequence[int]) -> Seen:
    seen = Seen()
    with bench(server) as (forge, scissors):
        for seed in seeds:
            trial(forge, scissors, STORIES[seed % len(STORIES)], seed, seen)
    return seen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    server = os.environ.get("SNOWLOAD_TEST_POSTGRES_URL") or LOCAL_POSTGRES
    seen = tried(server, range(given.seed, given.seed + given.trials))
    told = f"{seen.trials} trials, {seen.cut} connections ended by the server: {dict(seen.ended)}"
    print(f"{told}, {len(seen.violations)} violations", *seen.violations[:20], sep="\n")  # noqa: T201
    return 1 if seen.violations else 0


if __name__ == "__main__":
    sys.exit(main())
