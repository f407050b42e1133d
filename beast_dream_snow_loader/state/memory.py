"""The Memory port: runs, snapshots and instance facts under one name."""

from __future__ import annotations

from beast_dream_snow_loader.state.runs import SqlRuns
from beast_dream_snow_loader.state.snapshots import SqlSnapshots


class SqlMemory(SqlRuns, SqlSnapshots):
    """Both parts live on one engine."""
