"""As much of PromQL as our rules and panels use, to be parsed and evaluated without a server.

What it does not know it refuses: a rule that nobody evaluates is a rule that nobody tested.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]
LOOKBACK = 300.0
"""Seconds for which a sample counts, as in Prometheus."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)(?![\w.])|(?P<range>\[\d+[smhdw]\])|(?P<word>[a-zA-Z_:][\w:]*)"
    r'|(?P<string>"[^"\\]*")|(?P<sign>=~|!~|==|!=|>=|<=|[><=+\-*/(){},]))'
)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_AGGREGATE: Mapping[str, Callable[[Sequence[float]], float]] = {"sum": sum, "max": max, "min": min}


class Unknown(ValueError):
    """What this evaluator does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series over time, oldest first."""

    name: str
    labels: Labels
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Number:
    value: float


@dataclass(frozen=True, slots=True)
class Now:
    """``time()``."""


@dataclass(frozen=True, slots=True)
class Selector:
    name: str
    matchers: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Average:
    """``avg_over_time(selector[range])``."""

    of: Selector
    seconds: float


@dataclass(frozen=True, slots=True)
class Aggregate:
    how: str
    by: tuple[str, ...]
    of: Node


@dataclass(frozen=True, slots=True)
class Binary:
    sign: str
    left: Node
    right: Node


Node = Number | Now | Selector | Average | Aggregate | Binary


def seconds(duration: str) -> float:
    """``10m`` → 600."""
    return float(duration[:-1]) * _SECONDS[duration[-1]]


def parse(text: str) -> Node:
    """Raises Unknown with what could not be read."""
    parser = _Parser(list(_tokens(text)))
    node = parser.expression()
    if parser.left:
        raise Unknown(f"{parser.left[0][1]!r} in {text!r}")
    return node


def selectors(node: Node) -> Iterator[Selector]:
    if isinstance(node, Selector):
        yield node
    elif isinstance(node, Average | Aggregate):
        yield from selectors(node.of)
    elif isinstance(node, Binary):
        yield from selectors(node.left)
        yield from selectors(node.right)


def groupings(node: Node) -> Iterator[Aggregate]:
    if isinstance(node, Aggregate):
        yield node
        yield from groupings(node.of)
    elif isinstance(node, Binary):
        yield from groupings(node.left)
        yield from groupings(node.right)


def evaluate(node: Node, history: Sequence[Series], at: float) -> Vector | float:
    """A number, or a value for each set of labels."""
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Now):
        return at
    if isinstance(node, Selector):
        return _instant(node, history, at)
    if isinstance(node, Average):
        return _average(node, history, at)
    if isinstance(node, Aggregate):
        return _aggregate(node, evaluate(node.of, history, at))
    return _binary(node.sign, evaluate(node.left, history, at), evaluate(node.right, history, at))


def fires(node: Node, history: Sequence[Series], *, at: float, lasting: float, step: float) -> set[Labels]:
    """The label sets for which the expression has held at every step of so many seconds."""
    moment, firing = at, _present(node, history, at)
    while firing and moment > at - lasting:
        moment -= step
        firing &= _present(node, history, moment)
    return firing


def _present(node: Node, history: Sequence[Series], at: float) -> set[Labels]:
    found = evaluate(node, history, at)
    if isinstance(found, float | int):
        raise Unknown("an alert on a number alone")
    return set(found)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    place, text = 0, text.strip()
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise Unknown(f"{text[place:]!r} in {text!r}")
        yield str(found.lastgroup), found.group().strip()
        place = found.end()


@dataclass(slots=True)
class _Parser:
    left: list[tuple[str, str]] = field(default_factory=list)

    def expression(self) -> Node:
        """``and`` binds least, then comparison, sum, product."""
        return self._chain(("and",), self._comparison)

    def _comparison(self) -> Node:
        return self._chain(tuple(_COMPARE), self._sum)

    def _sum(self) -> Node:
        return self._chain(("+", "-"), self._product)

    def _product(self) -> Node:
        return self._chain(("*", "/"), self._primary)

    def _chain(self, signs: tuple[str, ...], below: Callable[[], Node]) -> Node:
        node = below()
        while self.left and self.left[0][1] in signs:
            sign = self.left.pop(0)[1]
            node = Binary(sign, node, below())
        return node

    def _primary(self) -> Node:
        if not self.left:
            raise Unknown("an end too soon")
        kind, text = self.left.pop(0)
        if kind == "number":
            return Number(float(text))
        if text == "(":
            node = self.expression()
            self._expect(")")
            return node
        if kind != "word":
            raise Unknown(text)
        return self._named(text)

    def _named(self, name: str) -> Node:
        if name == "time":
            self._expect("(")
            self._expect(")")
            return Now()
        if name == "avg_over_time":
            return self._averaged()
        if name in _AGGREGATE:
            return self._aggregated(name)
        if self.left and self.left[0][1] == "(":
            raise Unknown(f"the function {name}")
        return self._selected(name)

    def _selected(self, name: str) -> Selector:
        matchers = []
        if self.left and self.left[0][1] == "{":
            self._expect("{")
            while self.left and self.left[0][1] != "}":
                label, sign, value = (self.left.pop(0)[1] for _ in range(3))
                if sign not in ("=", "!=", "=~", "!~") or not value.startswith('"'):
                    raise Unknown(f"{label}{sign}{value}")
                matchers.append((label, sign, value.strip('"')))
                if self.left and self.left[0][1] == ",":
                    self._expect(",")
            self._expect("}")
        return Selector(name, tuple(matchers))

    def _averaged(self) -> Average:
        self._expect("(")
        of = self._selected(self.left.pop(0)[1])
        kind, text = self.left.pop(0)
        if kind != "range":
            raise Unknown(text)
        self._expect(")")
        return Average(of, seconds(text.strip("[]")))

    def _aggregated(self, how: str) -> Aggregate:
        """Only with ``by`` in front: what is not said to be kept is easily lost unseen."""
        self._expect("by")
        self._expect("(")
        by = []
        while self.left and self.left[0][1] != ")":
            by.append(self.left.pop(0)[1])
            if self.left and self.left[0][1] == ",":
                self._expect(",")
        self._expect(")")
        self._expect("(")
        node = self.expression()
        self._expect(")")
        return Aggregate(how, tuple(by), node)

    def _expect(self, text: str) -> None:
        found = self.left.pop(0)[1] if self.left else "the end"
        if found != text:
            raise Unknown(f"{found} for {text}")


def _matching(selector: Selector, history: Sequence[Series]) -> Iterator[Series]:
    for series in history:
        labels = dict(series.labels)
        if series.name == selector.name and all(
            _holds(labels.get(name, ""), *rest) for name, *rest in selector.matchers
        ):
            yield series


def _holds(value: str, sign: str, wanted: str) -> bool:
    same = re.fullmatch(wanted, value) is not None if sign.endswith("~") else value == wanted
    return same != sign.startswith("!")


def _instant(selector: Selector, history: Sequence[Series], at: float) -> Vector:
    found: Vector = {}
    for series in _matching(selector, history):
        latest = [value for moment, value in series.points if at - LOOKBACK < moment <= at]
        if latest:
            found[series.labels] = latest[-1]
    return found


def _average(node: Average, history: Sequence[Series], at: float) -> Vector:
    found: Vector = {}
    for series in _matching(node.of, history):
        values = [value for moment, value in series.points if at - node.seconds < moment <= at]
        if values:
            found[series.labels] = sum(values) / len(values)
    return found


def _aggregate(node: Aggregate, found: Vector | float) -> Vector:
    if not isinstance(found, dict):
        raise Unknown(f"{node.how} of a number")
    groups: dict[Labels, list[float]] = {}
    for labels, value in found.items():
        groups.setdefault(frozenset(one for one in labels if one[0] in node.by), []).append(value)
    return {labels: _AGGREGATE[node.how](values) for labels, values in groups.items()}


def _binary(sign: str, left: Vector | float, right: Vector | float) -> Vector | float:
    if sign == "and":
        if not isinstance(left, dict) or not isinstance(right, dict):
            raise Unknown("and of numbers")
        return {labels: value for labels, value in left.items() if labels in right}
    if not isinstance(left, dict) and not isinstance(right, dict):
        if sign in _COMPARE:
            raise Unknown("a comparison of numbers")
        return _ARITHMETIC[sign](left, right)
    pairs = list(_paired(left, right))
    if sign in _COMPARE:
        return {labels: (a if isinstance(left, dict) else b) for labels, a, b in pairs if _COMPARE[sign](a, b)}
    return {labels: _ARITHMETIC[sign](a, b) for labels, a, b in pairs}


def _paired(left: Vector | float, right: Vector | float) -> Iterator[tuple[Labels, float, float]]:
    """One to one, by all labels."""
    every = left if isinstance(left, dict) else right if isinstance(right, dict) else {}
    for labels in every:
        a = left.get(labels) if isinstance(left, dict) else left
        b = right.get(labels) if isinstance(right, dict) else right
        if a is not None and b is not None:
            yield labels, a, b
