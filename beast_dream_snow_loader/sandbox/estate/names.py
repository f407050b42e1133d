"""Names of devices, sites and clients: the orderly ones and the awkward ones people really give."""

from __future__ import annotations

from random import Random

from beast_dream_snow_loader.sandbox.estate.models import Kind, Model

_CITIES = (
    "Amsterdam", "Utrecht", "Rotterdam", "Groningen", "Maastricht", "Antwerpen", "Köln", "Hamburg", "Zürich", "Lyon",
    "Malmö", "Tromsø", "Kraków", "Łódź", "Porto", "Bilbao", "Cork", "Leeds", "Cardiff", "Reykjavík",
)  # fmt: skip
_ROOMS = ("lobby", "canteen", "mdf", "idf1", "idf2", "dock", "lab", "floor1", "floor2", "floor3", "roof", "yard")
_SHORT = {
    Kind.GATEWAY: "gw",
    Kind.SWITCH: "sw",
    Kind.ACCESS_POINT: "ap",
    Kind.BRIDGE: "br",
    Kind.MODEM: "modem",
    Kind.PDU: "pdu",
    Kind.UPS: "ups",
    Kind.RPS: "rps",
    Kind.PLUG: "plug",
    Kind.CONTROLLER: "ck",
    Kind.RECORDER: "nvr",
    Kind.CAMERA: "cam",
}
TWINS = "Access Point"
"""The name several devices share."""
AWKWARD: tuple[str, ...] = (
    TWINS,
    TWINS,
    "lobby ☕ 📶",
    'the "good" switch, O\'Brien\'s',
    "north^ORsys_idISNOTEMPTY^EQ",
    "bell\x07 null\x00 escape\x1b[31m tail",
    "=HYPERLINK(\"http://192.0.2.1\",\"x\")",
    "<script>alert(1)</script>",
    "\u202eright to left",
    "  padded  ",
    "unknown",
    "N" * 300,
)  # fmt: skip


def site_title(number: int) -> str:
    """Display names repeat after twenty with a number: ``Köln``, ``Köln 2``."""
    city = _CITIES[number % len(_CITIES)]
    return city if number < len(_CITIES) else f"{city} {number // len(_CITIES) + 1}"


def site_prefix(title: str) -> str:
    return title.lower().replace(" ", "")[:8]


def device_name(prefix: str, model: Model, number: int, random: Random) -> str:
    """``köln-floor2-ap-017``: unique in a site, because ``number`` is."""
    return f"{prefix}-{random.choice(_ROOMS)}-{_SHORT[model.kind]}-{number:03d}"


def awkward_name(turn: int, model: Model) -> str | None:
    """The ``turn``-th awkward name: in turn none at all, the model's own name, and each of :data:`AWKWARD`."""
    step = turn % (len(AWKWARD) + 2)
    if step == 0:
        return None
    return model.name if step == 1 else AWKWARD[step - 2]


_PEOPLE = ("zoe", "anna", "jan", "piet", "mehmet", "ingrid", "olga", "pablo", "chloe", "liam", "noor", "sven")


def client_names(word: str, number: int, random: Random) -> tuple[str | None, str | None]:
    """Given name and host name; either or both may be missing, as they are for one client in five."""
    fate = random.random()
    host = f"{word}-{number:05d}"
    if fate < 0.08:
        return None, None
    if fate < 0.14:
        return "", ""
    if fate < 0.20:
        return f"{random.choice(_PEOPLE).title()}’s {word} 📱", host
    if fate < 0.24:
        return None, f"bad\x07{host}\x00"
    return (f"{random.choice(_PEOPLE)} {word}" if fate < 0.40 else None), host
