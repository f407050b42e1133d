"""What attendance tells people: who is missing, gone, moved or back, and who was not looked for (cmdb-model 6.10)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.presence import Attendance, Mark, RetirePolicy, State, where
from beast_dream_snow_loader.core.shown import shown


def tell(attendance: Attendance, policy: RetirePolicy) -> Iterator[Finding]:
    """One finding per CI that is missing, gone, moved or back; those not looked for by console and reason."""
    for key, mark in sorted(attendance.marks.items()):
        if message := _message(mark, policy):
            severity = Severity.WARNING if mark.state is State.GONE else Severity.INFO
            yield Finding(record=str(key), rule=f"presence.{mark.state}", severity=severity, message=message)
    yield from _unread(attendance.marks.values())


def _message(mark: Mark, policy: RetirePolicy) -> str:
    place = where(mark.lane, mark.site)
    since = f"missing in {mark.reads} complete reads since {_minute(mark.since)}"
    match mark.state:
        case State.MISSING:
            return f"Not at {place}: {since}; gone after {policy.missing_reads} reads and {_span(policy.grace)}."
        case State.GONE:
            stays = "" if policy.enabled else " It stays as it is in the CMDB: retiring is off (retire.enabled)."
            return f"Gone from {place}: {since}.{stays}"
        case State.MOVED:
            return f"Moved from {mark.before} to {place}: the same CI."
        case State.RETURNED:
            return f"Seen again at {place} after it was retired."
        case _:
            return ""


def _unread(marks: Iterable[Mark]) -> Iterator[Finding]:
    groups = Counter((mark.lane, mark.why) for mark in marks if mark.state is State.UNREAD and mark.why)
    for (lane, why), count in sorted(groups.items()):
        yield Finding(
            record=f"console/{shown(lane, 60)}",
            rule="presence.unread",
            severity=Severity.WARNING,
            message=f"{count} known CIs are not shown and not counted as missing: {why}.",
            value=str(count),
        )


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}Z" if moment is not None else "now"


def _span(span: timedelta) -> str:
    return f"{span.days} days" if span >= timedelta(days=1) else f"{span.total_seconds():.0f} seconds"
