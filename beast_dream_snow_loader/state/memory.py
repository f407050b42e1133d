"""The Memory port: runs, their history, snapshots and instance facts under one name."""

from __future__ import annotations

from beast_dream_snow_loader.state.history import SqlHistory
from beast_dream_snow_loader.state.runs import SqlRuns
from beast_dream_snow_loader.state.snapshots import SqlSnapshots


class SqlMemory(SqlRuns, SqlHistory, SqlSnapshots):
    """All parts live on one engine."""
