"""What the CMDB holds of given CIs now: for comparing, for verifying, and for a person to decide."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

from beast_dream_snow_loader.core.identity import SysId, parse_sys_id
from beast_dream_snow_loader.core.known import Candidate
from beast_dream_snow_loader.core.mapping_tables import HARDWARE
from beast_dream_snow_loader.errors import SnowloadError
from beast_dream_snow_loader.servicenow.apis.table import TableRead
from beast_dream_snow_loader.servicenow.query import Query
from beast_dream_snow_loader.servicenow.reading import Reader, chunks

_PLAIN_SERIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\Z")
_UNSAFE = re.compile("[\\^\u2028\u2029]|javascript:", re.IGNORECASE)
_ENOUGH = 3
"""Characters of a beginning that do not bring half the table."""
_QUERY = 3000
"""Characters of a query, as of one for a hundred sys_ids."""
_SHOWN = ("name", "sys_class_name", "serial_number", "mac_address", "ip_address", "discovery_source", "duplicate_of")


def read_back(reader: Reader, sys_ids: Iterable[str], elements: Iterable[str]) -> dict[SysId, dict[str, str]]:
    """Stored values by sys_id; a CI that is gone is not in the answer. Raises NotAuthorised, Rejected.

    ``cmdb_ci`` holds the fields all CIs share; those that a class adds are read from the class's own table.
    """
    wanted = tuple(dict.fromkeys(elements))
    ids = [parsed for sys_id in sys_ids if (parsed := parse_sys_id(sys_id)) is not None]
    stored = _rows(reader, "cmdb_ci", ids, (*wanted, "sys_class_name"), required=True)
    for class_name, members in _lacking(stored, wanted).items():
        absent = tuple(element for element in wanted if any(element not in stored[member] for member in members))
        for sys_id, row in _rows(reader, class_name, members, absent, required=False).items():
            if sys_id in stored:
                stored[sys_id] = {**row, **stored[sys_id]}
    keep = {*wanted, "sys_class_name"}
    return {sys_id: {name: value for name, value in row.items() if name in keep} for sys_id, row in stored.items()}


def candidates(reader: Reader, sys_ids: Iterable[str], elements: Iterable[str]) -> dict[str, Candidate]:
    """The CIs with their adapters. Adapters that cannot be read count as none. Raises NotAuthorised, Rejected."""
    mapped = tuple(dict.fromkeys(elements))
    stored = read_back(reader, sys_ids, (*mapped, *_SHOWN))
    adapters = _adapters(reader, stored)
    return {
        sys_id: Candidate(
            sys_id=sys_id,
            name=row.get("name", ""),
            class_name=row.get("sys_class_name", ""),
            serial_number=row.get("serial_number", ""),
            mac_address=row.get("mac_address", ""),
            ip_address=row.get("ip_address", ""),
            discovery_source=row.get("discovery_source", ""),
            duplicate_of=row.get("duplicate_of", ""),
            adapter_macs=adapters.get(sys_id, ()),
            values={element: row[element] for element in mapped if element in row},
        )
        for sys_id, row in stored.items()
    }


def hardware(reader: Reader, sys_ids: Iterable[SysId]) -> frozenset[SysId]:
    """Those that the table of hardware shows, which has its sub-classes in it. Raises NotAuthorised, Rejected."""
    return frozenset(_rows(reader, HARDWARE, sys_ids, ("sys_id",), required=True))


def by_serial(reader: Reader, serials: Iterable[str], table: str) -> dict[str, list[str]]:
    """sys_ids by serial number in upper case. Raises NotAuthorised, Rejected."""
    asked = [serial.upper() for serial in serials if _PLAIN_SERIAL.match(serial)]
    fields = ("sys_id", "serial_number")
    reads = [
        TableRead(table=table, query=Query().is_in("serial_number", chunk), fields=fields) for chunk in chunks(asked)
    ]
    found: dict[str, list[str]] = {}
    for answer in reader.many(reads):
        if isinstance(answer, SnowloadError):
            raise answer
        for row in answer:
            found.setdefault(row["serial_number"].upper(), []).append(row["sys_id"])
    return found


def by_name(reader: Reader, names: Iterable[str]) -> dict[str, list[SysId]]:
    """The sys_ids of hardware with these names, by name in lower case. Raises NotAuthorised, Rejected.

    A name that would end the query is looked for by its beginning; one that begins so is not asked about.
    """
    wanted = {name.casefold() for name in names}
    askable, rest = _askable(names)
    queries = [Query().equals_any("name", part) for part in _portions(askable)]
    queries += [Query().starts_with("name", start) for start in dict.fromkeys(rest)]
    found: dict[str, list[SysId]] = {}
    for row in reader.all_of([TableRead(table=HARDWARE, query=query, fields=("name",)) for query in queries]):
        if row["name"].casefold() in wanted:
            found.setdefault(row["name"].casefold(), []).append(SysId(row["sys_id"]))
    return found


def _askable(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """The names to ask for, and the beginnings of those that cannot be."""
    whole: list[str] = []
    starts: list[str] = []
    for name in names:
        try:
            Query().equals("name", name)
            whole.append(name)
        except ValueError:
            start = _UNSAFE.split(name, maxsplit=1)[0].strip()
            starts += [start] if len(start) >= _ENOUGH else []
    return whole, starts


def _portions(names: Iterable[str]) -> Iterator[list[str]]:
    """So many at a time that the address stays short, percent-encoded as it will be."""
    portion: list[str] = []
    length = 0
    for name in dict.fromkeys(names):
        length += len(quote(name)) + len("^ORname=")
        if portion and length > _QUERY:
            yield portion
            portion, length = [], len(quote(name))
        portion.append(name)
    if portion:
        yield portion


def _rows(
    reader: Reader, table: str, sys_ids: Iterable[str], fields: tuple[str, ...], *, required: bool
) -> dict[SysId, dict[str, str]]:
    try:
        reads = [TableRead(table=table, query=Query().is_in("sys_id", c), fields=fields) for c in chunks(sys_ids)]
        found: dict[SysId, dict[str, str]] = {}
        for answer in reader.many(reads):
            if isinstance(answer, SnowloadError):
                if required:
                    raise answer
                continue
            found.update({SysId(row["sys_id"]): dict(row) for row in answer})
    except ValueError:
        return {}  # a class name that is no table name: nothing to read there
    return found


def _lacking(stored: Mapping[SysId, Mapping[str, str]], wanted: tuple[str, ...]) -> dict[str, list[SysId]]:
    """CIs by class of which ``cmdb_ci`` did not show every wanted field."""
    lacking: dict[str, list[SysId]] = {}
    for sys_id, row in stored.items():
        class_name = row.get("sys_class_name", "")
        if class_name not in ("", "cmdb_ci") and any(element not in row for element in wanted):
            lacking.setdefault(class_name, []).append(sys_id)
    return lacking


def _adapters(reader: Reader, sys_ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    reads = [
        TableRead(
            table="cmdb_ci_network_adapter", query=Query().is_in("cmdb_ci", chunk), fields=("cmdb_ci", "mac_address")
        )
        for chunk in chunks(sys_ids)
    ]
    macs: dict[str, set[str]] = {}
    for answer in reader.many(reads):
        for row in () if isinstance(answer, SnowloadError) else answer:
            if row.get("mac_address"):
                macs.setdefault(row["cmdb_ci"], set()).add(row["mac_address"])
    return {sys_id: tuple(sorted(found)) for sys_id, found in macs.items()}
