"""What is asked of either end alike: its certificate, its clock, how soon its secrets end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from statistics import median
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel

from beast_dream_snow_loader.app import judging
from beast_dream_snow_loader.app.health.sight import Sight, judged, poor, well
from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.events import Event, FindingRaised
from beast_dream_snow_loader.core.expiry import expiry_of
from beast_dream_snow_loader.operations.durations import parse_duration
from beast_dream_snow_loader.operations.health import HealthCheck, HealthStatus
from beast_dream_snow_loader.redaction import Secret
from beast_dream_snow_loader.transport.probing import Shown, reach

M = TypeVar("M", bound=BaseModel)


def certificate(sight: Sight, name: str, service: str, url: str, verify: bool | str, timeout: float) -> HealthCheck:
    """Until when it is valid. Raises NotSent, which says what is wrong with it, or with the way there."""
    if urlsplit(url).scheme != "https":
        return well("no TLS (loopback)")

    def look() -> HealthCheck:
        found = reach(service, url, verify, timeout=timeout)
        if found.certificate is None:
            return well(f"not looked at: reached through the proxy {found.proxy}")
        return _valid(sight, found.certificate, checked=found.trust is None or found.trust.checked)

    return sight.well_lately(name, (url, verify), look)


def _valid(sight: Sight, shown: Shown, *, checked: bool) -> HealthCheck:
    left = shown.ends - sight.here.clock.now()
    days = round(left.total_seconds() / 86400, 1)
    told = f"ended {-days:.1f} days ago" if days < 0 else f"{days:.1f} days left, until {rfc3339(shown.ends)}"
    if not checked:
        return poor(f"{told}; not verified: pin it with verify_tls = fingerprint:{shown.fingerprint}", days_left=days)
    check = judged(judging.expiry(left, sight.settings.health))
    advice = "" if check is well else "; renew it, then pin the new one if it is pinned"
    return check(f"{told}{advice}", days_left=days)


def clock_agrees(sight: Sight, service: str) -> HealthCheck:
    """By the Date header of its last answer, which counts whole seconds."""
    skew = sight.ends.answers.skews.get(service)
    if skew is None:
        return well("its answers carry no date: compare by hand with date -u")
    seconds = round(skew.total_seconds(), 1)
    check = judged(judging.clock(skew, sight.settings.health))
    if check is well:
        return well(f"within {max(1, round(abs(seconds)))} s", skew_seconds=seconds)
    told = f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} this machine"
    return check(f"{told}: set the one that is wrong by NTP (timedatectl set-ntp true)", skew_seconds=seconds)


def resolved(sight: Sight, section: M, path: str) -> tuple[M, list[str]]:
    """One section with its secrets, and what is odd about where they came from. Raises ConfigurationError."""
    odd: list[str] = []

    def hear(event: Event) -> None:
        if isinstance(event, FindingRaised):
            odd.append(event.finding.message.removesuffix("."))

    return sight.here.credentials.resolved(section, path, hear), odd


def logins(sight: Sight, secrets: Mapping[str, Secret | None], ways: str, odd: Sequence[str]) -> HealthCheck:
    """By when tokens end, and degraded at least where something is ``odd``."""
    found = _ending(sight, secrets, ways)
    if not odd:
        return found
    status = HealthStatus.DEGRADED if found.status is HealthStatus.HEALTHY else found.status
    return replace(found, status=status, message="; ".join((found.message, *odd)))


def _ending(sight: Sight, secrets: Mapping[str, Secret | None], otherwise: str) -> HealthCheck:
    """By the first of the tokens that say when they end. Of other secrets it is not known."""
    ends = {name: at for name, secret in secrets.items() if secret is not None and (at := expiry_of(secret.reveal()))}
    if not ends:
        return well(f"{otherwise}; when its secrets end is not told by them")
    name, at = min(ends.items(), key=lambda one: one[1])
    left = at - sight.here.clock.now()
    days = {f"{key}_days_left": _days(sight, one) for key, one in ends.items()}
    check = judged(judging.expiry(left, sight.settings.health))
    if check is well:
        return well(f"{otherwise}; {name} ends {rfc3339(at)}", **days)
    past = "has ended" if left < timedelta() else "ends"
    return check(f"{otherwise}; the token of {name} {past} {rfc3339(at)}: put a new one in its place", **days)


def _days(sight: Sight, at: datetime) -> float:
    return round((at - sight.here.clock.now()).total_seconds() / 86400, 1)


def latency(sight: Sight, service: str) -> HealthCheck:
    """The answers of this look, in the median."""
    took = sight.ends.answers.milliseconds.get(service, [])
    if not took:
        return well("no answer was timed")
    middle, longest = median(took), max(took)
    slow = parse_duration(sight.settings.health.slow_answer)
    details = {"median_ms": round(middle, 1), "longest_ms": round(longest, 1), "answers": len(took)}
    told = f"{middle:.0f} ms in the median of {len(took)} answers, {longest:.0f} ms at most"
    if timedelta(milliseconds=middle) > slow:
        return poor(f"{told}: slower than health.slow_answer. See: snowload report --since 1d", **details)
    return well(told, **details)
