"""A process that loads again and again keeps its memory and its open files (Q19; 1,000 loads: `make leaks`)."""

from __future__ import annotations

import pytest

from tests.crash.leaks import growth, loads

pytestmark = pytest.mark.timeout(300)
WARM_UP, LOADS, KIB = 5, 12, 1024


def test_loads_in_one_process_leave_no_file_open_and_no_megabyte_behind() -> None:
    seen = loads(LOADS)[WARM_UP:]
    assert seen[-1].files <= max(one.files for one in seen[:3])
    assert growth(seen) < KIB
