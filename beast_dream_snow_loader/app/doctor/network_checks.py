"""The way to either end: name, connection, certificate, and whether its clock agrees with ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from beast_dream_snow_loader.app import judging
from beast_dream_snow_loader.app.breaker_config import SERVICENOW
from beast_dream_snow_loader.app.doctor.ends import Answers, Ends
from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.app.section_config import HealthSettings
from beast_dream_snow_loader.core.checkup import Check, CheckStatus, fail, ok, unknown, warn
from beast_dream_snow_loader.core.exit_codes import ExitCode
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.operations.pace import after_cool_down, how_long
from beast_dream_snow_loader.transport.probing import Reached, Shown, reach
from beast_dream_snow_loader.transport.tls import Trust

WAITED_OUT_SECONDS = 5.0


@dataclass(slots=True, kw_only=True)
class Way:
    """To one service: one connection, by which its certificate is then judged."""

    service: str
    url: str
    verify: bool | str
    timeout: float
    _found: Reached | None = None

    def network(self) -> Check:
        """A NotSent says what is wrong: name, port, certificate."""
        found = self._found = reach(self.service, self.url, self.verify, timeout=self.timeout)
        if found.proxy:
            fix = "Set NO_PROXY for this host if it is to be reached directly; else nothing."
            return unknown(f"{self._where} is reached through the proxy {found.proxy}: it is not looked at itself", fix)
        without = ", without TLS (loopback)" if found.trust is None else ""
        return ok(f"{self._where} connects at {found.address}{without}")

    def certificate(self, here: Ground) -> Iterator[Check]:
        """Nothing where none was shown."""
        if self._found is not None and self._found.certificate is not None and self._found.trust is not None:
            left = self._found.certificate.ends - here.clock.now()
            yield _certificate(self._found.certificate, self._found.trust, left, here.settings.health)

    @property
    def _where(self) -> str:
        return urlsplit(self.url).netloc.rpartition("@")[2]


def _certificate(found: Shown, asked: Trust, left: timedelta, mine: HealthSettings) -> Check:
    how = "pinned" if asked.pin else f"checked against {asked.ca_file or 'the system authorities'}"
    told = f"{_whose(found)}, {left.days} days left"
    if not asked.checked:
        fix = f"Pin it: verify_tls = fingerprint:{found.fingerprint}"
        return warn(f"{told}, not verified: anybody on the way can read along", fix)
    status = judging.expiry(left, mine)
    if status is CheckStatus.OK:
        return ok(f"{told}, {how}")
    ended = " (it has ended; the pin alone is believed)" if left < timedelta() else ""
    fix = "Renew the certificate, then pin the new one if it is pinned (health.expires_warn, health.expires_fail)."
    return _judged(status, f"{told}, {how}{ended}", fix)


def _judged(status: CheckStatus, told: str, fix: str) -> Check:
    return fail(told, fix, exit_code=ExitCode.PARTIAL) if status is CheckStatus.FAIL else warn(told, fix)


def _whose(certificate: Shown) -> str:
    own = certificate.subject == certificate.issuer
    return f"{shown(certificate.subject, 60)} by {'itself' if own else shown(certificate.issuer, 60)}"


def cooling(service: str, ends: Ends) -> list[Check]:
    """A failed line while ``service`` is left alone for longer than an exam waits for it; else nothing."""
    heard = ends.store.pacing(ends.here.target).cool_down(service) if ends.store is not None else None
    if heard is None or heard.seconds <= WAITED_OUT_SECONDS:
        return []
    told = f"{service} answered 429 and is to be left alone for {how_long(heard.seconds, ends.here.clock.now())}"
    return [fail(f"{told}: nothing is sent to it", after_cool_down(service), exit_code=ExitCode.UNAVAILABLE)]


def clock_agrees(service: str, answers: Answers, mine: HealthSettings) -> Check:
    """By the Date header of its last answer, which counts whole seconds."""
    skew = answers.skews.get(service)
    if skew is None:
        return unknown("its answers carry no date", "Compare by hand: date -u")
    seconds = skew.total_seconds()
    told = f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} this machine"
    status = judging.clock(skew, mine)
    if status is CheckStatus.OK:
        return ok(f"within {max(1, round(abs(seconds)))} s")
    fix = "Set this machine's clock by NTP (timedatectl set-ntp true); if it is right, that of the other end."
    return _judged(status, told, fix)


def quota(ends: Ends) -> Check:
    """Rate limits show only where a rule matches (servicenow-api 8)."""
    answers, mine = ends.answers, ends.here.settings.health
    fix = "Lower servicenow.concurrency, load less often, or have the rule in sys_rate_limit_rules raised."
    if answers.throttled:
        return warn(f"{answers.throttled} of {answers.number} answers were 429; {_limits(answers)}", fix)
    given = ends.store.pacing(ends.here.target).used(SERVICENOW) if ends.store is not None else {}
    percent = max(judging.used_percent(answers.quotas, given).values(), default=0.0)
    told = f"{_limits(answers)} in {answers.number} answers"
    if judging.quota(percent, mine) is CheckStatus.WARN:
        return warn(f"{percent:.0f} % of what a rule allows an hour is used; {told}", fix)
    return ok(told)


def _limits(answers: Answers) -> str:
    named = ", ".join(f"{name} {shown(value, 40)}" for name, value in sorted(answers.limits.items()))
    return named or "no rate-limit headers"
