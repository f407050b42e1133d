"""Text of the worst kind, a seeded part of ``python -m tests.trust.hostile``."""

from __future__ import annotations

import pytest

from tests.trust.hostile import WAYS_OUT, active, on_a_terminal, terms_that_leak, texts


def test_a_value_is_the_value_of_one_term_or_is_not_asked_for() -> None:
    """S4: as the sandbox's parser reads it, which shares no code with the builder."""
    asked, wrong = terms_that_leak(seed=11, count=3000)
    assert asked > 1000
    assert wrong == []


@pytest.mark.parametrize("way", WAYS_OUT)
def test_a_name_acts_on_nothing_wherever_it_is_shown(way: str) -> None:
    """S5, S6: no control byte, no live markup, one line of the log per event."""
    assert active(WAYS_OUT[way](list(texts(12, 400)))) == set()


def test_a_terminal_receives_no_control_byte_of_a_name() -> None:
    """S5: what arrives at a pseudo-terminal."""
    assert active(on_a_terminal(seed=13, count=200)) == set()
