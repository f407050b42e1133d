"""Everything UniFi knows: Site Manager, then every console, several at once (L1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from urllib.parse import urlsplit

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
from beast_dream_snow_loader.transport.base import Transport
from beast_dream_snow_loader.unifi.apis import site_manager
from beast_dream_snow_loader.unifi.client import Endpoint, by_token, segment
from beast_dream_snow_loader.unifi.config import ConsoleSettings, UniFiSettings
from beast_dream_snow_loader.unifi.console import ControllerReader, NetworkReader, offers_controller
from beast_dream_snow_loader.unifi.joining import Estate, console_keys, join
from beast_dream_snow_loader.unifi.session import UNIFI_OS, flavour_of, log_in, log_out
from beast_dream_snow_loader.unifi.views import ConsoleView, HostView

Transports = Callable[[str, ConsoleSettings | None], Transport]
"""A transport for a service by name; the console's settings say how its certificate is checked."""

SITE_MANAGER = "unifi:site-manager"
NO_SOURCE = ConfigurationError(
    "No UniFi source is configured.",
    next_step="Set UNIFI_API_KEY for Site Manager, or UNIFI_CONSOLE_URL with UNIFI_CONSOLE_API_KEY or with "
    "UNIFI_USERNAME and UNIFI_PASSWORD for one console.",
)


class UniFiSource:
    """Implements the pipeline's ``Source``. One console or site failing is in the verdicts and costs only itself."""

    def __init__(
        self, settings: UniFiSettings, transports: Transports, clock: Clock, listener: Listener = ignore
    ) -> None:
        self._settings = settings
        self._transports = transports
        self._clock = clock
        self._listener = listener

    def read(self) -> Snapshot:
        """Raises ConfigurationError when no source is configured; NotAuthenticated, NotAuthorised or
        SourceUnavailable when none of them could be read at all."""
        if self._settings.api_key is None and not self._settings.consoles:
            raise NO_SOURCE
        estate, errors = Estate(), list[SnowloadError]()
        cloud = self._site_manager()
        if cloud is not None:
            errors.extend(self._read_cloud(cloud, estate))
        estate.consoles.extend(self._spread(self._local, self._settings.consoles))
        if cloud is not None and self._settings.use_connector:
            remote = self._remaining(estate)
            estate.consoles.extend(self._spread(lambda host: self._connected(cloud, host), remote))
        errors.extend(c.error for c in estate.consoles if isinstance(c.error, SnowloadError))
        self._report(estate, errors)
        return join(estate, self._clock.now())

    def probe(self) -> Sequence[tuple[str, SnowloadError | None]]:
        """(service, what is wrong) for each source: one cheap request each, for health."""
        found: list[tuple[str, SnowloadError | None]] = []
        cloud = self._site_manager()
        if cloud is not None:
            found.append((cloud.service, _tried(lambda: cloud.get(site_manager.HOSTS))))
        for console in self._settings.consoles:
            found.append((_service(console), _tried(lambda console=console: self._knock(console))))  # type: ignore[misc]
        return found

    def _knock(self, console: ConsoleSettings) -> None:
        endpoint = self._endpoint(console)
        if console.username and console.password is not None:
            flavour = flavour_of(endpoint)
            session = log_in(endpoint, flavour, console.username, console.password)
            session.controller(f"{flavour.prefix}/api/self/sites")
            log_out(session, flavour)
        elif not offers_controller(endpoint):
            NetworkReader(endpoint=endpoint, view=ConsoleView(address=""), concurrency=1).version()

    def _site_manager(self) -> Endpoint | None:
        if self._settings.api_key is None:
            return None
        return Endpoint(
            transport=self._transports(SITE_MANAGER, None),
            base=self._settings.site_manager_url.rstrip("/"),
            service="UniFi Site Manager",
            settings="UNIFI_API_KEY",
            headers={"X-API-Key": self._settings.api_key.reveal()},
        )

    def _read_cloud(self, cloud: Endpoint, estate: Estate) -> list[SnowloadError]:
        """Hosts, sites and devices; a failure leaves what came before it and is returned."""
        try:
            estate.hosts.extend(filter(None, map(site_manager.host, by_token(cloud, site_manager.HOSTS))))
            self._listener(StepAdvanced(step="fetch", by=len(estate.hosts)))
            estate.cloud_sites.extend(filter(None, map(site_manager.site, by_token(cloud, site_manager.SITES))))
            self._read_cloud_devices(cloud, estate)
        except SnowloadError as error:
            for subject in (Subject.SITES, Subject.DEVICES):
                estate.cloud_reads.append(Read(console="", subject=subject, complete=False, reason=error.message))
                estate.cloud_reads.extend(
                    Read(console=host.host_id, subject=subject, complete=False, reason=error.message)
                    for host in estate.hosts
                )
            return [error]
        return []

    def _read_cloud_devices(self, cloud: Endpoint, estate: Estate) -> None:
        blocked = {host.host_id for host in estate.hosts if host.blocked}
        for group in by_token(cloud, site_manager.DEVICES):
            views = [view for view in site_manager.devices(group) if view is None or view.host_id not in blocked]
            estate.cloud_devices.extend(view for view in views if view is not None)
            if any(view is None for view in views):
                estate.skipped["device without a MAC address, or not managed there"] = views.count(None)
        for host in estate.hosts:
            count = sum(1 for view in estate.cloud_devices if view.host_id == host.host_id)
            estate.cloud_reads.append(Read(console=host.host_id, subject=Subject.DEVICES, records=count))

    def _remaining(self, estate: Estate) -> list[HostView]:
        """Hosts that run Network and were not read at their own address."""
        local = set(console_keys(estate).by_address.values())
        keys = console_keys(estate)
        return [
            host
            for host in estate.hosts
            if "network" in host.applications and not host.blocked and keys.of_host(host.host_id) not in local
        ]

    def _local(self, console: ConsoleSettings) -> ConsoleView:
        view = ConsoleView(address=urlsplit(console.url).netloc or console.url)
        self._guarded(view, lambda: self._read_local(console, view))
        return view

    def _read_local(self, console: ConsoleSettings, view: ConsoleView) -> None:
        endpoint = self._endpoint(console)
        if console.username and console.password is not None:
            self._read_with_session(endpoint, console, view)
        else:
            self._read_with_key(endpoint, view)

    def _read_with_session(self, endpoint: Endpoint, console: ConsoleSettings, view: ConsoleView) -> None:
        assert console.username is not None
        assert console.password is not None
        username, password = console.username, console.password
        flavour = flavour_of(endpoint)
        reader = ControllerReader(
            endpoint=log_in(endpoint, flavour, username, password),
            flavour=flavour,
            view=view,
            known_since=self._known_since(),
            log_in_again=lambda: log_in(endpoint, flavour, username, password),
        )
        try:
            reader.read()
        finally:
            log_out(reader.endpoint, flavour)

    def _read_with_key(self, endpoint: Endpoint, view: ConsoleView) -> None:
        if offers_controller(endpoint):
            since = self._known_since()
            ControllerReader(endpoint=endpoint, flavour=UNIFI_OS, view=view, known_since=since).read()
        else:
            NetworkReader(endpoint=endpoint, view=view, concurrency=self._settings.console_concurrency).read()

    def _known_since(self) -> datetime:
        return self._clock.now() - timedelta(hours=self._settings.client_window_hours)

    def _connected(self, cloud: Endpoint, host: HostView) -> ConsoleView:
        view = ConsoleView(address=f"connector/{host.host_id}", host_id=host.host_id)
        endpoint = Endpoint(
            transport=cloud.transport,
            base=f"{cloud.base}/v1/connector/consoles/{segment(host.host_id)}",
            service=f"console {host.name or host.host_id[:12]} through Site Manager",
            settings="UNIFI_API_KEY (it must belong to the console's owner)",
            headers=cloud.headers,
        )
        self._guarded(view, lambda: self._read_with_key(endpoint, view))
        return view

    def _guarded(self, view: ConsoleView, read: Callable[[], None]) -> None:
        try:
            read()
        except SnowloadError as error:
            view.error = error
            view.reads.extend(
                Read(console="", subject=subject, complete=False, reason=error.message)
                for subject in (Subject.SITES, Subject.DEVICES, Subject.CLIENTS)
            )
        self._listener(StepAdvanced(step="fetch", by=len(view.devices) + len(view.clients)))

    def _endpoint(self, console: ConsoleSettings) -> Endpoint:
        key = console.api_key
        return Endpoint(
            transport=self._transports(f"unifi:{urlsplit(console.url).netloc}", console),
            base=console.url.rstrip("/"),
            service=_service(console),
            settings="UNIFI_CONSOLE_API_KEY" if key is not None else "UNIFI_USERNAME and UNIFI_PASSWORD",
            headers={"X-API-KEY": key.reveal()} if key is not None else {},
        )

    def _spread(self, read: Callable[..., ConsoleView], parts: Sequence[object]) -> list[ConsoleView]:
        if not parts:
            return []
        workers = min(len(parts), self._settings.site_manager_concurrency)
        with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="console") as pool:
            return list(pool.map(read, parts))

    def _report(self, estate: Estate, errors: Sequence[SnowloadError]) -> None:
        """Failures as findings, or as an error when nothing at all was read."""
        if errors and not (estate.cloud_devices or any(c.devices or c.sites for c in estate.consoles)):
            raise _nothing_read(errors)
        estate.findings.extend(
            Finding(record="source", rule=error.code, severity=Severity.WARNING, message=str(error)) for error in errors
        )
        estate.findings.extend(
            Finding(
                record=f"console/{host.host_id[:12]}",
                rule="source.blocked",
                severity=Severity.WARNING,
                message=f"Console {host.name or host.host_id[:12]} is blocked in Site Manager: skipped.",
            )
            for host in estate.hosts
            if host.blocked
        )


def _nothing_read(errors: Sequence[SnowloadError]) -> SnowloadError:
    denied = [error for error in errors if isinstance(error, NotAuthenticated | NotAuthorised)]
    if len(denied) == len(errors):
        return denied[0]
    first = next(error for error in errors if error not in denied)
    more = f" {len(errors) - 1} more of its sources failed too." if len(errors) > 1 else ""
    return SourceUnavailable(f"UniFi cannot be read: {first.message}{more}", next_step=first.next_step)


def _service(console: ConsoleSettings) -> str:
    return f"UniFi console {urlsplit(console.url).netloc or console.url}"


def _tried(request: Callable[[], object]) -> SnowloadError | None:
    try:
        request()
    except SnowloadError as error:
        return error
    return None
