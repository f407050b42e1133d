"""The response headers of a real instance around a reply."""

from __future__ import annotations

from collections.abc import Sequence

from beast_dream_snow_loader.sandbox.messages import HttpAnswer
from beast_dream_snow_loader.sandbox.servicenow.calls import Reply
from beast_dream_snow_loader.sandbox.servicenow.sessions import COOKIE, Session

_SERVER = (
    ("Strict-Transport-Security", "max-age=63072000; includeSubDomains"),
    ("Server", "ServiceNow"),
)
_BODY = (
    ("Pragma", "no-store,no-cache"),
    ("Cache-Control", "no-cache,no-store,must-revalidate,max-age=-1"),
    ("Expires", "0"),
    ("Content-Type", "application/json;charset=UTF-8"),
)
# Without Secure: the sandbox speaks plain HTTP on loopback, where a browser's rule would keep the cookies back.
_GONE = "Expires=Thu, 01-Jan-1970 00:00:10 GMT; Path=/; HttpOnly"
_POOL = "BIGipServerpool_sandbox=209814538.39488.0000; path=/"
_ROUTE = "glide_user_route=glide.7b1c04e85f2d9a36c0d7e4814fa2b963; Max-Age=2147483647; Path=/; HttpOnly"
"""Names the node that answers (servicenow-api 9.4): nothing of the session is in it, and it opens nothing."""


def wrap(reply: Reply, transaction: str, opened: Session | None) -> HttpAnswer:
    """The answer to a caller who is logged in. ``opened`` is the session this request opened, if it did."""
    logged_in = (("X-Is-Logged-In", "true"), ("X-Transaction-ID", transaction))
    cookies = _session_cookies(opened) if opened else ()
    return _answer(reply, (*_SERVER, *logged_in, *cookies, *reply.headers))


def wrap_refused(reply: Reply, session_key: str) -> HttpAnswer:
    """A 401: no X-Is-Logged-In and no X-Transaction-ID, but a session all the same."""
    cookies = (("Set-Cookie", _POOL), ("Set-Cookie", f"{COOKIE}={session_key}; Path=/; HttpOnly"))
    return _answer(reply, (*_SERVER, *cookies, *reply.headers))


def plain_headers(reply: Reply) -> tuple[tuple[str, str], ...]:
    """Of an item in a batch: no session, no server."""
    return (*reply.headers, *(_BODY if reply.body is not None else ()))


def _answer(reply: Reply, headers: Sequence[tuple[str, str]]) -> HttpAnswer:
    described = _BODY if reply.body is not None else ()
    return HttpAnswer(status=reply.status, headers=(*headers, *described), body=reply.encoded())


def _session_cookies(session: Session) -> tuple[tuple[str, str], ...]:
    stamp = session.expires.strftime("%a, %d-%b-%Y %H:%M:%S GMT")
    values = (
        f"{COOKIE}={session.key}; Path=/; HttpOnly",
        f'glide_user=""; {_GONE}',
        f'glide_user_session=""; {_GONE}',
        _ROUTE,
        f"glide_session_store={session.token[:32].upper()}; Expires={stamp}; Path=/; HttpOnly",
        _POOL,
    )
    return tuple(("Set-Cookie", value) for value in values)
