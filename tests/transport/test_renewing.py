"""Connections that break again and again are made anew, and taken back when that was worse (X5)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from beast_dream_snow_loader.clock import SystemClock
from beast_dream_snow_loader.core.events import Event, HealingSettled
from beast_dream_snow_loader.errors import NotSent, OutcomeUnknown
from beast_dream_snow_loader.operations.healing import CONNECTIONS, LIMITS, Healings
from beast_dream_snow_loader.sandbox.faults import Effect, Fault
from beast_dream_snow_loader.sandbox.messages import HttpAnswer
from beast_dream_snow_loader.sandbox.serving import Server
from beast_dream_snow_loader.transport.http import HttpTransport
from beast_dream_snow_loader.transport.messages import Request

from .conftest import Remembering

Get = Callable[..., Request]


@pytest.fixture
def heard() -> list[Event]:
    return []


@pytest.fixture
def http(heard: list[Event]) -> HttpTransport:
    return HttpTransport("gw-1", connect_timeout=1, read_timeout=1).healed_by(Healings(SystemClock(), heard.append))


def broken(http: HttpTransport, get: Get, times: int) -> None:
    for _ in range(times):
        with pytest.raises(OutcomeUnknown):
            http.send(get())


def resets(server: Server, first: int, until: int) -> None:
    server.faults.add(Fault(effect=Effect.RESET_BEFORE, from_request=first, until_request=until))


def cookies(app: Remembering) -> list[str]:
    return [{name.lower(): value for name, value in one.headers.items()}.get("cookie", "") for one in app.asked]


def test_the_session_is_a_new_one_after_two_faults_in_a_row(
    app: Remembering, server: Server, http: HttpTransport, get: Get, heard: list[Event]
) -> None:
    app.answers["/x"] = HttpAnswer(headers=(("Set-Cookie", "node=sick"),), body=b"fine")
    resets(server, 3, 4)
    http.send(get())
    http.send(get())
    broken(http, get, 2)
    http.send(get())
    assert cookies(app) == ["", "node=sick", ""]
    (settled,) = heard
    assert isinstance(settled, HealingSettled)
    assert (settled.what, settled.subject, settled.verified, settled.undone) == (CONNECTIONS, "gw-1", True, "")


def test_a_new_session_that_fails_as_well_is_taken_back_with_its_cookies(
    app: Remembering, server: Server, http: HttpTransport, get: Get, heard: list[Event]
) -> None:
    app.answers["/x"] = HttpAnswer(headers=(("Set-Cookie", "node=mine"),), body=b"fine")
    resets(server, 2, 4)
    http.send(get())
    broken(http, get, 3)
    http.send(get())
    assert cookies(app) == ["", "node=mine"]
    (settled,) = heard
    assert isinstance(settled, HealingSettled)
    assert not settled.verified
    assert "in use again" in settled.undone


def test_faults_with_an_answer_between_them_renew_nothing(
    server: Server, http: HttpTransport, get: Get, heard: list[Event]
) -> None:
    for first in (1, 3):
        resets(server, first, first)
    broken(http, get, 1)
    http.send(get())
    broken(http, get, 1)
    http.send(get())
    assert heard == []


def test_where_nobody_listens_a_new_connection_is_not_tried(
    server: Server, http: HttpTransport, get: Get, heard: list[Event]
) -> None:
    asked = get()
    server.stop()
    for _ in range(5):
        with pytest.raises(NotSent):
            http.send(asked)
    assert heard == []


def test_connections_are_not_renewed_for_ever(
    server: Server, http: HttpTransport, get: Get, heard: list[Event]
) -> None:
    server.faults.add(Fault(effect=Effect.RESET_BEFORE))
    broken(http, get, 30)
    settled = [event for event in heard if isinstance(event, HealingSettled)]
    assert len(settled) == LIMITS[CONNECTIONS].per_run
    assert all(event.undone for event in settled)
