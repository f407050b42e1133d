"""What ``[health]`` says is well: one judgement of what ``doctor`` and ``health`` both look at, which each words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from beast_dream_snow_loader.app.section_config import HealthSettings
from beast_dream_snow_loader.core.checkup import CheckStatus
from beast_dream_snow_loader.operations.durations import parse_duration

_WHOLE_PERCENT = 100.0


def graded(value: timedelta, warn: timedelta, fail: timedelta) -> CheckStatus:
    """By how far ``value`` is beyond what is well."""
    return CheckStatus.FAIL if value > fail else CheckStatus.WARN if value > warn else CheckStatus.OK


def expiry(left: timedelta, mine: HealthSettings) -> CheckStatus:
    """Of a certificate or a token: less is worse."""
    return graded(-left, -parse_duration(mine.expires_warn), -parse_duration(mine.expires_fail))


def clock(skew: timedelta, mine: HealthSettings) -> CheckStatus:
    """However it is off."""
    return graded(abs(skew), parse_duration(mine.clock_warn), parse_duration(mine.clock_fail))


def low_disk_bytes(mine: HealthSettings) -> int:
    """Less than that is nearly used up."""
    return round(mine.disk_free_mb * 1e6)


def quota(used_percent: float, mine: HealthSettings) -> CheckStatus:
    return CheckStatus.WARN if used_percent > mine.quota_warn_percent else CheckStatus.OK


def used_percent(quotas: Mapping[str, tuple[int, int | None]], given: Mapping[str, int]) -> dict[str, float]:
    """Of each rule's requests an hour. ``quotas``: how many there are, and what the instance says is left; where it
    says nothing, what our processes have shared out counts (``given``)."""
    return {
        rule: round(_WHOLE_PERCENT * (limit - left if left is not None else min(limit, given.get(rule, 0))) / limit, 1)
        for rule, (limit, left) in quotas.items()
    }
