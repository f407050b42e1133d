"""Documentation made from the code is the code's."""

from __future__ import annotations

import pytest

from tests.docs.reference import PAGES, PLACE


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_reference_page_says_what_the_code_does(name: str) -> None:
    """`make docs` rewrites the pages."""
    assert (PLACE / name).read_text(encoding="utf-8") == PAGES[name]()
