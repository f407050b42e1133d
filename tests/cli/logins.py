"""Logins that lead nowhere, for what happens before anybody answers."""

from __future__ import annotations

CREDENTIALS = {
    "SERVICENOW_INSTANCE": "http://127.0.0.1:9",
    "SERVICENOW_USERNAME": "u",
    "SERVICENOW_PASSWORD": "canary-password-1",
    "UNIFI_SITE_MANAGER_URL": "http://127.0.0.1:9",
    "UNIFI_API_KEY": "canary-key-2",
}
