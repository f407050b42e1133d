"""Secret references among the settings, resolved late: just before both ends are wired, each once in a run."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel

from beast_dream_snow_loader.app.config import LoadedSettings, Settings
from beast_dream_snow_loader.app.secret_settings import secrets_in
from beast_dream_snow_loader.core.events import CredentialAccessed, FindingRaised, Listener, ignore
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.errors import ConfigurationError
from beast_dream_snow_loader.operations.credentials import Resolver, kept_by, variable_behind
from beast_dream_snow_loader.operations.one_password import ONE_PASSWORD
from beast_dream_snow_loader.redaction import Secret

M = TypeVar("M", bound=BaseModel)
_NOT_THERE = (
    "1Password is the canonical source of secrets here (credentials.source), and no setting refers to it: they come "
    "from the environment or a file."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The secrets of one command. What is asked for again is not read again."""

    loaded: LoadedSettings
    resolver: Resolver = field(repr=False)

    @classmethod
    def of(cls, loaded: LoadedSettings) -> Credentials:
        references = (secret.reveal() for _, secret in secrets_in(loaded.settings))
        private = frozenset(name for reference in references if (name := variable_behind(reference)))
        return cls(loaded=loaded, resolver=Resolver(dict(os.environ), private))

    def with_secrets(self, settings: Settings, listener: Listener = ignore) -> Settings:
        """The settings with every reference read; each is told, by method and outcome.

        Raises ConfigurationError naming the setting whose reference does not resolve, or whose secret is none.
        """
        consoles = tuple(
            self.resolved(console, f"unifi.consoles.{i}", listener) for i, console in enumerate(settings.unifi.consoles)
        )
        unifi = self.resolved(settings.unifi, "unifi", listener).model_copy(update={"consoles": consoles})
        servicenow = self.resolved(settings.servicenow, "servicenow", listener)
        if self.by_1password and not self.in_1password:
            listener(_told("credentials.environment", Severity.INFO, _NOT_THERE))
        return settings.model_copy(update={"unifi": unifi, "servicenow": servicenow})

    def resolved(self, section: M, path: str, listener: Listener = ignore) -> M:
        """One section with its own secrets read. Raises ConfigurationError naming the setting."""
        found = {name: getattr(section, name) for name in type(section).model_fields}
        secrets = {
            name: self._read(value, f"{path}.{name}", listener)
            for name, value in found.items()
            if isinstance(value, Secret)
        }
        return section.model_copy(update=secrets)

    @property
    def by_1password(self) -> bool:
        settings = self.loaded.settings
        return settings.credentials.by_1password(settings.environment)

    @property
    def in_1password(self) -> bool:
        """Whether any secret is."""
        return any(kept_by(secret.reveal()) == ONE_PASSWORD for _, secret in secrets_in(self.loaded.settings))

    def _read(self, value: Secret, setting: str, listener: Listener) -> Secret:
        try:
            return self._accessed(value, setting, kept_by(value.reveal()), listener)
        except ConfigurationError as error:
            return self._instead(setting, error, listener)

    def _accessed(self, value: Secret, setting: str, method: str, listener: Listener) -> Secret:
        try:
            secret = self.resolver.read(value.reveal(), setting=setting)
        except ConfigurationError as error:
            listener(CredentialAccessed(setting=setting, method=method, success=False, code=error.code))
            raise
        listener(CredentialAccessed(setting=setting, method=method, success=True))
        return secret

    def _instead(self, setting: str, error: ConfigurationError, listener: Listener) -> Secret:
        """What the environment has, or refers to, in place of what 1Password did not give."""
        other = self.loaded.fallbacks.get(setting)
        if other is None:
            raise error
        method = kept_by(other.reveal())
        secret = self._accessed(other, setting, "env" if method == "setting" else method, listener)
        message = f"{error.message} The environment's value is used."
        listener(_told("credentials.fallback", Severity.WARNING, message))
        return secret


def _told(rule: str, severity: Severity, message: str) -> FindingRaised:
    finding = Finding(record="credentials", rule=rule, severity=severity, message=message)
    return FindingRaised(finding=finding)
