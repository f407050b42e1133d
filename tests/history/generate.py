"""A history of many runs, written through the real store. ``python -m tests.history.generate DIRECTORY --runs 10000``
makes a state directory that commands of the environment ``testing`` read with ``SNOWLOAD_STATE_DIR=DIRECTORY``."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from beast_dream_snow_loader.clock import SystemClock, rfc3339
from beast_dream_snow_loader.core.run import Run, RunStatus
from beast_dream_snow_loader.state.store import Store, open_store

TARGET = "https://dev1.service-now.com"
STEPS = {"fetch": 12.0, "transform": 0.3, "validate": 2.0, "recall": 0.6, "recognise": 3.0, "plan": 0.4, "load": 9.0,
         "link": 0.5, "verify": 4.0}  # fmt: skip
HOSTILE = "<script>alert(1)</script> \u202egnp.exe \x1b[31m"


def runs(count: int, newest: datetime, span: timedelta, seed: int) -> Iterator[Run]:
    """Oldest first, evenly over ``span``: throttled by night, slow sources, some killed."""
    rng = random.Random(seed)
    for number in range(count):
        at = newest - span + span * (number + 1) / (count + 1)
        yield _run(number, at, rng, slow=3.0 if number > 0.93 * count else 1.0)


def _run(number: int, at: datetime, rng: random.Random, *, slow: float) -> Run:
    status = rng.choices(
        [RunStatus.OK, RunStatus.PARTIAL, RunStatus.QUEUED, RunStatus.UNAVAILABLE, RunStatus.INTERRUPTED],
        [90, 5, 2, 2, 1],
    )[0]
    throttled = at.hour == 2 and rng.random() < 0.5
    status = RunStatus.QUEUED if throttled else status
    steps = [
        {"name": name, "duration_seconds": round(seconds * (slow if name == "fetch" else 1) * rng.uniform(0.8, 1.3), 3),
         "records": 500}
        for name, seconds in STEPS.items()
    ]  # fmt: skip
    return Run(
        id=f"{at:%Y%m%dT%H%M%SZ}-{number:06x}",
        command="load",
        environment="testing",
        target=TARGET,
        started_at=at,
        finished_at=at + timedelta(seconds=sum(step["duration_seconds"] for step in steps) + 0.4),
        status=status,
        exit_code=0 if status is RunStatus.OK else 3,
        report=_report(status, at, steps, rng, throttled=throttled),
    )


def _report(
    status: RunStatus, at: datetime, steps: list[dict[str, Any]], rng: random.Random, *, throttled: bool
) -> Mapping[str, Any]:
    code = "transport.throttled" if throttled else {"partial": "FIELD_LENGTH", "queued": "transport.server_fault",
            "unavailable": "source.unavailable"}.get(status.value, "")  # fmt: skip
    failed = [{"key": f"device/{n:012x}", "change": "update", "code": code, "message": HOSTILE}
              for n in range(3 if status is RunStatus.PARTIAL else 0)]  # fmt: skip
    incident = {"service": "servicenow", "code": code, "first_seen": rfc3339(at), "last_seen": rfc3339(at), "count": 3,
                "records": 3, "relations": 2, "recovered": False, "chain": []}  # fmt: skip
    return {
        "written": {"created": rng.randrange(3), "updated": rng.randrange(20), "linked": rng.randrange(3)},
        "source": {"consoles": 3, "sites": 12, "devices": 480, "clients": 0},
        "requests": {"servicenow": 40, "unifi": 36, "retries": rng.randrange(3), "waits": 0, "rejected": 0},
        "links": {"wanted": 900, "linked": 890, "orphans": 10, "rate": 0.9889},
        "verify": {"checked": 20, "mismatches": 0, "duplicates": 0},
        "steps": steps,
        "failed": failed,
        "held": [],
        "queued": 40 if status is RunStatus.QUEUED else 0,
        "findings": [
            {"record": f"device/{n:012x}", "field": "name", "rule": rule, "severity": "warning", "message": HOSTILE,
             "value": HOSTILE}
            for n, rule in enumerate(("name.shared", "relation.orphan", "field.overridden_by_hand", "serial.shared"))
        ],
        "errors": [{"code": code, "timestamp": rfc3339(at)}] if code else [],
        "incidents": [incident] if code else [],
        "degradation": {"level": "full", "reasons": []},
    }  # fmt: skip


def fill(store: Store, count: int, newest: datetime, span: timedelta = timedelta(days=30), seed: int = 1) -> None:
    for run in runs(count, newest, span, seed):
        store.memory.finish_run(run)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    place = asked.directory / "testing"
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    clock = SystemClock()
    with open_store(f"sqlite:///{place / 'state.sqlite'}", clock) as store:
        fill(store, asked.runs, clock.now(), seed=asked.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
