"""Canary secrets, a seeded part of ``python -m tests.trust.canaries``."""

from __future__ import annotations

import pytest

from tests.trust.canaries import leaks
from tests.trust.shapes import Search, secrets


@pytest.mark.parametrize(("turn", "failure"), [(1, "broken server"), (3, "settings do not parse")])
def test_not_a_byte_of_a_secret_comes_out_whatever_fails(turn: int, failure: str) -> None:
    """S1: stdout, stderr, log, state, report and what children are started with."""
    commands = [
        ("load",),
        ("doctor", "--bundle", "{home}/bundle.zip"),
        ("config", "show"),
    ]
    assert list(leaks(7, turn, failure, commands)) == []


def test_the_search_finds_a_secret_in_every_form_it_looks_for() -> None:
    every = secrets(7)
    assert len(set(every)) == 60
    search = Search(every)
    for secret in every:
        assert search.found(f"x{secret[:6]}\n  {secret[6:]}y".encode())
        assert search.found(secret.encode().hex().encode())
    assert not search.found(b"nothing of the kind, however long this text may be: 0123456789abcdef")
