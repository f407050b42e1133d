"""One spelling for everything that is compared or sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beast_dream_snow_loader.core import normalize


@pytest.mark.parametrize(
    "spelled", ["00:00:5E:00:53:02", "00-00-5e-00-53-02", "0000.5e00.5302", "00005E005302", " 00005e005302 "]
)
def test_a_mac_has_one_spelling(spelled: str) -> None:
    assert normalize.mac12(spelled) == "00005e005302"


@pytest.mark.parametrize(
    "refused",
    ["", None, "unknown",
     "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "192.0.2.1", "0a:0b:0c:0d:0e:0f:10",
     "00005e00530g"],
)  # fmt: skip
def test_what_is_no_devices_own_address_is_refused(refused: str | None) -> None:
    assert normalize.mac12(refused) is None


@given(st.integers(min_value=1, max_value=2**48 - 2))
def test_a_mac_survives_being_written_with_colons(number: int) -> None:
    mac = f"{number:012x}"
    assert normalize.mac12(normalize.colon_mac(mac)) == normalize.mac12(mac)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("192.0.2.2", "192.0.2.2"),
        (" 192.0.2.2 ", "192.0.2.2"),
        ("2001:DB8:0::2", "2001:db8::2"),
        ("unknown", None),
        ("", None),
        (None, None),
        ("0.0.0.0", None),
        ("169.254.3.4", None),
        ("fe80::1", None),
        ("fe80::1%eth0", None),
        ("127.0.0.1", None),
        ("224.0.0.1", None),
        ("256.1.1.1", None),
        ("192.0.02.2", None),
        ("10.00.1.1", None),
    ],
)
def test_only_usable_addresses_are_kept(told: str | None, kept: str | None) -> None:
    assert normalize.ip(told) == kept


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("  hq  sw\t01 ", "hq sw 01"),
        ("evil\x1b[31mname\x00", "evil[31mname"),
        ("abc\u202edef", "abcdef"),
        ("e\u0301", "é"),
        ("HQ ☃ Console", "HQ ☃ Console"),
        ("\x7f\x85", ""),
        (None, ""),
    ],
)
def test_text_is_fit_for_a_form(told: str | None, kept: str) -> None:
    assert normalize.text(told) == kept


@given(st.text(max_size=300), st.integers(min_value=0, max_value=60))
def test_text_is_never_longer_than_asked_and_never_cut_inside_a_character(told: str, limit: int) -> None:
    whole = normalize.text(told)
    short = normalize.text(told, limit)
    assert len(short) <= limit
    assert whole.startswith(short)
    assert normalize.text(short) == short


def test_a_joined_emoji_is_kept_or_left_out_as_one() -> None:
    family = "👨‍👩‍👧"
    assert normalize.cut(f"ap {family}", 5) == "ap"
    assert normalize.cut(f"ap {family}", 8) == f"ap {family}"


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("00:00:5e:00:53:02", "00005E005302"),
        ("fcecda764f5f", "FCECDA764F5F"),
        ("SN-12345", "SN-12345"),
        ("0", None),
        ("000000000000", None),
        ("N/A", None),
        ("To be filled by O.E.M.", None),
        ("Default string", None),
        ("**REDACTED**", None),
        ("unknown", None),
        ("aaaaaaaa", None),
        ("", None),
        (None, None),
    ],
)
def test_placeholders_are_no_serial_numbers(told: str | None, kept: str | None) -> None:
    assert normalize.serial(told) == kept


@pytest.mark.parametrize(
    ("told", "kept"),
    [("5.0.16.30692", "5.0.16"), ("7.2.123", "7.2.123"), ("v4.1", "4.1"), ("beta", "beta"), ("", None), (None, None)],
)
def test_all_three_apis_give_one_firmware_version(told: str | None, kept: str | None) -> None:
    assert normalize.version3(told) == kept


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001 - zone added below
def test_times_come_back_to_the_second(moment: datetime) -> None:
    aware = moment.replace(tzinfo=UTC, microsecond=0)
    assert normalize.parse_cmdb_time(normalize.cmdb_time(aware)) == aware


def test_times_are_written_in_utc() -> None:
    there = datetime(2026, 1, 10, 9, 0, tzinfo=timezone(timedelta(hours=1)))
    assert normalize.cmdb_time(there) == "2026-01-10 08:00:00"
    assert normalize.parse_cmdb_time("2026-01-10T08:00:00Z") is None


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("\u200b\ufeff", ""),
        ("\u2060\u00ad\u180e\u3164\u2800\ufe0f\u200d", ""),
        ("hq\u200b-core", "hq-core"),
        ("hq\ufe0f-co\u200dre", "hq-core"),
        ("e\u200b\u0301", "é"),
        ("ap 👨‍👩‍👧", "ap 👨‍👩‍👧"),
        ("❤️ ⚠️ 1️⃣", "❤️ ⚠️ 1️⃣"),
        ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("क्\u200dष", "क्\u200dष"),
    ],
)
def test_what_nobody_sees_is_no_part_of_a_text_but_shapes_of_what_is_seen_stay(told: str, kept: str) -> None:
    assert normalize.text(told) == kept
    assert normalize.text(kept) == kept
