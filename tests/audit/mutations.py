"""A trail changed in every way somebody could: with a head kept elsewhere each is noticed (R5.2, S3).

``python -m tests.audit.mutations`` tries 10,000; it prints for each kind how many were noticed with the head, with the
key alone, and with neither. Those who change it have the database, or database and key file of an earlier day, or write
a whole chain with a key of their own; not the present key.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from beast_dream_snow_loader.core.audit import Head, Kind, Link
from beast_dream_snow_loader.operations.audit import ORIGIN, chained
from beast_dream_snow_loader.state.audit_key import named_after
from beast_dream_snow_loader.state.store import Store
from tests.audit.trails import links_of, opened, run, verdict

FILE = named_after("state.sqlite")
RUNS = 5
NAMED = ("flip", "delete", "swap", "renumber", "duplicate")
"""Changes whose place the verdict has to name, or the one behind it: the digests behind are as they were. Where they
were made anew, the next signature tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The trail as it was after each run, and the key as it was then."""

    days: Sequence[Sequence[Link]]
    keys: Sequence[bytes]

    @property
    def links(self) -> Sequence[Link]:
        return self.days[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """``at`` is the first entry that is not what was written."""

    links: Sequence[Link]
    at: int
    key: bytes | None = None


@dataclass(slots=True, kw_only=True)
class Tally:
    tried: Counter[str] = field(default_factory=Counter)
    by_head: Counter[str] = field(default_factory=Counter)
    by_key: Counter[str] = field(default_factory=Counter)
    alone: Counter[str] = field(default_factory=Counter)
    misnamed: list[str] = field(default_factory=list)

    @property
    def missed(self) -> int:
        return self.tried.total() - self.by_head.total()


Mutation = Callable[[Scene, random.Random], Changed]


def _place(scene: Scene, chance: random.Random) -> int:
    return chance.randrange(len(scene.links))


def flip(scene: Scene, chance: random.Random) -> Changed:
    """One character of one column."""
    links, at = list(scene.links), _place(scene, chance)
    link, name = links[at], chance.choice(("kind", "body", "digest", "proof", "segment"))
    if name == "segment":
        links[at] = link._replace(segment=link.segment ^ (1 << chance.randrange(5)))
    else:
        text = str(getattr(link, name))
        place = chance.randrange(len(text))
        other = chr(ord(text[place]) ^ (1 << chance.randrange(4)))
        links[at] = link._replace(**{name: text[:place] + other + text[place + 1 :]})
    return Changed(links=links, at=link.number)


def delete(scene: Scene, chance: random.Random) -> Changed:
    """One entry; sometimes the ones behind it move up."""
    at = chance.randrange(len(scene.links) - 1)
    rest = scene.links[at + 1 :]
    if chance.random() < 0.5:
        rest = [link._replace(number=link.number - 1) for link in rest]
    return Changed(links=[*scene.links[:at], *rest], at=at + 1)


def renumber(scene: Scene, chance: random.Random) -> Changed:
    """All from some entry on."""
    at, by = _place(scene, chance), chance.choice((1, 2, 7))
    moved = [link._replace(number=link.number + by) for link in scene.links[at:]]
    return Changed(links=[*scene.links[:at], *moved], at=at + 1)


def swap(scene: Scene, chance: random.Random) -> Changed:
    """Two entries change places."""
    links = list(scene.links)
    one, other = sorted(chance.sample(range(len(links)), 2))
    links[one], links[other] = (
        links[other]._replace(number=links[one].number),
        links[one]._replace(number=links[other].number),
    )
    return Changed(links=links, at=one + 1)


def duplicate(scene: Scene, chance: random.Random) -> Changed:
    """One entry stands twice."""
    at = _place(scene, chance)
    again = [link._replace(number=link.number + 1) for link in scene.links[at:]]
    return Changed(links=[*scene.links[: at + 1], *again], at=at + 2)


def insert(scene: Scene, chance: random.Random) -> Changed:
    """One entry more, that says what another does, with a right digest; all behind it chained anew."""
    at = _place(scene, chance)
    like = chance.choice(scene.links)
    before = scene.links[at]
    forged = like._replace(number=before.number + 1, segment=before.segment)
    behind = [link._replace(number=link.number + 1) for link in scene.links[at + 1 :]]
    return Changed(links=[*scene.links[: at + 1], *_rechained([forged, *behind], before)], at=at + 2)


def truncate(scene: Scene, chance: random.Random) -> Changed:
    """The newest entries are gone, half of the time so that a seal is the last."""
    ends = [at + 1 for at, link in enumerate(scene.links[:-1]) if link.kind == Kind.SEALED]
    keep = chance.choice(ends) if chance.random() < 0.5 else chance.randrange(len(scene.links))
    return Changed(links=scene.links[:keep], at=keep + 1)


def roll_back(scene: Scene, chance: random.Random) -> Changed:
    """All as it was after an earlier run; half of the time the key file too."""
    day = chance.randrange(len(scene.days) - 1)
    key = scene.keys[day] if chance.random() < 0.5 else None
    return Changed(links=scene.days[day], at=len(scene.days[day]) + 1, key=key)


def rewrite(scene: Scene, chance: random.Random) -> Changed:
    """Another story from some entry on, its digests right; or the whole chain, with a key of one's own."""
    if chance.random() < 0.3:
        return _forged(chance.choice((2, 3)))
    at = _place(scene, chance)
    link = scene.links[at]
    told = link._replace(body=link.body.replace("device/", "client/").replace("run-", "run+"))
    before = scene.links[at - 1] if at else ORIGIN
    return Changed(links=[*scene.links[:at], *_rechained([told, *scene.links[at + 1 :]], before)], at=at + 1)


@cache
def _forged(changes: int) -> Changed:
    """A trail of its own key, whole in itself, that says what somebody likes."""
    with tempfile.TemporaryDirectory() as place:
        forged, store, _ = scene_of(Path(place), changes=changes)
        with store:
            return Changed(links=forged.links, at=1, key=forged.keys[-1])


def _rechained(links: Sequence[Link], before: Link) -> list[Link]:
    made = []
    for link in links:
        digest = chained(before.digest, before.proof, link.number, link.segment, link.kind, link.body)
        before = link._replace(digest=digest)
        made.append(before)
    return made


MUTATIONS: tuple[Mutation, ...] = (
    flip,
    delete,
    renumber,
    swap,
    duplicate,
    insert,
    truncate,
    roll_back,
    rewrite,
)


class Bench:
    """The trail in its database, put back after each change."""

    def __init__(self, directory: Path, store: Store, heads: Sequence[Head]) -> None:
        self._file, self._key = directory / "state.sqlite", directory / FILE
        self._store, self._head = store, heads[-1]

    def try_one(self, scene: Scene, mutation: Mutation, chance: random.Random, tally: Tally) -> None:
        changed = mutation(scene, chance)
        while list(changed.links) == list(scene.links):
            changed = mutation(scene, chance)
        self._put(changed.links, changed.key or scene.keys[-1])
        name = mutation.__name__
        tally.tried[name] += 1
        found = verdict(self._store, self._head)
        tally.by_head[name] += not found.whole
        tally.by_key[name] += not verdict(self._store).whole
        tally.alone[name] += not verdict(self._store, key=False).whole
        if name in NAMED and found.bad is not None and abs(found.bad.number - changed.at) > 1:
            tally.misnamed.append(f"{name} at {changed.at}: {found.bad}")

    def put_back(self, scene: Scene) -> None:
        self._put(scene.links, scene.keys[-1])

    def _put(self, links: Sequence[Link], key: bytes) -> None:
        rows = [(one.number, one.segment, one.kind, one.body, one.digest, one.proof) for one in links]
        with closing(sqlite3.connect(self._file)) as connection, connection:
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute("DELETE FROM audit_log")
            connection.executemany("INSERT INTO audit_log VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._key.write_bytes(key)


def scene_of(directory: Path, runs: int = RUNS, changes: int = 3) -> tuple[Scene, Store, list[Head]]:
    """Runs one after the other, with a picture after each. The store is to be closed."""
    store = opened(directory)
    days, keys, heads = [], [], []
    for number in range(1, runs + 1):
        heads.append(run(store, number, changes))
        days.append(links_of(store))
        keys.append((directory / FILE).read_bytes())
    return Scene(days=days, keys=keys), store, heads


def tried(count: int, seed: int) -> Tally:
    """So many changes, of all kinds in turn."""
    chance, tally = random.Random(seed), Tally()
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        scene, store, heads = scene_of(directory)
        with store:
            bench = Bench(directory, store, heads)
            assert verdict(store, *heads).whole
            for number in range(count):
                bench.try_one(scene, MUTATIONS[number % len(MUTATIONS)], chance, tally)
            bench.put_back(scene)
            assert verdict(store, *heads).whole
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    tally = tried(asked.count, asked.seed)
    lines = [f"{'change':<12}{'tried':>7}{'head':>7}{'key':>7}{'none':>7}"]
    for name, count in tally.tried.items():
        lines.append(f"{name:<12}{count:>7}{tally.by_head[name]:>7}{tally.by_key[name]:>7}{tally.alone[name]:>7}")
    lines.append(f"{tally.tried.total()} changes, {tally.missed} not noticed with the head; seed {asked.seed}")
    lines += [f"misnamed: {line}" for line in tally.misnamed[:10]]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if tally.missed or tally.misnamed else 0


if __name__ == "__main__":
    raise SystemExit(main())
