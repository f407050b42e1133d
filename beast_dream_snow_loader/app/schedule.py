"""The use case behind ``snowload schedule print``: nothing is contacted, read or written."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from beast_dream_snow_loader import __version__
from beast_dream_snow_loader.app.failing import failed
from beast_dream_snow_loader.app.result import Result, carried_out
from beast_dream_snow_loader.clock import SystemClock, rfc3339
from beast_dream_snow_loader.errors import BadArgument, SnowloadError
from beast_dream_snow_loader.operations.config import ConfigurationManager
from beast_dream_snow_loader.operations.scheduling.cadence import Cadence, daily, every
from beast_dream_snow_loader.operations.scheduling.quoting import refuse_odd
from beast_dream_snow_loader.operations.scheduling.units import Job, units

_COMMAND = "schedule"
_USUAL_EVERY = "6h"
_USUAL_SECRETS = ("SERVICENOW_CLIENT_SECRET", "UNIFI_API_KEY")
_CONFIG = {"k8s": "/etc/snowload/config.toml", "github-actions": "snowload.toml"}
_HOMES = ("/home", "/root", "/run/user")
_PROGRAM = re.compile(r"/[\w@+:,./ -]*\w", re.ASCII)
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*", re.ASCII)
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,30}", re.ASCII)
_USER_ID = re.compile(r"[1-9]\d{0,8}", re.ASCII)
_GITHUB_LEAST_MINUTES = 5

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleOptions:
    """As typed. ``program`` None: the snowload that is asked."""

    form: str
    environment: str | None = None
    config: Path | None = None
    every: str | None = None
    at: str | None = None
    health_every: str | None = None
    user: str | None = None
    secrets: tuple[str, ...] = ()
    program: str | None = None
    image: str = ""
    unit: str | None = None


def print_schedule(options: ScheduleOptions) -> Result:
    """The units as files with their places. Never raises a SnowloadError."""
    try:
        environment = ConfigurationManager.resolve_environment(options.environment).value
        files = [{"name": one.name, "place": one.place, "text": one.text} for one in units(options.form, _job(options))]
        if options.unit is not None:
            files = [one for one in files if one["name"] == options.unit] or _no_unit(options.unit, files)
    except SnowloadError as error:
        return failed(_COMMAND, error, environment=options.environment or "")
    body = {"format": options.form, "files": files}
    return carried_out(_COMMAND, "print", body, environment=environment, at=rfc3339(SystemClock().now()))


def _no_unit(name: str, files: list[dict[str, str]]) -> list[dict[str, str]]:
    names = ", ".join(one["name"] for one in files)
    raise BadArgument(f"There is no unit {name!r} here.", next_step=f"Write --unit with one of: {names}.")


def _job(options: ScheduleOptions) -> Job:
    environment = ConfigurationManager.resolve_environment(options.environment).value
    config = _config(options, environment)
    image = _printable("--image", options.image or f"snowload:{__version__}")
    command = _command(options)
    return Job(
        command=command,
        environment=environment,
        config=config,
        cadence=_cadence(options),
        health=_health(options),
        user=_user(options),
        secrets=tuple(_secret(name) for name in dict.fromkeys(options.secrets or _USUAL_SECRETS)),
        at_home=any(_at_home(Path(word)) for word in (*command, config, sys.prefix if not options.program else "/")),
        image=image,
        version=__version__,
    )


def _config(options: ScheduleOptions, environment: str) -> str:
    if options.config is None:
        return _CONFIG.get(options.form, f"/etc/snowload/{environment}.toml")
    here = options.form in ("systemd", "cron")
    text = _printable("--config", str(options.config.expanduser().absolute() if here else options.config))
    if options.form == "github-actions" and "${{" in text:
        raise BadArgument("--config has an expression of GitHub in it.", next_step="Name the file without one.")
    if options.form == "k8s" and not text.startswith("/"):
        raise BadArgument("--config is not a path in the container.", next_step=f"Write --config {_CONFIG['k8s']}.")
    return text


def _cadence(options: ScheduleOptions) -> Cadence:
    if options.every and options.at:
        raise BadArgument("--every and --at say twice when to start.", next_step="Give one of them.")
    if options.at:
        return _read("--at", options.at, daily)
    found = _read("--every", options.every or _USUAL_EVERY, every)
    if options.form == "github-actions" and found.minutes < _GITHUB_LEAST_MINUTES:
        raise BadArgument(
            "GitHub starts nothing more often than every 5 minutes.",
            next_step="Write --every 15m or a longer one.",
        )
    return found


def _health(options: ScheduleOptions) -> Cadence | None:
    if not options.health_every:
        return None
    if options.form == "github-actions":
        raise BadArgument(
            "A workflow is no monitor: GitHub leaves starts out.", next_step="Leave --health-every out of this one."
        )
    return _read("--health-every", options.health_every, every)


def _read(option: str, text: str, reader: Callable[[str], T]) -> T:
    try:
        return reader(text)
    except ValueError as error:
        raise BadArgument(f"{option}: {str(error).rstrip('.')}.", next_step="See: snowload schedule print -h") from None


def _user(options: ScheduleOptions) -> str:
    user = options.user or ""
    if not user:
        return ""
    if options.form == "github-actions":
        raise BadArgument("A workflow of GitHub runs as no user of ours.", next_step="Leave --user out.")
    if options.form == "k8s" and not _USER_ID.fullmatch(user):
        raise BadArgument("--user is not the number of a user, as containers have it.", next_step="Write --user 10001.")
    if options.form != "k8s" and not _USER.fullmatch(user):
        raise BadArgument(f"{user!r} is no name of a user.", next_step="Write --user snowload.")
    return user


def _secret(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise BadArgument(
            f"{name!r} is no name of a variable.", next_step="Write --secret UNIFI_API_KEY: the name, never the secret."
        )
    return name


def _command(options: ScheduleOptions) -> tuple[str, ...]:
    if options.program is not None:
        if not _PROGRAM.fullmatch(options.program):
            raise BadArgument(
                f"--program {options.program!r} is no absolute path of a program.",
                next_step="Write --program /usr/local/bin/snowload.",
            )
        return (options.program,)
    found = shutil.which("snowload")
    mine = Path(sys.executable).with_name("snowload")
    program = str(mine) if mine.is_file() else found
    command = (program,) if program else (sys.executable, "-m", "beast_dream_snow_loader")
    if not _PROGRAM.fullmatch(command[0]):
        raise BadArgument(
            f"The path of this program, {command[0]!r}, cannot stand in a unit.",
            next_step="Name another with --program /usr/local/bin/snowload.",
        )
    return command


def _at_home(path: Path) -> bool:
    """Also where a link leads there: a virtual environment's Python often is one."""
    return path.is_absolute() and any(one.is_relative_to(home) for one in (path, path.resolve()) for home in _HOMES)


def _printable(option: str, text: str) -> str:
    try:
        refuse_odd(option, text)
    except ValueError as error:
        raise BadArgument(f"{error}.", next_step=f"Name a plain path with {option}.") from None
    return text
