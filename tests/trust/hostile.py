"""Text of the worst kind through the query builder and every way out (S4, S5, S6).

``python -m tests.trust.hostile`` takes 100,000 values and 10,000 names; the suite a seeded part.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import pty
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.cli import markdown, plan_lines, tables
from beast_dream_snow_loader.cli.conclude import conclude, explain
from beast_dream_snow_loader.errors import SnowloadError
from beast_dream_snow_loader.operations.config import LoggingConfig
from beast_dream_snow_loader.operations.log_sinks import logging_to
from beast_dream_snow_loader.operations.logger import StructuredLogger
from beast_dream_snow_loader.sandbox.servicenow.encoded_query import Term, parse
from beast_dream_snow_loader.servicenow.query import Query

_PIECES: Sequence[str] = (
    "^", "^OR", "^NQ", "^EQ", "^ORDERBY", "=", "!=", "IN", "STARTSWITH", "javascript:", "JavaScript:gs.", "@", ",",
    "\n", "\r", "\r\n", "\t", "\0", "\x07", "\x1b[2J", "\x1b]0;owned\x07", "\x1b]8;;http://x\x07", "\x9b31m",
    "\x85", "\x7f", "\u2028", "\u2029", "\u202e", "\u2066", "\u2069", "\u061c", "\u200b", "\u200d", "\ufeff",
    "<script>alert(1)</script>", "&lt;", "-->", "<img src=x onerror=y>", "|", "||", "](http://x)", "![x](y)", "`",
    "**", "~~", "# ", "=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "{{7*7}}", "{% raw %}", "${jndi:ldap://x}",
    "%s%n", "[bold red]x[/]", "[link=http://x]y[/link]", "../", "C:\\", "' OR 1=1 --", "\"", "\\", "\\x1b",
    "\U0001f600", "é", "\u05d0", "e\u0301", "\U000e0041", "name", " ", "x" * 40,
)  # fmt: skip
_ACTIVE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def texts(seed: int, count: int) -> Iterator[str]:
    """Arbitrary characters, and pieces that mean something to somebody, in any mixture."""
    drawn = random.Random(seed)
    for _ in range(count):
        parts = [
            drawn.choice(_PIECES) if drawn.random() < 0.6 else chr(drawn.choice(_PLANES)(drawn))
            for _ in range(drawn.randint(1, 8))
        ]
        yield "".join(parts)


_PLANES: Sequence[Callable[[random.Random], int]] = (
    lambda drawn: drawn.randrange(0x20, 0x7F),
    lambda drawn: drawn.randrange(0x100),
    lambda drawn: drawn.randrange(0xD800),
    lambda drawn: drawn.randrange(0xE000, 0x110000),
)


def terms_that_leak(seed: int, count: int) -> tuple[int, list[str]]:
    """How many values were asked for, and those that became anything but the one value of the one term."""
    asked, wrong = 0, []
    for value in texts(seed, count):
        for build, operator in (
            (Query().equals, "="),
            (Query().starts_with, "STARTSWITH"),
            (Query().greater, ">"),
        ):
            try:
                encoded = str(build("name", value))
            except ValueError:
                continue  # refused: nothing is sent
            asked += 1
            read = parse(encoded)
            if read.branches != (((Term("name", operator, value),),),) or read.order or read.unreadable:
                wrong.append(f"{operator} {value!r}: {encoded!r}")
    return asked, wrong


def shown_by_table(names: Sequence[str]) -> str:
    return _printed(lambda: tables.table(("name", "other"), [(name, name) for name in names], title="x"))


def shown_by_line(names: Sequence[str]) -> str:
    return _printed(lambda: [tables.line(name) for name in names])


def shown_by_plan(names: Sequence[str]) -> str:
    return "\n".join(line for name in names for line in plan_lines.plan_lines([_change(name)], 80))


def shown_by_document(names: Sequence[str]) -> str:
    def print_it() -> None:
        with contextlib.suppress(SystemExit, Exception):
            conclude(
                Result(command="x", status="ok", body={"names": list(names)}),
                as_json=True,
                render=lambda _: None,
            )

    return _printed(print_it)


def shown_as_trouble(names: Sequence[str]) -> str:
    told = io.StringIO()
    with contextlib.redirect_stderr(told):
        for name in names:
            explain(SnowloadError(f"Device {name} is odd.", next_step=f"Rename {name}."))
    return told.getvalue()


def logged(form: str) -> Callable[[Sequence[str]], str]:
    def log(names: Sequence[str]) -> str:
        stream = io.StringIO()
        with logging_to(LoggingConfig(level="DEBUG", format=form), stream):  # type: ignore[arg-type]
            logger = StructuredLogger("hostile")
            for name in names:
                logger.log_data_quality_issue(name, 1, {"key": name, "message": name})
        if form == "json":
            assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["data.questioned"] * len(
                names
            )
        return stream.getvalue()

    return log


def shown_by_markdown(names: Sequence[str]) -> str:
    lines = list(markdown.table(("name", "other"), [(name, name) for name in names]))
    assert len(lines) == len(names) + 2
    for line in lines[2:]:
        cells = re.split(r"(?<!\\)\|", line.replace("\\\\", ""))
        assert len(cells) == 4, line
        assert "<" not in line, line
        assert not re.search(r"(?<!\\)[\[\]`*_]", line.replace("\\\\", "")), line
    return "\n".join(lines)


def on_a_terminal(seed: int, count: int) -> str:
    """What a terminal receives: a pseudo-terminal, and a program that prints the names as the commands do."""
    ours, theirs = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "tests.trust.hostile",
        "--seed",
        str(seed),
        "--names",
        str(count),
        "--show",
    ]
    environ = {**os.environ, "TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "100"}
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL, env=environ) as process:
        os.close(theirs)
        received = bytearray()
        with contextlib.suppress(OSError):  # the other end is closed: all was said
            while chunk := os.read(ours, 65536):
                received += chunk
    os.close(ours)
    assert process.returncode == 0, received[-500:]
    return received.decode("utf-8").replace("\r\n", "\n")


WAYS_OUT: dict[str, Callable[[Sequence[str]], str]] = {
    "table": shown_by_table,
    "line": shown_by_line,
    "plan": shown_by_plan,
    "JSON document": shown_by_document,
    "words on stderr": shown_as_trouble,
    "log, JSON": logged("json"),
    "log, console": logged("console"),
    "Markdown": shown_by_markdown,
}


def active(shown: str) -> set[str]:
    """Characters that would act on a terminal or break a line."""
    return set(_ACTIVE.findall(shown))


def _printed(print_it: Callable[[], object]) -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        print_it()
    return said.getvalue()


def _change(name: str) -> dict[str, object]:
    field = {"field": "name", "old": name, "new": name, "reason": name, "means": name}
    base = {
        "change": "update",
        "sys_id": "",
        "class": "x",
        "record": "device/1",
        "fields": [field],
    }
    return {**base, "name": name, "reason": name}


def _show(names: Sequence[str]) -> None:
    tables.table(("name",), [(name,) for name in names])
    for name in names:
        tables.line(name)
    sys.stdout.write(shown_by_plan(names) + "\n")
    for name in names:
        explain(SnowloadError(name, next_step=name))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--values", type=int, default=100_000)
    parser.add_argument("--names", type=int, default=10_000)
    parser.add_argument("--show", action="store_true", help="print them, as the commands do")
    chosen = parser.parse_args()
    names = list(texts(chosen.seed, chosen.names))
    if chosen.show:
        _show(names)
        return 0
    asked, wrong = terms_that_leak(chosen.seed, chosen.values)
    sys.stdout.write(f"{chosen.values} values, {asked} queries, {len(wrong)} wrong\n")
    outs = {name: active(way(names)) for name, way in WAYS_OUT.items()}
    outs["terminal"] = active(on_a_terminal(chosen.seed, chosen.names))
    for name, found in outs.items():
        sys.stdout.write(f"{chosen.names} names, {name}: {len(found)} active characters {sorted(found)}\n")
    return 1 if wrong or any(outs.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
