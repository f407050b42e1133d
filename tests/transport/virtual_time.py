"""Time that jumps from one event to the next, for real threads that take turns.

Each actor runs in a thread of its own, one at a time: another one's turn comes when it sleeps or waits at a gate. So an
hour passes in as long as its events take, and every run with the same seeds is the same run.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Over(BaseException):
    """The time of the world is over: whoever still runs ends."""


@dataclass(eq=False)
class Actor:
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    waits: int = 0
    """Which of its waits is the present one: an alarm for an earlier one is stale."""
    ended: bool = False


class World:
    """A clock for all; ``now`` and ``monotonic`` are the same for every actor."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._events: list[tuple[float, int, Actor, int]] = []
        self._numbers = itertools.count()
        self._actor = threading.local()
        self._over = False
        self._ended = threading.Event()
        self._errors: list[BaseException] = []
        self._left = 0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        me = self._me()
        me.waits += 1
        self.alarm(me, max(0.0, seconds))
        self._give_way(me)

    def gate(self) -> Gate:
        return Gate(self)

    def alarm(self, actor: Actor, seconds: float) -> None:
        heapq.heappush(self._events, (self.seconds + seconds, next(self._numbers), actor, actor.waits))

    def wait_for_alarm(self, seconds: float) -> Actor:
        """Begin a wait that an alarm may end early; then :meth:`pause`."""
        me = self._me()
        me.waits += 1
        self.alarm(me, seconds)
        return me

    def pause(self) -> None:
        self._give_way(self._me())

    def run(self, actors: Sequence[Callable[[], None]], until: float) -> None:
        """All of them, side by side, until they have ended or the time is ``until``. Raises what an actor raised."""
        self._until, self._left = until, len(actors)
        threads = [threading.Thread(target=self._live, args=(Actor(), actor), daemon=True) for actor in actors]
        for thread in threads:
            thread.start()
            self._started.acquire()
        self._next()
        assert self._ended.wait(60), "the world stands still"
        for thread in threads:
            thread.join(10)
        if self._errors:
            raise self._errors[0]

    _started = threading.Semaphore(0)

    def _live(self, me: Actor, actor: Callable[[], None]) -> None:
        self._actor.me = me
        self.alarm(me, 0.0)
        self._started.release()
        try:
            me.turn.acquire()
            if not self._over:
                actor()
        except Over:
            pass
        except BaseException as error:  # noqa: BLE001 - told to whoever called run
            self._errors.append(error)
            self._over = True
        finally:
            me.ended = True
            self._left -= 1
            self._next()

    def _me(self) -> Actor:
        me: Actor = self._actor.me
        return me

    def _give_way(self, me: Actor) -> None:
        if self._over:
            raise Over
        self._next()
        me.turn.acquire()
        if self._over:
            raise Over

    def _next(self) -> None:
        """Whose alarm is due first. When time is over, everybody in turn, to end."""
        while self._events:
            at, _, actor, wait = heapq.heappop(self._events)
            if not actor.ended and (self._over or wait == actor.waits):
                self._over = self._over or at > self._until
                self.seconds = self.seconds if self._over else at
                actor.turn.release()
                return
        if not self._left:
            self._ended.set()


class Gate:
    """For threads that take turns."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._open = False
        self._actor: Actor | None = None

    def wait(self, seconds: float) -> bool:
        if not self._open:
            self._actor = self._world.wait_for_alarm(seconds)
            self._world.pause()
        return self._open

    def set(self) -> None:
        self._open = True
        if self._actor is not None:
            self._world.alarm(self._actor, 0.0)
