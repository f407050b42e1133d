"""Everything UniFi knows: Site Manager, then every console, several at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.events import Listener, StepAdvanced, ignore
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.observed import Read, Snapshot, Subject
from beast_dream_snow_loader.errors import (
    ConfigurationError,
    NotAuthenticated,
    NotAuthorised,
    SnowloadError,
    SourceUnavailable,
)
from beast_dream_snow_loader.operations.spreading import spread
from beast_dream_snow_loader.unifi.client import Endpoint
from beast_dream_snow_loader.unifi.cloud import SITE_MANAGER, cloud_endpoint, read_cloud, through, unread_hosts
from beast_dream_snow_loader.unifi.config import ConsoleSettings, UniFiSettings
from beast_dream_snow_loader.unifi.door import Transports, address, knock, read_console, read_with_key
from beast_dream_snow_loader.unifi.joining import Estate, join
from beast_dream_snow_loader.unifi.session import NoSessions, Sessions
from beast_dream_snow_loader.unifi.views import ConsoleView, HostView

__all__ = ["SITE_MANAGER", "Transports", "UniFiSource"]


_CONSOLES_AT_ONCE = 32
"""Each console has places of its own (and Site Manager its own for what goes through it), so a thread that waits for a
sick one takes nothing from the others."""


class UniFiSource:
    """Implements the pipeline's ``Source``. One console or site failing is in the verdicts and costs only itself."""

    def __init__(
        self,
        settings: UniFiSettings,
        transports: Transports,
        clock: Clock,
        listener: Listener = ignore,
        sessions: Sessions = NoSessions(),
    ) -> None:
        self._settings = settings
        self._transports = transports
        self._clock = clock
        self._listener = listener
        self._sessions = sessions

    def read(self) -> Snapshot:
        """Raises ConfigurationError when no source is configured; NotAuthenticated, NotAuthorised or
        SourceUnavailable when none of them could be read at all."""
        if self._settings.api_key is None and not self._settings.consoles:
            raise no_source()
        estate, errors = Estate(), list[SnowloadError]()
        cloud = cloud_endpoint(self._settings, self._transports)
        if cloud is not None:
            errors.extend(self._read_cloud(cloud, estate))
        estate.consoles.extend(spread(self._local, self._settings.consoles, _CONSOLES_AT_ONCE, "console"))
        if cloud is not None and self._settings.use_connector:
            remote = unread_hosts(estate)
            estate.consoles.extend(spread(partial(self._connected, cloud), remote, _CONSOLES_AT_ONCE, "console"))
        self._report(estate, errors)
        return join(estate, self._clock.now())

    def probe(self) -> Sequence[tuple[str, SnowloadError | None]]:
        """(service, what is wrong) for each source: one cheap request each, for health."""
        found: list[tuple[str, SnowloadError | None]] = []
        cloud = cloud_endpoint(self._settings, self._transports)
        if cloud is not None:
            found.append((cloud.service, _tried(lambda: cloud.get("/v1/hosts"))))
        for console in self._settings.consoles:
            asked = partial(knock, console, self._transports, self._sessions)
            found.append((f"UniFi console {address(console)}", _tried(asked)))
        return found

    def _read_cloud(self, cloud: Endpoint, estate: Estate) -> list[SnowloadError]:
        """A failure leaves what came before it and is returned."""
        errors = []
        try:
            read_cloud(cloud, estate)
        except SnowloadError as error:
            errors.append(error)
            for console in ("", *(host.host_id for host in estate.hosts)):
                estate.cloud_reads.extend(_failed(console, error, (Subject.SITES, Subject.DEVICES)))
        self._listener(StepAdvanced(step="fetch", by=len(estate.cloud_devices)))
        return errors

    def _local(self, console: ConsoleSettings) -> ConsoleView:
        view = ConsoleView(address=address(console))
        read = partial(read_console, console, self._transports, view, self._reading(), self._sessions)
        self._guarded(view, read)
        return view

    def _connected(self, cloud: Endpoint, host: HostView) -> ConsoleView:
        view = ConsoleView(address=f"connector/{host.host_id}", host_id=host.host_id)
        self._guarded(view, lambda: read_with_key(through(cloud, host, self._transports), view, self._reading()))
        return view

    def _reading(self) -> tuple[datetime, int]:
        since = self._clock.now() - timedelta(hours=self._settings.client_window_hours)
        return since, self._settings.console_concurrency

    def _guarded(self, view: ConsoleView, read: Callable[[], None]) -> None:
        try:
            read()
        except SnowloadError as error:
            view.error = error
            view.reads.extend(_failed("", error, tuple(Subject)))
        self._listener(StepAdvanced(step="fetch", by=len(view.devices) + len(view.clients)))

    def _report(self, estate: Estate, errors: Sequence[SnowloadError]) -> None:
        """The cloud's failures as findings, or an error when nothing at all was read."""
        every = [*errors, *(view.error for view in estate.consoles if view.error is not None)]
        if every and not (estate.cloud_devices or any(view.devices or view.sites for view in estate.consoles)):
            raise _nothing_read(every)
        estate.findings.extend(
            Finding(record="source", rule=error.code, severity=Severity.WARNING, message=str(error)) for error in errors
        )


def no_source() -> ConfigurationError:
    return ConfigurationError(
        "No UniFi source is configured.",
        next_step="Set UNIFI_API_KEY for Site Manager, or UNIFI_CONSOLE_URL with UNIFI_CONSOLE_API_KEY or with "
        "UNIFI_USERNAME and UNIFI_PASSWORD for one console.",
    )


def _failed(console: str, error: SnowloadError, subjects: Sequence[Subject]) -> list[Read]:
    reason = error.message or error.code
    return [Read(console=console, subject=subject, complete=False, reason=reason) for subject in subjects]


def _nothing_read(errors: Sequence[SnowloadError]) -> SnowloadError:
    """What a person can mend by changing a setting is said as it is, when that is all there is."""
    to_mend = [e for e in errors if isinstance(e, NotAuthenticated | NotAuthorised | ConfigurationError)]
    if len(to_mend) == len(errors):
        return to_mend[0]
    first = next(error for error in errors if error not in to_mend)
    more = f" {len(errors) - 1} more of its sources failed too." if len(errors) > 1 else ""
    refused = next((error for error in to_mend if isinstance(error, NotAuthenticated)), None)
    return SourceUnavailable(
        f"UniFi cannot be read: {first.message}{more}", next_step=first.next_step, unaccepted=refused
    )


def _tried(request: Callable[[], object]) -> SnowloadError | None:
    try:
        request()
    except SnowloadError as error:
        return error
    return None
