"""What a check of the setup came to: one frozen line each, with what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from beast_dream_snow_loader.core.exit_codes import ExitCode, exit_code_of, severest
from beast_dream_snow_loader.errors import SnowloadError


class CheckStatus(StrEnum):
    OK = "ok"
    WARN = "warn"
    """Works, with less than there could be."""
    FAIL = "fail"
    UNKNOWN = "unknown"
    """The account may not see it, or nobody tells."""
    SKIPPED = "skipped"
    """Not looked at, because something it needs failed; ``found`` names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a check says about an open point (core/open_points.py). ``holds`` None: it could not be read."""

    point: int
    holds: bool | None
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """``subject`` tells lines of one check apart: a console, a table, a kind. ``fix`` is an exact thing to do; every
    line that is not ok has one. ``exit_code`` is what a failed line makes of the command."""

    status: CheckStatus
    found: str
    subject: str = ""
    fix: str = ""
    evidence: tuple[Evidence, ...] = ()
    exit_code: ExitCode = ExitCode.PARTIAL
    name: str = ""
    group: str = ""


def ok(found: str, subject: str = "", *evidence: Evidence) -> Check:
    return Check(status=CheckStatus.OK, found=found, subject=subject, evidence=evidence)


def warn(found: str, fix: str, subject: str = "", *evidence: Evidence) -> Check:
    return Check(status=CheckStatus.WARN, found=found, fix=fix, subject=subject, evidence=evidence)


def fail(found: str, fix: str, subject: str = "", *, exit_code: ExitCode = ExitCode.PARTIAL) -> Check:
    return Check(status=CheckStatus.FAIL, found=found, fix=fix, subject=subject, exit_code=exit_code)


def unknown(found: str, fix: str, subject: str = "", *evidence: Evidence) -> Check:
    return Check(status=CheckStatus.UNKNOWN, found=found, fix=fix, subject=subject, evidence=evidence)


def failed(error: SnowloadError, subject: str = "", fix: str = "") -> Check:
    """The line for what an error stopped. ``fix`` stands in where the error has no next step of its own."""
    return fail(error.message or error.code, error.next_step or fix, subject, exit_code=exit_code_of(error))


def exit_code(checks: Iterable[Check]) -> ExitCode:
    """0 with warnings; else the severest of the failed lines."""
    return severest(check.exit_code for check in checks if check.status is CheckStatus.FAIL)
