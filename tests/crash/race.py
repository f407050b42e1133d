"""Two loads of one target at once, the holder ended at random, and a holder that has lost it (Q13).

``python -m tests.crash.race --trials 200`` is part of `make crash`.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from tests.contracts.conftest import LOCAL_POSTGRES, own_schema
from tests.crash.books import astray
from tests.crash.checker import Place, faults
from tests.crash.harness import KILLED, Action, Arm, Ended, Forge
from tests.crash.stories import BASE_CLASS, LOAD, Stage
from tests.crash.sweep import Sweep

HELD = 9
TAKEOVER_SECONDS = 5.0
_SMALL = {"SNOWLOAD_SERVICENOW__BATCH_SIZE": "2", "SNOWLOAD_SERVICENOW__BATCH_SIZE_MAX": "2"}
_WRITES = "/api/now/identifyreconcile/enhanced"
_ROWS = "/api/now/table/cmdb*"


@dataclass(slots=True, kw_only=True)
class Raced:
    """What the trials saw. ``takeovers`` in seconds."""

    trials: int = 0
    killed: int = 0
    refused: int = 0
    takeovers: list[float] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two processes with one state."""

    sweep: Sweep
    first: Forge
    second: Forge

    def race(self, seed: int, calls: int, into: Raced) -> None:
        """One trial: the first is ended at a random call, the second begins while it runs and waits for it, or not."""
        chosen = random.Random(seed)
        arm = Arm(at=chosen.randint(calls // 4, calls), action=chosen.choice((Action.KILL_BEFORE, Action.KILL_AFTER)))
        waits = chosen.random() < 0.5
        self.first.state.clear()
        with Place(estate=self.sweep.estate()) as place, ThreadPoolExecutor(1) as pool:
            running = pool.submit(self._timed, place, arm)
            self._once(lambda: bool(self._tokens()) or running.done())
            begun = time.monotonic()
            watched = threading.Event()
            seen: Future[float | None] = Future()
            watcher = threading.Thread(target=self._watch, args=(max(self._tokens(), default=0), watched, seen))
            watcher.start()
            second = self._load(self.second, place, *(("--lock-timeout", "1m") if waits else ()))
            took = time.monotonic() - begun
            first, ended = running.result()
            watched.set()
            watcher.join()
            into.trials += 1
            into.killed += first.code == KILLED
            into.refused += second.code == HELD
            if waits and first.code == KILLED and (taken := seen.result()) is not None:
                into.takeovers.append(max(0.0, taken - ended))
            into.violations += [f"trial {seed}: {one}" for one in self._wrong(place, first, second, waits, took)]

    def _wrong(self, place: Place, first: Ended, second: Ended, waits: bool, took: float) -> Iterator[str]:
        if second.code not in ((0,) if waits else (0, HELD)):
            yield f"the second ended {second.code}: {second.err[-300:]}"
        if first.code not in (0, KILLED, HELD):
            yield f"the first ended {first.code}: {first.err[-300:]}"
        last = self._load(self.first, place)
        if last.code != 0:
            yield f"the load afterwards ended {last.code}: {last.err[-300:]}"
        yield from list(faults(place))[:3]
        yield from list(astray(place, self.first.state))[:3]

    def lost(self) -> Iterator[str]:
        """The holder's host was silent for too long and another has taken over: what it still does is wrong."""
        self.first.state.clear()
        with Place(estate=self.sweep.estate()) as place, ThreadPoolExecutor(1) as pool:
            place.sandbox.servicenow.faults.add(Fault(effect=Effect.LATENCY, seconds=0.3, path=_WRITES))
            running = pool.submit(self._load, self.first, place)
            self._once(lambda: bool(self.first.state.rows("SELECT 1 FROM journal")) or running.done())
            self.first.state.change("UPDATE leases SET token = token + 1, run_id = 'other', host = 'elsewhere'")
            sent = self._begun(place)
            ended = running.result()
            if ended.code != HELD:
                yield f"it went on, and ended {ended.code}"
            if (more := self._begun(place) - sent) > 1:
                yield f"it sent {more} writes after it had lost the target"

    def lost_in_a_batch(self) -> Iterator[str]:
        """The same where a batch is a request for each record: it may go on for minutes."""
        self.first.state.clear()
        with Place(estate=self.sweep.estate()) as place, ThreadPoolExecutor(1) as pool:
            stage = Stage(forge=self.first, place=place, variables=BASE_CLASS.variables)
            BASE_CLASS.before(stage)
            slow = Fault(effect=Effect.LATENCY, seconds=0.2, method="POST", path=_ROWS)
            place.sandbox.servicenow.faults.add(slow)
            running = pool.submit(stage.run, *LOAD)
            self._once(lambda: self._inserted(place) >= 2 or running.done())
            self.first.state.change("UPDATE leases SET token = token + 1, run_id = 'other', host = 'elsewhere'")
            sent = self._inserted(place)
            if (ended := running.result()).code != HELD:
                yield f"it went on, and ended {ended.code}"
            if (more := self._inserted(place) - sent) > 1:
                yield f"it sent {more} rows of its batch after it had lost the target"

    def two_at_once(self) -> Iterator[str]:
        """The second of two has no business here."""
        self.first.state.clear()
        with Place(estate=self.sweep.estate()) as place, ThreadPoolExecutor(1) as pool:
            place.sandbox.servicenow.faults.add(Fault(effect=Effect.LATENCY, seconds=0.3, path=_WRITES))
            running = pool.submit(self._load, self.first, place)
            self._once(lambda: bool(self.first.state.rows("SELECT 1 FROM journal")) or running.done())
            second = self._load(self.second, place)
            if second.code != HELD:
                yield f"the second was not refused, and ended {second.code}"
            if (ended := running.result()).code != 0:
                yield f"the first ended {ended.code}"

    @staticmethod
    def _begun(place: Place) -> int:
        return sum(1 for line in place.sandbox.log.lines("servicenow") if line.path == _WRITES)

    @staticmethod
    def _inserted(place: Place) -> int:
        """Rows that are sent to tables of CIs and relations."""
        lines = place.sandbox.log.lines("servicenow")
        return sum(1 for line in lines if line.method == "POST" and line.path.startswith(_ROWS.rstrip("*")))

    def _timed(self, place: Place, arm: Arm) -> tuple[Ended, float]:
        ended = self._load(self.first, place, arm=arm)
        return ended, time.monotonic()

    def _load(self, forge: Forge, place: Place, *more: str, arm: Arm | None = None) -> Ended:
        return Stage(forge=forge, place=place, variables=_SMALL).run(*LOAD, *more, arm=arm)

    def _tokens(self) -> list[int]:
        return [token for (token,) in self.first.state.rows("SELECT token FROM leases")]

    def _watch(self, before: int, enough: threading.Event, seen: Future[float | None]) -> None:
        """When the target has another holder."""
        while not enough.is_set():
            if max(self._tokens(), default=0) > before:
                seen.set_result(time.monotonic())
                return
            time.sleep(0.02)
        seen.set_result(None)

    @staticmethod
    def _once(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, "nothing happened"
            time.sleep(0.01)


@contextmanager
def pair(sweep: Sweep) -> Iterator[Pair]:
    """Two fork servers over the state of the first."""
    with sweep.forge() as first, sweep.forge() as second:
        second.state = first.state
        yield Pair(sweep=sweep, first=first, second=second)


def raced(two: Pair, seeds: range) -> Raced:
    into = Raced()
    with Place(estate=two.sweep.estate()) as place:
        two.first.state.clear()
        calls = two._load(two.first, place, arm=Arm()).calls
    for seed in seeds:
        two.race(seed, calls, into)
    return into


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--server", action="store_true", help="state on PostgreSQL")
    given = parser.parse_args()
    with ExitStack() as stack:
        url = os.environ.get("SNOWLOAD_TEST_POSTGRES_URL") or LOCAL_POSTGRES
        server = stack.enter_context(own_schema(url)) if given.server else ""
        two = stack.enter_context(pair(Sweep(devices=8, server=server)))
        seen = raced(two, range(given.seed, given.seed + given.trials))
        seen.violations += [*two.lost(), *two.lost_in_a_batch(), *two.two_at_once()]
    slowest = max(seen.takeovers, default=0.0)
    print(  # noqa: T201
        f"{seen.trials} trials, {seen.killed} holders killed, {seen.refused} refused, {len(seen.takeovers)} takeovers, "
        f"the slowest in {slowest:.2f} s, {len(seen.violations)} violations",
        *seen.violations[:20],
        sep="\n",
    )
    return 1 if seen.violations or slowest > TAKEOVER_SECONDS else 0


if __name__ == "__main__":
    sys.exit(main())
