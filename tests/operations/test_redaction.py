"""Secrets that the process holds, in whatever form they come back (R5.3, S1)."""

from __future__ import annotations

import json
import textwrap
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from html import escape
from urllib.parse import quote, quote_plus

import pytest

from beast_dream_snow_loader.core.standing import Standing
from beast_dream_snow_loader.redaction import Secret, masked, masked_values, without_password

CANARY = 'k"ey/of+the\\ house<é>&0123456789'

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "url": lambda text: quote(text, safe=""),
    "url in lower case": lambda text: quote(text, safe="").lower() if text == text.lower() else quote(text).lower(),
    "form": quote_plus,
    "json": json.dumps,
    "json in json": lambda text: json.dumps(json.dumps(text)),
    "html": escape,
    "hex": lambda text: text.encode().hex(),
    "wrapped": lambda text: "\n   ".join(textwrap.wrap(text, 7, drop_whitespace=False)),
    "base64 wrapped": lambda text: "\r\n".join(textwrap.wrap(b64encode(text.encode()).decode(), 12)),
    **{f"base64 at {n}": lambda text, n=n: b64encode(b"x" * n + text.encode()).decode() for n in range(3)},
    **{f"url-safe base64 at {n}": lambda t, n=n: urlsafe_b64encode(b"x" * n + t.encode()).decode() for n in range(3)},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_secret_is_masked_in_every_form_it_may_come_back_in(form: Callable[[str], str]) -> None:
    Secret(CANARY)
    told = form(CANARY)
    shown = masked(f"ServiceNow said <<{told}>>")
    assert "[hidden]" in shown
    assert len(shown.replace("[hidden]", "")) < len("ServiceNow said <<>>") + 14  # a few characters of its neighbours


def test_a_document_is_masked_in_its_values_and_keeps_its_names() -> None:
    Secret("status")
    Secret(CANARY)
    document = {"status": "status ok", "rows": [{"message": f"x{CANARY}y"}, None, 3, True]}
    expected = {"status": "[hidden] ok", "rows": [{"message": "x[hidden]y"}, None, 3, True]}
    assert masked_values(document) == expected


def test_what_others_gave_a_name_to_is_masked_also_where_a_document_counts_by_it() -> None:
    Secret(CANARY)
    document = {"inventory": {"sites": Standing(sites={f"{CANARY} (gw-1)": 3, "Attic (gw-1)": 2}).document()["sites"]}}
    assert masked_values(document) == {"inventory": {"sites": {"[hidden] (gw-1)": 3, "Attic (gw-1)": 2}}}


@pytest.mark.parametrize("secret", ["a b c", "    ", "\t \t "])
def test_what_is_left_of_a_secret_without_its_blanks_is_looked_for_only_where_it_is_long_enough(secret: str) -> None:
    Secret(secret)
    told = "the abc\n    of networks"
    assert masked(told) == told


def test_a_document_without_a_secret_is_left_as_it_is() -> None:
    Secret(CANARY)
    document = {"rows": [{"name": "gw-1"}]}
    assert masked_values(document) is document


def test_half_a_character_in_a_secret_breaks_nothing() -> None:
    Secret("half \udc80 a character")
    assert masked("nothing to see") == "nothing to see"


@pytest.mark.parametrize("password", ["plain", "op:/slash", "a/b", "a?b", "a#b", "a@b", "with blank", "[bracket"])
def test_a_password_in_an_address_is_hidden_also_where_it_was_not_escaped(password: str) -> None:
    """R5.3: a parser takes what follows a slash for the path."""
    assert without_password(f"amqp://user:{password}@127.0.0.1/name") == "amqp://user:[hidden]@127.0.0.1/name"


@pytest.mark.parametrize(
    "url", ["https://host:8443/path", "postgresql://user@host/name", "a:b@c", "mailto:x@y", "op://v/i/f"]
)
def test_an_address_without_a_password_is_shown_whole(url: str) -> None:
    assert without_password(url) == url
