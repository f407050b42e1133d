"""A minute of every kind of trouble, in virtual time, for three processes of four lanes each (Q10, Q11, P10).

The processes are simulated, each with a stack, a breaker and a store of its own; they share a real SQLite file.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from beast_dream_snow_loader.errors import OutcomeUnknown, TransportError
from beast_dream_snow_loader.operations.bulkhead import Compartment
from beast_dream_snow_loader.operations.circuit_breaker import CircuitBreaker
from beast_dream_snow_loader.operations.criticality import Criticality
from beast_dream_snow_loader.operations.restraint import Restraints, Width
from beast_dream_snow_loader.operations.retry import RetryPolicy
from beast_dream_snow_loader.state.store import open_store
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.transport.observing import RequestMeter
from beast_dream_snow_loader.transport.port import Transport
from beast_dream_snow_loader.transport.stack import build_stack

from .virtual_time import Gate, World

READ = Request(method="GET", url="https://dev1.service-now.com/x", operation="table.read", repeatable=True, reads=True)
WARMED_UP, TROUBLE_ENDS = 30.0, 90.0


def answer(status: int, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, headers=named, body=b"", url=READ.url)


@dataclass
class Instance:
    """``workers`` at once and ``queue`` waiting, as a node's semaphore has it; ``trouble`` answers in its place."""

    world: World
    workers: int = 4
    queue: int = 50
    seconds: float = 0.1
    trouble: Callable[[float], Response | float | None] = lambda _: None
    sent: list[tuple[float, int]] = field(default_factory=list)
    """When each request came, and which attempt it was."""
    done: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    _busy: int = 0
    _waiting: list[Gate] = field(default_factory=list)

    def send(self, request: Request) -> Response:
        self.sent.append((self.world.seconds, request.attempt))
        met = self.trouble(self.world.seconds)
        if isinstance(met, float):
            self.world.sleep(met)
            raise OutcomeUnknown("It did not answer in time.")
        if met is not None:
            self.world.sleep(0.02)
            return met
        if self._busy >= self.workers and len(self._waiting) >= self.queue:
            self.refused.append(self.world.seconds)
            return answer(429)
        self._serve()
        return answer(200)

    def _serve(self) -> None:
        if self._busy >= self.workers:
            gate = Gate(self.world)
            self._waiting.append(gate)
            gate.wait(1e9)
        else:
            self._busy += 1
        self.world.sleep(self.seconds)
        self.done.append(self.world.seconds)
        if self._waiting:
            self._waiting.pop(0).set()
        else:
            self._busy -= 1

    def between(self, begin: float, end: float) -> tuple[int, int]:
        """(sent, needed): all requests, and those that are no repetition."""
        attempts = [attempt for at, attempt in self.sent if begin <= at < end]
        return len(attempts), attempts.count(1)

    def rate(self, begin: float, end: float) -> float:
        return sum(begin <= at < end for at in self.done) / (end - begin)


@contextmanager
def processes(world: World, instance: Instance, directory: Path, count: int, width: Width) -> Iterator[list[Transport]]:
    """So many stacks on one state."""
    with ExitStack() as stack:
        made = []
        for _ in range(count):
            shared = stack.enter_context(open_store(f"sqlite:///{directory / 'state.sqlite'}", world)).pacing("dev1")
            restraints = Restraints(world, tokens=shared, pace=shared)
            made.append(
                build_stack(
                    instance,
                    policy=RetryPolicy(max_attempts=3),
                    breaker=CircuitBreaker(5, 5, name="servicenow", clock=world),
                    meter=RequestMeter(),
                    restraint=restraints.of("servicenow", width),
                )
            )
        yield made


def lane(world: World, transport: Transport) -> Callable[[], None]:
    """One request after the other, for ever; a short pause after one that came to nothing."""

    def work() -> None:
        while True:
            try:
                transport.send(READ)
            except TransportError:
                world.sleep(0.25)

    return work


def lived(
    instance: Instance, directory: Path, until: float, *, count: int = 3, lanes: int = 4, width: Width = Width()
) -> None:
    world = instance.world
    random.seed(1)  # the jitter of every retry: each run is the same run
    with processes(world, instance, directory, count, width) as transports:
        world.run([lane(world, transport) for transport in transports for _ in range(lanes)], until)


def trouble(kind: str) -> Callable[[float], Response | float | None]:
    """From the thirtieth second on, for a minute."""
    draw = random.Random(1)

    def met(now: float) -> Response | float | None:
        if not WARMED_UP <= now < TROUBLE_ENDS:
            return None
        if kind == "half":
            return answer(503) if draw.random() < 0.5 else None
        return {
            "503": answer(503),
            "timeouts": 2.0,
            "429": answer(429),
            "429 with a wait": answer(429, retry_after="3"),
        }[kind]

    return met


KINDS = ["503", "half", "timeouts", "429", "429 with a wait"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_minute_of_trouble_costs_a_tenth_and_three_requests_and_ten_seconds(tmp_path: Path, kind: str) -> None:
    """Q10: so many too many at most. Q11: so long until it goes as fast as before."""
    instance = Instance(World(), trouble=trouble(kind))
    lived(instance, tmp_path, 110)
    sent, needed = instance.between(WARMED_UP, TROUBLE_ENDS)
    assert needed >= 10
    assert sent > needed or kind == "503", "nothing was repeated, though no breaker was open"
    assert sent <= 1.1 * needed + 3
    before = instance.rate(WARMED_UP - 10, WARMED_UP)
    assert before == pytest.approx(40, rel=0.05)
    assert instance.rate(TROUBLE_ENDS + 10, TROUBLE_ENDS + 20) >= 0.95 * before


@pytest.mark.parametrize("header", ["20", "Tue, 24 Nov 2026 12:00:25 GMT"])
def test_nobody_asks_before_the_time_that_one_of_them_was_told(tmp_path: Path, header: str) -> None:
    """Q11: neither another lane nor another process; what was under way when the answer came is let be."""
    told = False

    def once(now: float) -> Response | None:
        nonlocal told
        if now < 5.0 or told:
            return None
        told = True
        return answer(429, retry_after=header)

    instance = Instance(World(), trouble=once)
    lived(instance, tmp_path, 60)
    asked = next(at for at, _ in instance.sent if at >= 5.0) + 0.02
    ends = asked + 20 if header == "20" else 25.0
    assert [at for at, _ in instance.sent if asked < at < ends - 0.001] == []
    assert instance.between(ends - 0.001, ends + 2)[0] >= 40


def test_a_refusal_without_a_word_keeps_everybody_away_for_a_second_then_two_then_four(tmp_path: Path) -> None:
    instance = Instance(World(), trouble=lambda now: answer(429) if 10 <= now < 20 else None)
    lived(instance, tmp_path, 30)
    came = sorted(at for at, _ in instance.sent if 10.1 < at < 30)
    pauses = [later - earlier for earlier, later in pairwise(came) if later - earlier > 0.5]
    assert pauses[:2] == pytest.approx([2, 4], abs=0.3)
    assert came[0] == pytest.approx(11, abs=0.2)


@pytest.mark.parametrize(("workers", "queue"), [(4, 50), (2, 0), (3, 0)])
def test_sixteen_at_once_find_out_what_the_instance_bears(tmp_path: Path, workers: int, queue: int) -> None:
    """P10: after five seconds 95 % of what it can do, and at most 1 % of refusals."""
    instance = Instance(World(), workers=workers, queue=queue)
    lived(instance, tmp_path, 65, count=1, lanes=16)
    assert instance.rate(5, 65) >= 0.95 * workers / instance.seconds
    refused = sum(at >= 5 for at in instance.refused)
    assert refused <= 0.01 * instance.between(5, 65)[0]


def test_one_sick_service_takes_nothing_from_the_others(tmp_path: Path) -> None:
    """X6: the same lanes ask one that does not answer and three that are well."""

    def finished(sick: bool) -> float:
        world = World()
        restraints = Restraints(world)
        ends: list[float] = []

        def console(number: int) -> list[Callable[[], None]]:
            asked = Instance(world, trouble=lambda _: 30.0 if sick and number == 0 else None)
            transport = build_stack(
                asked,
                policy=RetryPolicy(max_attempts=3),
                breaker=CircuitBreaker(5, 60, name=f"unifi:{number}", clock=world),
                meter=RequestMeter(),
                restraint=restraints.of(f"unifi:{number}", Width(most=2)),
            )

            def read() -> None:
                for _ in range(50):
                    try:
                        transport.send(READ)
                    except TransportError:
                        return
                if number:
                    ends.append(world.seconds)

            return [read, read, read]

        world.run([actor for number in range(4) for actor in console(number)], 1000)
        assert len(ends) == 9
        return max(ends)

    assert finished(sick=True) == finished(sick=False)


def test_what_finds_no_place_is_told_and_counted_and_was_not_sent(tmp_path: Path) -> None:
    """X6: by the length of the queue at once, by the length of the wait later."""
    world = World()
    instance = Instance(world, seconds=30)
    small = Compartment(queue=1, wait_seconds=5)
    restraints = Restraints(world, kinds=dict.fromkeys(Criticality, small))
    meter = RequestMeter()
    transport = build_stack(
        instance,
        policy=RetryPolicy(),
        breaker=CircuitBreaker(clock=world),
        meter=meter,
        restraint=restraints.of("servicenow", Width(most=1)),
    )
    refused: list[tuple[float, str]] = []

    def ask() -> None:
        try:
            transport.send(READ)
        except TransportError as error:
            refused.append((world.seconds, error.code))

    world.run([ask, ask, ask], 100)
    assert refused == [(0.0, "transport.bulkhead_full"), (5.0, "transport.bulkhead_full")]
    assert (len(instance.sent), meter.counts()["rejected"]) == (1, 2)
