"""Controls taken out, a part of ``python -m tests.trust.controls``; and the page that lists them."""

from __future__ import annotations

import pytest

from tests.crash.harness import ROOT
from tests.crash.planted import PACKAGE
from tests.trust.controls import CONTROLS, PAGE, page, unnoticed

CHEAP = [one for one in CONTROLS if one.items[0] in ("1.3.6",)]


@pytest.mark.parametrize("control", CHEAP, ids=lambda one: one.items[0])
def test_a_control_that_is_taken_out_is_missed(control: object) -> None:
    """S14."""
    assert unnoticed(control) == ""  # type: ignore[arg-type]


def test_every_control_is_there_to_be_taken_out_and_its_test_to_miss_it() -> None:
    for one in CONTROLS:
        text = (ROOT / PACKAGE / one.edit.module).read_text("utf-8")
        assert text.count(one.edit.old) == 1, one.edit
        file, _, name = one.test.partition("::")
        assert f"def {name.partition('[')[0]}(" in (ROOT / file).read_text("utf-8"), one.test


def test_the_page_lists_the_controls_there_are() -> None:
    assert PAGE.read_text("utf-8") == page()
