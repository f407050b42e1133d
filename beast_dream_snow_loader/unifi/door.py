"""The way into one console: by session or by key, to whichever of its two APIs tells more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

from beast_dream_snow_loader.core.observed import Subject
from beast_dream_snow_loader.errors import (
    ConfigurationError,
    NotAuthenticated,
    SourceError,
    Throttled,
    TransportError,
)
from beast_dream_snow_loader.redaction import Secret
from beast_dream_snow_loader.transport.port import Transport
from beast_dream_snow_loader.unifi.client import Endpoint
from beast_dream_snow_loader.unifi.config import ConsoleSettings
from beast_dream_snow_loader.unifi.console import ControllerReader, NetworkReader, offers_controller
from beast_dream_snow_loader.unifi.session import (
    UNIFI_OS,
    Flavour,
    NoSessions,
    Session,
    Sessions,
    flavour_of,
    held,
    log_in,
    log_out,
)
from beast_dream_snow_loader.unifi.views import ConsoleView

Transports = Callable[[str, ConsoleSettings | None], Transport]
"""A transport for a service by name; the console's settings say how its certificate is checked."""

Reading = tuple[datetime, int]
"""Since when a client must have been seen, and how many requests a console gets at once."""


def address(console: ConsoleSettings) -> str:
    """Host and port, for people and as a name."""
    return urlsplit(console.url).netloc or console.url


LOGIN = " login"
"""Ends the name of the service that takes logins: what it is asked to wait for concerns no read."""


def read_console(
    console: ConsoleSettings,
    transports: Transports,
    view: ConsoleView,
    reading: Reading,
    sessions: Sessions = NoSessions(),
) -> None:
    """Fills the view, with the account if there is one; a key stands in for an account that is not let in.

    Raises ConfigurationError without any login, and whatever keeps even the sites from being listed.
    """
    if account_of(console) is not None:
        try:
            with _session(console, transports, sessions) as session:
                _read_with_session(session, view, reading)
            return
        except (NotAuthenticated, Throttled):
            if console.api_key is None:
                raise
    if console.api_key is None:
        raise ConfigurationError(
            f"UniFi console {address(console)} has no login.",
            next_step="Set UNIFI_CONSOLE_API_KEY, or UNIFI_USERNAME with UNIFI_PASSWORD, or both for that console in "
            "the configuration file.",
        )
    read_with_key(endpoint_of(console, transports, console.api_key), view, reading)


def read_with_key(endpoint: Endpoint, view: ConsoleView, reading: Reading) -> None:
    """By the controller API where the key opens it; by the Network API else, and where a device list did not come
    whole: through the connector it is cut at 10 MB, while the Network API sends pages (unifi-api 1.7)."""
    since, concurrency = reading
    if offers_controller(endpoint):
        session = Session(endpoint, UNIFI_OS.prefix)
        ControllerReader(session=session, view=view, known_since=since, concurrency=concurrency).read()
        if _devices_lost(view) and not isinstance(view.error, NotAuthenticated):
            _take_over(view, _paged(endpoint, view, concurrency))
    else:
        NetworkReader(endpoint=endpoint, view=view, concurrency=concurrency).read()


def knock(
    console: ConsoleSettings,
    transports: Transports,
    sessions: Sessions = NoSessions(),
) -> None:
    """One cheap question with the configured login. Raises what is wrong."""
    if account_of(console) is None:
        endpoint = endpoint_of(console, transports, console.api_key)
        if not offers_controller(endpoint):
            NetworkReader(endpoint=endpoint, view=ConsoleView(address=""), concurrency=1).version()
        return
    with _session(console, transports, sessions) as session:
        session.data("/api/self/sites")


def _read_with_session(session: Session, view: ConsoleView, reading: Reading) -> None:
    since, concurrency = reading
    ControllerReader(session=session, view=view, known_since=since, concurrency=concurrency).read()


@contextmanager
def _session(console: ConsoleSettings, transports: Transports, sessions: Sessions) -> Iterator[Session]:
    """The one kept from an earlier run, or a new one. Afterwards it is kept, or given back where none are."""
    endpoint = endpoint_of(console, transports)
    flavour = flavour_of(endpoint)
    keeps = False

    def renewed() -> Endpoint:
        nonlocal keeps
        account = account_of(console)
        assert account is not None  # sessions are opened for consoles with an account only
        fresh = let_in(endpoint, console, transports, flavour, account)
        keeps = sessions.keep(console, fresh.headers)
        return fresh

    kept = held(sessions.kept(console))
    keeps = bool(kept)
    session = Session(replace(endpoint, headers=kept) if kept else renewed(), flavour.prefix, renewed)
    try:
        yield session
    finally:
        if session.over:
            sessions.forget(console)
        elif not keeps:
            log_out(session.endpoint, flavour)


def let_in(
    endpoint: Endpoint,
    console: ConsoleSettings,
    transports: Transports,
    flavour: Flavour,
    account: tuple[str, Secret],
) -> Endpoint:
    """``endpoint`` with a session. Raises what :func:`log_in` raises; Throttled too while no login is to be tried."""
    entrance = replace(endpoint, transport=transports(f"unifi:{address(console)}{LOGIN}", console))
    return replace(log_in(entrance, flavour, *account), transport=endpoint.transport)


def endpoint_of(console: ConsoleSettings, transports: Transports, key: Secret | None = None) -> Endpoint:
    return Endpoint(
        transport=transports(f"unifi:{address(console)}", console),
        base=console.url.rstrip("/"),
        service=f"UniFi console {address(console)}",
        settings="UNIFI_CONSOLE_API_KEY" if key is not None else "UNIFI_USERNAME and UNIFI_PASSWORD",
        headers={"X-API-KEY": key.reveal()} if key is not None else {},
    )


def account_of(console: ConsoleSettings) -> tuple[str, Secret] | None:
    return (console.username, console.password) if console.username and console.password is not None else None


def _devices_lost(view: ConsoleView) -> bool:
    return any(read.subject is Subject.DEVICES and not read.complete for read in view.reads)


def _paged(endpoint: Endpoint, view: ConsoleView, concurrency: int) -> ConsoleView:
    """What the Network API gives; nothing when it gives nothing: the first way's error is told already."""
    paged = ConsoleView(address=view.address, host_id=view.host_id)
    with suppress(TransportError, SourceError):
        NetworkReader(endpoint=endpoint, view=paged, concurrency=concurrency).read()
    return paged


def _take_over(view: ConsoleView, paged: ConsoleView) -> None:
    """What the second way brought of the sites the first one lost."""
    lost = {read.site for read in view.reads if read.subject is Subject.DEVICES and not read.complete}
    got = {r.site for r in paged.reads if r.subject is Subject.DEVICES and r.complete and r.site in lost}
    view.devices.extend(device for device in paged.devices if device.device.site in got)
    view.reads[:] = [r for r in view.reads if not (r.subject is Subject.DEVICES and r.site in got)]
    view.reads.extend(r for r in paged.reads if r.subject is Subject.DEVICES and r.site in got)
    view.strangers.update(paged.strangers)
    if all(read.complete for read in view.reads):
        view.error = None
