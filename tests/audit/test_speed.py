"""What the audit trail costs (R5.2): by `make bench`. Rates are of this machine; the share is a ratio of one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from beast_dream_snow_loader.core.audit import deed_of
from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.state.store import Store
from tests.audit.trails import change, opened, settlement, verdict
from tests.scenarios.conftest import Town
from tests.scenarios.in_process import InProcess

BATCH = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """``seconds`` went by; ``cpu`` of them were ours: the rest is waiting for the disk and for neighbours."""

    seconds: float
    cpu: float


def spent(work: Callable[[], object]) -> Spent:
    seconds, cpu = time.perf_counter(), time.process_time()
    work()
    return Spent(seconds=time.perf_counter() - seconds, cpu=time.process_time() - cpu)


def appended(store: Store, count: int) -> Spent:
    """For so many settled entries, each batch in a transaction as durable as any."""
    trail = store.audit.trail(None, "dev1")
    batches = [
        [deed_of((made := change(first + one)), settlement(made).receipt) for one in range(min(BATCH, count - first))]
        for first in range(0, count, BATCH)
    ]

    def append() -> None:
        for deeds in batches:
            trail.settle("run-1", deeds)

    return spent(append)


@pytest.mark.bench
def test_entries_are_appended_and_verified_at_the_rates_that_are_promised(tmp_path: Path, capsys: Any) -> None:
    """By the processor's time, so that it can be measured beside others."""
    count = 20_000
    with opened(tmp_path) as store:
        appended(store, BATCH)
        writing = appended(store, count)
        store.audit.seal("run-1")
        found = verdict(store)
        reading = min((spent(lambda: verdict(store)) for _ in range(3)), key=lambda one: one.cpu)
    with capsys.disabled():
        print(f"\nappended {count / writing.seconds:,.0f}/s ({count / writing.cpu:,.0f}/s of processor time)")  # noqa: T201
        read = found.entries
        print(f"verified {read / reading.seconds:,.0f}/s ({read / reading.cpu:,.0f}/s of processor time)")  # noqa: T201
    assert found.whole
    assert count / writing.cpu >= 10_000
    assert found.entries / reading.cpu >= 100_000


@pytest.mark.bench
def test_its_share_of_a_load_is_at_most_15_percent(tmp_path: Path, capsys: Any) -> None:
    with Town(Estate.generate(seed=3, sites=4, devices=1000), InProcess(tmp_path / "home")) as here:
        started = time.perf_counter()
        loaded = here.run("load", "--env", "testing", "--json", timeout=600)
        whole = time.perf_counter() - started
        entries = loaded.document["audit"]["entries"]
        with opened(next(here.run.home.rglob("state.sqlite")).parent) as store:
            share = appended(store, entries).seconds / whole
    with capsys.disabled():
        print(f"\n{entries} entries, {whole:.1f} s, share {share:.1%}")  # noqa: T201
    assert share <= 0.15
