"""Programs that are not ours and that a test needs."""

from __future__ import annotations

import os
import shutil

import pytest


def program(*names: str) -> str:
    """The first of them that this machine has. A laptop without one skips, visibly; continuous integration has one."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        assert os.environ.get("CI") != "true", f"continuous integration must have {names[0]}"
        pytest.skip(f"no {names[0]} on this machine")
    return found
