"""The variables with the names people expect, and where each lands among the settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from beast_dream_snow_loader.core.nearest import nearest

COMMON: Mapping[str, str] = {
    "SERVICENOW_INSTANCE": "servicenow.instance",
    "SERVICENOW_CLIENT_ID": "servicenow.client_id",
    "SERVICENOW_CLIENT_SECRET": "servicenow.client_secret",
    "SERVICENOW_OAUTH_TOKEN": "servicenow.oauth_token",
    "SERVICENOW_API_KEY": "servicenow.api_key",
    "SERVICENOW_USERNAME": "servicenow.username",
    "SERVICENOW_PASSWORD": "servicenow.password",
    "SERVICENOW_DATA_SOURCE": "servicenow.data_source",
    "UNIFI_API_KEY": "unifi.api_key",
    "UNIFI_SITE_MANAGER_URL": "unifi.site_manager_url",
    "UNIFI_VERIFY_TLS": "unifi.verify_tls",
    "SNOWLOAD_STATE_DIR": "state.dir",
    "SNOWLOAD_STATE_URL": "state.url",
    "SNOWLOAD_BROKER_URL": "broker_url",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "telemetry.otlp_endpoint",
    "OTEL_EXPORTER_OTLP_HEADERS": "telemetry.otlp_headers",
}
ONE_CONSOLE: Mapping[str, str] = {
    "UNIFI_CONSOLE_URL": "url",
    "UNIFI_CONSOLE_API_KEY": "api_key",
    "UNIFI_USERNAME": "username",
    "UNIFI_PASSWORD": "password",
}
ELSEWHERE = frozenset({"SNOWLOAD_CONFIG"})
"""Read before the settings are: they say where the settings are."""

PREFIX = "SNOWLOAD_"
TEST_PREFIX = "SNOWLOAD_TEST_"


def common_values(environ: Mapping[str, str]) -> dict[str, Any]:
    """The nested settings that the common variables give; an empty variable counts as absent."""
    nested: dict[str, Any] = {}
    for name, path in COMMON.items():
        if environ.get(name):
            put(nested, path, _flag(environ[name]) if path.endswith("verify_tls") else environ[name])
    console = {key: environ[name] for name, key in ONE_CONSOLE.items() if environ.get(name)}
    if "url" in console:
        put(nested, "unifi.consoles", [console])
    return nested


def variable_of(path: str, environ: Mapping[str, str]) -> str:
    """The variable that gives this setting, or a table it is in; empty where none does."""
    common = {setting: name for name, setting in COMMON.items()}
    parts = path.split(".")
    for count in range(len(parts), 0, -1):
        setting = ".".join(parts[:count])
        names = (f"{PREFIX}{setting.replace('.', '__').upper()}", common.get(setting, ""))
        if found := next((name for name in names if environ.get(name)), ""):
            return found
    return ""


def misspelt(environ: Iterable[str], settings: Iterable[str]) -> list[str]:
    """A sentence for each ``SNOWLOAD_*`` variable that names no setting, with the nearest name that does."""
    valid = {f"{PREFIX}{path.replace('.', '__').upper()}" for path in settings}
    valid |= {name for name in COMMON if name.startswith(PREFIX)} | ELSEWHERE
    return [
        _guess(name, valid)
        for name in sorted(environ)
        if name.startswith(PREFIX) and not name.startswith(TEST_PREFIX) and name not in valid
    ]


def put(nested: dict[str, Any], path: str, value: object) -> None:
    """``put(d, "a.b", 1)`` makes ``{"a": {"b": 1}}``."""
    *sections, leaf = path.split(".")
    for section in sections:
        nested = nested.setdefault(section, {})
    nested[leaf] = value


def _flag(text: str) -> bool | str:
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(text.lower(), text)


def _guess(name: str, valid: set[str]) -> str:
    near = nearest(name, valid)
    hint = f"did you mean {near}?" if near else "no setting has a similar name"
    return f"environment variable {name}: unknown; {hint}"
