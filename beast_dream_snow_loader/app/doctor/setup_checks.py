"""What can be seen without a network: configuration, logins, secrets, where state is kept."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from pydantic import BaseModel

from beast_dream_snow_loader.app.belonging import (
    instance_of,
    other_instance,
    other_source,
    ways_on,
    ways_on_elsewhere,
)
from beast_dream_snow_loader.app.config import Settings
from beast_dream_snow_loader.app.credentials import Credentials
from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.app.judging import low_disk_bytes
from beast_dream_snow_loader.app.logins import (
    servicenow_methods,
    servicenow_problems,
    unifi_problems,
    unifi_sources,
)
from beast_dream_snow_loader.app.places import state_directory
from beast_dream_snow_loader.app.tracing import MEND, left_out, refuse_unusable
from beast_dream_snow_loader.app.wiring import mapping_rules
from beast_dream_snow_loader.core.bindings import read_bindings
from beast_dream_snow_loader.core.checkup import Check, fail, failed, ok, warn
from beast_dream_snow_loader.core.exit_codes import ExitCode
from beast_dream_snow_loader.errors import ConfigurationError
from beast_dream_snow_loader.operations.credentials import kept_by
from beast_dream_snow_loader.redaction import Secret, password_in
from beast_dream_snow_loader.state.store import Store

M = TypeVar("M", bound=BaseModel)


def settings_parse(here: Ground) -> Iterator[Check]:
    """They parsed, or nobody would ask. Layers, and what ``config check`` finds wrong with the rest; logins are looked
    at by themselves."""
    layers = sorted(set(here.loaded.origins.values()))
    yield ok(f"read from: {', '.join(layers) or 'defaults'}")
    try:
        mapping_rules(here.settings)
    except ConfigurationError as error:
        fix = "Mend [mapping], then run: snowload config check"
        yield fail("; ".join(error.problems) or error.message, fix, "mapping", exit_code=ExitCode.CONFIG)
    else:
        yield ok("the mapping is sound", "mapping")
    yield from _refused("bindings", lambda: read_bindings(here.settings.bindings))
    yield from _refused("telemetry", lambda: refuse_unusable(here))
    if odd := left_out(here):
        yield warn(odd, MEND, "telemetry")
    yield from _open_files(here)


def _refused(subject: str, read: Callable[[], object]) -> Iterator[Check]:
    try:
        read()
    except ConfigurationError as error:
        found = "; ".join(error.problems) or error.message
        yield fail(found, error.next_step or "Run: snowload config check", subject, exit_code=ExitCode.CONFIG)


def _open_files(here: Ground) -> Iterator[Check]:
    """Files of settings that hold a secret as it is, and that others may read."""
    named = {
        here.loaded.origins.get(f"{name}.{leaf}", "")
        for name, section in (("servicenow", here.settings.servicenow), ("unifi", here.settings.unifi))
        for leaf in type(section).model_fields
        if isinstance(value := getattr(section, leaf), Secret) and kept_by(value.reveal()) == "setting"
    }
    for file in (Path(name) for name in sorted(named) if name and Path(name).is_file()):
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            fix = f"Run: chmod 600 {file}, or put references in it (docs/guides/credentials.md)."
            yield warn("other users may read the secrets in it", fix, str(file))


def logins_named(settings: Settings, end: str) -> Iterator[Check]:
    """Which logins of ``servicenow`` or ``unifi`` have all they need."""
    if end == "servicenow":
        problems, ways = servicenow_problems(settings.servicenow), servicenow_methods(settings.servicenow)
    else:
        problems, ways = unifi_problems(settings.unifi), unifi_sources(settings.unifi)
    if problems:
        fix = "Set them in the environment or in a file (snowload config init)."
        yield fail("; ".join(problems), fix, exit_code=ExitCode.CONFIG)
    else:
        yield ok(f"complete: {', '.join(ways)}")


def secrets_resolve(credentials: Credentials, section: M, path: str) -> tuple[M | None, list[Check]]:
    """The section with its secrets read, and a line for each; None when one does not resolve. No value is shown."""
    named = {name: getattr(section, name) for name in type(section).model_fields}
    secrets = {name: value for name, value in named.items() if isinstance(value, Secret)}
    try:
        whole = credentials.resolved(section, path)
    except ConfigurationError as error:
        return None, [failed(error, path)]
    return whole, [ok(_kind(value), f"{path}.{name}") for name, value in secrets.items()]


def _kind(secret: Secret) -> str:
    method = kept_by(secret.reveal())
    return "given as it is" if method == "setting" else f"resolves ({method}: reference)"


def one_password(credentials: Credentials) -> Iterator[Check]:
    """Whether 1Password's command can be used, as whom, and what is odd about it (R5.1)."""
    command = credentials.resolver.one_password
    if why := command.unusable():
        yield fail(why, "See docs/guides/credentials.md, then run this again.", exit_code=ExitCode.CONFIG)
        return
    yield ok(f"op reads as {command.account()}")
    if odd := command.warning():
        yield warn(odd, "See docs/guides/credentials.md.")


def passwords_in_urls(settings: Settings) -> set[str]:
    """Passwords that some put into addresses."""
    urls = (settings.state.url, settings.broker_url, *(console.url for console in settings.unifi.consoles))
    passwords = [password for url in urls if url and (password := password_in(url))]
    return {*passwords, *map(unquote, passwords)}


def disk(here: Ground) -> Iterator[Check]:
    """Room, and whether others may read or write where state is kept."""
    directory = state_directory(here.settings)
    free = shutil.disk_usage(directory).free
    room = f"{free / 1e9:.1f} GB free"
    if free < low_disk_bytes(here.settings.health):
        least = f"{here.settings.health.disk_free_mb:g} MB"
        fix = f"Free at least {least} there (health.disk_free_mb), or move it with SNOWLOAD_STATE_DIR."
        yield warn(f"{room}: nearly used up", fix, str(directory))
    else:
        yield ok(room, str(directory))
    yield _private(directory)


def _private(directory: Path) -> Check:
    mode = stat.S_IMODE(directory.stat().st_mode)
    if mode & 0o077:
        fix = f"Run: chmod 700 {directory}"
        return warn(f"other users may look into it (mode {mode:04o})", fix, "permissions")
    writable = os.access(directory, os.W_OK)
    return (
        ok(f"mode {mode:04o}, ours alone", "permissions")
        if writable
        else fail(
            "this user may not write there",
            f"Run: chown {os.getuid()} {directory}",
            "permissions",
            exit_code=ExitCode.CONFIG,
        )
    )


def database(store: Store) -> Iterator[Check]:
    """Whole, at which revision, how large, and what waits in it."""
    found = store.check()
    what = f"{found.kind}, revision {found.revision or 'none'}, {found.size_bytes / 1e6:.1f} MB"
    if not found.whole:
        fix = "Put the newest backup back, or move the file aside: the error of snowload load says how."
        yield fail(f"{what}: {'; '.join(found.problems)}", fix, exit_code=ExitCode.INTEGRITY)
        return
    yield ok(f"{what}, whole")
    if found.unknown or found.open:
        fix = "Run snowload load: it looks up what became of them before it writes."
        yield warn(f"{found.open + found.unknown} writes have no known outcome", fix, "journal")
    if found.later:
        yield warn(f"{found.later} writes are queued", "Send them: snowload replay-queue", "queue")


def data_source(here: Ground, store: Store) -> Check:
    """Whether the ledger was written under the discovery source that is set now."""
    used, now = other_source(here, store), here.settings.servicenow.data_source
    if used is None:
        return ok(f"native keys are written as {now}")
    message = f"servicenow.data_source is {now}, but this state was written as {used}: loads are refused"
    return warn(message, ways_on(used, now))


def instance(here: Ground, store: Store) -> Check:
    """Whether what is remembered is of the instance that is set now."""
    used, now = other_instance(here, store), instance_of(here)
    if used is None:
        return ok(f"what is remembered is of {now}")
    message = f"servicenow.instance is {now}, but this state is of {used}: loads are refused"
    return warn(message, ways_on_elsewhere(used, now))


def lock(store: Store, target: str) -> Check:
    """Who holds the target, on this host or another."""
    found = store.holder(target)
    if found is None:
        return ok("free")
    who, alive = found
    if alive:
        fix = "Wait until it has ended (snowload runs list), or stop that process; reading is not disturbed."
        return warn(f"held by {who}", fix)
    return ok(f"free: {who} was killed, and the next load goes on where it stopped")
