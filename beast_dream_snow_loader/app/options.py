"""What people asked for on the command line, as values."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from beast_dream_snow_loader.core.identity import SourceKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a command works: the environment named, the file of settings, or the sandbox."""

    environment: str | None = None
    config_file: Path | None = None
    sandbox: bool = False
    verbosity: int = 0
    quiet: bool = False
    log_file: Path | None = None
    log_format: str | None = None
    textfile: Path | None = None
    """Where to leave the metrics of this command."""


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
    errors_file: Path | None = None
    retry_failed: str | None = None
    """Only the records that this run (``last``: the last load) did not write."""
    resume: str | None = None
    """Finish what this run (``last``: the last load) did not get to."""
    keys: frozenset[SourceKey] = frozenset()
    """Only these records; empty: all."""
    plan_file: Path | None = None
    """A saved plan to apply; then nothing is read from UniFi and no filter has a meaning."""
    on_failure: Literal["keep", "rollback"] = "keep"
    lock_timeout: str = "0s"
    """How long to wait for another run on the same target to end."""
    max_requests: int | None = None
    """So many requests to ServiceNow, and no more; None: as many as it takes."""
    adopt_instance: bool = False
    """What the state remembers of another instance holds for this one."""

    @property
    def asked(self) -> dict[str, Any]:
        """What decides which records a run is about, so that another run can be about the same."""
        return {
            "sites": list(self.sites),
            "consoles": list(self.consoles),
            "kinds": list(self.kinds),
            "keys": sorted(map(str, self.keys)),
            "full": self.full,
            "allow_upgrade": self.allow_upgrade,
            "allow_retire": self.allow_retire,
        }

    @property
    def command(self) -> str:
        """This very load, to be given again with something more; a limit on retirement is what will be given."""
        place = self.place
        given: tuple[tuple[str, object], ...] = (
            ("--env", place.environment),
            ("--config", place.config_file),
            ("--sandbox", place.sandbox),
            ("--full", self.full),
            ("--allow-upgrade", self.allow_upgrade),
            ("--strict", self.strict),
            ("--site", self.sites),
            ("--console", self.consoles),
            ("--kind", self.kinds),
            ("--workers", self.workers),
            ("--report", self.report_file),
            ("--plan", self.plan_file),
            ("--on-failure", self.on_failure if self.on_failure != "keep" else None),
            ("--lock-timeout", self.lock_timeout if self.lock_timeout != "0s" else None),
            ("--max-requests", self.max_requests),
            ("--adopt-instance", self.adopt_instance),
            ("--log-file", place.log_file),
            ("--log-format", place.log_format),
        )
        return shlex.join(("snowload", "load", *(word for option, value in given for word in _words(option, value))))


def _words(option: str, value: object) -> Iterator[str]:
    """The option as it is typed: a flag that is on, once with a value, or once for each of several."""
    if value is True:
        yield option
    elif isinstance(value, tuple):
        yield from (word for one in value for word in (option, str(one)))
    elif value not in (None, False):
        yield from (option, str(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """``load`` is the load to be planned; ``out`` where the plan is saved; ``detailed``: exit 10 when not empty."""

    load: LoadOptions
    out: Path | None = None
    detailed: bool = False
