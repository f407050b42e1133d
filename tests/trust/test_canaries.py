"""Canary secrets, a seeded part of ``python -m tests.trust.canaries``."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator

import pytest

from beast_dream_snow_loader.redaction import Secret, masked, masked_values
from tests.trust.canaries import TURNS, drawn, leaks
from tests.trust.shapes import WRITTEN, Search, secrets

COMMANDS = [("load",), ("doctor", "--bundle", "{home}/bundle.zip"), ("config", "show"), ("notify", "test")]


@pytest.mark.parametrize(
    ("turn", "failure", "commands"),
    [
        (1, "broken server", COMMANDS),
        (3, "settings do not parse", COMMANDS),
        (1, "refused by the engine", [("rollback", "{run}")]),
    ],
)
def test_not_a_byte_of_a_secret_comes_out_whatever_fails(
    turn: int, failure: str, commands: list[tuple[str, ...]]
) -> None:
    """S1: stdout, stderr, log, state, report and what children are started with."""
    assert list(leaks(7, turn, failure, commands)) == []


def test_the_turns_of_the_whole_try_try_every_shape() -> None:
    """S1: sixty of them."""
    tried = {number for turn in range(TURNS) for numbers in drawn(turn) for number in numbers}
    assert tried == set(range(len(secrets(7))))


def test_the_search_finds_a_secret_in_every_form_it_looks_for() -> None:
    every = secrets(7)
    assert len(set(every)) == 60
    search = Search(every)
    for secret in every:
        assert search.found(f"x{secret[:6]}\n  {secret[6:]}y".encode())
        assert search.found(secret.encode().hex().encode())
    assert not search.found(b"nothing of the kind, however long this text may be: 0123456789abcdef")


@pytest.mark.parametrize("turn", range(6))
def test_every_shape_is_masked_in_every_form_it_may_come_back_in(turn: int) -> None:
    """R5.3."""
    every = secrets(7)[turn * 10 : turn * 10 + 10]
    search, held = Search(every), [Secret(one) for one in every]
    for one in held:
        for told in (*(encode(one.reveal()) for encode in WRITTEN), *_in_base64(one.reveal())):
            said = f"it said <{told}> and no more"
            assert not search.found(masked(said).encode()), said
            assert not search.found(json.dumps(masked_values({"message": said})).encode()), said


def _in_base64(secret: str) -> Iterator[str]:
    """As a part of something longer."""
    for before in range(3):
        whole = b"." * before + secret.encode() + b"tail"
        yield from (encode(whole).decode() for encode in (b64encode, urlsafe_b64encode))
