"""What messages point to is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_section_of_the_account_guide_that_a_fix_names_exists() -> None:
    sources = (ROOT / "beast_dream_snow_loader").rglob("*.py")
    named = {
        found for file in sources for found in re.findall(r"\{GUIDE\}, ([A-Z][A-Za-z ]+)", file.read_text("utf-8"))
    }
    guide = (ROOT / "docs" / "guides" / "service-account.md").read_text("utf-8")
    headings = set(re.findall(r"^## (.+)$", guide, re.MULTILINE))
    assert len(named) >= 4
    assert named <= headings
