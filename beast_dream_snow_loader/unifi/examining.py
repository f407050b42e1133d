"""What there is to find out about UniFi before it is read: keys, consoles, APIs, versions, rights, sites."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from beast_dream_snow_loader.core.checkup import Check, Evidence, fail, failed, ok, unknown, warn
from beast_dream_snow_loader.core.exit_codes import ExitCode
from beast_dream_snow_loader.core.observed import Snapshot
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.errors import NotAuthenticated, SnowloadError
from beast_dream_snow_loader.unifi.apis import controller, network, site_manager
from beast_dream_snow_loader.unifi.apis.fields import Json, flag, objects, text
from beast_dream_snow_loader.unifi.client import Endpoint, by_offset, by_token, segment
from beast_dream_snow_loader.unifi.cloud import through
from beast_dream_snow_loader.unifi.config import ConsoleSettings, UniFiSettings
from beast_dream_snow_loader.unifi.door import Transports, account_of, address, endpoint_of, let_in
from beast_dream_snow_loader.unifi.session import CLASSIC, Flavour, Session, flavour_of, log_out
from beast_dream_snow_loader.unifi.views import HostView, SiteView

LOCAL_KEY = "Make a key on that console (Network, Settings, Control Plane, Integrations) and set UNIFI_CONSOLE_API_KEY."
VIEWER = "Use a local account with the role Viewer on Network, without a cloud login: reading needs no more."


@dataclass(slots=True, kw_only=True)
class Sources:
    """What the exams share: ``hosts`` are Site Manager's, once it was asked."""

    settings: UniFiSettings
    transports: Transports
    hosts: list[HostView] = field(default_factory=list)


def site_manager_key(sources: Sources, cloud: Endpoint) -> Iterator[Check]:
    """The key, and every host it shows with the way it will be read."""
    sources.hosts = [host for host in map(site_manager.host, by_token(cloud, site_manager.HOSTS)) if host]
    sites = [site for site in map(site_manager.site, by_token(cloud, site_manager.SITES)) if site]
    yield ok(f"the key is valid: {len(sources.hosts)} hosts, {len(sites)} sites")
    listed = {str(group.get("hostId")) for group in by_token(cloud, site_manager.DEVICES)}
    for host in sources.hosts:
        yield _host(host, [site for site in sites if site.host_id == host.host_id], listed)


def _host(host: HostView, sites: list[SiteView], listed: set[str]) -> Check:
    subject = f"host {shown(host.name or host.host_id[:12], 60)}"
    kind, version = "server" if host.software_only else "console", host.network_version or "version not told"
    what = f"{kind}, {len(sites)} sites, Network {shown(version, 40)}"
    if host.blocked:
        return ok(f"{what}, blocked: not read", subject)
    if not host.online:
        return warn(f"{what}, offline", "Bring it back online; until then its devices count as last seen.", subject)
    if host.host_id not in listed and any(site.device_count for site in sites):
        fix = "Make the key with the account that owns the console, or that is super admin there."
        return warn(f"{what}, and its devices are not shown to this key", fix, subject)
    if "network" not in host.applications:
        return ok(f"{what}, does not run Network", subject)
    return ok(f"{what}, {', '.join(sorted(host.applications))}", subject)


def connector(sources: Sources, cloud: Endpoint) -> Iterator[Check]:
    """Consoles without a login of their own, read through the cloud (unifi-api 1.7)."""
    asked = [host for host in sources.hosts if "network" in host.applications and not host.blocked and host.online]
    if not sources.settings.use_connector:
        yield ok("switched off (unifi.use_connector): consoles without a login here are read from Site Manager alone")
        return
    for host in asked:
        endpoint = through(cloud, host, sources.transports)
        subject = f"host {shown(host.name or host.host_id[:12], 60)}"
        error = _error(partial(endpoint.json, f"{network.PREFIX}/info"))
        if error is None:
            yield ok("answers through Site Manager", subject)
        else:
            fix = f"{error.next_step or 'Try later.'} Or give the console a login of its own. {LOCAL_KEY}"
            yield warn(error.message, fix, subject)
    if not asked:
        yield ok("no console to reach that way")


def console(sources: Sources, settings: ConsoleSettings) -> Iterator[Check]:
    """One console at its own address: flavour, logins and the APIs they open, versions, rights, sites, counts."""
    where = address(settings)
    flavour = flavour_of(endpoint_of(settings, sources.transports))
    yield ok(_FLAVOURS[flavour.name], where)
    opened = 0
    for line in (*_by_account(sources, settings, flavour), *_by_key(sources, settings, flavour)):
        opened += line.status == "ok"
        yield line
    if not opened:
        fix = f"{VIEWER if flavour is CLASSIC else LOCAL_KEY} Then: snowload doctor --check unifi.console"
        yield fail("no login opens any of its APIs", fix, where, exit_code=ExitCode.AUTH)


_FLAVOURS = {"UniFi OS": "UniFi OS console or server", "classic": "self-hosted Network application (classic)"}


def _by_account(sources: Sources, settings: ConsoleSettings, flavour: Flavour) -> Iterator[Check]:
    account = account_of(settings)
    if account is None:
        return
    where = f"{address(settings)}, account"
    try:
        endpoint = let_in(endpoint_of(settings, sources.transports), settings, sources.transports, flavour, account)
    except SnowloadError as error:
        yield _refused(error, where, stands_in=settings.api_key is not None)
        return
    try:
        yield from _controller(Session(endpoint, flavour.prefix), where)
    finally:
        log_out(endpoint, flavour)


def _by_key(sources: Sources, settings: ConsoleSettings, flavour: Flavour) -> Iterator[Check]:
    if settings.api_key is None:
        return
    where = address(settings)
    if flavour is CLASSIC:
        yield warn("an API key is no use on a self-hosted Network application", VIEWER, f"{where}, key")
        return
    endpoint = endpoint_of(settings, sources.transports, settings.api_key)
    yield from _network(endpoint, f"{where}, Network Integration API")
    session = Session(endpoint, flavour.prefix)
    error = _error(lambda: session.data("/api/self/sites"))
    if error is None:
        yield from _controller(session, f"{where}, controller API by key")
    elif account_of(settings) is None:
        fix = f"Add a local account for serial numbers and known clients. {VIEWER}"
        yield warn("the key does not open the controller API: fewer fields are read", fix, f"{where}, controller API")


def _refused(error: SnowloadError, where: str, *, stands_in: bool) -> Check:
    if stands_in and isinstance(error, NotAuthenticated):
        return warn(f"{error.message} The key stands in.", f"{error.next_step} {VIEWER}", where)
    return failed(error, where, fix=VIEWER)


def _controller(session: Session, where: str) -> Iterator[Check]:
    """Sites, versions, rights, and what one site shows."""
    try:
        sites = [site for site in map(controller.site, objects(session.data("/api/self/sites"))) if site]
        if not sites:
            yield fail(
                "no site is visible",
                f"Give it the role Viewer on the sites to read. {VIEWER}",
                where,
                exit_code=ExitCode.AUTH,
            )
            return
        yield _version(session, sites[0], where)
        yield _rights(session, where)
        for site in sites:
            yield _site(session, site, where)
    except SnowloadError as error:
        yield failed(error, where, fix=VIEWER)


def _version(session: Session, site: SiteView, where: str) -> Check:
    try:
        record = next(objects(session.data(f"/api/s/{segment(site.api_id)}/stat/sysinfo")), None)
    except SnowloadError:
        record = None
    told = controller.system(record) if record else None
    if told is None or told.network_version is None:
        return unknown("does not tell its version", "Nothing needs it; look at the console's own page.", where)
    system = f", {told.os_version}" if told.os_version else ""
    return ok(f"UniFi Network {shown(told.network_version, 40)}{shown(system, 60)}", where)


def _rights(session: Session, where: str) -> Check:
    """More rights than reading needs are told: the account is kept on a machine."""
    try:
        record = next(objects(session.data("/api/self")), None)
    except SnowloadError:
        record = None
    if record is None:
        return unknown("does not tell the rights of this login", VIEWER, where)
    if flag(record, "is_super") or flag(record, "is_owner"):
        return warn("this login may administer the console; reading needs less", VIEWER, where)
    return ok("this login is no administrator", where)


def _site(session: Session, site: SiteView, where: str) -> Check:
    subject = f"{where}, site {shown(site.name or site.short_name, 60)}"
    path = f"/api/s/{segment(site.api_id)}"
    counts = []
    for what, collection in (("devices", "stat/device"), ("connected clients", "stat/sta")):
        try:
            counts.append(f"{len(session.data(f'{path}/{collection}'))} {what}")
        except SnowloadError as error:
            return failed(error, subject, fix=f"Give this login the role Viewer on the site, to see its {what}.")
    return ok(", ".join(counts), subject)


def _network(endpoint: Endpoint, where: str) -> Iterator[Check]:
    try:
        version = text(endpoint.json(f"{network.PREFIX}/info"), "applicationVersion")
        yield ok(f"UniFi Network {shown(version or 'version not told', 40)}", where)
        found = by_offset(endpoint, f"{network.PREFIX}/sites", network.PAGE)
        for site in filter(None, map(network.site, found.rows)):
            yield _network_site(endpoint, site, where)
    except SnowloadError as error:
        yield failed(error, where, fix=LOCAL_KEY)


def _network_site(endpoint: Endpoint, site: SiteView, where: str) -> Check:
    subject = f"{where}, site {shown(site.name or site.short_name, 60)}"
    totals: list[str] = []
    for what in ("devices", "clients"):
        path = f"{network.PREFIX}/sites/{segment(site.api_id)}/{what}"
        error = _error(partial(_first, endpoint, path, totals, what))
        if error is not None:
            return failed(error, subject, fix=LOCAL_KEY)
    return ok(", ".join(totals), subject)


def _first(endpoint: Endpoint, path: str, totals: list[str], what: str) -> None:
    page: Json = endpoint.json(path, ("offset", "0"), ("limit", "1"))
    totals.append(f"{page.get('totalCount', 'an unknown number of')} {what}")


def completeness(snapshot: Snapshot) -> Iterator[Check]:
    """From a whole read: which collections came to their end, and what that means for open point 11."""
    short = [read for read in snapshot.reads if not read.complete]
    names = ("consoles", "sites", "devices", "clients")
    counts = ", ".join(f"{len(getattr(snapshot, name))} {name}" for name in names)
    whole = f"{len(snapshot.reads) - len(short)} of {len(snapshot.reads)} reads complete"
    yield ok(f"{counts}; {whole}", "", _serials(snapshot))
    for read in short:
        subject = f"{shown(read.console or 'cloud', 40)}, {read.site or 'all sites'}, {read.subject.value}"
        fix = "Mend what the reason names; until then nothing there is retired and the last good data stands."
        yield warn(f"not complete: {shown(read.reason)}", fix, subject)


def _serials(snapshot: Snapshot) -> Evidence:
    told = [device for device in snapshot.devices if device.serial]
    equal = sum(1 for device in told if (device.serial or "").casefold() == device.mac.casefold())
    holds = equal == len(told) if told else None
    return Evidence(point=11, holds=holds, says=f"{equal} of {len(told)} serial numbers equal the base MAC")


def _error(request: Callable[[], object]) -> SnowloadError | None:
    try:
        request()
    except SnowloadError as error:
        return error
    return None
