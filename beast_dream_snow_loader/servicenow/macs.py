"""CIs by MAC address, their own or that of an adapter of theirs (cmdb-model 6.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from beast_dream_snow_loader.core.identity import SysId
from beast_dream_snow_loader.core.normalize import colon_mac, mac12
from beast_dream_snow_loader.servicenow.apis.table import TableRead
from beast_dream_snow_loader.servicenow.query import Query
from beast_dream_snow_loader.servicenow.reading import Reader, chunks
from beast_dream_snow_loader.servicenow.rows import Row
from beast_dream_snow_loader.servicenow.sources import alive

MACS_PER_READ = 50
"""In all their spellings about 6,000 characters, below what ends as an error page (servicenow-api 2.3)."""

_ADAPTERS = "cmdb_ci_network_adapter"


def by_mac(reader: Reader, macs: Iterable[str]) -> Mapping[str, tuple[SysId, ...]]:
    """Sys_ids by MAC (12 hex digits); CIs that are marked as duplicates of others do not count, adapters are no CIs of
    their own here. Raises NotAuthorised, Rejected and the errors of a call."""
    asked = [_spelled(chunk) for chunk in chunks(macs, MACS_PER_READ)]
    adapters = _rows(reader, _ADAPTERS, asked, ("cmdb_ci",))
    rows = _rows(reader, "cmdb_ci", asked, ("sys_class_name",))
    parts = {row["sys_id"] for row in adapters}
    owners = [(row.get("mac_address", ""), row.get("cmdb_ci", "")) for row in adapters]
    own = [(row.get("mac_address", ""), row["sys_id"]) for row in rows if row["sys_id"] not in parts and not _part(row)]
    there = alive(reader, {sys_id for _, sys_id in (*owners, *own)})
    found: dict[str, dict[SysId, None]] = {}
    for spelling, sys_id in (*owners, *own):
        if sys_id in there and (mac := mac12(spelling)) is not None:
            found.setdefault(mac, {})[SysId(sys_id)] = None
    return {mac: tuple(sorted(ids)) for mac, ids in found.items()}


def _part(row: Row) -> bool:
    """An adapter of a class below cmdb_ci_network_adapter that the account may not read as such."""
    return row.get("sys_class_name", "").endswith("network_adapter")


def _spelled(macs: Iterable[str]) -> tuple[str, ...]:
    """As people and sources write them, in both cases: whether the database minds is its own affair."""
    forms: list[str] = []
    for mac in macs:
        colons = colon_mac(mac)
        plain = (colons, mac, colons.replace(":", "-"))
        forms += [*plain, *(form.upper() for form in plain), f"{mac[:4]}.{mac[4:8]}.{mac[8:]}"]
    return tuple(dict.fromkeys(forms))


def _rows(reader: Reader, table: str, asked: Iterable[tuple[str, ...]], fields: tuple[str, ...]) -> list[Row]:
    reads = [TableRead(table=table, query=Query().is_in("mac_address", forms), fields=fields) for forms in asked]
    return reader.all_of(reads)
