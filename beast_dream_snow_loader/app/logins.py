"""Which ways in are configured, and what to say when there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from beast_dream_snow_loader.errors import ConfigurationError
from beast_dream_snow_loader.servicenow.config import ServiceNowSettings
from beast_dream_snow_loader.unifi.config import ConsoleSettings, UniFiSettings

if TYPE_CHECKING:
    from beast_dream_snow_loader.app.config import Settings


def servicenow_methods(settings: ServiceNowSettings) -> list[str]:
    """The login methods that have all they need, most secure first."""
    password = bool(settings.username and settings.password is not None)
    client = bool(settings.client_id and settings.client_secret is not None)
    ways = {
        "OAuth token": settings.oauth_token is not None,
        "OAuth password grant": client and password,
        "OAuth client credentials": client and not password,
        "API key": settings.api_key is not None,
        "basic": password,
    }
    return [name for name, there in ways.items() if there]


def unifi_sources(settings: UniFiSettings) -> list[str]:
    """What will be read, by name."""
    cloud = ["Site Manager"] if settings.api_key is not None else []
    return cloud + [console.url for console in settings.consoles]


def require_logins(settings: Settings) -> Settings:
    """The settings again when both ends can be logged in to; else a ConfigurationError naming every variable to set."""
    problems = [*servicenow_problems(settings.servicenow), *unifi_problems(settings.unifi)]
    if problems:
        raise ConfigurationError(
            "The credentials are incomplete.",
            next_step="Set them in the environment or in a file (snowload config init), then: snowload config check",
            problems=tuple(problems),
        )
    return settings


def missing_logins(merged: Mapping[str, Any]) -> list[str]:
    """The same of settings that are not valid otherwise, so that nothing has to be mended twice."""
    mine, unifi = merged.get("servicenow", {}), merged.get("unifi", {})
    if not (isinstance(mine, Mapping) and isinstance(unifi, Mapping)):
        return []
    given = unifi.get("consoles")
    tables = [one for one in given if isinstance(one, Mapping)] if isinstance(given, list | tuple) else []
    consoles = tuple(ConsoleSettings.model_construct(None, **{"url": "", **one}) for one in tables)
    sources = UniFiSettings.model_construct(None, **{**unifi, "consoles": consoles})
    return [*servicenow_problems(ServiceNowSettings.model_construct(None, **mine)), *unifi_problems(sources)]


def servicenow_problems(settings: ServiceNowSettings) -> list[str]:
    """What is missing to log in to ServiceNow, with the variables to set."""
    problems = []
    if not settings.instance:
        problems.append("SERVICENOW_INSTANCE is not set: dev12345, dev12345.service-now.com or a URL")
    if not servicenow_methods(settings):
        problems.append(
            "no ServiceNow login: set SERVICENOW_CLIENT_ID and SERVICENOW_CLIENT_SECRET (OAuth), SERVICENOW_API_KEY, "
            "or SERVICENOW_USERNAME and SERVICENOW_PASSWORD"
        )
    return problems


def unifi_problems(settings: UniFiSettings) -> list[str]:
    """What is missing to log in to UniFi, with the variables to set."""
    if not unifi_sources(settings):
        return [
            "no UniFi source: set UNIFI_API_KEY (Site Manager), or UNIFI_CONSOLE_URL with UNIFI_CONSOLE_API_KEY "
            "or with UNIFI_USERNAME and UNIFI_PASSWORD"
        ]
    return [
        f"UniFi console {console.url} has no login: an API key, or a user name and password"
        for console in settings.consoles
        if console.api_key is None and not (console.username and console.password is not None)
    ]
