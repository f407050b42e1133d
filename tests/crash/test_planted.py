"""Faults planted in the protocol are found by the sweep that finds none in the program (Q17; both: `make crash`)."""

from __future__ import annotations

import shutil

import pytest

from tests.crash.planted import PLANTED, Planted, tried

pytestmark = [
    pytest.mark.skipif(shutil.which("cc") is None, reason="the shim needs a C compiler"),
    pytest.mark.timeout(300),
]


@pytest.mark.parametrize("fault", PLANTED, ids=lambda fault: fault.name)
def test_a_fault_planted_in_the_protocol_is_found_at_once(fault: Planted) -> None:
    assert tried(fault).violations
