"""A database file of no length is what SQLite begins with; one that was more before has lost everything."""

from __future__ import annotations

from pathlib import Path

from beast_dream_snow_loader.errors import StateDamaged
from beast_dream_snow_loader.state.backup import backups_of, way_back

_REPORTS = "reports"


def refuse_emptied(file: Path) -> None:
    """StateDamaged when ``file`` is there and empty though something beside it says that it was in use."""
    if not file.is_file() or file.stat().st_size:
        return
    log = file.with_name(f"{file.name}-wal")
    if (log.exists() and log.stat().st_size) or any(_traces(file)):
        raise StateDamaged(
            f"Database {file} is damaged: it is empty, though it was in use before.", next_step=way_back(file)
        )


def _traces(file: Path) -> list[Path]:
    return [*(file.parent / _REPORTS).glob("*.json"), *backups_of(file)]
