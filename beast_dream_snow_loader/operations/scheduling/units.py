"""The units themselves: for systemd, cron, Kubernetes and GitHub Actions (docs/guides/schedules.md)."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from beast_dream_snow_loader.operations.scheduling.cadence import Cadence
from beast_dream_snow_loader.operations.scheduling.quoting import QUOTING, Plain, kubernetes

SECRETS = "/etc/snowload/secrets"
"""Where systemd and cron find each secret in a file of its own."""
MOUNTED = "/run/secrets/snowload"
STOP_SECONDS = 90
"""A batch in flight is answered or given up within 60 s (servicenow.total_timeout_seconds), and then written down."""
_BY_USER = "snowload"
_STATE = ("SNOWLOAD_STATE_URL", "SNOWLOAD_AUDIT__KEY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be started, by whom and when. ``command`` begins with an absolute path; ``secrets`` are variables
    whose values are secrets; ``at_home``: something of it lies below somebody's home directory. ``health`` None: no
    checks between the loads. ``image`` is the container's, ``version`` ours."""

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

    @property
    def name(self) -> str:
        return f"snowload-{self.environment}"

    def words(self, *verbs: str) -> tuple[str, ...]:
        """Of the command line, after the program's name."""
        return (*verbs, "--env", self.environment, "--config", self.config, "--quiet")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFile:
    """``place`` is where it belongs, ``text`` its whole content."""

    name: str
    place: str
    text: str


def units(form: str, job: Job) -> tuple[UnitFile, ...]:
    """``form``: systemd, cron, k8s or github-actions. What is run first is the load."""
    return tuple(_FORMS[form](job))


def _systemd(job: Job) -> Iterator[UnitFile]:
    made = partial(_rendered, "systemd", job)
    jobs = [(job.name, "load", job.cadence)]
    jobs += [(f"{job.name}-health", "health", job.health)] if job.health is not None else []
    for name, verb, cadence in jobs:
        service = made("systemd.service.j2", unit=Plain(name), verb=verb, exec=(*job.command, *job.words(verb)))
        yield UnitFile(name=f"{name}.service", place="/etc/systemd/system", text=service)
        calendar, delay = Plain(cadence.calendar), Plain(str(cadence.delay_seconds))
        timer = made("systemd.timer.j2", unit=Plain(name), verb=verb, calendar=calendar, delay=delay)
        yield UnitFile(name=f"{name}.timer", place="/etc/systemd/system", text=timer)


def _cron(job: Job) -> Iterator[UnitFile]:
    text = _rendered("cron", job, "crontab.j2", load=(*job.command, *job.words("load")), check=_check(job, job.command))
    yield UnitFile(name=job.name, place="/etc/cron.d" if job.user else "crontab -e", text=text)


def _k8s(job: Job) -> Iterator[UnitFile]:
    jobs = [{"name": Plain(job.name), "cron": job.cadence.cron, "words": _container(job.words("load"))}]
    if job.health is not None:
        name = Plain(f"{job.name}-health")
        jobs.append({"name": name, "cron": job.health.cron, "words": _container(job.words("health"))})
    text = _rendered("k8s", job, "cronjob.yaml.j2", jobs=jobs, user_id=Plain(job.user or "10001"), image=job.image)
    yield UnitFile(name=f"{job.name}.yaml", place="kubectl apply -f", text=text)


def _github(job: Job) -> Iterator[UnitFile]:
    line = shlex.join(("snowload", *job.words("load")))
    run = f'code=0; {line} || code=$?; if [ "$code" = 8 ]; then code=0; fi; exit "$code"'
    text = _rendered("github-actions", job, "workflow.yaml.j2", run=run, package=_package(job))
    yield UnitFile(name=f"{job.name}.yaml", place=".github/workflows", text=text)


def _package(job: Job) -> str:
    return f"python -m pip install 'beast-dream-snow-loader[postgres]=={job.version}'"


def _container(words: tuple[str, ...]) -> tuple[str, ...]:
    return ("snowload", *map(kubernetes, words))


def _check(job: Job, command: tuple[str, ...]) -> tuple[str, ...]:
    return (*command, *job.words("health")) if job.health is not None else ()


def _rendered(form: str, job: Job, template: str, **values: Any) -> str:
    """Every value is quoted as the form wants it, unless it is :class:`Plain`: no template can forget to."""
    from jinja2 import PackageLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    quote = QUOTING[form]
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


def _common(form: str, job: Job) -> dict[str, Any]:
    return {
        "version": Plain(job.version),
        "name": Plain(job.name),
        "env": Plain(job.environment),
        "user": Plain(job.user or _BY_USER),
        "named_user": bool(job.user),
        "secrets": [_secret(name) for name in _with_state(form, job)],
        "expression": _expression,
        "secrets_place": Plain(SECRETS),
        "mounted": Plain(MOUNTED),
        "config": job.config,
        "at_home": job.at_home,
        "cron": Plain(job.cadence.cron),
        "cron_text": job.cadence.cron,
        "health_cron": Plain(job.health.cron) if job.health is not None else None,
        "stop": Plain(str(STOP_SECONDS)),
    }


def _secret(name: str) -> dict[str, Plain]:
    return {"variable": Plain(name), "credential": Plain(name.lower()), "expression": _expression(name)}


def _with_state(form: str, job: Job) -> tuple[str, ...]:
    """A runner of GitHub keeps nothing: there the way to the state is a secret too."""
    return tuple(dict.fromkeys((*_STATE, *job.secrets))) if form == "github-actions" else job.secrets


def _expression(name: str) -> Plain:
    return Plain(f"${{{{ secrets.{name} }}}}")


_FORMS: dict[str, Callable[[Job], Iterator[UnitFile]]] = {
    "systemd": _systemd,
    "cron": _cron,
    "k8s": _k8s,
    "github-actions": _github,
}
FORMS = tuple(_FORMS)
