"""The way to either end: name, connection, certificate, and whether its clock agrees with ours."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from beast_dream_snow_loader.app.doctor.ends import Ends, Headers
from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.checkup import Check, fail, ok, unknown, warn
from beast_dream_snow_loader.core.exit_codes import ExitCode
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.operations.pace import after_cool_down, how_long
from beast_dream_snow_loader.transport.probing import Reached, Shown, reach

SOON_DAYS = 30
LARGE_SKEW = timedelta(seconds=60)
"""OAuth assertions allow 300 s, observation times are compared with what the instance has (cmdb-model 2.6)."""
WRONG_SKEW = timedelta(seconds=300)
WAITED_OUT_SECONDS = 5.0


def network(service: str, url: str, verify: bool | str, clock: Clock, timeout: float) -> Check:
    """One connection. A NotSent says what is wrong: name, port, certificate."""
    found = reach(service, url, verify, timeout=timeout)
    where = urlsplit(url).netloc.rpartition("@")[2]
    if found.proxy:
        fix = "Set NO_PROXY for this host if it is to be reached directly; else nothing."
        return unknown(f"{where} is reached through the proxy {found.proxy}: its certificate is not looked at", fix)
    if found.trust is None:
        return ok(f"{where} connects at {found.address}, without TLS (loopback)")
    return _certificate(found, where, clock)


def _certificate(found: Reached, where: str, clock: Clock) -> Check:
    certificate, asked = found.certificate, found.trust
    assert certificate is not None and asked is not None  # noqa: PT018 - TLS always shows one
    days = (certificate.ends - clock.now()).days
    how = "pinned" if asked.pin else f"checked against {asked.ca_file or 'the system authorities'}"
    told = f"{where} connects at {found.address}; certificate {_whose(certificate)}, {days} days left, {how}"
    if not asked.checked:
        fix = f"Pin it: verify_tls = fingerprint:{certificate.fingerprint}"
        return warn(f"{told.removesuffix(how)}not verified: anybody on the way can read along", fix)
    if days < 0:
        return warn(f"{told} (it has ended; the pin alone is believed)", "Renew the certificate, then pin the new one.")
    if days < SOON_DAYS:
        return warn(told, "Renew the certificate before it ends; a pinned one is then pinned anew.")
    return ok(told)


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


def clock_agrees(service: str, headers: Headers) -> Check:
    """By the Date header of its last answer, which counts whole seconds."""
    skew = headers.skews.get(service)
    if skew is None:
        return unknown("its answers carry no date", "Compare by hand: date -u")
    seconds = skew.total_seconds()
    told = f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} this machine"
    fix = "Set this machine's clock by NTP (timedatectl set-ntp true); if it is right, that of the other end."
    if abs(skew) > WRONG_SKEW:
        return fail(told, fix, exit_code=ExitCode.PARTIAL)
    return warn(told, fix) if abs(skew) > LARGE_SKEW else ok(f"within {max(1, round(abs(seconds)))} s")


def quota(headers: Headers) -> Check:
    """Rate limits show only where a rule matches (servicenow-api 8)."""
    if headers.throttled:
        fix = "Lower servicenow.concurrency, load less often, or have the rule in sys_rate_limit_rules raised."
        return warn(f"{headers.throttled} of {headers.answers} answers were 429; {_limits(headers)}", fix)
    return ok(f"{_limits(headers)} in {headers.answers} answers")


def _limits(headers: Headers) -> str:
    named = ", ".join(f"{name} {shown(value, 40)}" for name, value in sorted(headers.limits.items()))
    return named or "no rate-limit headers"
