"""What was read last: snapshots of the source, facts about the instance. Both can be read anew, so one that no longer
reads here counts as not there."""

from __future__ import annotations

from sqlalchemy import Engine, delete, select

from beast_dream_snow_loader.core.facts import InstanceFacts
from beast_dream_snow_loader.core.observed import Snapshot
from beast_dream_snow_loader.errors import StateDamaged
from beast_dream_snow_loader.state.codec import decode, encode, pack, unpack
from beast_dream_snow_loader.state.engine import reading, writing
from beast_dream_snow_loader.state.schema import instance_facts, snapshots
from beast_dream_snow_loader.state.statements import upsert

KEPT = 3
"""Snapshots kept; older ones go when a new one is saved."""


class SqlSnapshots:
    """The part of the Memory port that is about what was read."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def save_snapshot(self, snapshot: Snapshot) -> None:
        row = {"taken_at": snapshot.taken_at, "partial": snapshot.partial, "body": pack(Snapshot, snapshot)}
        newest = select(snapshots.c.id).order_by(snapshots.c.taken_at.desc(), snapshots.c.id.desc()).limit(KEPT)
        with writing(self._engine) as connection:
            connection.execute(snapshots.insert(), [row])
            connection.execute(delete(snapshots).where(snapshots.c.id.not_in(newest)))

    def latest_snapshot(self) -> Snapshot | None:
        query = select(snapshots.c.body).order_by(snapshots.c.taken_at.desc(), snapshots.c.id.desc()).limit(1)
        with reading(self._engine) as connection:
            body = connection.scalar(query)
        try:
            return None if body is None else unpack(Snapshot, body)
        except StateDamaged:
            return None

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
