"""The encoded query of ServiceNow, read into values: ``^`` is AND, ``^OR`` binds tighter, ``^NQ`` starts anew.

There is no escape for ``^``: a value that holds one is cut there, and what follows is read as the next term.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# Longest first, so that INSTANCEOF is not read as IN.
OPERATORS = (
    "DOES NOT CONTAIN", "EMPTYSTRING", "INSTANCEOF", "ISNOTEMPTY", "RELATIVEGT", "RELATIVELT", "RELATIVEGE",
    "RELATIVELE", "RELATIVEEE", "STARTSWITH", "ANYTHING", "CONTAINS", "DATEPART", "ENDSWITH", "LESSTHAN", "MORETHAN",
    "NOT LIKE", "BETWEEN", "DYNAMIC", "ISEMPTY", "NSAMEAS", "NOT IN", "NOTON", "SAMEAS", "LIKE", "IN", "ON", "!=",
    "!*", "<=", ">=", "*", "%", "<", "=", ">",
)  # fmt: skip
_TERM = re.compile("([a-z0-9_.]+)(" + "|".join(re.escape(operator) for operator in OPERATORS) + ")(.*)", re.DOTALL)
_JOIN = re.compile(r"JOIN(\w+)\.(\w+)=(\w+)\.(\w+)!?(.*)", re.DOTALL)
_RELATED = re.compile(r"RLQUERY(\w+)\.(\w+),(>=|<=|!=|=|>|<)(\d+)(?:,m2m)?", re.DOTALL)
_END_RELATED = "ENDRLQUERY"


@dataclass(frozen=True, slots=True)
class Term:
    """One condition. ``field`` may walk references: ``location.parent.name``."""

    field: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class Joined:
    """Rows for which a number of rows of another table refer to ``field``: JOIN and RLQUERY."""

    field: str
    table: str
    element: str
    comparison: str
    number: int
    condition: EncodedQuery


Alternatives = tuple[Term | Joined, ...]
"""Conditions of which one has to hold."""

Conjunction = tuple[Alternatives, ...]


@dataclass(frozen=True, slots=True)
class EncodedQuery:
    """``branches`` are the ``^NQ`` parts. ``unreadable`` are pieces that are no condition at all."""

    branches: tuple[Conjunction, ...] = ((),)
    order: tuple[tuple[str, bool], ...] = ()
    unreadable: tuple[str, ...] = ()


class _Reader:
    def __init__(self) -> None:
        self.branches: list[list[list[Term | Joined]]] = [[]]
        self.order: list[tuple[str, bool]] = []
        self.unreadable: list[str] = []

    def read(self, pieces: list[str]) -> None:
        position = 0
        while position < len(pieces):
            position = self._take(pieces, position)

    def _take(self, pieces: list[str], position: int) -> int:
        piece = pieces[position]
        if piece.startswith("RLQUERY"):
            return self._related(pieces, position)
        if piece.startswith("JOIN"):
            return self._join(pieces, position)
        self._piece(piece)
        return position + 1

    def _piece(self, piece: str) -> None:
        if not piece or piece == "EQ" or piece.startswith("GROUPBY"):
            return
        if piece.startswith("ORDERBY"):
            descending = piece.startswith("ORDERBYDESC")
            self.order.append((piece.removeprefix("ORDERBYDESC" if descending else "ORDERBY"), descending))
        elif piece.startswith("NQ"):
            self.branches.append([])
            self._piece(piece.removeprefix("NQ"))
        elif piece.startswith("OR"):
            self._condition(piece.removeprefix("OR"), alternative=True)
        else:
            self._condition(piece, alternative=False)

    def _condition(self, text: str, *, alternative: bool) -> None:
        match = _TERM.fullmatch(text)
        if match is None:
            self.unreadable.append(text)
            return
        self._add(Term(*match.groups()), alternative=alternative)

    def _add(self, condition: Term | Joined, *, alternative: bool = False) -> None:
        branch = self.branches[-1]
        if alternative and branch:
            branch[-1].append(condition)
        else:
            branch.append([condition])

    def _related(self, pieces: list[str], position: int) -> int:
        end = pieces.index(_END_RELATED, position) if _END_RELATED in pieces[position:] else len(pieces)
        match = _RELATED.match(pieces[position])
        if match is None:
            self.unreadable.append(pieces[position])
        else:
            table, element, comparison, number = match.groups()
            inner = _parse_pieces(pieces[position + 1 : end])
            self._add(Joined("sys_id", table, element, comparison, int(number), inner))
        return end + 1

    def _join(self, pieces: list[str], position: int) -> int:
        """The condition behind ``!`` reaches to the next join, the next ``^NQ`` or the order."""
        end = position + 1
        while end < len(pieces) and not pieces[end].startswith(("JOIN", "NQ", "ORDERBY", "RLQUERY")):
            end += 1
        match = _JOIN.fullmatch(pieces[position])
        if match is None:
            self.unreadable.append(pieces[position])
        else:
            _, field, table, element, first = match.groups()
            inner = _parse_pieces([first, *pieces[position + 1 : end]])
            self._add(Joined(field, table, element, ">", 0, inner))
        return end


def parse(text: str) -> EncodedQuery:
    """Never fails: what cannot be read is listed, as the product ignores it."""
    return _parse_pieces(text.split("^"))


def _parse_pieces(pieces: Iterable[str]) -> EncodedQuery:
    reader = _Reader()
    reader.read(list(pieces))
    branches = tuple(tuple(tuple(group) for group in branch) for branch in reader.branches)
    return EncodedQuery(branches, tuple(reader.order), tuple(reader.unreadable))
