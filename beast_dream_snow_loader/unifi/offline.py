"""Saved payloads in place of a live UniFi: the same parsing, the same joining, no network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.observed import Read, Snapshot, Subject
from beast_dream_snow_loader.errors import SourceDataInvalid, SourceUnavailable
from beast_dream_snow_loader.unifi.apis import controller, network, site_manager
from beast_dream_snow_loader.unifi.apis.envelopes import decoded
from beast_dream_snow_loader.unifi.apis.fields import Json, objects, section, text
from beast_dream_snow_loader.unifi.joining import Estate, join
from beast_dream_snow_loader.unifi.views import ConsoleView

_NAME_ONE = "Name a file or folder of saved UniFi payloads."

Take = Callable[[Json, "Saved"], None]


class Saved:
    """Where the records of saved files go: Site Manager's into the estate, a console's into one console."""

    def __init__(self) -> None:
        self.console = ConsoleView(address="saved")
        self.estate = Estate(consoles=[self.console])

    def site_of(self, record: Json) -> str | None:
        """The site a controller record belongs to, where the list of sites was saved too."""
        wanted = text(record, "site_id")
        return next((site.short_name for site in self.console.sites if wanted and site.record_id == wanted), None)

    def snapshot(self) -> Snapshot:
        self.console.reads.extend(Read(console="", subject=subject) for subject in Subject)
        return join(self.estate, datetime(1970, 1, 1, tzinfo=UTC))


def read_saved(path: Path) -> Snapshot:
    """A file, or every ``.json`` file below a folder, of any of the three APIs, recognised by shape.

    Of a folder each file that does not read or is not recognised is an error finding, and the rest is read; a single
    such file raises SourceDataInvalid, which names file and place.
    """
    files = sorted(path.rglob("*.json")) if path.is_dir() else [path]
    if not files:
        raise SourceDataInvalid(f"{path} holds no .json file.", next_step=_NAME_ONE, path=str(path))
    saved = Saved()
    taken = [pair for file in files for pair in _taken(file, saved, alone=not path.is_dir())]
    for take, record in sorted(taken, key=lambda pair: pair[0] not in _SITES):
        take(record, saved)
    return saved.snapshot()


def recognise(record: Json) -> Take | None:
    """How to take one record, by the fields that only its kind has; None when nothing fits."""
    return next((take for fits, take in _SHAPES if fits(record)), None)


def _taken(file: Path, saved: Saved, *, alone: bool) -> list[tuple[Take, Json]]:
    try:
        return list(_recognised(file))
    except SourceDataInvalid as error:
        if alone:
            raise
        saved.estate.findings.append(
            Finding(record=file.name, rule=error.code, severity=Severity.ERROR, message=error.message, field=error.path)
        )
        return []


def _recognised(file: Path) -> Iterable[tuple[Take, Json]]:
    try:
        body = file.read_bytes()
    except OSError as error:
        raise SourceDataInvalid(
            f"{file} cannot be read: {error.strerror}.", next_step=_NAME_ONE, path=str(file)
        ) from None
    document = _document(body, file)
    for index, record in enumerate(_records(document)):
        take = recognise(record)
        if take is None:
            raise SourceDataInvalid(
                f"{file} is no UniFi answer that snowload knows (record {index}).",
                next_step="Leave it out, or save the answer whole, with its envelope.",
                path=f"{file}:data[{index}]",
            )
        yield take, record


def _document(body: bytes, file: Path) -> object:
    """Raises SourceDataInvalid for what is no answer, and for an answer that says what went wrong."""
    try:
        document = decoded(body, str(file))
    except SourceUnavailable:
        raise SourceDataInvalid(f"{file} holds a web page, no UniFi answer.", path=str(file)) from None
    if isinstance(document, Mapping) and _is_error(document):
        raise SourceDataInvalid(
            f"{file} holds UniFi's answer to a request that failed, no data.",
            next_step="Leave it out, or save the answer of a request that worked.",
            path=str(file),
        )
    return document


def _is_error(document: Json) -> bool:
    """The three shapes of the three APIs (unifi-api 1.2, 2.5, 3.2)."""
    code = text(document, "httpStatusCode", "statusCode")
    failed = code is not None and code != "200"
    return (
        failed or text(section(document, "meta"), "rc") == "error" or ("error" in document and "data" not in document)
    )


def _records(document: object) -> Iterable[Json]:
    """The records of an envelope, of a bare list, or of a bare record."""
    if isinstance(document, Mapping):
        data = document.get("data", document)
        yield from objects(data if isinstance(data, list) else [data])
    else:
        yield from objects(document)


def _host(record: Json, saved: Saved) -> None:
    view = site_manager.host(record)
    saved.estate.hosts.extend([view] if view else [])


def _cloud_site(record: Json, saved: Saved) -> None:
    view = site_manager.site(record)
    saved.estate.cloud_sites.extend([view] if view else [])


def _cloud_devices(record: Json, saved: Saved) -> None:
    for view in site_manager.devices(record):
        if view is None:
            saved.console.skip("device without a MAC address, or not managed there")
        else:
            saved.estate.cloud_devices.append(view)


def _network_site(record: Json, saved: Saved) -> None:
    view = network.site(record)
    saved.console.sites.extend([view] if view else [])


def _network_device(record: Json, saved: Saved) -> None:
    view = network.device(record, None)
    saved.console.devices.extend([view] if view else [])


def _network_client(record: Json, saved: Saved) -> None:
    view = network.client(record, None)
    if view is None:
        saved.console.skip("client without a network identity (VPN or unknown type)")
    else:
        saved.console.clients.append(view)


def _controller_site(record: Json, saved: Saved) -> None:
    view = controller.site(record)
    saved.console.sites.extend([view] if view else [])


def _controller_device(record: Json, saved: Saved) -> None:
    view = controller.device(record, saved.site_of(record))
    if view is None:
        saved.console.skip("device without a MAC address, or not adopted here")
    else:
        saved.console.devices.append(view)


def _controller_client(record: Json, saved: Saved) -> None:
    view = controller.client(record, saved.site_of(record), connected="uptime" in record)
    if view is None:
        saved.console.skip("client without a MAC address")
    else:
        saved.console.clients.append(view)


def _nothing(record: Json, saved: Saved) -> None:
    """Known, and of no use here."""


_SITES = (_controller_site, _network_site)
"""Taken first, so that the other records find theirs."""

_SHAPES: tuple[tuple[Callable[[Json], bool], Take], ...] = (
    (lambda r: "hostId" in r and "devices" in r, _cloud_devices),
    (lambda r: "hostId" in r and "meta" in r, _cloud_site),
    (lambda r: "reportedState" in r or "hardwareId" in r, _host),
    (lambda r: "macAddress" in r and "access" in r, _network_client),
    (lambda r: "macAddress" in r and "uplinkDeviceId" in r, _network_client),
    (lambda r: "type" in r and "access" in r and "connectedAt" in r, _network_client),
    (lambda r: r.get("type") in ("VPN", "TELEPORT") and "id" in r, _network_client),
    (lambda r: "macAddress" in r and "state" in r, _network_device),
    (lambda r: "adopted" in r or ("type" in r and "model" in r and "version" in r), _controller_device),
    (lambda r: "role" in r and "desc" in r, _controller_site),
    (lambda r: "internalReference" in r or set(r) == {"id", "name"}, _network_site),
    (lambda r: "mac" in r and ("first_seen" in r or "is_wired" in r or "oui" in r), _controller_client),
    (lambda r: "_id" in r and "first_seen" in r, _controller_client),
    (lambda r: "applicationVersion" in r or "console_display_version" in r or "ubnt_device_type" in r, _nothing),
    (lambda r: "timezone" in r and "version" in r and "autobackup" in r, _nothing),
    (lambda r: "username" in r and "unique_id" in r, _nothing),
    (lambda r: "vlanId" in r and "management" in r, _nothing),
    (lambda r: "uptimeSec" in r or (bool(section(r, "uplink")) and "txRateBps" in section(r, "uplink")), _nothing),
)
