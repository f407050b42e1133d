"""What stands before the sandbox's servers: it takes the canaries for the sandbox's own logins, or throws them back."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import quote

from beast_dream_snow_loader.sandbox.messages import (
    Application,
    HttpAnswer,
    HttpRequest,
)

Reply = Callable[[str], HttpAnswer]
_SESSION = re.compile(r"(?:TOKEN|unifises|csrf_token|JSESSIONID|glide_session_store)=([^;,\s]+)")


def _json(body: Mapping[str, object]) -> bytes:
    return json.dumps(body).encode()


def _as_json(status: int) -> Reply:
    """In the words of ServiceNow's envelope, of UniFi's, and of the engine's."""

    def reply(echo: str) -> HttpAnswer:
        body = {
            "error": {"message": echo, "detail": echo},
            "status": "failure",
            "message": echo,
            "code": echo,
            "meta": {"rc": "error", "msg": echo},
        }
        return HttpAnswer(
            status=status,
            headers=(("Content-Type", "application/json"),),
            body=_json(body),
        )

    return reply


def _as_page(status: int) -> Reply:
    def reply(echo: str) -> HttpAnswer:
        body = f"<html><title>{echo}</title><body>{echo}</body></html>".encode()
        return HttpAnswer(
            status=status,
            headers=(("Content-Type", "text/html"), ("X-Echo", quote(echo))),
            body=body,
        )

    return reply


def _redirect(echo: str) -> HttpAnswer:
    return HttpAnswer(status=302, headers=(("Location", f"https://example.invalid/?{quote(echo)}"),))


def _cut(echo: str) -> HttpAnswer:
    whole = _json({"result": [{"name": echo}]})
    return HttpAnswer(headers=(("Content-Type", "application/json"),), body=whole[:-4])


def _items(echo: str) -> HttpAnswer:
    """The engine refuses each item, and everything else is found empty."""
    body = {
        "result": {"items": [{"errors": [{"error": echo, "message": echo}], "operation": "NO_CHANGE"}]},
        "data": [],
    }
    return HttpAnswer(headers=(("Content-Type", "application/json"),), body=_json(body))


REPLIES: Mapping[str, Reply] = {
    "401": _as_json(401),
    "403": _as_json(403),
    "400": _as_json(400),
    "429": _as_json(429),
    "500": _as_json(500),
    "page": _as_page(503),
    "page as 200": _as_page(200),
    "redirect": _redirect,
    "cut": _cut,
    "items": _items,
}


class Door:
    """``login`` are the headers that open what is behind it. ``reply``: what it says in place of that, if anything,
    to requests whose path ``only`` is in."""

    def __init__(
        self,
        inner: Application,
        login: Mapping[str, str],
        body: Mapping[str, str],
        token: str,
    ) -> None:
        self._inner, self._login, self._body, self._token = inner, login, body, token
        self.reply: Reply | None = None
        self.only = ""
        self.sessions: set[str] = set()
        """What was given to those who logged in."""

    def answer(self, request: HttpRequest) -> HttpAnswer:
        if self.reply is not None and self.only in request.path:
            return self.reply(_echo(request))
        if request.path == "/oauth_token.do":
            return HttpAnswer(
                headers=(("Content-Type", "application/json"),),
                body=_json(
                    {
                        "access_token": self._token,
                        "expires_in": 1799,
                        "token_type": "Bearer",
                    }
                ),
            )
        kept = {k: v for k, v in request.headers.items() if k not in ("authorization", "x-sn-apikey", "x-api-key")}
        headers = {**kept, **self._login} if len(kept) < len(request.headers) else kept
        body = _json({**json.loads(request.body), **self._body}) if request.path.endswith("login") else request.body
        answer = self._inner.answer(replace(request, headers=headers, body=body))
        self.sessions |= {found[1] for _, value in answer.headers if (found := _SESSION.search(value))}
        return answer


def _echo(request: HttpRequest) -> str:
    """All that came, as it is and in the forms a careless server or proxy writes it in."""
    kept = ("authorization", "x-sn-apikey", "x-api-key", "cookie")
    logins = [value for name, value in request.headers.items() if name in kept]
    plain = [b64decode(one[6:]).decode("utf-8", "replace") for one in logins if one.startswith("Basic ")]
    bodies = [request.body.decode("utf-8", "replace")] if "login" in request.path or "oauth" in request.path else []
    said = [*logins, *plain, *bodies]
    forms = [form for one in said for form in (one, quote(one, safe=""), b64encode(one.encode()).decode())]
    return f"{len(said)} headers: " + " ; ".join(forms)
