"""The units themselves: for systemd, cron, Kubernetes and GitHub Actions (docs/guides/schedules.md)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from beast_dream_snow_loader.core.exit_codes import ExitCode, HealthCode
from beast_dream_snow_loader.operations.scheduling.cadence import Cadence
from beast_dream_snow_loader.operations.scheduling.quoting import Plain, Value, cron, kubernetes, systemd, yaml

SECRETS = "/etc/snowload/secrets"
"""Where systemd and cron find each secret in a file of its own."""
MOUNTED = "/run/secrets/snowload"
STOP_SECONDS = 90
"""A batch in flight is answered or given up within 60 s (servicenow.total_timeout_seconds), and then written down."""
_BY_USER = "snowload"
_STATE = ("SNOWLOAD_STATE_URL", "SNOWLOAD_AUDIT__KEY")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,30}", re.ASCII)
_USER_ID = re.compile(r"[1-9]\d{0,8}", re.ASCII)
_PLAIN_PATH = re.compile(r"/[\w@+,./-]*\w", re.ASCII)
"""It stands in ``ReadWritePaths=``, which has quotes of its own."""
_GITHUB_LEAST_MINUTES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be started, by whom and when. ``command`` begins with an absolute path; ``secrets`` are variables
    whose values are secrets; ``at_home``: something of it lies below somebody's home directory. ``health`` None: no
    checks between the loads. ``image`` is the container's, ``version`` ours. ``textfile``
    takes the metrics; empty: none."""

    command: tuple[str, ...]
    environment: str
    config: str
    cadence: Cadence
    health: Cadence | None
    user: str
    secrets: tuple[str, ...]
    at_home: bool
    image: str
    version: str
    textfile: str = ""

    @property
    def name(self) -> str:
        return f"snowload-{self.environment}"

    def words(self, *verbs: str) -> tuple[str, ...]:
        """Of the command line, after the program's name."""
        metrics = ("--textfile", self.textfile) if self.textfile else ()
        return (*verbs, "--env", self.environment, "--config", self.config, *metrics, "--quiet")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFile:
    """``place`` is where it belongs, ``text`` its whole content."""

    name: str
    place: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What a form cannot say: ``where`` it is asked for, and what to ask for instead."""

    where: Callable[[Job], bool]
    message: str
    next_step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """All that is of one scheduler alone. ``here``: it runs on this machine, so that a relative path means one of it.
    ``default_config`` may name the ``{environment}``; ``secrets`` are variables that it needs beside those asked for.
    ``render`` gives the units, what loads first."""

    name: str
    quote: Callable[[Value], str]
    here: bool
    default_config: str
    refusals: tuple[Refusal, ...]
    render: Callable[[Job], Iterator[UnitFile]]
    secrets: tuple[str, ...] = ()


def _systemd(job: Job) -> Iterator[UnitFile]:
    made = partial(_rendered, FORMS["systemd"], job)
    jobs = [(job.name, "load", job.cadence)]
    jobs += [(f"{job.name}-health", "health", job.health)] if job.health is not None else []
    for name, verb, cadence in jobs:
        service = made("systemd.service.j2", unit=Plain(name), verb=verb, exec=(*job.command, *job.words(verb)))
        yield UnitFile(name=f"{name}.service", place="/etc/systemd/system", text=service)
        calendar, delay = Plain(cadence.calendar), Plain(str(cadence.delay_seconds))
        timer = made("systemd.timer.j2", unit=Plain(name), verb=verb, calendar=calendar, delay=delay)
        yield UnitFile(name=f"{name}.timer", place="/etc/systemd/system", text=timer)


def _cron(job: Job) -> Iterator[UnitFile]:
    text = _rendered(
        FORMS["cron"], job, "crontab.j2", load=(*job.command, *job.words("load")), check=_check(job, job.command)
    )
    yield UnitFile(name=job.name, place="/etc/cron.d" if job.user else "crontab -e", text=text)


def _k8s(job: Job) -> Iterator[UnitFile]:
    jobs = [{"name": Plain(job.name), "cron": job.cadence.cron, "words": _container(job.words("load"))}]
    if job.health is not None:
        name = Plain(f"{job.name}-health")
        jobs.append({"name": name, "cron": job.health.cron, "words": _container(job.words("health"))})
    text = _rendered(
        FORMS["k8s"], job, "cronjob.yaml.j2", jobs=jobs, user_id=Plain(job.user or "10001"), image=job.image
    )
    yield UnitFile(name=f"{job.name}.yaml", place="kubectl apply -f", text=text)


def _github(job: Job) -> Iterator[UnitFile]:
    line = shlex.join(("snowload", *job.words("load")))
    run = f'code=0; {line} || code=$?; if [ "$code" = {ExitCode.QUEUED.value} ]; then code=0; fi; exit "$code"'
    text = _rendered(FORMS["github-actions"], job, "workflow.yaml.j2", run=run, package=_package(job))
    yield UnitFile(name=f"{job.name}.yaml", place=".github/workflows", text=text)


def _package(job: Job) -> str:
    return f"python -m pip install 'beast-dream-snow-loader[postgres]=={job.version}'"


def _container(words: tuple[str, ...]) -> tuple[str, ...]:
    return ("snowload", *map(kubernetes, words))


def _check(job: Job, command: tuple[str, ...]) -> tuple[str, ...]:
    return (*command, *job.words("health")) if job.health is not None else ()


def _rendered(form: Form, job: Job, template: str, **values: Any) -> str:
    """Every value is quoted as the form wants it, unless it is :class:`Plain`: no template can forget to."""
    from jinja2 import PackageLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    quote = form.quote
    environment = ImmutableSandboxedEnvironment(
        loader=PackageLoader("beast_dream_snow_loader.operations.scheduling", "."),
        autoescape=False,  # none of it is HTML
        undefined=StrictUndefined,
        finalize=lambda value: value.text if isinstance(value, Plain) else quote(value),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(**_common(form, job), **values)


def _common(form: Form, job: Job) -> dict[str, Any]:
    return {
        "version": Plain(job.version),
        "name": Plain(job.name),
        "env": Plain(job.environment),
        "user": Plain(job.user or _BY_USER),
        "named_user": bool(job.user),
        "secrets": [_secret(name) for name in dict.fromkeys((*form.secrets, *job.secrets))],
        "expression": _expression,
        "secrets_place": Plain(SECRETS),
        "mounted": Plain(MOUNTED),
        "config": job.config,
        "at_home": job.at_home,
        "cron": Plain(job.cadence.cron),
        "cron_text": job.cadence.cron,
        "health_cron": Plain(job.health.cron) if job.health is not None else None,
        "stop": Plain(str(STOP_SECONDS)),
        "queued": Plain(str(ExitCode.QUEUED.value)),
        "degraded": Plain(str(HealthCode.DEGRADED.value)),
        "writes": Plain(str(Path(job.textfile).parent)) if job.textfile else None,
    }


def _secret(name: str) -> dict[str, Plain]:
    return {"variable": Plain(name), "credential": Plain(name.lower()), "expression": _expression(name)}


def _expression(name: str) -> Plain:
    return Plain(f"${{{{ secrets.{name} }}}}")


_ODD_USER = Refusal(
    where=lambda job: bool(job.user) and not _USER.fullmatch(job.user),
    message="--user is no name of a user.",
    next_step="Write --user snowload.",
)
_ODD_TEXTFILE = Refusal(
    where=lambda job: bool(job.textfile) and not _PLAIN_PATH.fullmatch(job.textfile),
    message="--textfile is no plain absolute path.",
    next_step="Write --textfile /var/lib/node_exporter/snowload.prom.",
)
_NO_TEXTFILE = Refusal(
    where=lambda job: bool(job.textfile),
    message="Nothing would collect a file of metrics there.",
    next_step="Leave --textfile out of this one, and see docs/guides/metrics.md.",
)
_HERE = "/etc/snowload/{environment}.toml"
_CONTAINER = "/etc/snowload/config.toml"
FORMS: Mapping[str, Form] = {
    one.name: one
    for one in (
        Form(
            name="systemd",
            quote=systemd,
            here=True,
            default_config=_HERE,
            refusals=(_ODD_USER, _ODD_TEXTFILE),
            render=_systemd,
        ),
        Form(
            name="cron",
            quote=cron,
            here=True,
            default_config=_HERE,
            refusals=(_ODD_USER, _ODD_TEXTFILE),
            render=_cron,
        ),
        Form(
            name="k8s",
            quote=yaml,
            here=False,
            default_config=_CONTAINER,
            refusals=(
                Refusal(
                    where=lambda job: bool(job.user) and not _USER_ID.fullmatch(job.user),
                    message="--user is not the number of a user, as containers have it.",
                    next_step="Write --user 10001.",
                ),
                Refusal(
                    where=lambda job: not job.config.startswith("/"),
                    message="--config is not a path in the container.",
                    next_step=f"Write --config {_CONTAINER}.",
                ),
                _NO_TEXTFILE,
            ),
            render=_k8s,
        ),
        Form(
            name="github-actions",
            quote=yaml,
            here=False,
            default_config="snowload.toml",
            refusals=(
                Refusal(
                    where=lambda job: bool(job.user),
                    message="A workflow of GitHub runs as no user of ours.",
                    next_step="Leave --user out.",
                ),
                Refusal(
                    where=lambda job: "${{" in job.config,
                    message="--config has an expression of GitHub in it.",
                    next_step="Name the file without one.",
                ),
                Refusal(
                    where=lambda job: job.cadence.minutes < _GITHUB_LEAST_MINUTES,
                    message="GitHub starts nothing more often than every 5 minutes.",
                    next_step="Write --every 15m or a longer one.",
                ),
                Refusal(
                    where=lambda job: job.health is not None,
                    message="A workflow is no monitor: GitHub leaves starts out.",
                    next_step="Leave --health-every out of this one.",
                ),
                _NO_TEXTFILE,
            ),
            render=_github,
            secrets=_STATE,  # a runner keeps nothing: the way to the state is a secret too
        ),
    )
}
