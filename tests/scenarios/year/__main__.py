"""``python -m tests.scenarios.year --seed 7``: the whole year, and the trace to repeat it when it fails."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.scenarios.year.simulation import Simulation, kinds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--events", type=int, default=20, help="events between two runs")
    asked = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        simulation = Simulation(Path(home), seed=asked.seed, devices=asked.devices, clients=asked.devices // 10)
        year = simulation.live(asked.runs, asked.events)
    seconds = time.monotonic() - started
    print(f"{year.runs} runs, {asked.devices} devices, seed {asked.seed}: {seconds:.0f} seconds")  # noqa: T201
    print(", ".join(f"{name} {count}" for name, count in sorted(year.counts.items())))  # noqa: T201
    never = sorted(kinds() - set(year.counts))
    print("\n".join([*(f"never happened: {name}" for name in never), *year.problems]))  # noqa: T201
    return 1 if never or year.problems else 0


if __name__ == "__main__":
    sys.exit(main())
