"""Pages are followed to their end, and what does not come is counted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from beast_dream_snow_loader.core.observed import Snapshot, Subject
from beast_dream_snow_loader.errors import SourceUnavailable
from beast_dream_snow_loader.sandbox.messages import Application, HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.serving import Server
from tests.unifi.conftest import Script, read

BASE = "/proxy/network/integration/v1"
SITE = "88f7af54-98f8-306a-a1c7-c9349722b1f6"
Serve = Callable[[Application], Server]


def row(number: int) -> dict[str, object]:
    mac = f"00:00:5e:01:{number // 256:02x}:{number % 256:02x}"
    return {"id": f"id-{number}", "macAddress": mac, "name": f"ap-{number}", "model": "U6 Pro", "state": "ONLINE"}


class Pages:
    """A Network API with ``there`` devices that announces ``total`` and sends at most ``most`` a page."""

    def __init__(self, there: int, total: int | None, most: int = 200) -> None:
        self.rows = [row(number) for number in range(there)]
        self.total = total
        self.most = most
        self.asked: list[HttpRequest] = []

    def answer(self, request: HttpRequest) -> HttpAnswer:
        self.asked.append(request)
        lists: dict[str, list[dict[str, object]]] = {
            f"{BASE}/sites": [{"id": SITE, "name": "One"}],
            f"{BASE}/sites/{SITE}/devices": self.rows,
            f"{BASE}/sites/{SITE}/clients": [],
        }
        if request.path == f"{BASE}/info":
            return Script({request.path: [{"applicationVersion": "10.5.67"}]}).answer(request)
        if request.path not in lists:
            return HttpAnswer(status=404, body=b"{}")
        offset, limit = int(request.parameter("offset", "0")), int(request.parameter("limit", "25"))
        page = lists[request.path][offset : offset + min(limit, self.most)]
        total = self.total if request.path.endswith("/devices") else len(lists[request.path])
        body: dict[str, object] = {"offset": offset, "limit": limit, "count": len(page), "data": page}
        return Script({request.path: [body if total is None else {**body, "totalCount": total}]}).answer(request)

    def pages(self) -> int:
        return sum(1 for request in self.asked if request.path.endswith("/devices"))


def asked(serve: Serve, pages: Pages) -> Snapshot:
    return read(consoles=[{"url": serve(pages).url, "api_key": "k"}])


@pytest.mark.parametrize(("there", "pages"), [(0, 1), (1, 1), (199, 1), (200, 1), (201, 2), (450, 3)])
def test_all_pages_are_read_and_none_more(serve: Serve, there: int, pages: int) -> None:
    application = Pages(there, there)
    snapshot = asked(serve, application)
    assert (len(snapshot.devices), application.pages()) == (there, pages)
    assert not snapshot.partial


def test_the_next_page_begins_with_the_last_row_that_came_whatever_was_asked_for(serve: Serve) -> None:
    application = Pages(250, 250, most=60)
    assert len(asked(serve, application).devices) == 250
    assert [r.parameter("offset") for r in application.asked if r.path.endswith("/devices")] == [
        "0", "59", "118", "177", "236",
    ]  # fmt: skip


@pytest.mark.parametrize(("total", "there"), [(450, 410), (201, 200)])
def test_fewer_records_than_announced_make_the_read_incomplete(serve: Serve, total: int, there: int) -> None:
    snapshot = asked(serve, Pages(there, total))
    lost = next(r for r in snapshot.reads if r.subject is Subject.DEVICES and r.site == "default")
    assert (lost.complete, lost.records) == (False, there)
    assert f"{total - there} of the records" in lost.reason


class Shifting(Pages):
    """A device of the first page goes and another comes at the end, ``times`` over, each time page two is asked for."""

    def __init__(self, there: int, times: int) -> None:
        super().__init__(there, there)
        self.times = times

    def answer(self, request: HttpRequest) -> HttpAnswer:
        if self.times and request.path.endswith("/devices") and request.parameter("offset", "0") != "0":
            self.times -= 1
            self.rows = [*self.rows[1:], row(int(str(self.rows[-1]["id"]).removeprefix("id-")) + 1)]
        return super().answer(request)


def test_a_list_that_moved_between_two_pages_is_read_once_more(serve: Serve) -> None:
    application = Shifting(250, times=1)
    snapshot = asked(serve, application)
    assert (snapshot.partial, application.pages()) == (False, 4)
    assert {device.name for device in snapshot.devices} == {f"ap-{number}" for number in range(1, 251)}


def test_a_list_that_does_not_stand_still_is_not_complete(serve: Serve) -> None:
    """Q9: the total stays, no row comes twice, and yet one is lost."""
    snapshot = asked(serve, Shifting(250, times=9))
    read = next(r for r in snapshot.reads if r.subject is Subject.DEVICES)
    assert (read.complete, "changed between two of its pages" in read.reason) == (False, True)


def test_without_a_total_a_page_that_is_not_full_is_the_last(serve: Serve) -> None:
    assert len(asked(serve, Pages(450, None)).devices) == 450


@pytest.mark.parametrize("last", [{}, {"nextToken": ""}, {"nextToken": None}], ids=["absent", "empty", "null"])
def test_site_managers_pages_end_where_no_token_follows(serve: Serve, last: dict[str, object]) -> None:
    hosts = [
        {"data": [{"id": f"h{n}", "type": "console", "reportedState": {"name": f"c{n}"}}], "nextToken": f"00:{n}"}
        for n in range(3)
    ]
    script = Script({"/v1/hosts": [*hosts, {"data": [], **last}], "/v1/sites": [{}], "/v1/devices": [{}]})
    snapshot = read(site_manager_url=serve(script).url, api_key="k")
    assert [c.name for c in snapshot.consoles] == ["c0", "c1", "c2"]
    assert [r.parameter("nextToken") for r in script.asked if r.path == "/v1/hosts"] == ["", "00:0", "00:1", "00:2"]


def test_a_page_token_that_repeats_ends_the_read_with_what_came(serve: Serve) -> None:
    script = Script({"/v1/hosts": [{"data": [], "nextToken": "again"}]})
    with pytest.raises(SourceUnavailable, match="repeats a page token"):
        read(site_manager_url=serve(script).url, api_key="k")
    assert len(script.asked) == 2
