"""What people were told, and messages that wait: all processes that share this state tell each thing once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, delete, select, tuple_, update

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.notices import Condition, Decision, Told
from beast_dream_snow_loader.state.engine import hastily
from beast_dream_snow_loader.state.schema import notice_outbox, notices_told

MOST_WAITING = 20
"""Messages of one channel that wait; older ones are let go."""
MOST_ATTEMPTS = 10
OLDEST = timedelta(days=7)
AT_ONCE = 5
"""Letters of one channel that one run sends."""
_CLAIM = timedelta(seconds=120)
"""Longer than a sender takes. A process that was killed meanwhile leaves its messages to the next one."""
_HASTE_SECONDS = 5.0

Decide = Callable[[Mapping[Condition, Told]], Decision]


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message for one channel. ``id`` is the message's, the same for all channels and every attempt."""

    id: str
    channel: str
    body: str
    attempts: int = 0

    @property
    def key(self) -> tuple[str, str]:
        return self.id, self.channel


class SqlNotices:
    """Every method waits five seconds at most for other writers; StateError when the database cannot be used."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock

    def decide(
        self, target: str, decide: Decide, letters: Callable[[Decision], Iterable[Letter]]
    ) -> tuple[Decision, int]:
        """In one transaction: what is to be told now, that it is told, and its letters into the outbox. With how many
        letters were let go because there were too many, or nobody took them."""
        with hastily(self._engine, _HASTE_SECONDS) as connection:
            decision = decide(self._told(connection, target))
            connection.execute(delete(notices_told).where(notices_told.c.target == target))
            rows = [
                {"target": target, "condition": told.condition.value, **_times(told)} for told in decision.told.values()
            ]
            if rows:
                connection.execute(notices_told.insert(), rows)
            self._post(connection, target, letters(decision))
            return decision, self._let_go(connection, target)

    def claim(self, target: str, channels: Collection[str]) -> Sequence[Letter]:
        """The oldest letters of each of these channels: for two minutes nobody else gets them. Nothing of a channel
        overtakes a letter that somebody else has: the last word that people hear must be the newest."""
        now, c = self._clock.now(), notice_outbox.c
        mine = (c.target == target) & c.channel.in_(list(channels))
        with hastily(self._engine, _HASTE_SECONDS) as connection:
            rows = connection.execute(select(notice_outbox).where(mine).order_by(c.made_at, c.id)).all()
            claimed = [one for name in channels for one in _foremost([x for x in rows if x.channel == name], now)]
            if claimed:
                connection.execute(
                    update(notice_outbox).where(_are(one.key for one in claimed)).values(claimed_until=now + _CLAIM)
                )
        return claimed

    def settle(self, sent: Iterable[Letter], unsent: Iterable[Letter]) -> None:
        """Those that were sent, or may have been, are gone; the others wait for the next run."""
        gone, waiting = [one.key for one in sent], [one.key for one in unsent]
        more = {"attempts": notice_outbox.c.attempts + 1, "claimed_until": None}
        with hastily(self._engine, _HASTE_SECONDS) as connection:
            if gone:
                connection.execute(delete(notice_outbox).where(_are(gone)))
            if waiting:
                connection.execute(update(notice_outbox).where(_are(waiting)).values(more))

    def _told(self, connection: Connection, target: str) -> dict[Condition, Told]:
        """What a newer version has told of is none of ours."""
        known = {one.value for one in Condition}
        rows = connection.execute(select(notices_told).where(notices_told.c.target == target))
        found = [
            Told(condition=Condition(row.condition), cause=row.cause, since=row.since, told_at=row.told_at)
            for row in rows
            if row.condition in known
        ]
        return {one.condition: one for one in found}

    def _post(self, connection: Connection, target: str, letters: Iterable[Letter]) -> None:
        now = self._clock.now()
        rows = [
            {"id": one.id, "channel": one.channel, "target": target, "body": one.body, "made_at": now, "attempts": 0}
            for one in letters
        ]
        if rows:
            connection.execute(notice_outbox.insert(), rows)

    def _let_go(self, connection: Connection, target: str) -> int:
        c, oldest = notice_outbox.c, self._clock.now() - OLDEST
        mine = select(c.id, c.channel, c.made_at, c.attempts).where(c.target == target).order_by(c.made_at.desc())
        by_channel: dict[str, int] = {}
        gone = []
        for row in connection.execute(mine):
            by_channel[row.channel] = by_channel.get(row.channel, 0) + 1
            if by_channel[row.channel] > MOST_WAITING or row.attempts >= MOST_ATTEMPTS or row.made_at < oldest:
                gone.append((row.id, row.channel))
        if gone:
            connection.execute(delete(notice_outbox).where(_are(gone)))
        return len(gone)


def _foremost(rows: Iterable[Row[Any]], now: datetime) -> list[Letter]:
    """Of one channel, the oldest first."""
    free = takewhile(lambda row: row.claimed_until is None or row.claimed_until < now, rows)
    return [
        Letter(id=row.id, channel=row.channel, body=row.body, attempts=row.attempts) for row in islice(free, AT_ONCE)
    ]


def _are(keys: Iterable[tuple[str, str]]) -> ColumnElement[bool]:
    return tuple_(notice_outbox.c.id, notice_outbox.c.channel).in_(list(keys))


def _times(told: Told) -> dict[str, str | datetime]:
    return {"cause": told.cause, "since": told.since, "told_at": told.told_at}
