"""What goes into the state comes out as the same value."""

from __future__ import annotations

import string
from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beast_dream_snow_loader.core.changes import ChangeType, ItemChange, LinkChange, UnlinkChange
from beast_dream_snow_loader.core.facts import InstanceFacts
from beast_dream_snow_loader.core.findings import Finding
from beast_dream_snow_loader.core.identity import Fingerprint, SourceKey, SysId
from beast_dream_snow_loader.core.known import Candidate, Held, KnownItem, KnownRelation
from beast_dream_snow_loader.core.receipts import Receipt
from beast_dream_snow_loader.core.remembered import Part
from beast_dream_snow_loader.errors import StateDamaged, StateError
from beast_dream_snow_loader.state.codec import (
    decode,
    decode_change,
    decode_document,
    encode,
    encode_change,
    encode_document,
    pack,
    unpack,
)

HEX = "0123456789abcdef"
st.register_type_strategy(
    SourceKey,
    st.builds(SourceKey, st.sampled_from(["device", "client"]), st.text(HEX, min_size=12, max_size=12)),
)
st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))
st.register_type_strategy(SysId, st.text(HEX, min_size=32, max_size=32).map(SysId))
st.register_type_strategy(Fingerprint, st.text(HEX, min_size=64, max_size=64).map(Fingerprint))
CHANGES = {
    ItemChange: st.builds(
        ItemChange, type=st.sampled_from([ChangeType.CREATE, ChangeType.HEARTBEAT, ChangeType.RETIRE])
    ),
    LinkChange: st.builds(LinkChange),
    UnlinkChange: st.builds(UnlinkChange),
}
STORED = [
    ItemChange,
    LinkChange,
    UnlinkChange,
    Part,
    InstanceFacts,
    Candidate,
    Held,
    KnownItem,
    KnownRelation,
    Receipt,
    Finding,
]
few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("kind", STORED, ids=lambda kind: kind.__name__)
def test_every_stored_type_makes_the_round_trip(kind):
    reached = Counter()

    @few
    @given(st.from_type(kind))
    def round_trip(value):
        text = encode(kind, value)
        again = decode(kind, text)
        assert again == value
        assert encode(kind, again) == text or kind in (Part, InstanceFacts)  # sets have no order
        reached["values"] += 1

    round_trip()
    assert reached["values"] >= 50


@pytest.mark.parametrize("kind", CHANGES, ids=lambda kind: kind.__name__)
def test_a_change_comes_back_as_the_kind_it_was(kind):
    reached = Counter()

    @few
    @given(CHANGES[kind])
    def round_trip(change):
        again = decode_change(encode_change(change), change.type)
        assert again == change
        assert again.subject == change.subject
        reached[type(again)] += 1

    round_trip()
    assert reached[kind] >= 50


@few
@given(st.from_type(Part))
def test_a_packed_snapshot_of_a_console_comes_back(part):
    assert unpack(Part, pack(Part, part)) == part


numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
documents = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(string.ascii_letters), inner, max_size=4),
    max_leaves=20,
)


@few
@given(st.dictionaries(st.text(), documents, max_size=5))
def test_a_report_comes_back(document):
    assert decode_document(encode_document(document)) == document


@few
@given(st.binary())
def test_whatever_bytes_the_disk_gives_back_the_answer_is_a_value_or_damage(junk):
    for read in (lambda: decode(ItemChange, junk), lambda: unpack(Part, junk)):
        with pytest.raises(StateDamaged):
            read()


def test_a_value_stored_by_another_release_reads_with_defaults_and_without_what_is_unknown():
    assert decode(Finding, '{"record": "r", "rule": "n", "severity": "info", "message": "m", "later": 1}').field == ""


def test_text_that_no_json_can_carry_is_refused_with_the_next_step():
    with pytest.raises(StateError, match="not valid Unicode"):
        encode(Candidate, Candidate(sys_id="1", name="\ud800"))
