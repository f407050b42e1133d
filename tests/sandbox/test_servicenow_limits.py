"""What happens when the sandbox instance is asked too much, or sleeps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import requests

PATH = "/api/now/table/incident"


class Held:
    """A clock whose sleeps last until released: requests that take time stay inside the instance."""

    def __init__(self, snow) -> None:
        self.snow = snow
        self.inside = 0
        self.release = threading.Event()
        self._sleep = snow.clock.sleep
        snow.clock.sleep = self.sleep
        snow.option(request_seconds=1)

    def sleep(self, _: float) -> None:
        self.inside += 1
        self.release.wait(20)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_hibernating_instance_answers_every_path_with_200_and_a_page(snow) -> None:
    snow.option(hibernating=True)
    for method, path in (("GET", PATH), ("POST", "/oauth_token.do"), ("GET", "/"), ("POST", "/api/now/v1/batch")):
        answer = snow.call(method, path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html;charset=UTF-8")
        assert "<title>Instance Hibernating page</title>" in answer.text
    snow.option(hibernating=False)
    assert snow.get(PATH).json() == {"result": []}


def test_an_instance_behind_single_sign_on_redirects_to_its_login_page(snow) -> None:
    snow.option(login_redirect=True)
    answer = snow.get(PATH)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{snow.url}/login.do")


def test_a_rate_rule_counts_by_hour_and_user_and_says_when_to_come_back(snow) -> None:
    snow.insert("sys_rate_limit_rules", name="few", rest_api="Table API", request_limit=3, type="all", active="true")
    allowed = [snow.get(PATH) for _ in range(3)]
    refused = snow.get(PATH)
    assert [answer.status_code for answer in allowed] == [200, 200, 200]
    assert (allowed[0].headers["X-RateLimit-Limit"], "Retry-After" in allowed[0].headers) == ("3", False)
    assert refused.status_code == 429
    assert refused.json()["error"] == {
        "message": "Rate limit exceeded",
        "detail": "Rate limit of 3 requests per hour for Table API exceeded",
    }
    assert (refused.headers["Retry-After"], refused.headers["X-RateLimit-Reset"]) == ("1717", "1795323600")
    assert snow.get(PATH, auth=snow.admin).status_code == 200
    assert "X-RateLimit-Limit" not in snow.get("/api/now/stats/incident").headers
    snow.clock.advance(1717)
    assert snow.get(PATH).status_code == 200


def test_a_rule_for_the_user_goes_before_one_for_the_role_and_the_lowest_of_those(snow) -> None:
    role = snow.rows("sys_user_role", "name=itil")
    role = role[0]["sys_id"] if role else snow.app.instance.find("sys_user_role", name="itil")[0]["sys_id"]
    user = snow.app.instance.find("sys_user", user_name="snowload")[0]["sys_id"]
    for limit, values in (
        (50, {"type": "all"}),
        (40, {"type": "role", "role": role}),
        (30, {"type": "role", "role": role}),
    ):
        snow.insert("sys_rate_limit_rules", request_limit=limit, active="true", **values)
    assert snow.get(PATH).headers["X-RateLimit-Limit"] == "30"
    snow.insert("sys_rate_limit_rules", request_limit=60, active="true", type="user", user=user)
    assert snow.get(PATH).headers["X-RateLimit-Limit"] == "60"


def test_beyond_the_semaphore_and_its_queue_a_request_gets_a_bare_429(snow) -> None:
    snow.option(concurrency=2, queue_length=1)
    held = Held(snow)
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(snow.get, PATH) for _ in range(3)]
        until(lambda: held.inside == 2 and snow.app._semaphore._waiting == 1)
        refused = snow.get(PATH)
        held.release.set()
        assert [done.result().status_code for done in waiting] == [200] * 3
    assert (refused.status_code, refused.content) == (429, b"")
    assert not {"Content-Type", "Retry-After", "X-RateLimit-Limit"} & set(refused.headers)


def test_requests_of_one_session_take_turns_and_too_many_are_dropped_with_202(snow) -> None:
    with requests.Session() as jar:
        snow.get(PATH, session=jar)
        cookies = {"Cookie": f"JSESSIONID={jar.cookies['JSESSIONID']}"}
    snow.option(session_queue=1)
    held = Held(snow)
    (session,) = snow.app.sessions._sessions.values()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(snow.post, PATH, {"number": "1"}, headers=cookies)
        until(lambda: held.inside == 1)
        second = pool.submit(snow.post, PATH, {"number": "2"}, headers=cookies)
        until(lambda: session._waiting == 1)
        dropped = snow.post(PATH, {"number": "3"}, headers=cookies)
        assert held.inside == 1
        held.release.set()
        assert {first.result().status_code, second.result().status_code} == {201}
    assert (dropped.status_code, dropped.content) == (202, b"")
    assert sorted(row["number"] for row in snow.app.instance.rows("incident")) == ["1", "2"]


def test_a_session_whose_request_runs_too_long_drops_the_next(snow) -> None:
    with requests.Session() as jar:
        snow.get(PATH, session=jar)
        cookies = {"Cookie": f"JSESSIONID={jar.cookies['JSESSIONID']}"}
    held = Held(snow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(snow.get, PATH, headers=cookies)
        until(lambda: held.inside == 1)
        snow.clock.advance(121)
        assert snow.get(PATH, headers=cookies).status_code == 202
        held.release.set()
        assert first.result().status_code == 200


def test_a_body_over_ten_megabytes_is_refused_with_its_size(snow) -> None:
    body = b'{"a":"' + b"x" * 10_485_760 + b'"}'
    answer = requests.post(snow.url + PATH, data=body, auth=snow.admin, timeout=30)
    detail = f"Rejected large REST payload with content-length = {len(body)} bytes. Max allowed: 10485760 bytes."
    assert (answer.status_code, answer.json()["error"]["detail"]) == (400, detail)


def test_requests_take_the_time_the_cost_model_says(snow) -> None:
    before = snow.clock.monotonic()
    snow.get(PATH)
    assert snow.clock.monotonic() == before
    snow.option(request_seconds=0.5)
    snow.get(PATH)
    assert snow.clock.monotonic() - before == 0.5
