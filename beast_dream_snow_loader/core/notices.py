"""What people are told of a run, decided from what it came to and from what they were told last (R4.4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from beast_dream_snow_loader.core.exit_codes import ExitCode
from beast_dream_snow_loader.core.shown import age

CHANNELS = ("webhook", "smtp", "apprise")
"""The ways to people, by name."""
PING = "ping"
"""The dead man's switch, which hears of every start and end."""
MEMORY, ALL = "memory", "all"
"""No ways to people: what they were told, which is remembered, and telling as a whole."""


class Condition(StrEnum):
    """What there is to tell."""

    FAILED = "failed"
    REFUSED = "refused"
    PARTIAL = "partial"
    QUEUED = "queued"
    STALE = "stale_longer_than"
    RETIREMENTS = "retirements_above"
    BREAKER = "breaker_opened"
    FORECAST = "forecast"


_OF_CODE: Mapping[int, Condition | None] = {
    ExitCode.OK: None,
    ExitCode.CHANGES: None,
    ExitCode.REFUSED: Condition.REFUSED,
    ExitCode.PARTIAL: Condition.PARTIAL,
    ExitCode.QUEUED: Condition.QUEUED,
}
_CAME_THROUGH = (ExitCode.OK, ExitCode.PARTIAL, ExitCode.QUEUED)
_OF_ONE_RUN = frozenset({Condition.RETIREMENTS, Condition.FORECAST})
"""Nobody waits to hear that they are over."""
_WORDS = {
    Condition.FAILED: "loads ended without doing their work",
    Condition.REFUSED: "a guard refused loads",
    Condition.PARTIAL: "some records were not written",
    Condition.QUEUED: "writes waited in the queue",
    Condition.STALE: "UniFi was not read",
    Condition.BREAKER: "a dependency was left alone",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What a run came to. ``cause`` is a stable code, ``message`` and ``next_step`` its words; ``queued`` writes wait
    still; ``breakers`` are open; ``forecasts`` are limits that will be met, None where nobody looked. ``run_id`` is
    empty where it came to no run."""

    exit_code: int
    run_id: str = ""
    cause: str = ""
    message: str = ""
    next_step: str = ""
    queued: int = 0
    stale_seconds: float | None = None
    retired: int = 0
    breakers: tuple[str, ...] = ()
    forecasts: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What people know already: since when it is so, by which cause, and when they were told last."""

    condition: Condition
    cause: str
    since: datetime
    told_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """``on`` are the conditions to tell of, each again after ``repeat_after``. ``retirements_above`` None: never."""

    on: frozenset[Condition]
    repeat_after: timedelta
    stale_longer_than: timedelta
    retirements_above: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One line of a message. ``recovered``: it is well again, having been otherwise ``since``."""

    condition: Condition
    message: str
    since: datetime
    next_step: str = ""
    recovered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """``notices`` to send as one message, and what people then know."""

    notices: tuple[Notice, ...] = ()
    told: Mapping[Condition, Told] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Present:
    condition: Condition
    cause: str
    message: str
    next_step: str = ""


def notices_of(facts: RunFacts, last: Mapping[Condition, Told], rules: Rules, now: datetime) -> Decision:
    """Each condition once, again after the quiet period or when its cause is another one; its end once."""
    present = {one.condition: one for one in _present(facts, rules) if one.condition in rules.on}
    over = [told for condition, told in last.items() if condition in _judged(facts) and condition not in present]
    notices = [_recovery(told, now) for told in over if told.condition not in _OF_ONE_RUN]
    told = {condition: one for condition, one in last.items() if one not in over}
    for condition, one in present.items():
        before = last.get(condition)
        if before is not None and before.cause == one.cause and _quiet(before, rules, now):
            continue
        since = before.since if before is not None else now
        told[condition] = Told(condition=condition, cause=one.cause, since=since, told_at=now)
        notices.append(Notice(condition=condition, message=one.message, since=since, next_step=one.next_step))
    return Decision(notices=tuple(notices), told=told)


def _quiet(before: Told, rules: Rules, now: datetime) -> bool:
    """Told lately. A clock that was set back makes nobody wait longer than the period itself."""
    return timedelta() <= now - before.told_at < rules.repeat_after


def _recovery(told: Told, now: datetime) -> Notice:
    lasted = age(max(0.0, (now - told.since).total_seconds()))
    message = f"Well again after {lasted}: {_WORDS[told.condition]}."
    return Notice(condition=told.condition, message=message, since=told.since, recovered=True)


def _present(facts: RunFacts, rules: Rules) -> Iterator[_Present]:
    ended = _OF_CODE.get(facts.exit_code, Condition.FAILED)
    if ended is not None:
        yield _Present(condition=ended, cause=facts.cause, message=facts.message, next_step=facts.next_step)
    if facts.stale_seconds is not None and facts.stale_seconds > rules.stale_longer_than.total_seconds():
        message = f"What is known of UniFi is {age(facts.stale_seconds)} old: it could not be read since."
        yield _Present(condition=Condition.STALE, cause="stale", message=message, next_step="Run: snowload health")
    if rules.retirements_above is not None and facts.retired > rules.retirements_above:
        message = f"{facts.retired} CIs were retired in one run (notify.retirements_above: {rules.retirements_above})."
        step = f"If they are not gone: snowload rollback {facts.run_id}"
        yield _Present(condition=Condition.RETIREMENTS, cause="retired", message=message, next_step=step)
    if facts.breakers:
        names = ", ".join(facts.breakers)
        message = f"Left alone because of its failures: {names}."
        yield _Present(
            condition=Condition.BREAKER, cause=names, message=message, next_step="Run: snowload breakers list"
        )
    if facts.forecasts:
        yield _Present(
            condition=Condition.FORECAST,
            cause="forecast",
            message=f"Coming: {'; '.join(facts.forecasts)}.",
            next_step="See why with: snowload report --since 30d",
        )


def _judged(facts: RunFacts) -> frozenset[Condition]:
    """What the run is a witness of: one that was stopped before its end says nothing of what comes after."""
    code = facts.exit_code
    if code == ExitCode.REFUSED:
        return frozenset({Condition.FAILED})
    if code not in _CAME_THROUGH:
        return frozenset()
    every = frozenset(Condition) - ({Condition.QUEUED} if facts.queued else frozenset())
    return every if facts.forecasts is not None else every - {Condition.FORECAST}
