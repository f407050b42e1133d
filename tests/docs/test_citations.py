"""What code, scenarios and documents cite by number is written down where the citation leads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_PLACES = ("beast_dream_snow_loader", "tests", "docs", "README.md", "CHANGELOG.md", "AGENTS.md", "Makefile")
_KINDS = {".py", ".md", ".toml"}
PAPERS = {"cmdb-model": "cmdb-rules", "servicenow-api": "servicenow-facts", "unifi-api": "unifi-facts"}
_NUMBER = re.compile(r"(?<![\w.-])[RLXVPQS]\d{1,2}(?:\.\d)?(?![\w.-]*\w)")


def texts() -> Iterator[tuple[str, str]]:
    for place in _PLACES:
        root = ROOT / place
        for file in [root] if root.is_file() else sorted(root.rglob("*")):
            if file.is_file() and file.suffix in _KINDS and file != Path(__file__):
                yield str(file.relative_to(ROOT)), file.read_text("utf-8")


def cited(paper: str) -> set[str]:
    """``cmdb-model 2.4``, ``cmdb-model 6.5, 6.6``, ``cmdb-model 2.4 and 2.6``, ``6.4-6.6``."""
    found: set[str] = set()
    one = r"\d{1,2}(?:\.\d{1,2})?"
    for _, text in texts():
        for run in re.findall(rf"{paper} ({one}(?:(?:, | and | to |-)\d{{1,2}}\.\d{{1,2}})*)", text):
            found.update(re.findall(one, run))
    return found


@pytest.mark.parametrize("paper", PAPERS)
def test_every_section_that_is_cited_exists(paper: str) -> None:
    page = (ROOT / "docs" / "reference" / f"{PAPERS[paper]}.md").read_text("utf-8")
    headings = set(re.findall(r"^#+ (\d[\d.]*) ", page, re.MULTILINE))
    assert len(cited(paper)) > 10
    assert cited(paper) <= headings


def test_every_requirement_that_is_cited_is_listed() -> None:
    page = (ROOT / "docs" / "reference" / "requirements.md").read_text("utf-8")
    listed = set(_NUMBER.findall(page)) | set(re.findall(r"^\| ([A-Z]\d+) \|", page, re.MULTILINE))
    named = {
        number for file, text in texts() if file.endswith((".py", ".md")) for number in _NUMBER.findall(docs_of(text))
    }
    assert len(named) > 30
    assert named <= listed


def test_every_rule_of_the_house_that_is_cited_is_numbered() -> None:
    page = (ROOT / "docs" / "explanation" / "house.md").read_text("utf-8")
    rules = set(re.findall(r"^(\d+)\. ", page, re.MULTILINE))
    named = {number for _, text in texts() for number in re.findall(r"house rule (\d+)", text)}
    assert named
    assert named <= rules


def test_every_link_between_the_documents_leads_somewhere() -> None:
    broken = [
        f"{file}: {target}"
        for file, text in texts()
        if file.endswith(".md")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
        if not ((ROOT / file).parent / target).exists()
    ]
    assert not broken


def docs_of(text: str) -> str:
    """Only what is said: comments, docstrings and prose; a serial number in a test is no requirement."""
    return re.sub(r'(?<!")"[^"\n]*"(?!")', "", text)
