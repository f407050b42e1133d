"""A row of ``runs`` as a value."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Row

from beast_dream_snow_loader.core.run import Run, RunStatus
from beast_dream_snow_loader.state.codec import decode_document
from beast_dream_snow_loader.state.unread import from_table


@from_table("runs")
def run_of(row: Row[Any]) -> Run:
    return replace(_run_of(row), report=decode_document(row.report))


@from_table("runs")
def brief_run_of(row: Row[Any]) -> Run:
    """One without its report."""
    return _run_of(row)


def _run_of(row: Row[Any]) -> Run:
    return Run(
        id=row.id,
        command=row.command,
        environment=row.environment,
        target=row.target,
        started_at=row.started_at,
        finished_at=row.finished_at,
        status=RunStatus(row.status),
        exit_code=row.exit_code,
    )
