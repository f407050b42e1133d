"""Where a command stands: its settings, its clock, its target, and a sandbox if one was asked for."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_state_path

from beast_dream_snow_loader.app.config import LoadedSettings, Settings, load_settings
from beast_dream_snow_loader.app.credentials import Credentials
from beast_dream_snow_loader.app.options import Place
from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.state.private_files import private_directory

_SANDBOX = "sandbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """``target`` names the instance in runs and locks."""

    loaded: LoadedSettings
    credentials: Credentials
    clock: SystemClock
    target: str

    @property
    def settings(self) -> Settings:
        return self.loaded.settings

    @property
    def environment(self) -> str:
        return self.settings.environment.value


@contextmanager
def ground(place: Place, flags: Mapping[str, Any] | None = None) -> Iterator[Ground]:
    """Read the settings; with ``--sandbox`` run a sandbox for as long as the command does.

    Raises ConfigurationError with every problem at once.
    """
    with ExitStack() as stack:
        given = dict(flags or {})
        if log := {k: str(v) for k, v in (("file", place.log_file), ("format", place.log_format)) if v is not None}:
            given["logging"] = log
        if place.textfile is not None:
            given["metrics"] = {"textfile": str(place.textfile)}
        environment = place.environment
        if place.sandbox:
            environment = environment or "development"
            given |= stack.enter_context(_sandboxed(place, environment))
        loaded = load_settings(environment=environment, config_file=place.config_file, flags=given)
        stack.enter_context(quieter_libraries(place))
        target = _SANDBOX if place.sandbox else loaded.settings.servicenow.instance
        yield Ground(loaded=loaded, credentials=Credentials.of(loaded), clock=SystemClock(), target=target)


@contextmanager
def _sandboxed(place: Place, environment: str) -> Iterator[dict[str, Any]]:
    """Its CMDB is kept beside its state, so that a second load finds what the first one wrote."""
    from beast_dream_snow_loader.app.playground import SandboxOptions, playground, settings_of

    named = load_settings(environment=environment, config_file=place.config_file).settings.state.dir
    state = (named or user_state_path("snowload", appauthor=False)).expanduser() / _SANDBOX
    private_directory(state)
    with playground(SandboxOptions(servicenow_file=state / "servicenow.sqlite")) as sandbox:
        yield settings_of(sandbox, Path(state))


@contextmanager
def quieter_libraries(place: Place) -> Iterator[None]:
    """Libraries speak through ``logging``; people hear of it from ``-vv`` on. Afterwards they are as loud as before."""
    library = logging.getLogger("urllib3")
    before = library.level
    library.setLevel(logging.DEBUG if place.verbosity > 1 else logging.ERROR)
    try:
        yield
    finally:
        library.setLevel(before)
