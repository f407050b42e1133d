"""The page that tells operators what each fault comes to: read by the test, written by ``python -m tests.faults``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.faults.faults import FAULTS
from tests.faults.steps import STEPS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "faults.md"
_FIRST = "| fault |"

Matrix = Mapping[tuple[str, str], str]
"""By fault and step: exit code and what the CMDB was then."""


def expected() -> dict[tuple[str, str], str]:
    """The table of the page."""
    rows = [_cells(line) for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    head, body = rows[0], rows[1:]
    return {(row[0], step): cell for row in body for step, cell in zip(head[1:], row[1:], strict=True)}


def write(found: Matrix) -> None:
    """The table anew; the words around it stay."""
    text = PAGE.read_text()
    before = text[: text.index(_FIRST)]
    after = text[text.index(_FIRST) :].partition("\n\n")[2]
    PAGE.write_text(f"{before}{_table(found)}\n\n{after}".rstrip() + "\n")


def _table(found: Matrix) -> str:
    names = [step.name for step in STEPS]
    rows = ([fault, *(found[fault, name] for name in names)] for fault in FAULTS)
    return "\n".join([_line(["fault", *names]), "|" + "---|" * (len(names) + 1), *map(_line, rows)])


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]
