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
from beast_dream_snow_loader.operations.scheduling.units import FORMS, Form, Job

_COMMAND = "schedule"
_USUAL_EVERY = "6h"
_USUAL_SECRETS = ("SERVICENOW_CLIENT_SECRET", "UNIFI_API_KEY")
_HOMES = ("/home", "/root", "/run/user")
_PROGRAM = re.compile(r"/[\w@+:,./ -]*\w", re.ASCII)
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*", re.ASCII)

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
    textfile: Path | None = None


def print_schedule(options: ScheduleOptions) -> Result:
    """The units as files with their places. Never raises a SnowloadError."""
    try:
        environment = ConfigurationManager.resolve_environment(options.environment).value
        form = FORMS[options.form]
        made = form.render(_job(options, form, environment))
        files = [{"name": one.name, "place": one.place, "text": one.text} for one in made]
        if options.unit is not None:
            files = [one for one in files if one["name"] == options.unit] or _no_unit(options.unit, files)
    except SnowloadError as error:
        return failed(_COMMAND, error, environment=options.environment or "")
    body = {"format": options.form, "files": files}
    return carried_out(_COMMAND, "print", body, environment=environment, at=rfc3339(SystemClock().now()))


def _no_unit(name: str, files: list[dict[str, str]]) -> list[dict[str, str]]:
    names = ", ".join(one["name"] for one in files)
    raise BadArgument(f"There is no unit {name!r} here.", next_step=f"Write --unit with one of: {names}.")


def _job(options: ScheduleOptions, form: Form, environment: str) -> Job:
    config = _config(options, form, environment)
    image = _printable("--image", options.image or f"snowload:{__version__}")
    command = _command(options)
    job = Job(
        command=command,
        environment=environment,
        config=config,
        cadence=_cadence(options),
        health=_read("--health-every", options.health_every, every) if options.health_every else None,
        user=options.user or "",
        secrets=tuple(_secret(name) for name in dict.fromkeys(options.secrets or _USUAL_SECRETS)),
        at_home=any(_at_home(Path(word)) for word in (*command, config, sys.prefix if not options.program else "/")),
        image=image,
        version=__version__,
        textfile=str(options.textfile or ""),
    )
    for refusal in form.refusals:
        if refusal.where(job):
            raise BadArgument(refusal.message, next_step=refusal.next_step)
    return job


def _config(options: ScheduleOptions, form: Form, environment: str) -> str:
    if options.config is None:
        return form.default_config.format(environment=environment)
    return _printable("--config", str(options.config.expanduser().absolute() if form.here else options.config))


def _cadence(options: ScheduleOptions) -> Cadence:
    if options.every and options.at:
        raise BadArgument("--every and --at say twice when to start.", next_step="Give one of them.")
    if options.at:
        return _read("--at", options.at, daily)
    return _read("--every", options.every or _USUAL_EVERY, every)


def _read(option: str, text: str, reader: Callable[[str], T]) -> T:
    try:
        return reader(text)
    except ValueError as error:
        raise BadArgument(f"{option}: {str(error).rstrip('.')}.", next_step="See: snowload schedule print -h") from None


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
