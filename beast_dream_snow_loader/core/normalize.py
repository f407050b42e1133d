"""One spelling for MACs, addresses, names, serial numbers, versions and times."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from datetime import UTC, datetime
from functools import lru_cache

from beast_dream_snow_loader.core.visible import seen

_SEPARATORS = str.maketrans("", "", ":-. ")
_HEX12 = re.compile(r"[0-9a-fA-F]{12}\Z")
_V4 = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}\Z")
_VERSION = re.compile(r"[vV]?(\d+(?:\.\d+){0,2})")
_JOINING = frozenset(("Mn", "Mc", "Me"))
_ZERO_WIDTH_JOINER = "\u200d"
_TIME_FORMAT = "%Y-%m-%d %H:%M:%S"

# cmdb-model 2.5: values that stand for "no serial number"; shared ones are the known cause of MULTI_MATCH.
_PLACEHOLDERS = frozenset(
    {
        "NA", "NONE", "NULL", "NIL", "UNKNOWN", "UNDEFINED", "DEFAULT", "DEFAULTSTRING", "SYSTEMSERIALNUMBER",
        "SERIALNUMBER", "SERIAL", "NOTAPPLICABLE", "NOTSPECIFIED", "NOTAVAILABLE", "REDACTED", "HIDDEN",
        "TEST", "EMPTY",
    }
)  # fmt: skip
_PLACEHOLDER_STARTS = ("TOBEFILLED", "TOBESET")
_SERIAL_NOISE = re.compile(r"[^0-9A-Z]")


def mac12(text: str | None) -> str | None:
    """12 lower-case hex digits, from any usual spelling; None for what is no device's own address.

    Refused: all zero, all ff, multicast (cmdb-model 6.3).
    """
    bare = (text or "").translate(_SEPARATORS)
    if not _HEX12.match(bare):
        return None
    multicast = int(bare[1], 16) & 1
    return None if multicast or bare == "0" * 12 else bare.lower()


def colon_mac(mac: str) -> str:
    """``00005e005302`` → ``00:00:5e:00:53:02``."""
    return ":".join(mac[start : start + 2] for start in range(0, 12, 2))


def locally_administered(mac: str) -> bool:
    """True for randomised and self-assigned addresses: second hex digit 2, 6, A or E (unifi-api 5, gotcha 10)."""
    return bool(int(mac[1], 16) & 2)


def ip(text: str | None) -> str | None:
    """A usable address in its shortest spelling; None for ``unknown``, 0.0.0.0, loopback, link-local, multicast."""
    plain = (text or "").strip()
    if not plain:
        return None
    if _V4.match(plain):
        return plain if _usable_v4(plain) else None
    try:
        address = ipaddress.IPv6Address(plain)
    except ValueError:
        return None
    useless = address.is_unspecified or address.is_link_local or address.is_loopback or address.is_multicast
    return None if useless or address.scope_id else str(address)


def _usable_v4(plain: str) -> bool:
    """Done by hand because a large estate has very many of them. 224 and above is multicast, broadcast or reserved."""
    parts = plain.split(".")
    numbers = [int(part) for part in parts]
    spelled = max(numbers) <= 255 and [str(number) for number in numbers] == parts
    return spelled and 0 < numbers[0] < 224 and numbers[0] != 127 and numbers[:2] != [169, 254]


def text(value: str | None, limit: int | None = None) -> str:
    """Fit for a form: NFC, nothing that nobody sees, single spaces, trimmed, at most ``limit`` long."""
    if not value:
        return ""
    if not (value.isascii() and value.isprintable()):
        value = seen(value)
    single = " ".join(value.split()) if " " in value else value
    return single if limit is None else cut(single, limit)


def cut(value: str, limit: int) -> str:
    """At most ``limit`` characters, never between a character and the marks or joiners that belong to it."""
    if len(value) <= limit:
        return value
    end = max(0, limit)
    while end > 0 and _continues(value, end):
        end -= 1
    return value[:end].rstrip()


def _continues(value: str, at: int) -> bool:
    """True when the character at ``at`` belongs to the one before it."""
    here = value[at]
    return (
        unicodedata.category(here) in _JOINING or here == _ZERO_WIDTH_JOINER or value[at - 1] == _ZERO_WIDTH_JOINER
        or "\U0001f3fb" <= here <= "\U0001f3ff"
    )  # fmt: skip


def serial(value: str | None) -> str | None:
    """A serial number in upper case; None for placeholders, all equal characters and redaction marks.

    A serial number that is a MAC loses its separators, so that all three APIs give one value.
    """
    plain = text(value).upper()
    core = _SERIAL_NOISE.sub("", plain)
    if len(set(core)) <= 1 or core in _PLACEHOLDERS or core.startswith(_PLACEHOLDER_STARTS) or "**" in plain:
        return None
    return plain.translate(_SEPARATORS) if _HEX12.match(plain.translate(_SEPARATORS)) else plain


def version3(value: str | None) -> str | None:
    """The first three parts of a version: ``5.0.16.30692`` → ``5.0.16``. Other texts stay as they are."""
    plain = text(value)
    found = _VERSION.match(plain)
    return (found.group(1) if found else plain) or None


@lru_cache(maxsize=256)
def cmdb_time(moment: datetime) -> str:
    """ServiceNow's date-time, always UTC: ``2026-01-10 08:00:00`` (cmdb-model 1.3)."""
    return moment.astimezone(UTC).strftime(_TIME_FORMAT)


def parse_cmdb_time(value: str) -> datetime | None:
    """The inverse of :func:`cmdb_time`; None when the text is not such a time."""
    try:
        return datetime.strptime(value, _TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
