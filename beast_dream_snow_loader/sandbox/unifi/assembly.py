"""Ready-made applications over one estate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from beast_dream_snow_loader.sandbox.estate.estate import Estate
from beast_dream_snow_loader.sandbox.estate.things import Flavour
from beast_dream_snow_loader.sandbox.unifi.access import Access, AccessRules
from beast_dream_snow_loader.sandbox.unifi.connector import EstateConnector
from beast_dream_snow_loader.sandbox.unifi.console import ConsoleApp
from beast_dream_snow_loader.sandbox.unifi.estate_content import EstateCloud, EstateController, EstateNetwork
from beast_dream_snow_loader.sandbox.unifi.pace import Pace
from beast_dream_snow_loader.sandbox.unifi.site_manager import SiteManagerApp

CLOUD_KEY = "sandbox-site-manager-key"
CONSOLE_KEY = "sandbox-console-key"
USERNAME = "sandbox"
PASSWORD = "sandbox-password"
CONSOLE_RULES = AccessRules(api_key=CONSOLE_KEY, username=USERNAME, password=PASSWORD)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudOptions:
    """``limited``: 10,000 requests a minute and 100 per console through the connector, as documented.
    ``squeezed``: the connector packs bodies without saying so."""

    api_key: str = CLOUD_KEY
    limited: bool = False
    squeezed: bool = False


def console_app(estate: Estate, host_id: str, *, rules: AccessRules = CONSOLE_RULES) -> ConsoleApp:
    """The local API of one console that runs Network."""
    flavour = estate.console(host_id).flavour
    return ConsoleApp(
        access=Access(rules=rules, flavour=flavour, clock=estate.clock),
        network=EstateNetwork(estate, host_id) if flavour is Flavour.UNIFI_OS else None,
        controller=EstateController(estate, host_id),
    )


def console_apps(estate: Estate, *, rules: AccessRules = CONSOLE_RULES) -> dict[str, ConsoleApp]:
    """By host id, in the estate's order; blocked consoles have none."""
    return {
        console.host_id: console_app(estate, console.host_id, rules=rules)
        for console in estate.consoles()
        if console.runs_network and not console.blocked
    }


def site_manager_app(
    estate: Estate, consoles: Mapping[str, ConsoleApp] | None = None, *, options: CloudOptions | None = None
) -> SiteManagerApp:
    """The cloud over the estate; its connector reaches ``consoles`` (default: all of the estate's)."""
    chosen = options or CloudOptions()
    apps = console_apps(estate) if consoles is None else consoles
    return SiteManagerApp(
        EstateCloud(estate),
        api_key=chosen.api_key,
        connector=EstateConnector(estate, apps, squeezed=chosen.squeezed),
        pace=Pace(clock=estate.clock, limits={"all": 10_000}, others=100) if chosen.limited else None,
    )
