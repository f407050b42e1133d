"""Describe: the CIs that a held record might be, with what a person needs to decide (cmdb-model 2.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from beast_dream_snow_loader.core.known import Candidate, Held
from beast_dream_snow_loader.pipeline.guard import UNREADABLE
from beast_dream_snow_loader.pipeline.world import World


def described(world: World, held: Iterable[Held]) -> tuple[Held, ...]:
    """Candidates of which only the sys_id is known are read, all at once; one that is gone is none. Where CIs cannot be
    read, they stay as they are."""
    told = tuple(held)
    bare = sorted({one.sys_id for record in told for one in record.candidates if one.bare})
    if not bare:
        return told
    try:
        read = world.cmdb.candidates(bare, ())
    except UNREADABLE:
        return told
    return tuple(replace(record, candidates=_filled(record, read)) for record in told)


def _filled(record: Held, read: Mapping[str, Candidate]) -> tuple[Candidate, ...]:
    return tuple(read.get(one.sys_id, one) for one in record.candidates if not one.bare or one.sys_id in read)
