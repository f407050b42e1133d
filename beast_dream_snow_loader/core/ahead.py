"""What the state dates in the future: it was written when the clock ran ahead, or the clock has been set back since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.known import KnownItem

SLACK = timedelta(minutes=5)
"""So far the clocks of two hosts may differ without anybody being told."""
_STEP = timedelta(seconds=1)
"""The engine compares whole seconds."""


def not_before(known: KnownItem | None, now: datetime) -> datetime:
    """``now``, or where the CI was written later than that, the second after: of what bears an older time than its last
    pass the engine ignores everything, without a word (cmdb-model 2.4, ``source_recency_timestamp``)."""
    if known is None or known.written_at is None or known.written_at <= now:
        return now
    return known.written_at + _STEP


def dated_ahead(known: Iterable[KnownItem], now: datetime) -> Iterator[Finding]:
    """One for all of them; nothing within the slack."""
    times = [item.written_at for item in known if item.written_at is not None and item.written_at > now + SLACK]
    if times:
        message = (
            f"{len(times)} CIs bear times up to {max(times) - now} from now, as of their last write: the clock ran "
            "ahead then, or is behind now (compare `date -u`). They are written with later times than those, so that "
            "the instance does not ignore it as old; signs of life wait until then."
        )
        yield Finding(record="instance", rule="clock.ahead", severity=Severity.WARNING, message=message)
