"""Results belong to what was sent by their indices, whatever the instance merges, shuffles or leaves out."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from beast_dream_snow_loader.servicenow.apis.ire_results import Attempt, read_answer
from tests.servicenow.conftest import sys_id


def item(number: int, *indices: int, **more: Any) -> dict[str, Any]:
    return {"operation": "INSERT", "sysId": sys_id(number), "errors": [], "inputIndices": list(indices), **more}


@given(st.integers(1, 12), st.data())
def test_shuffled_merged_and_missing_results_are_told_apart(count: int, data: st.DataObject) -> None:
    groups = data.draw(st.lists(st.integers(0, count - 1), min_size=count, max_size=count))
    left_out = data.draw(st.sets(st.integers(0, count - 1)))
    members = {group: [i for i in range(count) if groups[i] == group] for group in sorted(set(groups) - left_out)}
    entries = [item(group + 1, *indices, surprise={"a": 1}) for group, indices in members.items()]
    read = read_answer({"items": data.draw(st.permutations(entries))}, count)
    assert read is not None
    assert {index: result.sys_id for index, result in read.items.items()} == {
        index: sys_id(group + 1) for group, indices in members.items() for index in indices
    }


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-2, 3) | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["items", "relations", "errors", "inputIndices", "operation", "sysId", "info", "mainIndex"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_answer_whatever_is_taken_for_more_than_was_sent(answer: Any) -> None:
    read = read_answer(answer, 2, 1)
    assert read is None or (set(read.items) <= {0, 1} and set(read.relations) <= {0})


def test_releases_before_indices_answer_in_order() -> None:
    entries = [{"operation": "UPDATE", "sysId": sys_id(n), "errors": []} for n in (5, 6)]
    read = read_answer({"items": entries, "relations": []}, 2)
    assert read is not None
    assert [read.items[i].sys_id for i in (0, 1)] == [sys_id(5), sys_id(6)]


def test_without_indices_and_with_a_different_count_nothing_is_guessed() -> None:
    entries = [{"operation": "UPDATE", "sysId": sys_id(5), "errors": []}]
    read = read_answer({"items": entries}, 2)
    assert read is not None
    assert read.items == {}


def test_one_error_without_an_index_refuses_the_whole_payload() -> None:
    error = {"error": "INVALID_INPUT_DATA", "message": "In payload invalid data source [null] exist..."}
    read = read_answer({"hasError": True, "items": [{"errors": [error]}]}, 3)
    assert read is not None
    assert {result.issue.code for result in read.items.values()} == {"INVALID_INPUT_DATA"}
    assert set(read.items) == {0, 1, 2}


def test_of_two_results_for_one_item_the_worse_counts() -> None:
    bad = item(2, 0, errors=[{"error": "LOCK_TIMEOUT", "message": "Failed to acquire"}])
    for entries in ([item(1, 0), bad], [bad, item(1, 0)]):
        read = read_answer({"items": entries}, 1)
        assert read is not None
        assert not read.items[0].written


def test_an_item_put_aside_is_not_written_even_with_no_error_counted() -> None:
    read = read_answer({"items": [item(1, 0, operation="INSERT_AS_PARTIAL", errorCount=0, warnings=[])]}, 1)
    assert read is not None
    assert read.items[0].issue.code == "INSERT_AS_PARTIAL"


def test_both_spellings_of_the_rule_name_are_read() -> None:
    attempts = [{"identiferName": "Hardware Rule", "attemptResult": "MATCHED", "attributes": ["name"]}]
    read = read_answer({"items": [item(1, 0, identificationAttempts=attempts)]}, 1)
    assert read is not None
    assert read.items[0].attempts == (Attempt(rule="Hardware Rule", outcome="MATCHED", attributes=("name",)),)


def test_words_in_the_place_of_a_code_are_no_code() -> None:
    """R5.3: a code is stored and counted by, so it is a name of the engine's or none."""
    for words in ("headers: Bearer abc", "=1+1", "x" * 200, "\x1b[31m", ""):
        read = read_answer({"items": [item(1, 0, operation="", errors=[{"error": words, "message": "no"}])]}, 1)
        assert read is not None
        assert (read.items[0].issue.code, read.items[0].issue.message) == ("ERROR", "no")
