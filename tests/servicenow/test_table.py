"""Tables are read to the end, each row once, and every row is checked (servicenow-api 2.3, 2.5)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.errors import CmdbAsleep, NotAuthorised, OutcomeUnknown, Rejected
from beast_dream_snow_loader.servicenow.apis.table import TableApi, TableRead
from beast_dream_snow_loader.servicenow.calling import Caller
from beast_dream_snow_loader.servicenow.config import ServiceNowSettings
from beast_dream_snow_loader.servicenow.query import Query
from beast_dream_snow_loader.transport.http import HttpTransport
from tests.servicenow.conftest import JSON, Asked, Instance, Reply, refusal, rows, sys_id

READ = TableRead(table="cmn_location", query=Query().equals("active", "true"), fields=("name",))


class Table:
    """Rows 1..n, some hidden: the limit is applied before access rules, the total counts all."""

    def __init__(self, visible: Sequence[bool], *, total: bool = True) -> None:
        self.visible, self.total = visible, total

    def __call__(self, asked: Asked) -> Reply:
        terms = asked.query["sysparm_query"].split("^")
        after = next((int(term.removeprefix("sys_id>"), 16) for term in terms if term.startswith("sys_id>")), 0)
        numbers = range(after + 1, len(self.visible) + 1)
        offset, limit = int(asked.query.get("sysparm_offset", 0)), int(asked.query["sysparm_limit"])
        page = [n for n in numbers[offset : offset + limit] if self.visible[n - 1]]
        found = [{"sys_id": sys_id(n), "name": f"HQ {n}", "active": "true"} for n in page]
        headers = {**JSON, "X-Total-Count": str(len(numbers))} if self.total else JSON
        return Reply(body={"result": found}, headers=headers)


def table(instance: Instance, page_size: int = 3) -> TableApi:
    settings = ServiceNowSettings.model_validate({"instance": instance.url, "page_size": page_size})
    return TableApi(Caller(settings=settings, transport=HttpTransport("servicenow"), clock=SystemClock()))


def read_ids(instance: Instance) -> list[str]:
    return [row["sys_id"] for row in table(instance).rows(READ)]


def test_a_table_that_fits_a_page_costs_one_request(instance: Instance) -> None:
    instance.answer = Table([True, True, True])
    assert len(read_ids(instance)) == 3
    assert len(instance.asked) == 1


def test_values_are_asked_for_as_stored_and_plain(instance: Instance) -> None:
    instance.answer = Table([True])
    read_ids(instance)
    query = instance.asked[0].query
    assert query["sysparm_display_value"] == "false"
    assert query["sysparm_exclude_reference_link"] == "true"
    assert query["sysparm_fields"] == "sys_id,name,active"
    assert query["sysparm_query"] == "active=true^ORDERBYsys_id"


def test_pages_after_the_first_go_on_behind_the_last_key(instance: Instance) -> None:
    instance.answer = Table([True] * 7)
    assert read_ids(instance) == [sys_id(n) for n in range(1, 8)]
    assert [("sys_id>" in asked.query["sysparm_query"]) for asked in instance.asked] == [False, True, True]


@hypothesis_settings(max_examples=40, deadline=None)
@given(st.lists(st.booleans(), max_size=14), st.booleans())
def test_every_visible_row_is_read_once_whatever_is_hidden(visible: list[bool], total: bool) -> None:
    """Without a total, two empty pages in a row end the read: no more can be hidden in front of a row then."""
    gap = max((len(run) for run in "".join("x" if v else "." for v in visible).split("x")), default=0)
    if not total and gap >= 6:
        return
    server = Instance()
    try:
        server.answer = Table(visible, total=total)
        assert read_ids(server) == [sys_id(n) for n, v in enumerate(visible, 1) if v]
    finally:
        server.close()


def test_rows_brought_back_by_a_dropped_term_are_thrown_away(instance: Instance) -> None:
    """A field the instance does not know makes it answer with every row."""
    instance.answer = lambda _: rows({"sys_id": sys_id(1), "name": "a"}, {"sys_id": sys_id(2), "active": "false"})
    assert read_ids(instance) == []


def test_an_instance_that_ignores_the_key_does_not_keep_us_for_ever(instance: Instance) -> None:
    page = [{"sys_id": sys_id(n), "active": "true"} for n in (1, 2, 3)]
    instance.answer = lambda _: rows(*page, total=90)
    assert len(read_ids(instance)) == 3
    assert len(instance.asked) == 2


@pytest.mark.parametrize("status", [200, 301, 302, 303, 307, 308])
def test_no_link_and_no_redirect_leads_to_another_origin(instance: Instance, status: int) -> None:
    """S8: pages go on behind the last key, whatever the instance names as the next one."""
    other = Instance()
    rest = {"Link": f'<{other.url}/next>;rel="next"', "Location": f"{other.url}/elsewhere", "X-Total-Count": "1000"}
    page = [{"sys_id": sys_id(n), "active": "true"} for n in (1, 2, 3)]
    instance.answer = lambda _: Reply(status=status, body={"result": page}, headers={**JSON, **rest})
    try:
        if status == 200:
            assert len(read_ids(instance)) == 3
        else:
            with pytest.raises(CmdbAsleep):
                read_ids(instance)
        assert other.asked == []
    finally:
        other.close()


def test_references_are_read_in_every_form(instance: Instance) -> None:
    row = {"sys_id": sys_id(1), "active": True, "name": {"link": "http://x", "value": "abc"}, "gone": None}
    instance.answer = lambda _: Reply(body={"result": [row]}, headers={**JSON, "X-Total-Count": "1"})
    assert list(table(instance).rows(READ)) == [{"sys_id": sys_id(1), "active": "true", "name": "abc", "gone": ""}]


def test_a_404_is_no_empty_list(instance: Instance) -> None:
    """Only the v1 path, which is not used, says nothing found in this way (servicenow-api 2.1)."""
    instance.answer = lambda _: Reply(status=404, body=refusal("No Record found", "Record doesn't exist"))
    with pytest.raises(Rejected):
        read_ids(instance)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(status=400, body=refusal("Invalid table cmn_location")), Rejected),
        (
            Reply(status=403, body=refusal("Insufficient rights to query records", "Field(s) present in the query")),
            NotAuthorised,
        ),
        (
            Reply(
                body={
                    "result": [{"sys_id": sys_id(1)}],
                    **refusal("Transaction cancelled: maximum execution time exceeded"),
                }
            ),
            OutcomeUnknown,
        ),
    ],
)
def test_a_list_that_is_no_whole_list_is_an_error(instance: Instance, reply: Reply, error: type[Exception]) -> None:
    instance.answer = lambda _: reply
    with pytest.raises(error):
        read_ids(instance)


def test_a_table_name_cannot_leave_the_path(instance: Instance) -> None:
    """S4."""
    with pytest.raises(ValueError):
        list(table(instance).rows(TableRead(table="../sys_user", query=Query(), fields=())))
    assert instance.asked == []
