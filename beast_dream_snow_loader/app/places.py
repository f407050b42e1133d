"""Where state is kept on this machine."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_state_path

from beast_dream_snow_loader.app.config import Settings


def state_directory(settings: Settings) -> Path:
    """One folder per environment: ``…/snowload/production``. ``state.dir`` names the folder above it."""
    above = settings.state.dir or user_state_path("snowload", appauthor=False)
    return above.expanduser() / settings.environment.value


def state_url(settings: Settings) -> str:
    """The database: ``state.url``, or SQLite in the state directory."""
    return settings.state.url or f"sqlite:///{state_directory(settings) / 'state.sqlite'}"


def report_file(settings: Settings, run_id: str) -> Path:
    """Where the JSON report of a run is kept when no place is named."""
    return state_directory(settings) / "reports" / f"{run_id}.json"


def log_file(settings: Settings) -> Path:
    """Where the log is kept, should it be kept."""
    return settings.logging.file or state_directory(settings) / "log" / "snowload.jsonl"
