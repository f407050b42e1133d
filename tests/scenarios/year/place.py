"""The estate of the year: consoles with two sites each, trees of gateways, switches, access points and other gear."""

from __future__ import annotations

from random import Random

from beast_dream_snow_loader.sandbox.estate import Estate
from tests.scenarios.estates import EstateBuilder

LEAVES = ("U7PRO", "UAL6", "UAP6MP", "U6IW", "UBB", "ULTE", "USPPDUP", "USWDA25", "USPRPS")
_WEIGHTS = (6, 6, 5, 2, 1, 1, 1, 1, 1)
SWITCHES = ("USL24P", "USL16LP", "US8P60")
_CONSOLES = ("UDMPRO", "UDMPROMAX", "UDMPRO")
_PER_SWITCH = 7


def found(random: Random, devices: int, clients: int) -> Estate:
    """``devices`` in all, consoles and gateways included."""
    builder = EstateBuilder()
    roots: list[tuple[str, str]] = []
    for number, model in enumerate(_CONSOLES):
        console = f"console-{number}"
        builder.console(console, model)
        for part in ("main", "annex"):
            site = f"Site {number} {part}"
            builder.site(site, console)
            own = console if part == "main" else ""
            builder.device(
                f"gw {site}", site, model=model if own else "UXGPRO", name=f"gw-{number}-{part}", console=own
            )
            roots.append((site, f"gw {site}"))
    _grow(builder, random, roots, devices - len(roots))
    hosts = [label for label, device in builder.devices.items() if device.model_code in LEAVES[:4]]
    sites = {site.legacy_id: title for title, site in builder.sites.items()}
    for number in range(clients):
        host = random.choice(hosts)
        builder.client(f"client-{number}", sites[builder.devices[host].site], name=f"laptop-{number}", uplink=host)
    return builder.build()


def _grow(builder: EstateBuilder, random: Random, roots: list[tuple[str, str]], wanted: int) -> None:
    switches: dict[str, list[str]] = {site: [gateway] for site, gateway in roots}
    for number in range(wanted):  # one of each product first: what the instance has for it is known from then on
        site, _ = roots[number % len(roots)]
        is_switch = number // len(roots) % _PER_SWITCH == 0
        leaf = LEAVES[number] if number < len(LEAVES) else random.choices(LEAVES, _WEIGHTS)[0]
        model = random.choice(SWITCHES) if is_switch and number >= len(LEAVES) else leaf
        label = f"device-{number}"
        uplink = random.choice(switches[site][-4:])
        builder.device(label, site, model=model, name=f"dev-{number:04d}", uplink=uplink)
        if model in SWITCHES:
            switches[site].append(label)
