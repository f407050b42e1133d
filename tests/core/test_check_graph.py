"""Checks that stand on each other: what cannot be is refused when they are put together (X7)."""

from __future__ import annotations

import pytest

from beast_dream_snow_loader.core.check_graph import CheckGraph, CheckNode

ROOF = (
    CheckNode(name="roof", parents=("wall",)),
    CheckNode(name="wall", parents=("ground",)),
    CheckNode(name="ground"),
    CheckNode(name="tile[left]", parents=("roof",), deep=True),
    CheckNode(name="fence", parents=("ground",), after=("roof",)),
)


def names(*only: str, deep: bool = False) -> list[str]:
    return [node.name for node in CheckGraph(ROOF).chosen(only, deep=deep)]


def test_each_check_stands_under_its_first_parent_whatever_the_order_they_were_named_in() -> None:
    assert names() == ["ground", "wall", "roof", "fence"]
    assert names(deep=True) == ["ground", "wall", "roof", "tile[left]", "fence"]


def test_one_check_or_kind_brings_all_it_stands_on_and_nothing_it_only_waits_for() -> None:
    assert names("wall") == ["ground", "wall"]
    assert names("tile") == ["ground", "wall", "roof", "tile[left]"]
    assert names("fence") == ["ground", "fence"]


@pytest.mark.parametrize(
    "nodes",
    [
        (CheckNode(name="a"), CheckNode(name="a")),
        (CheckNode(name="a", parents=("b",)),),
        (CheckNode(name="a", after=("b",)),),
        (CheckNode(name="a", parents=("a",)),),
        (CheckNode(name="a", parents=("b",)), CheckNode(name="b", parents=("c",)), CheckNode(name="c", after=("a",))),
    ],
    ids=["twice", "no parent", "nothing to wait for", "itself", "a circle"],
)
def test_checks_that_cannot_be_put_in_order_are_refused(nodes: tuple[CheckNode, ...]) -> None:
    with pytest.raises(ValueError, match=r"same name|stand on|cycle"):
        CheckGraph(nodes)
