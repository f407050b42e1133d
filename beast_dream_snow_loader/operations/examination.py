"""Examinations: checks that depend on each other, run side by side under one time limit (X7).

A failed one explains those that need it: they are skipped and name the cause.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.check_graph import CheckGraph, CheckNode, named
from beast_dream_snow_loader.core.checkup import Check, CheckStatus, fail, failed
from beast_dream_snow_loader.errors import SnowloadError
from beast_dream_snow_loader.operations.correlation import carried

AT_ONCE = 4
"""As many requests as ServiceNow takes at once from one user (servicenow-api 9.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam:
    """``run`` gives one line or several; a SnowloadError it raises is a failed line.

    ``name`` is ``group.what``; ``subject`` tells exams of one name apart. ``parents`` are keys of exams that must have
    passed before.
    """

    name: str
    run: Callable[[], Iterable[Check]]
    subject: str = ""
    parents: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return named(self.name, self.subject)

    @property
    def group(self) -> str:
        return self.name.partition(".")[0]


def chosen(exams: Sequence[Exam], names: Iterable[str]) -> list[Exam]:
    """Those of a name or a group (all when none is named), with everything they depend on, in order."""
    wanted = set(names)
    graph = CheckGraph(CheckNode(name=exam.key, parents=exam.parents) for exam in exams)
    needed = graph.with_parents(exam.key for exam in exams if not wanted or {exam.name, exam.group} & wanted)
    return [exam for exam in exams if exam.key in needed]


def examine(exams: Sequence[Exam], *, seconds: float, clock: Clock, at_once: int = AT_ONCE) -> list[Check]:
    """Every line, in the order of the exams. What is not done after ``seconds`` has failed, and is left to itself."""
    return _Round(exams=exams, ends=clock.monotonic() + seconds, seconds=seconds, clock=clock).run(at_once)


@dataclass(slots=True, kw_only=True)
class _Round:
    exams: Sequence[Exam]
    ends: float
    seconds: float
    clock: Clock
    done: dict[str, list[Check]] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    answers: queue.Queue[tuple[Exam, list[Check], BaseException | None]] = field(default_factory=queue.Queue)

    def run(self, at_once: int) -> list[Check]:
        while len(self.done) < len(self.exams):
            self._skip()
            self._start(at_once)
            if self.running and not self._collect():
                self._give_up()
        return [line for exam in self.exams for line in self.done[exam.key]]

    def _skip(self) -> None:
        for exam in self._waiting():
            cause = next((line for key in exam.parents if (line := self._cause(key)) is not None), None)
            if cause is not None:
                self.done[exam.key] = [_named(exam, cause)]

    def _cause(self, key: str) -> Check | None:
        """A skipped line that says why what needs ``key`` is not looked at; None while it passed or is not done."""
        for line in self.done.get(key, ()):
            if line.status is CheckStatus.SKIPPED:
                return replace(line, subject="")
            if line.status is CheckStatus.FAIL:
                return Check(status=CheckStatus.SKIPPED, found=f"{key} failed: {line.found}", fix=f"Mend {key} first.")
        return None

    def _start(self, at_once: int) -> None:
        for exam in self._waiting():
            if len(self.running) >= at_once:
                return
            if all(key in self.done for key in exam.parents):
                self.running.add(exam.key)
                threading.Thread(target=carried(self._work), args=(exam,), name=exam.key, daemon=True).start()

    def _work(self, exam: Exam) -> None:
        lines: list[Check] = []
        trouble = None
        try:
            lines.extend(exam.run())
        except SnowloadError as error:
            lines.append(failed(error, fix=f"Mend it, then run: snowload doctor --check {exam.name}"))
        except BaseException as error:  # noqa: BLE001 - not swallowed: raised again where it is collected
            trouble = error
        self.answers.put((exam, lines, trouble))

    def _collect(self) -> bool:
        """Whether an answer came in time."""
        left = self.ends - self.clock.monotonic()
        try:
            exam, lines, trouble = self.answers.get(timeout=max(0.0, left))
        except queue.Empty:
            return False
        if trouble is not None:
            raise trouble
        self.running.discard(exam.key)
        self.done[exam.key] = [_named(exam, line) for line in lines]
        return True

    def _give_up(self) -> None:
        late = f"no answer within {self.seconds:g} s"
        more = max(1, round(self.seconds * 2))
        for exam in self._unfinished():
            fix = f"Run it alone with more time: snowload doctor --check {exam.name} --timeout {more}s"
            self.done[exam.key] = [_named(exam, fail(late, fix))]
        self.running.clear()

    def _waiting(self) -> list[Exam]:
        return [exam for exam in self._unfinished() if exam.key not in self.running]

    def _unfinished(self) -> list[Exam]:
        return [exam for exam in self.exams if exam.key not in self.done]


def _named(exam: Exam, line: Check) -> Check:
    return replace(line, name=exam.name, group=exam.group, subject=line.subject or exam.subject)
