"""The matrix found by trying, and written into its page: ``python -m tests.faults --write``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.faults.faults import FAULTS
from tests.faults.page import expected, write
from tests.faults.steps import STEPS, Step
from tests.faults.trial import Trials


def tried(step: Step) -> dict[tuple[str, str], str]:
    """Every fault at one step."""
    with tempfile.TemporaryDirectory() as home, Trials(Path(home)) as trials:
        trials.first()
        return {(name, step.name): _tried(trials, step, name) for name in FAULTS}


def _tried(trials: Trials, step: Step, name: str) -> str:
    try:
        return str(trials.try_one(step, FAULTS[name]))
    except AssertionError as error:
        return f"WRONG: {error}"


def _differences(found: dict[tuple[str, str], str]) -> Iterator[str]:
    told = expected()
    for (fault, step), cell in found.items():
        if told.get((fault, step)) != cell:
            yield f"{fault} at {step}: {cell}; the page says {told.get((fault, step), 'nothing')}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="into the page, when nothing is wrong")
    asked = parser.parse_args()
    with ProcessPoolExecutor() as pool:
        found = {place: cell for part in pool.map(tried, STEPS) for place, cell in part.items()}
    wrong = [f"{place}: {cell}" for place, cell in found.items() if cell.startswith("WRONG")]
    differ = wrong or ([] if asked.write else list(_differences(found)))
    sys.stdout.writelines(f"{line}\n" for line in differ)
    if asked.write and not wrong:
        write(found)
    sys.stdout.write(f"{len(found)} cells, {len(differ)} to look at\n")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
