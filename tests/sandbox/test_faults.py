"""Every fault over real HTTP, and which requests meet it. A counting application shows what was done all the same."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from beast_dream_snow_loader.sandbox.faults import (
    Effect,
    Fault,
    FaultPlan,
    from_values,
    throttled,
    to_values,
    unavailable,
)
from beast_dream_snow_loader.sandbox.messages import HttpAnswer, HttpRequest
from beast_dream_snow_loader.sandbox.serving import Server

PAGE = json.dumps({"result": [{"sys_id": f"{number:032x}"} for number in range(50)]}).encode()


class Counting:
    """Each request it sees is committed."""

    def __init__(self) -> None:
        self.committed = 0

    def answer(self, request: HttpRequest) -> HttpAnswer:
        self.committed += 1
        return HttpAnswer(headers=(("Content-Type", "application/json"),), body=PAGE)


class HandClock:
    """Time moves when told."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
def server(counting: Counting) -> Iterator[Server]:
    with Server(counting) as running:
        yield running


def _get(server: Server, path: str = "/x", *, timeout: float = 5) -> requests.Response:
    return requests.get(f"{server.url}{path}", timeout=timeout, allow_redirects=False)


def _struck(plan: FaultPlan, count: int, *, method: str = "GET", path: str = "/x") -> list[int]:
    """Which of the next ``count`` requests, from 1, meet a fault."""
    return [number for number in range(1, count + 1) if plan.match(method, path).fault]


def test_reset_before_the_application_acts_leaves_nothing_done(server: Server, counting: Counting) -> None:
    server.faults.add(Fault(effect=Effect.RESET_BEFORE, first=1))
    with pytest.raises(requests.ConnectionError):
        _get(server)
    assert counting.committed == 0
    assert _get(server).content == PAGE


def test_reset_after_the_commit_loses_the_answer_and_keeps_the_deed(server: Server, counting: Counting) -> None:
    server.faults.add(Fault(effect=Effect.RESET_AFTER, first=1))
    with pytest.raises(requests.ConnectionError):
        _get(server)
    assert counting.committed == 1


def test_a_reset_is_a_real_one_on_the_wire(server: Server) -> None:
    server.faults.add(Fault(effect=Effect.RESET_AFTER))
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            peer.recv(1)


def test_429_comes_with_and_without_retry_after(server: Server, counting: Counting) -> None:
    server.faults.add(throttled(retry_after=7, nth=1), throttled(nth=2, body='{"error":{}}'))
    first, second = _get(server), _get(server)
    assert (first.status_code, first.headers["Retry-After"]) == (429, "7")
    assert second.status_code == 429
    assert "Retry-After" not in second.headers
    assert second.headers["Content-Type"] == "application/json"
    assert counting.committed == 0


def test_503_is_a_load_balancers_page(server: Server) -> None:
    server.faults.add(unavailable())
    answer = _get(server)
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.text.startswith("<html>")


def test_any_status_with_its_own_body_and_headers_is_possible(server: Server) -> None:
    challenge = (("WWW-Authenticate", 'BASIC realm="Service-now"'),)
    server.faults.add(Fault(effect=Effect.STATUS, status=401, headers=challenge, body='{"error":{}}'))
    answer = _get(server)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'BASIC realm="Service-now"')


def test_a_status_may_come_although_the_application_acted(server: Server, counting: Counting) -> None:
    server.faults.add(unavailable(acts=True))
    assert _get(server).status_code == 503
    assert counting.committed == 1


def test_a_hang_outlasts_the_client_and_ends_in_a_reset(server: Server, counting: Counting) -> None:
    server.faults.add(Fault(effect=Effect.HANG, seconds=0.3))
    with pytest.raises(requests.ReadTimeout):
        _get(server, timeout=0.1)
    with pytest.raises(requests.ConnectionError):
        _get(server, timeout=5)
    assert counting.committed == 0


def test_a_hang_does_not_delay_stopping(counting: Counting) -> None:
    with Server(counting) as server:
        server.faults.add(Fault(effect=Effect.HANG, seconds=60))
        with pytest.raises(requests.ReadTimeout):
            _get(server, timeout=0.1)
        started = time.perf_counter()
    assert time.perf_counter() - started < 1


def test_a_drip_is_slow_and_whole(server: Server) -> None:
    server.faults.add(Fault(effect=Effect.DRIP, seconds=0.4))
    started = time.perf_counter()
    assert _get(server).content == PAGE
    assert time.perf_counter() - started >= 0.35


def test_a_cut_body_promises_more_than_it_sends(server: Server, counting: Counting) -> None:
    server.faults.add(Fault(effect=Effect.CUT_BODY, keep=0.25))
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    client.request("GET", "/")
    with pytest.raises(http.client.IncompleteRead) as cut:
        client.getresponse().read()
    assert cut.value.partial == PAGE[: len(PAGE) // 4]
    assert counting.committed == 1


def test_cut_json_is_a_200_that_does_not_parse(server: Server) -> None:
    server.faults.add(Fault(effect=Effect.CUT_JSON))
    answer = _get(server)
    assert answer.status_code == 200
    with pytest.raises(ValueError):
        answer.json()


def test_a_sleeping_instance_says_so_in_html_with_200(server: Server, counting: Counting) -> None:
    server.faults.add(Fault(effect=Effect.HIBERNATING))
    answer = _get(server)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html;charset=UTF-8")
    assert "<title>Instance Hibernating page</title>" in answer.text
    assert counting.committed == 0


def test_an_empty_202_did_nothing(server: Server, counting: Counting) -> None:
    server.faults.add(Fault(effect=Effect.EMPTY_202))
    answer = _get(server)
    assert (answer.status_code, answer.content) == (202, b"")
    assert counting.committed == 0


def test_a_redirect_points_to_a_login_page(server: Server) -> None:
    server.faults.add(Fault(effect=Effect.REDIRECT))
    answer = _get(server)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/login.do")


def test_latency_delays_and_adds_up_and_changes_nothing_else(server: Server, counting: Counting) -> None:
    server.faults.add(Fault(effect=Effect.LATENCY, seconds=0.1), Fault(effect=Effect.LATENCY, seconds=0.1))
    started = time.perf_counter()
    assert _get(server).content == PAGE
    assert time.perf_counter() - started >= 0.2
    assert counting.committed == 1


def test_a_fault_concerns_its_method_and_its_paths_only(server: Server) -> None:
    server.faults.add(unavailable(method="POST", path="/api/now/*"))
    assert _get(server, "/api/now/table/x").status_code == 200
    assert requests.post(f"{server.url}/other", timeout=5).status_code == 200
    assert requests.post(f"{server.url}/api/now/table/x", timeout=5).status_code == 503


@pytest.mark.parametrize(
    ("selectors", "struck"),
    [
        ({"nth": 3}, [3]),
        ({"first": 2}, [1, 2]),
        ({"every": 3}, [3, 6]),
        ({"from_request": 2, "until_request": 4}, [2, 3, 4]),
        ({"from_request": 6}, [6, 7]),
        ({"active": False}, []),
        ({"probability": 0.0}, []),
        ({}, [1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_counting_selectors(selectors: dict[str, object], struck: list[int]) -> None:
    plan = FaultPlan()
    plan.add(unavailable(**selectors))
    assert _struck(plan, 7) == struck


def test_only_concerned_requests_are_counted() -> None:
    plan = FaultPlan()
    plan.add(unavailable(nth=2, path="/a*"))
    assert not plan.match("GET", "/a1").fault
    assert not plan.match("GET", "/b").fault
    assert plan.match("GET", "/a2").fault


def test_an_outage_lasts_from_one_time_to_another_on_the_plans_clock() -> None:
    clock = HandClock()
    plan = FaultPlan(clock=clock)
    plan.add(unavailable(from_seconds=10, until_seconds=20))
    seen = []
    for clock.seconds in (0, 9.9, 10, 19.9, 20):
        seen.append(plan.match("GET", "/").fault is not None)
    assert seen == [False, False, True, True, False]


def test_an_outage_can_be_switched_by_hand(server: Server) -> None:
    control = f"{server.url}/_sandbox/faults"
    outage = {"effect": "status", "status": 503, "name": "outage", "active": False}
    requests.post(control, json=outage, timeout=5)
    assert _get(server).status_code == 200
    assert requests.post(f"{control}/switch", json={"name": "outage", "active": True}, timeout=5).json() == {
        "switched": 1
    }
    assert _get(server).status_code == 503
    requests.post(f"{control}/switch", json={"name": "outage", "active": False}, timeout=5)
    assert _get(server).status_code == 200


def test_probability_follows_its_seed_and_comes_near_its_value() -> None:
    def draw(seed: int) -> list[int]:
        plan = FaultPlan()
        plan.add(unavailable(probability=0.3, seed=seed))
        return _struck(plan, 2000)

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
    assert all(500 < len(draw(seed)) < 700 for seed in range(8))


def test_the_first_fault_that_strikes_decides_and_every_one_counts() -> None:
    plan = FaultPlan()
    plan.add(throttled(nth=2), unavailable(every=2))
    found = [plan.match("GET", "/").fault for _ in range(4)]
    assert [fault.status if fault else 0 for fault in found] == [0, 429, 0, 503]
    assert [(one.count, one.struck) for one in plan.listing()] == [(4, 1), (4, 1)]


def test_control_adds_lists_and_removes_faults_and_is_never_faulted(server: Server) -> None:
    control = f"{server.url}/_sandbox/faults"
    sent = [{"effect": "reset_before", "path": "*"}, {"effect": "latency", "seconds": 0.0, "headers": {"a": "b"}}]
    number = requests.post(control, json=sent, timeout=5).json()["number"]
    listed = requests.get(control, timeout=5).json()["faults"]
    assert [one["fault"]["effect"] for one in listed] == ["reset_before", "latency"]
    assert requests.delete(f"{control}/{number}", timeout=5).status_code == 200
    assert requests.delete(f"{control}/{number}", timeout=5).status_code == 404
    requests.delete(control, timeout=5)
    assert _get(server).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"effect": "earthquake"},
        {"effect": "hang", "secondz": 1},
        {"effect": "hang", "seconds": "1"},
        {"effect": "hang", "nth": True},
    ],
)
def test_a_fault_that_does_not_parse_is_refused_by_name(server: Server, sent: dict[str, object]) -> None:
    answer = requests.post(f"{server.url}/_sandbox/faults", json=sent, timeout=5)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert server.faults.listing() == ()


faults = st.builds(
    Fault,
    effect=st.sampled_from(Effect),
    name=st.text(max_size=5),
    path=st.text(max_size=5),
    nth=st.integers(0, 9),
    from_seconds=st.none() | st.floats(0, 9),
    probability=st.floats(0, 1),
    headers=st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3)), max_size=3).map(tuple),
    active=st.booleans(),
)


@given(faults)
def test_the_json_form_of_a_fault_says_all_of_it(fault: Fault) -> None:
    assert from_values(json.loads(json.dumps(to_values(fault)))) == fault
