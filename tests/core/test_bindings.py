"""A binding is the operator's word: read strictly, followed once, never stretched (cmdb-model 2.4)."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beast_dream_snow_loader.core.bindings import objection, parse_key, read_bindings, review
from beast_dream_snow_loader.core.identity import SourceKey, SysId
from beast_dream_snow_loader.core.known import Candidate, KnownItem, KnownState
from beast_dream_snow_loader.errors import ConfigurationError

KEY, OTHER = SourceKey("device", "00005e005302"), SourceKey("device", "00005e005303")
X, Y = SysId("1" * 32), SysId("2" * 32)


@pytest.mark.parametrize(
    "text",
    ["device/00005e005302", "00:00:5E:00:53:02", "00-00-5e-00-53-02", "0000.5e00.5302", " Device/00:00:5e:00:53:02 "],
)
def test_any_usual_spelling_of_a_mac_is_a_device(text: str) -> None:
    assert parse_key(text) == KEY
    assert read_bindings({text: X.upper()}) == {KEY: X}


def test_a_client_is_named_as_one() -> None:
    assert parse_key("client/00:00:5e:00:53:02") == SourceKey("client", KEY.mac)


def test_every_line_that_cannot_be_meant_is_told_at_once() -> None:
    lines = {"console/00005e005302": X, "nonsense": X, str(KEY): "short", "00:00:5e:00:53:03": X, str(OTHER): Y}
    with pytest.raises(ConfigurationError) as raised:
        read_bindings(lines)
    assert len(raised.value.problems) == 4
    assert "bound to another CI by an earlier line" in raised.value.problems[-1]


_RECORD = st.sampled_from(
    ["", "device/", "client/", "Device/", " CLIENT/", "console/", "device", "/", "device/device/"]
)
_PAIR = st.sampled_from(["00", "5e", "5E", "02", "aC"])
_ODD = st.sampled_from(["", "0", "000", "fg", "\uff11\uff11", "\u0665\u0665", "0 0", "\u200b00", "0x"])
_DIGITS = st.one_of(st.lists(_PAIR, min_size=6, max_size=6), st.lists(_PAIR | _ODD, min_size=5, max_size=7))
_NEARLY = st.tuples(_RECORD, _DIGITS, st.sampled_from(["", ":", "-", ".", "/"]), st.sampled_from(["", " ", "\n"])).map(
    lambda parts: parts[0] + parts[2].join(parts[1]) + parts[3]
)
"""What looks like a key, and often enough is one."""


def test_no_text_is_taken_for_a_key_it_does_not_name() -> None:
    """A key has the twelve hexadecimal digits of the text in their order, and the kind of record that stands before."""
    met: Counter[str] = Counter()

    @settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # of a busy machine
    @given(_NEARLY)
    def told(text: str) -> None:
        key = parse_key(text)
        met["read" if key else "refused"] += 1
        if key is not None:
            record, slash, digits = text.strip().casefold().rpartition("/")
            assert key.record == (record if slash else "device"), text
            assert key.mac == "".join(c for c in digits if c not in ":-. "), text
            assert re.fullmatch("[0-9a-f]{12}", key.mac), text

    told()
    assert min(met["read"], met["refused"]) >= 40, met


def _known(key: SourceKey, sys_id: SysId) -> KnownState:
    return KnownState(items={key: KnownItem(key=key, sys_id=sys_id, class_name="", created_by_us=True)})


def test_two_records_for_one_ci_are_both_held() -> None:
    reviewed = review({KEY: X, OTHER: X}, KnownState(), {KEY, OTHER})
    assert {held.rule for held in reviewed.held.values()} == {"binding.doubled"}
    assert reviewed.held.keys() == {KEY, OTHER}


def test_a_line_against_what_was_written_earlier_is_held_and_an_old_line_is_silent() -> None:
    contradicted = review({KEY: Y}, _known(KEY, X), {KEY})
    assert contradicted.held[KEY].rule == "binding.contradicts"
    settled = review({KEY: X}, _known(KEY, X), {KEY})
    assert not settled.held
    assert not settled.findings


def test_a_line_about_nobody_is_told() -> None:
    (finding,) = review({KEY: X}, KnownState(), ()).findings
    assert finding.rule == "binding.idle"


@pytest.mark.parametrize(
    ("candidate", "owners", "rule"),
    [
        (None, (), "binding.missing"),
        (Candidate(sys_id=X, duplicate_of=Y), (), "binding.duplicate"),
        (Candidate(sys_id=X), (OTHER,), "binding.claimed"),
        (Candidate(sys_id=X), (KEY,), ""),
        (Candidate(sys_id=X), (), ""),
    ],
)
def test_a_ci_that_cannot_be_given_is_refused_with_the_reason(
    candidate: Candidate | None, owners: tuple[SourceKey, ...], rule: str
) -> None:
    held = objection(KEY, X, candidate, owners)
    assert (held.rule if held else "") == rule
