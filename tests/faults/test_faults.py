"""Every fault of the sandbox at every step of a load ends as docs/reference/faults.md says (R2, R6, Q8)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from beast_dream_snow_loader.sandbox.faults import Effect
from tests.faults.faults import FAULTS
from tests.faults.page import expected
from tests.faults.steps import STEPS, Step
from tests.faults.trial import Trials

LASTING = [name for name in FAULTS if name.endswith(", for good")]
PASSING = [name for name in FAULTS if name not in LASTING]
SHIFT = 4
"""So that no step gets one fault both ways."""


@pytest.fixture(params=STEPS, ids=[step.name for step in STEPS])
def step(request: pytest.FixtureRequest) -> Step:
    found: Step = request.param
    return found


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    with Trials(tmp_path_factory.mktemp("faults")) as town:
        town.first()
        yield town


def test_a_fault_ends_a_load_as_told_and_the_next_load_mends_it(trials: Trials, step: Step) -> None:
    """Each fault at one step, each step with a few: the whole of the matrix is ``python -m tests.faults``."""
    place, count = STEPS.index(step), len(STEPS)
    _as_told(trials, step, [*LASTING[place::count], *PASSING[(place + SHIFT) % count :: count]])


def test_the_page_tells_of_every_effect_of_the_sandbox_at_every_step() -> None:
    assert {fault.effect for fault in FAULTS.values()} == set(Effect)
    assert expected().keys() == {(fault, step.name) for fault in FAULTS for step in STEPS}


def _as_told(trials: Trials, step: Step, names: list[str]) -> None:
    told = expected()
    found = {name: str(trials.try_one(step, FAULTS[name])) for name in names}
    assert found == {name: told[name, step.name] for name in names}
