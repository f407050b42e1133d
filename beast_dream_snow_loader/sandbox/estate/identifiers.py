"""Identifiers of the estate: unique by construction, the same for the same seed."""

from __future__ import annotations

import hashlib
import uuid

# Blocks registered to the maker of UniFi, so that vendor look-ups behave.
_DEVICE_BLOCKS = (
    "74ACB9",
    "788A20",
    "F09FC2",
    "FCECDA",
    "802AA8",
    "245A4C",
    "784558",
    "E063DA",
    "D021F9",
    "9C05D6",
    "28704E",
    "AC8BA9",
    "68D79A",
    "F4E2C6",
)
_SPREAD = 0x9E3779B1
DEFAULT_SITE_UUID = "88f7af54-98f8-306a-a1c7-c9349722b1f6"
"""The Network Integration id of the first site on every console there is."""
_NAMESPACE = uuid.UUID("5b0c7a34-9d4f-4c5e-8a57-6f1f6d5f0c11")


def device_mac(seed: int, number: int) -> str:
    """12 upper-case digits. Different numbers give different MACs: an odd factor permutes the last 24 bits."""
    block = _DEVICE_BLOCKS[number % len(_DEVICE_BLOCKS)]
    return f"{block}{_spread(seed, number, 24):06X}"


def client_mac(seed: int, number: int, block: str) -> str:
    """12 upper-case digits in the vendor block ``block`` (6 digits), or a private address when it is ``""``."""
    if block:
        return f"{block}{_spread(seed, number, 24):06X}"
    return f"D{'26AE'[number % 4]}{_spread(seed, number, 40):010X}"


def _spread(seed: int, number: int, bits: int) -> int:
    return (number * _SPREAD + seed * 0x85EBCA6B) & ((1 << bits) - 1)


def colons(mac: str) -> str:
    """``F4E2C6C23F13`` as ``f4:e2:c6:c2:3f:13``."""
    low = mac.lower()
    return f"{low[0:2]}:{low[2:4]}:{low[4:6]}:{low[6:8]}:{low[8:10]}:{low[10:12]}"


def private_twin(mac: str) -> str:
    """A locally administered address next to ``mac``: the BSSID of an access point."""
    return colons(f"{int(mac[:2], 16) ^ 2:02X}{mac[2:]}")


def object_id(text: str) -> str:
    """24 hex digits, as the controller's database makes them."""
    return digest(text)[:24]


def digest(text: str) -> str:
    """32 hex digits."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def name_uuid(text: str) -> str:
    """A version 3 UUID."""
    return str(uuid.uuid3(_NAMESPACE, text))


def host_id(mac: str, seed: int) -> str:
    """60 hex digits and a number: the console's MAC comes first, as in most real ones."""
    tail = digest(f"host/{seed}/{mac}").upper()
    number = int(tail[24:], 16) % 10**9
    return f"{mac}00000000{tail[:8]}00000000{tail[8:16]}00000000{tail[16:24]}:{number}"
