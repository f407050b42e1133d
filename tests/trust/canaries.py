"""Canary secrets through every command and every kind of failure: not one byte of them may come out (S1, R5.3).

``python -m tests.trust.canaries`` tries all of it; the suite a seeded part.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import stat
import sys
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote, unquote

from beast_dream_snow_loader.redaction import held_within
from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.messages import HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.serving import Server
from beast_dream_snow_loader.sandbox.unifi.assembly import (
    CLOUD_KEY,
    CONSOLE_KEY,
    PASSWORD,
    USERNAME,
)
from tests.conftest import Ended, Snowload
from tests.scenarios.conftest import Town
from tests.scenarios.in_process import InProcess
from tests.scenarios.mailbox import MailServer
from tests.trust.doors import REPLIES, Door
from tests.trust.shapes import ODD, PLAIN, Search, secrets

COMMANDS: Sequence[tuple[str, ...]] = (
    ("load",),
    ("load", "--dry-run"),
    ("plan",),
    ("plan", "--out", "{home}/plan.json"),
    ("plan", "--format", "markdown"),
    ("validate",),
    ("validate", "--textfile", "{home}/metrics.prom"),
    ("metrics",),
    ("health",),
    ("doctor", "--bundle", "{home}/bundle.zip"),
    ("report",),
    ("report", "--output", "{home}/report.json"),
    ("replay-queue",),
    ("rollback", "{run}"),
    ("explain", "00:00:5e:00:53:02"),
    ("runs", "list"),
    ("runs", "show", "{run}"),
    ("queue", "list"),
    ("queue", "show", "1"),
    ("queue", "export", "{home}/queue.jsonl"),
    ("queue", "retry", "--all"),
    ("queue", "drop", "1", "--yes"),
    ("audit", "verify"),
    ("audit", "export", "{home}/audit.jsonl"),
    ("breakers", "list"),
    ("breakers", "open", "servicenow"),
    ("breakers", "reset", "servicenow"),
    ("config", "show"),
    ("config", "check"),
    ("notify", "test"),
    ("audit", "begin", "--yes"),
)
"""What reads settings, a secret or the state. The others know of none."""

SHAPES, IN_THE_OPEN = 5, 8
"""Secrets in use at once: each setting that takes one, the token that ServiceNow gives, and 1Password's own."""
TURNS = 6


class _Hook:
    """A receiver of messages that throws back what it was sent, its own address first."""

    def answer(self, request: HttpRequest) -> HttpAnswer:
        said = f"{request.path} {unquote(request.path)} {dict(request.headers)}"
        return HttpAnswer(status=403, headers=(("Content-Type", "text/plain"),), body=said.encode())


class Stage:
    """A town behind doors, its logins canaries."""

    def __init__(self, home: Path, canaries: Sequence[str], plain: Sequence[str], run: Snowload | None = None) -> None:
        self.home, self.canaries, self.plain = home, canaries, plain
        self.town = Town(Estate.generate(seed=3, sites=1, devices=4), run or InProcess(home))
        self.doors: list[Door] = []
        self.hook, self.mail = Server(_Hook()), MailServer(None, password="another one")
        self.children = home / "children"

    def __enter__(self) -> Stage:
        self.town.__enter__()
        self.hook.__enter__()
        self.mail.__enter__()
        sandbox = self.town.sandbox
        basic = b64encode(b"snowload:snowload-demo").decode()
        self._shut(sandbox.servicenow, {"authorization": f"Basic {basic}"})
        self._shut(sandbox.site_manager, {"x-api-key": CLOUD_KEY})
        for console in sandbox.consoles:
            self._shut(console.server, {"x-api-key": CONSOLE_KEY})
        self.op(f"printf %s {_shell(self.canaries[0])}")
        self.variables = self._variables()
        return self

    def __exit__(self, *_: object) -> None:
        self.mail.__exit__(None, None, None)
        self.hook.__exit__(None, None, None)
        self.town.__exit__()

    def _shut(self, server: object, login: dict[str, str]) -> None:
        body = {"username": USERNAME, "password": PASSWORD}
        door = Door(server.application, login, body, self.plain[0])  # type: ignore[attr-defined]
        server.application = door  # type: ignore[attr-defined]
        self.doors.append(door)

    def _variables(self) -> dict[str, str]:
        consoles = [
            {
                "url": console.server.url,
                "username": USERNAME,
                "password": self.canaries[1 + place % 2],
            }
            for place, console in enumerate(self.town.sandbox.consoles)
        ]
        return {
            "SERVICENOW_PASSWORD": "op://vault/item/password",
            "SERVICENOW_CLIENT_ID": "client",
            "SERVICENOW_CLIENT_SECRET": f"file:{self._file('servicenow', self.canaries[3])}",
            "SERVICENOW_API_KEY": "env:ELSEWHERE",
            "ELSEWHERE": self.plain[1],
            "UNIFI_API_KEY": self.plain[2],
            "SNOWLOAD_UNIFI__CONSOLES": json.dumps(consoles),
            "SNOWLOAD_BROKER_URL": f"amqp://user:{self.plain[3]}@127.0.0.1/",
            "HTTPS_PROXY": f"http://user:{self.plain[4]}@127.0.0.1:9",
            "OP_SERVICE_ACCOUNT_TOKEN": f"ops_{self.plain[5]}",
            **self._telling(),
            "PATH": f"{self.home}{os.pathsep}{os.environ['PATH']}",
            "SNOWLOAD_RETRY__MAX_ATTEMPTS": "1",
            "SNOWLOAD_SERVICENOW__READ_TIMEOUT_SECONDS": "2",
            "SNOWLOAD_UNIFI__READ_TIMEOUT_SECONDS": "2",
        }

    def _telling(self) -> dict[str, str]:
        """Channels that take no message, and say why with all they were given."""
        return {
            "SNOWLOAD_NOTIFY__WEBHOOK_URL": f"{self.hook.url}/{quote(self.plain[6], safe='')}",
            "SNOWLOAD_NOTIFY__WEBHOOK_SECRET": f"file:{self._file('signing', self.canaries[4])}",
            "SNOWLOAD_NOTIFY__SMTP_HOST": "127.0.0.1",
            "SNOWLOAD_NOTIFY__SMTP_PORT": str(self.mail.port),
            "SNOWLOAD_NOTIFY__SMTP_SECURITY": "plain",
            "SNOWLOAD_NOTIFY__SMTP_SENDER": "snowload@example.com",
            "SNOWLOAD_NOTIFY__SMTP_RECIPIENTS": '["ops@example.com"]',
            "SNOWLOAD_NOTIFY__SMTP_USERNAME": "snowload",
            "SNOWLOAD_NOTIFY__SMTP_PASSWORD": "env:MAIL_PASSWORD",
            "MAIL_PASSWORD": self.plain[7],
        }

    def _file(self, name: str, secret: str) -> Path:
        folder = self.home.parent / f"{self.home.name}-given"
        folder.mkdir(exist_ok=True)
        file = folder / name
        file.write_text(secret, encoding="utf-8")
        file.chmod(0o600)
        return file

    @property
    def sessions(self) -> set[str]:
        """Of the consoles, so far: who has one needs no password."""
        return {one for door in self.doors for one in door.sessions}

    def op(self, reading: str) -> None:
        """1Password's command; what it was started with is kept, but for the token that is its own."""
        script = self.home / "op"
        seen = f'(tr "\\0" "\\n" < /proc/self/cmdline; env | grep -v -e ^OP_ -e _PROXY=) >> "{self.children}"'
        # what the script itself holds is no trace: it stands for the vault
        answer = self.home.parent / f"{self.home.name}-vault"
        answer.write_text(f'case "$1" in read) {reading};; *) exit 0;; esac\n', encoding="utf-8")
        script.write_text(f'#!/bin/sh\n{seen}\n. "{answer}"\n', encoding="utf-8")
        script.chmod(stat.S_IRWXU)

    def run(self, command: Sequence[str], *flags: str, **variables: str) -> Ended:
        filled = [part.format(home=self.home, run=self._last_run()) for part in command]
        given = {**self.variables, **variables}
        return self.town.run(*filled, "--env", "testing", *flags, **given)

    def _last_run(self) -> str:
        reports = sorted(self.home.rglob("reports/*.json"))
        return reports[-1].stem if reports else "none"


def _shell(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


Failure = Callable[[Stage], None]


def _thrown_back(name: str, only: str = "") -> Failure:
    def arrange(stage: Stage) -> None:
        for door in stage.doors:
            door.reply, door.only = REPLIES[name], only

    return arrange


def _fault(effect: Effect) -> Failure:
    def arrange(stage: Stage) -> None:
        for server in stage.town.sandbox.servers.values():
            server.faults.add(Fault(effect=effect, path="*", every=2))

    return arrange


def _op_fails(stage: Stage) -> None:
    secret = _shell(stage.canaries[0])
    stage.op(f"echo {secret}; echo {secret} >&2; exit 1")


def _op_prints_twice(stage: Stage) -> None:
    secret = _shell(stage.canaries[0])
    stage.op(f"printf '%s\\n%s\\n' {secret} {secret}")


def _settings_that_do_not_parse(stage: Stage) -> None:
    """Secrets where nobody looks for them: in an address, in a misspelt setting, in a table that is none."""
    secret = stage.plain[1]
    stage.variables |= {
        "SERVICENOW_INSTANCE": f"https://user:{stage.plain[2]}@exa mple",
        "SNOWLOAD_SERVICENOW__PASWORD": secret,
        "SNOWLOAD_UNIFI__CONSOLES": json.dumps([{"url": "x", "pasword": secret, "password": {"a": secret}}]),
        "SNOWLOAD_SERVICENOW__MODE": secret,
    }


def _state_is_damaged(stage: Stage) -> None:
    for file in stage.home.rglob("state.sqlite"):
        file.write_bytes(file.read_bytes()[:5000] + b"\0" * 3000)


def _nothing_can_be_written(stage: Stage) -> None:
    stage.variables |= {"SNOWLOAD_LOGGING__FILE": "/dev/full"}


FAILURES: dict[str, Failure] = {
    "none": lambda stage: None,
    "login refused": _thrown_back("401"),
    "forbidden": _thrown_back("403"),
    "bad request": _thrown_back("400"),
    "broken server": _thrown_back("500"),
    "page of a proxy": _thrown_back("page"),
    "redirected": _thrown_back("redirect"),
    "cut short": _thrown_back("cut"),
    "refused by the engine": _thrown_back("items", "identifyreconcile"),
    "connection reset": _fault(Effect.RESET_AFTER),
    "1Password fails": _op_fails,
    "1Password prints twice": _op_prints_twice,
    "settings do not parse": _settings_that_do_not_parse,
    "state damaged": _state_is_damaged,
    "log cannot be written": _nothing_can_be_written,
}


def drawn(turn: int) -> tuple[Sequence[int], Sequence[int]]:
    """The numbers of the shapes that have the places of a turn: those that only some places can hold come first there,
    and the places in the open begin where the others end, so that :data:`TURNS` turns try them all."""
    roomy = (*ODD, *PLAIN)
    first, begin = turn * SHAPES, TURNS * SHAPES - len(ODD) + turn * IN_THE_OPEN
    shapes = [roomy[(first + place) % len(roomy)] for place in range(SHAPES)]
    return shapes, [PLAIN[(begin + place) % len(PLAIN)] for place in range(IN_THE_OPEN)]


def leaks(seed: int, turn: int, failure: str, commands: Sequence[Sequence[str]] = COMMANDS) -> Iterator[str]:
    """What of the secrets of this turn came out, by command. ``turn`` says which shapes have which place."""
    every = secrets(seed)
    shapes, plain = ([every[number] for number in numbers] for numbers in drawn(turn))
    with tempfile.TemporaryDirectory() as folder, held_within():
        home = Path(folder) / "home"
        home.mkdir()
        with Stage(home, shapes, plain) as stage:
            stage.run(("load",), "--json")
            FAILURES[failure](stage)
            for number, command in enumerate(commands):
                ended = stage.run(
                    command,
                    *(("--json",) if number % 2 and "--format" not in command else ("-vv",)),
                )
                search = Search([*shapes, *plain, *stage.sessions])
                said = {"stdout": ended.out, "stderr": ended.err}
                for where, text in said.items():
                    if trace := search.found(text.encode()):
                        yield f"{failure}, {' '.join(command)}, {where}: {trace}"
                if "defect of snowload" in ended.err:
                    yield f"{failure}, {' '.join(command)}: a defect {ended.err[-1500:]}"
            search = Search([*shapes, *plain, *stage.sessions])
            yield from (f"{failure}, file {trace}" for trace in search.in_files(home))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--failure", choices=list(FAILURES))
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--from-turn", type=int, default=0)
    asked = parser.parse_args()
    tried = found = 0
    for failure in [asked.failure] if asked.failure else FAILURES:
        for turn in range(asked.from_turn, asked.turns):
            for leak in leaks(asked.seed, turn, failure):
                found += 1
                sys.stdout.write(f"LEAK {leak}\n")
            tried += len(COMMANDS)
        sys.stdout.write(f"{failure}: {tried} commands so far, {found} leaks\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(secrets(asked.seed))} shapes, {len(FAILURES)} failures, {tried} commands, {found} leaks\n")
    return 1 if found else 0


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())
