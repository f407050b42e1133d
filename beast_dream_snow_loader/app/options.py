"""What people asked for on the command line, as values."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a command works: the environment named, the file of settings, or the sandbox."""

    environment: str | None = None
    config_file: Path | None = None
    sandbox: bool = False
    verbosity: int = 0
    log_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    place: Place
    dry_run: bool = False
    full: bool = False
    allow_upgrade: bool = False
    strict: bool = False
    sites: tuple[str, ...] = ()
    consoles: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    workers: int | None = None
    allow_retire: float | None = None
    """Percent of a group of CIs that this run may retire; None: as the settings say."""
    report_file: Path | None = None
    plan_file: Path | None = None
    """A saved plan to apply; then nothing is read from UniFi and no filter has a meaning."""
    on_failure: Literal["keep", "rollback"] = "keep"
    lock_timeout: str = "0s"
    """How long to wait for another run on the same target to end."""

    @property
    def command(self) -> str:
        """This very command, to be given again with something more."""
        place = self.place
        words = ["snowload", "load"]
        words += ["--env", place.environment] if place.environment else []
        words += ["--config", str(place.config_file)] if place.config_file else []
        words += [flag for flag, on in (("--sandbox", place.sandbox), ("--full", self.full)) if on]
        for option, names in (("--site", self.sites), ("--console", self.consoles), ("--kind", self.kinds)):
            words += [word for name in names for word in (option, name)]
        return shlex.join(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """``load`` is the load to be planned; ``out`` where the plan is saved; ``detailed``: exit 10 when not empty."""

    load: LoadOptions
    out: Path | None = None
    detailed: bool = False
