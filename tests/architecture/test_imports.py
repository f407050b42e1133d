"""A module of tests is no library: what several need has a module of its own (R9)."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def test_no_test_module_is_imported_by_another() -> None:
    files = sorted(TESTS.rglob("*.py"))
    assert len(files) > 100
    importing = re.compile(r"^\s*(?:from|import) (?:tests\S*\.)?test_\w+", re.MULTILINE)
    assert [str(file.relative_to(TESTS)) for file in files if importing.search(file.read_text("utf-8"))] == []
