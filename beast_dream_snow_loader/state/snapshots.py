"""What was read last: a snapshot of each console, facts about the instance. Both can be read anew, so one that no
longer reads here counts as not there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, delete, func, select, update

from beast_dream_snow_loader.core.facts import InstanceFacts
from beast_dream_snow_loader.core.remembered import Part
from beast_dream_snow_loader.errors import StateDamaged
from beast_dream_snow_loader.state.codec import decode, encode, pack, unpack
from beast_dream_snow_loader.state.engine import reading, writing
from beast_dream_snow_loader.state.schema import console_snapshots as _c
from beast_dream_snow_loader.state.schema import instance_facts, meta
from beast_dream_snow_loader.state.statements import portions, upsert

_FALLEN = "by_table_api"
"""In ``meta``, with the target: the last run that wrote by the Table API what it had planned for the engine."""


class SqlSnapshots:
    """The part of the Memory port that is about what was read."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def remember(self, parts: Sequence[Part]) -> None:
        """A complete part takes the place of whatever is kept of its console, a partial one that of a partial one."""
        if not parts:
            return
        whole = [part.key for part in parts if part.complete]
        with writing(self._engine) as connection:
            for portion in portions(whole):
                connection.execute(delete(_c).where(_c.c.console.in_(portion)))
            upsert(connection, _c, [_row(part) for part in parts])

    def remembered(self) -> Sequence[Part]:
        """All that is kept; what no longer reads is left out."""
        with reading(self._engine) as connection:
            bodies = connection.scalars(select(_c.c.body).order_by(_c.c.console, _c.c.complete)).all()
        return [part for body in bodies if (part := _part(body)) is not None]

    def taken(self) -> Mapping[str, datetime]:
        """When the newest snapshot of each console was taken that is kept."""
        query = select(_c.c.console, func.max(_c.c.taken_at).label("at")).group_by(_c.c.console)
        with reading(self._engine) as connection:
            return {row.console: row.at for row in connection.execute(query)}

    def stood_in(self, consoles: Iterable[str], at: datetime) -> None:
        """The first time counts."""
        names = list(consoles)
        if not names:
            return
        with writing(self._engine) as connection:
            for portion in portions(names):
                found = update(_c).where(_c.c.console.in_(portion), _c.c.standing_in_since.is_(None))
                connection.execute(found.values(standing_in_since=at))

    def standing_in(self) -> Mapping[str, datetime]:
        query = select(_c.c.console, func.min(_c.c.standing_in_since).label("since"))
        query = query.where(_c.c.standing_in_since.is_not(None)).group_by(_c.c.console)
        with reading(self._engine) as connection:
            return {row.console: row.since for row in connection.execute(query)}

    def fell(self, target: str, run_id: str) -> None:
        with writing(self._engine) as connection:
            upsert(connection, meta, [{"key": f"{_FALLEN} {target}", "value": run_id}])

    def fallen(self, target: str) -> str | None:
        with reading(self._engine) as connection:
            return connection.scalar(select(meta.c.value).where(meta.c.key == f"{_FALLEN} {target}"))

    def save_facts(self, target: str, facts: InstanceFacts) -> None:
        row = {"target": target, "read_at": facts.read_at, "body": encode(InstanceFacts, facts)}
        with writing(self._engine) as connection:
            upsert(connection, instance_facts, [row])

    def facts(self, target: str) -> InstanceFacts | None:
        with reading(self._engine) as connection:
            body = connection.scalar(select(instance_facts.c.body).where(instance_facts.c.target == target))
        try:
            return None if body is None else decode(InstanceFacts, body)
        except StateDamaged:
            return None


def _row(part: Part) -> dict[str, Any]:
    return {
        "console": part.key,
        "complete": part.complete,
        "taken_at": part.taken_at,
        "standing_in_since": None,
        "body": pack(Part, part),
    }


def _part(body: bytes) -> Part | None:
    try:
        return unpack(Part, body)
    except StateDamaged:
        return None
