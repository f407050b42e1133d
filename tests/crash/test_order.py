"""The order in which a queue is drained is looked at in ServiceNow, and a disorder there is found."""

from __future__ import annotations

import pytest

from tests.crash.order import disorder, out_of_turn, renamed
from tests.crash.sent import Sent

A, B = "device/aa", "device/bb"
EDGE = f"{B} Connects to::Connected by {A}"
NAMES = {A: ["second", "third"]}


def made(key: str, name: str = "first") -> str:
    return f'{key} {{"correlation_id": "{key}", "name": "{name}"}}'


def named(key: str, name: str = "first") -> str:
    """As the end of an edge."""
    return f'{key} {{"name": "{name}"}}'


def sent(*requests: str, run: str = "run-1") -> list[Sent]:
    return [Sent(run=run, things=frozenset(request.split("; "))) for request in requests]


IN_ORDER = [
    *sent(made(A)),
    *sent(f"{made(B)}; {EDGE}; {named(A)}", made(A, "second-2"), made(A, "second-2"), run="run-2"),
    *sent(made(A, "third"), run="run-3"),
]


def test_writes_that_come_as_they_were_queued_are_in_order_also_when_one_comes_again() -> None:
    assert list(disorder(IN_ORDER, NAMES)) == []
    assert renamed(IN_ORDER, NAMES) == 2


@pytest.mark.parametrize("late", [made(A, "second"), named(A), made(A)])
def test_an_older_write_of_a_ci_after_a_newer_is_found(late: str) -> None:
    (found,) = disorder([*IN_ORDER, *sent(late, run="run-4")], NAMES)
    assert found.startswith(f"{A} was sent as")


@pytest.mark.parametrize("early", [EDGE, f"{EDGE}; {made(A)}; {named(B)}", f"{EDGE}; {made(B)}; {named(A)}"])
def test_an_edge_before_one_of_its_ends_is_found(early: str) -> None:
    assert "was drawn before" in next(disorder([*sent(early), *IN_ORDER], NAMES))


def test_a_ci_that_is_sent_before_what_has_waited_longer_is_found_unless_both_were_due() -> None:
    turned = [*sent(made(B)), *sent(made(A), run="run-2")]
    assert list(out_of_turn(turned, [A, B], at_once=1)) == [f"{B} was sent though 1 had waited longer"]
    assert list(out_of_turn(sent(made(B)), [A, B], at_once=1)) == [f"{B} was sent though 1 had waited longer"]
    assert list(out_of_turn(turned, [A, B], at_once=2)) == []
    assert list(out_of_turn(turned, [B, A], at_once=1)) == []
