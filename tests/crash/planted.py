"""Protocol faults planted in a copy of the program: a sweep that does not find them proves nothing (Q17).

``python -m tests.crash.planted`` tries each; the copy without a fault has to come through all the same points.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tests.crash.harness import ROOT, Arm
from tests.crash.late import LATEST_SEED, Late, Mishap, bench
from tests.crash.moments import Told, answered, away_from, half_intended, settled, unsent
from tests.crash.race import Pair, pair
from tests.crash.stories import BASE_CLASS, CHANGED, FIRST, NAMESAKES, QUEUED, RENAMED, UNDONE, Story
from tests.crash.sweep import Sweep, Trials

PACKAGE = "beast_dream_snow_loader"
DEVICES = 8
HASTY = replace(
    BASE_CLASS,
    name="without the engine, hasty",
    variables={
        **BASE_CLASS.variables,
        "SNOWLOAD_RETRY__MAX_ATTEMPTS": "1",
        "SNOWLOAD_CIRCUIT_BREAKER__FIRST_WAIT_SECONDS": "0.01",
    },
)
"""It waits for no second attempt of a call, and the next run hardly for what this one learned of the network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One text of one module for another. It has to be there exactly once: what is not planted is not caught either."""

    module: str
    old: str
    new: str

    def make(self, package: Path) -> None:
        file = package / PACKAGE / self.module
        text = file.read_text(encoding="utf-8")
        if (found := text.count(self.old)) != 1:
            raise ValueError(f"{self.module} holds {found} times what is to be changed: {self.old.strip()[:80]}")
        file.write_text(text.replace(self.old, self.new), encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A fault, and where it shows: what was going on, and the moments at which to end it; or between two processes; or
    with a request of the Table path that is carried out late."""

    name: str
    edits: tuple[Edit, ...]
    story: Story = FIRST
    moments: tuple[Callable[[Told], Arm], ...] = ()
    between: Callable[[Pair], Iterator[str]] | None = None
    late: Mishap | None = None


def _powerless(moment: Callable[[Told], Arm]) -> Callable[[Told], Arm]:
    return lambda told: replace(moment(told), power=True)


def _one(module: str, old: str, new: str) -> tuple[Edit, ...]:
    return (Edit(module=module, old=old, new=new),)


_INTEND_AND_SEND = """        self._world.journal.intend(self._order.run_id, changes)
        receipts = claimed(self._world, self._order, self._doubted, changes, send())
"""
_SETTLE_FIRST = """        self._world.journal.intend(self._order.run_id, changes)
        knowns = [getattr(change, "known", None) for change in changes]
        early = [
            Receipt(subject=change.subject, outcome=Outcome.DONE, sys_id=getattr(known, "sys_id", None))
            for change, known in zip(changes, knowns)
        ]
        self._world.journal.settle(
            self._order.run_id, [Settlement(change=c, receipt=r) for c, r in zip(changes, early)]
        )
        receipts = claimed(self._world, self._order, self._doubted, changes, send())
        self._world.journal.intend(self._order.run_id, changes)
"""
_SEND_FIRST = """        receipts = claimed(self._world, self._order, self._doubted, changes, send())
        self._world.journal.intend(self._order.run_id, changes)
"""
_BY_KEY = """    there = world.cmdb.find([change.item.key for change in changes]) if changes else {}
"""
_BY_NAME = """    from beast_dream_snow_loader.servicenow.apis.table import TableRead
    from beast_dream_snow_loader.servicenow.query import Query

    there = {}
    for change in changes:
        named = Query().equals("name", change.send.get("name", ""))
        rows = world.cmdb._reader.rows(TableRead(table="cmdb_ci", query=named, fields=("name",)))
        there[change.item.key] = tuple(SysId(row["sys_id"]) for row in rows)
"""
_TOGETHER = """            connection.execute(SETTLE, rows)
            record(connection, settlements, now)
"""
_APART = """            connection.execute(SETTLE, rows)
        with self._writing() as connection:
            record(connection, settlements, now)
"""
_SUPERSEDE_AND_INTEND = """            supersede(connection, standing.values(), now)
            connection.execute(journal.insert(), new_rows(run_id, changes, standing, now))
"""
_SUPERSEDE_THEN_INTEND = """            supersede(connection, standing.values(), now)
        with self._writing() as connection:
            connection.execute(journal.insert(), new_rows(run_id, changes, standing, now))
"""
_QUEUED_AGAIN = """        outcome=Outcome.LATER,
        code=NOT_FOUND if sent else END_UNKNOWN,
"""
_QUEUE_THE_REST = """    world.journal.settle(order.run_id, rest)
    _end_doubt(world, order, left, now)
    return [*found, *rest]
"""
_FORGET_THE_REST = """    world.journal.supersede([settlement.change.subject for settlement in rest])
    return found
"""
_LOOK_UP = "pipeline/steps/look_up.py"
_SIGHTINGS = "pipeline/steps/sightings.py"
_EDGES = "pipeline/steps/edge_sightings.py"

PLANTED: Sequence[Planted] = (
    Planted(
        name="settled before it is sent",
        edits=_one("pipeline/apply.py", _INTEND_AND_SEND, _SETTLE_FIRST),
        story=CHANGED,
        moments=(unsent,),
    ),
    Planted(
        name="intended after it is sent",
        edits=_one("pipeline/apply.py", _INTEND_AND_SEND, _SEND_FIRST),
        story=FIRST,
        moments=(answered,),
    ),
    Planted(
        name="what was left open is not looked up",
        edits=_one(
            _LOOK_UP,
            "settled = _settle_open(world, order, entries) if entries else ()",
            "settled: list[Settlement] = []",
        ),
        story=FIRST,
        moments=(answered,),
    ),
    Planted(
        name="looked up by name",
        edits=_one(_SIGHTINGS, _BY_KEY, _BY_NAME),
        story=NAMESAKES,
        moments=(unsent, answered),
    ),
    Planted(
        name="synchronous=NORMAL",
        edits=_one("state/on_sqlite.py", '"synchronous=FULL"', '"synchronous=NORMAL"'),
        story=FIRST,
        moments=(_powerless(answered),),
    ),
    Planted(
        name="the ledger in a transaction of its own",
        edits=_one("state/journal.py", _TOGETHER, _APART),
        story=FIRST,
        moments=(settled,),
    ),
    Planted(
        name="a queued write dropped before the new one is written down",
        edits=_one("state/journal.py", _SUPERSEDE_AND_INTEND, _SUPERSEDE_THEN_INTEND),
        story=QUEUED,
        moments=(half_intended,),
    ),
    Planted(
        name="unknown taken for done",
        edits=_one(_LOOK_UP, _QUEUED_AGAIN, _QUEUED_AGAIN.replace("LATER", "DONE")),
        story=CHANGED,
        moments=(unsent,),
    ),
    Planted(
        name="what has not happened is forgotten",
        edits=_one(_LOOK_UP, _QUEUE_THE_REST, _FORGET_THE_REST),
        story=QUEUED,
        moments=(unsent,),
    ),
    Planted(
        name="updates are not looked up",
        edits=_one(_LOOK_UP, "*updated(world, entries, late=late), ", ""),
        story=RENAMED,
        moments=(answered,),
    ),
    Planted(
        name="edges taken for drawn when their ends are there",
        edits=_one(
            _EDGES,
            "    there = world.cmdb.find_drawn(wanted) if wanted else {}\n",
            '    row = Drawn(sys_id=SysId("0" * 32), parent="", child="", made_at=world.clock.now())\n'
            "    there = {edge.relation_key: row for edge in wanted}\n",
        ),
        story=CHANGED,
        moments=(unsent,),
    ),
    Planted(
        name="a whole batch settled as done though part of it never left",
        edits=_one(
            "servicenow/base_class.py",
            "    if not sent and outcome is Outcome.UNKNOWN:\n        outcome = Outcome.LATER\n",
            "    if not sent:\n        outcome = Outcome.DONE\n",
        ),
        story=HASTY,
        moments=(partial(away_from, 3),),
    ),
    Planted(
        name="undone without looking up what was left open",
        edits=_one(
            "pipeline/rollback.py",
            "    if not order.dry_run:\n        settle_unknown(world, order)\n    done",
            "    done",
        ),
        story=UNDONE,
        moments=(answered,),
    ),
    Planted(
        name="no quarantine",
        edits=_one("pipeline/steps/quarantine.py", "    world.clock.sleep(order.quarantine)\n", "    pass\n"),
        late=Mishap.DIED,
    ),
    Planted(
        name="no look at the fence",
        edits=(
            *_one("state/lease.py", "            fence.check(connection)\n", "            pass\n"),
            *_one("transport/fencing.py", "            self._tenure.confirm()\n", "            pass\n"),
        ),
        between=Pair.lost,
    ),
    Planted(
        name="no look at the fence before each request",
        edits=_one("transport/fencing.py", "            self._tenure.confirm()\n", "            pass\n"),
        between=Pair.lost_in_a_batch,
    ),
    Planted(
        name="no lock and no lease",
        edits=(
            *_one("state/locks.py", "        lock.acquire(blocking=False)\n", "        pass\n"),
            *_one("state/lease.py", "row.run_id and not dead(row, clock, connection):", "False:"),
        ),
        between=Pair.two_at_once,
    ),
)


@contextmanager
def planted(edits: Sequence[Edit]) -> Iterator[Path]:
    """A copy of the program with these edits; the directory to find it in."""
    with tempfile.TemporaryDirectory() as name:
        shutil.copytree(ROOT / PACKAGE, Path(name) / PACKAGE)
        for edit in edits:
            edit.make(Path(name))
        yield Path(name)


def tried(fault: Planted, *, sound: bool = False) -> Trials:
    """What the sweep says of the fault; ``sound``: of the program without it, at the same moments."""
    with planted(() if sound else fault.edits) as package:
        sweep = Sweep(story=fault.story, devices=DEVICES, package=package)
        if fault.between is not None:
            with pair(sweep) as two:
                return Trials(points=1, violations=list(fault.between(two)))
        if fault.late is not None:
            return _late(sweep, fault.late)
        with sweep.forge() as forge:
            told = sweep.told(forge)
            return sweep.run(forge, [moment(told) for moment in fault.moments])


UNHURRIED = 5.0
"""Seconds in which the next load begins to write on a busy machine too: who does not wait is then early."""


def _late(sweep: Sweep, mishap: Mishap) -> Trials:
    seen = Late()
    with bench("table", sweep, UNHURRIED) as opened:
        opened.trial(LATEST_SEED, seen, mishap)
    return Trials(points=1, violations=seen.violations)


def main() -> int:
    failed = 0
    for fault in PLANTED:
        with_it, without = tried(fault), tried(fault, sound=True)
        good = bool(with_it.violations) and not without.violations
        failed += not good
        shown = next(iter(with_it.violations), "NOT CAUGHT")
        print(f"{fault.name}: {shown}", *without.violations, sep="\n    ", flush=True)  # noqa: T201
    print(f"{len(PLANTED)} faults planted, {failed} not as they should be")  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
