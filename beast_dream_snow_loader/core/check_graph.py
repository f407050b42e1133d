"""Which check stands on which: one that fails explains those that stand on it (X7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter


def named(kind: str, subject: str) -> str:
    """The check of a ``kind`` that is made of one of many: ``unifi.clock[site-manager]``. Of no subject: the kind."""
    return f"{kind}[{subject}]" if subject else kind


def kind_of(name: str) -> str:
    return name.partition("[")[0]


def subject_of(name: str) -> str:
    """Empty where there is one only."""
    return name.partition("[")[2].removesuffix("]")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckNode:
    """``parents`` must not fail, or this check is not made; for those in ``after`` it only waits. ``deep``: made only
    when a deep look or this very check is asked for. Checks of one ``kind`` are told apart by what stands in brackets:
    ``unifi.clock[site-manager]``."""

    name: str
    parents: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    deep: bool = False

    @property
    def kind(self) -> str:
        return kind_of(self.name)

    def called(self, names: Iterable[str]) -> bool:
        return bool({self.name, self.kind} & set(names))


class CheckGraph:
    """ValueError when a name is there twice, a parent is not there, or checks wait for each other in a circle."""

    def __init__(self, nodes: Iterable[CheckNode]) -> None:
        self._nodes = list(nodes)
        self._by_name = {node.name: node for node in self._nodes}
        if len(self._by_name) < len(self._nodes):
            raise ValueError("two checks have the same name")
        before = {node.name: (*node.parents, *node.after) for node in self._nodes}
        unknown = sorted({name for names in before.values() for name in names} - set(before))
        if unknown:
            raise ValueError(f"there is no check {', '.join(unknown)} to stand on")
        TopologicalSorter(before).prepare()

    def chosen(self, names: Sequence[str] = (), *, deep: bool = False) -> list[CheckNode]:
        """The checks of a name or a kind (all when none is named; then deep ones only with ``deep``) and all that they
        stand on, each under its first parent."""
        if names:
            wanted = [node.name for node in self._nodes if node.called(names)]
        else:
            wanted = [node.name for node in self._nodes if deep or not node.deep]
        needed = self.with_parents(wanted)
        roots = [node for node in self._nodes if not node.parents]
        return [node for root in roots for node in self._under(root) if node.name in needed]

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Those that are neither a name nor a kind."""
        there = set(self._by_name) | {node.kind for node in self._nodes}
        return sorted(set(names) - there)

    def with_parents(self, names: Iterable[str]) -> set[str]:
        """These checks and all that they stand on."""
        waiting, needed = list(names), set[str]()
        while waiting:
            name = waiting.pop()
            if name not in needed:
                needed.add(name)
                waiting.extend(self._by_name[name].parents)
        return needed

    def _under(self, node: CheckNode) -> Iterator[CheckNode]:
        yield node
        for other in self._nodes:
            if other.parents[:1] == (node.name,):
                yield from self._under(other)
