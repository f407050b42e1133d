"""What the audit trail costs (R5.2): by `make bench`. Rates are of this machine; the share is a ratio of one run."""

from __future__ import annotations

import time
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


def appended(store: Store, count: int) -> float:
    """Seconds for so many settled entries, each batch in a transaction as durable as any."""
    trail = store.audit.trail(None, "dev1")
    batches = [
        [deed_of((made := change(first + one)), settlement(made).receipt) for one in range(BATCH)]
        for first in range(0, count, BATCH)
    ]
    started = time.perf_counter()
    for deeds in batches:
        trail.settle("run-1", deeds)
    return time.perf_counter() - started


@pytest.mark.bench
def test_entries_are_appended_and_verified_at_the_rates_that_are_promised(tmp_path: Path, capsys: Any) -> None:
    with opened(tmp_path) as store:
        appended(store, BATCH)
        writing = 20_000 / appended(store, 20_000)
        store.audit.seal("run-1")
        started = time.perf_counter()
        found = verdict(store)
        reading = found.entries / (time.perf_counter() - started)
    with capsys.disabled():
        print(f"\nappended {writing:,.0f}/s, verified {reading:,.0f}/s")  # noqa: T201
    assert found.whole
    assert writing >= 10_000
    assert reading >= 100_000


@pytest.mark.bench
def test_its_share_of_a_load_is_at_most_15_percent(tmp_path: Path, capsys: Any) -> None:
    with Town(Estate.generate(seed=3, sites=4, devices=1000), InProcess(tmp_path / "home")) as here:
        started = time.perf_counter()
        loaded = here.run("load", "--env", "testing", "--json", timeout=600)
        whole = time.perf_counter() - started
        entries = loaded.document["audit"]["entries"]
        with opened(next(here.run.home.rglob("state.sqlite")).parent) as store:
            share = appended(store, entries) / whole
    with capsys.disabled():
        print(f"\n{entries} entries, {whole:.1f} s, share {share:.1%}")  # noqa: T201
    assert share <= 0.15
