"""A value can never become more than the value of its one term (S4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beast_dream_snow_loader.sandbox.servicenow.encoded_query import Term, parse
from beast_dream_snow_loader.servicenow.query import Query

NASTY = st.text(max_size=30) | st.builds(
    "{}{}{}".format,
    st.text(max_size=5),
    st.sampled_from(
        ["^", "^OR", "^NQ", "=", "IN", "javascript:", "^EQ", "ORDERBY", "@", ",", "STARTSWITH", "\n", "!="]
    ),
    st.text(max_size=5),
)
FIELD = st.sampled_from(["name", "location.name", "serial_number"])


def parsed(encoded: str) -> list[tuple[str, str, str]]:
    """What the sandbox instance reads, which shares no code with the builder: plain conditions, all of them ANDed."""
    query = parse(encoded)
    assert (len(query.branches), query.order, query.unreadable) == (1, (), ())
    terms = []
    for alternatives in query.branches[0]:
        assert len(alternatives) == 1
        assert isinstance(alternatives[0], Term)
        terms.append((alternatives[0].field, alternatives[0].operator, alternatives[0].value))
    return terms


@given(FIELD, NASTY)
def test_equals_is_one_term_with_that_value_or_is_refused(field: str, value: str) -> None:
    try:
        encoded = str(Query().equals(field, value))
    except ValueError:
        refused = "^" in value or not value.strip() or not value.isprintable() or "javascript:" in value.casefold()
        assert refused
        return
    assert parsed(encoded) == [(field, "=", value)]


@given(FIELD, NASTY)
def test_starts_with_and_greater_are_one_term_too(field: str, value: str) -> None:
    for build, operator in ((Query().starts_with, "STARTSWITH"), (Query().greater, ">")):
        try:
            encoded = str(build(field, value))
        except ValueError:
            continue
        assert parsed(encoded) == [(field, operator, value)]


@given(st.lists(NASTY, max_size=4))
def test_in_takes_nothing_that_could_leave_the_list(tokens: list[str]) -> None:
    try:
        encoded = str(Query().is_in("sys_id", tokens))
    except ValueError:
        return
    assert parsed(encoded) == [("sys_id", "IN", ",".join(dict.fromkeys(tokens)))]


@given(st.text(max_size=20))
def test_a_field_name_is_a_field_name(field: str) -> None:
    try:
        encoded = str(Query().equals(field, "x"))
    except ValueError:
        return
    assert parsed(encoded) == [(field, "=", "x")]


@pytest.mark.parametrize(
    "value", ["a^b", "a\nb", "\x00", "javascript:gs.exit()", "  JavaScript:x", "", " ", "\ud800", "a\u2028b"]
)
def test_a_dangerous_value_is_refused(value: str) -> None:
    with pytest.raises(ValueError):
        Query().equals("name", value)


@pytest.mark.parametrize("tokens", [[], [""], ["a,b"], ["STANCEOFcmdb"], ["a b"], ["x^y"]])
def test_in_takes_only_safe_tokens(tokens: list[str]) -> None:
    with pytest.raises(ValueError):
        Query().is_in("sys_id", tokens)


def test_terms_and_orders_are_joined() -> None:
    query = Query().equals("name", "UniFi").is_in("id", ["device/00005e005301"]).order_by("sys_id").order_by("name")
    assert str(query) == "name=UniFi^idINdevice/00005e005301^ORDERBYsys_id^ORDERBYname"


@pytest.mark.parametrize(
    ("row", "holds"),
    [
        ({"name": "UNIFI", "sys_id": "b"}, True),
        ({"name": "unifi x", "sys_id": "b"}, False),
        ({"name": "unifi", "sys_id": "a"}, False),
        ({"sys_id": "b"}, False),
    ],
)
def test_a_row_is_checked_against_every_term(row: dict[str, str], holds: bool) -> None:
    assert Query().equals("name", "UniFi").greater("sys_id", "a").holds(row) is holds
