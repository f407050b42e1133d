"""A year in the life of a CMDB, in short; ``make year`` runs the whole of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.year.simulation import Simulation, kinds

SEED = 9


@pytest.mark.timeout(600)
def test_through_a_year_of_churn_the_cmdb_is_what_it_should_be_after_every_run(tmp_path: Path) -> None:
    """Nothing twice, nothing foreign harmed, no hand edit lost, and each run written but once (L3, L4, Q3)."""
    year = Simulation(tmp_path / "home", seed=SEED, devices=18, clients=4).live(runs=13, events=34)
    told = "\n".join([f"repeat with: make year SEED={SEED}, or seed {SEED} here", *year.problems])
    assert not year.problems, told
    assert kinds() <= set(year.counts), sorted(kinds() - set(year.counts))
