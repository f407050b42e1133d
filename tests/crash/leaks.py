"""One process that loads again and again, as a service does: its memory and its open files do not grow (Q19).

``python -m tests.crash.leaks --runs 1000`` is what `make leaks` runs. Every fifth load has something to write, every
twentieth meets an instance that is away.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from tests.crash.checker import Place
from tests.crash.harness import ROOT
from tests.crash.machine import estate

CHANGED_EVERY, AWAY_EVERY = 5, 20
KIB_A_RUN = 1.0
_WRITING_AHEAD = 16 * 1024 * 1024
_SETTINGS = {"SNOWLOAD_STATE__KEEP_RUNS": "20", "SNOWLOAD_RETRY__MAX_ATTEMPTS": "1"}
_CODES = frozenset({0, 5, 8})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The process after a load: bytes of its own memory, open files, bytes of the database and of its log."""

    code: int
    memory: int
    files: int
    database: int
    log: int


def loads(runs: int, until: float | None = None) -> list[Seen]:
    """So many in one process, each measured after it; none is begun after ``until``, of this machine's own clock."""
    seen: list[Seen] = []
    with tempfile.TemporaryDirectory() as name, Place(estate=estate()) as place, _serving(Path(name), place) as process:
        while len(seen) < runs and (until is None or time.monotonic() < until):
            seen.append(_next(process, place, len(seen) + 1))
    return seen


def growth(seen: Sequence[Seen]) -> float:
    """KiB of memory per load: the line that lies nearest to all of them."""
    middle = (len(seen) - 1) / 2
    average = sum(one.memory for one in seen) / len(seen)
    spread = sum((at - middle) ** 2 for at in range(len(seen)))
    return sum((at - middle) * (one.memory - average) for at, one in enumerate(seen)) / spread / 1024


def _next(process: subprocess.Popen[str], place: Place, number: int) -> Seen:
    faults = place.sandbox.servicenow.faults
    if number % CHANGED_EVERY == 0:
        device = next(d for c in place.estate.consoles() for d in place.estate.devices(c.host_id) if not d.is_console)
        place.estate.upgrade_device(device.mac, f"7.{number}.1.17000")
    if number % AWAY_EVERY == 0:
        faults.add(Fault(effect=Effect.STATUS, status=503, path="/api/*"))
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("load\n")
    process.stdin.flush()
    seen = Seen(**json.loads(process.stdout.readline()))
    faults.clear()
    assert seen.code in _CODES, f"load {number} ended {seen.code}"
    return seen


@contextmanager
def _serving(home: Path, place: Place) -> Iterator[subprocess.Popen[str]]:
    """The process that loads: without the sandbox, whose record of requests grows."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": str(home),
        "SNOWLOAD_STATE_DIR": str(home / "state"),
        **_SETTINGS,
        **place.sandbox.environment(),
    }
    command = [sys.executable, "-m", "tests.crash.leaks", "--serve"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, cwd=home, **pipes) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def _serve() -> None:
    import gc

    import psutil

    from tests.scenarios.in_process import InProcess

    run, mine = InProcess(Path.home()), psutil.Process()
    run.variables |= {name: value for name, value in os.environ.items() if name not in ("PATH", "HOME")}
    for _ in sys.stdin:
        ended = run("load", "--env", "testing", "--json")
        gc.collect()
        database = next(Path(run.variables["SNOWLOAD_STATE_DIR"]).rglob("state.sqlite"))
        ahead = database.with_name(f"{database.name}-wal")
        told = {
            "code": ended.code,
            "memory": mine.memory_info().rss,
            "files": mine.num_fds(),
            "database": database.stat().st_size,
            "log": ahead.stat().st_size if ahead.exists() else 0,
        }
        print(json.dumps(told), flush=True)  # noqa: T201


def violations(seen: Sequence[Seen]) -> Iterator[str]:
    """``seen`` is what came after everything had been loaded and used once."""
    if (a_run := growth(seen)) > KIB_A_RUN:
        yield f"memory grows by {a_run:.2f} KiB a load"
    before, after = (max(one.files for one in half) for half in (seen[: len(seen) // 2], seen[len(seen) // 2 :]))
    if after > before:
        yield f"open files: {before}, then {after}"
    if (log := max(one.log for one in seen)) > _WRITING_AHEAD:
        yield f"the write-ahead log was {log} bytes long"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--warm-up", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=0, help="begin no load after so long; 0: all of them")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        _serve()
        return 0
    every = loads(given.runs, time.monotonic() + given.minutes * 60 if given.minutes else None)
    warm_up = min(given.warm_up, len(every) // 2)
    seen = every[warm_up:]
    wrong = list(violations(seen))
    first, last = seen[0], seen[-1]
    print(  # noqa: T201
        f"{len(every)} loads, {warm_up} of them to warm up: memory {first.memory / 2**20:.1f} → "
        f"{last.memory / 2**20:.1f} MiB ({growth(seen):+.3f} KiB a load), open files {first.files} → {last.files}, "
        f"database {first.database} → {last.database} bytes, log at most {max(one.log for one in seen)}",
        *wrong,
        sep="\n",
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
