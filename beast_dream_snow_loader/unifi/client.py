"""Asking UniFi: requests with a login, answers as JSON, refusals as errors that say which setting to check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.errors import (
    NotAuthenticated,
    NotAuthorised,
    Rejected,
    ServerFault,
    SourceDataInvalid,
    SourceUnavailable,
    Throttled,
)
from beast_dream_snow_loader.redaction import masked
from beast_dream_snow_loader.transport.messages import Request, Response
from beast_dream_snow_loader.transport.port import Transport
from beast_dream_snow_loader.unifi.apis.envelopes import controller_data, controller_error, envelope
from beast_dream_snow_loader.unifi.apis.fields import Json, integer, objects, section, text

_MFA = 499
_LOGIN_CODES = frozenset({"api.err.LoginRequired", "api.err.Invalid"})
_MOST_PAGES = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where to ask and as whom. ``service`` names it for people, ``settings`` what to check when it refuses.

    ``headers`` carry the login; ``base`` has no trailing slash.
    """

    transport: Transport
    base: str
    service: str
    settings: str
    headers: Mapping[str, str]

    def get(self, path: str, params: tuple[tuple[str, str], ...] = ()) -> Response:
        """The answer to a GET when it is a success; otherwise what is wrong, as an error."""
        response = self.transport.send(
            Request(
                method="GET",
                url=f"{self.base}{path}",
                operation=operation_of(path),
                params=params,
                headers={"Accept": "application/json", **self.headers},
                repeatable=True,
            )
        )
        if response.status != 200:
            raise refusal(response, self, path)
        return response

    def json(self, path: str, *params: tuple[str, str]) -> Json:
        return envelope(self.get(path, params).body, f"{self.service} {path}")

    def controller(self, path: str) -> list[object]:
        """The ``data`` of a controller answer: whole collections."""
        return controller_data(self.get(path).body, f"{self.service} {path}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Everything a paged read gave. ``shortfall`` is what is missing against the total the API named; ``moved``: the
    list changed between two pages, so that nobody knows what was skipped."""

    rows: tuple[Json, ...]
    shortfall: int = 0
    moved: bool = False


def by_token(endpoint: Endpoint, path: str) -> Iterator[Json]:
    """Site Manager's pages: follow ``nextToken`` until it is absent, empty or null (unifi-api 1.2).

    Raises SourceDataInvalid when a token repeats: the pages would never end.
    """
    seen: set[str] = set()
    token = ""
    while True:
        page = endpoint.json(path, *([("nextToken", token)] if token else []))
        yield from objects(page.get("data"))
        token = text(page, "nextToken") or ""
        if not token:
            return
        if token in seen:
            raise SourceDataInvalid(
                f"{endpoint.service} {path} repeats a page token.", next_step="Try again later.", path="nextToken"
            )
        seen.add(token)


def by_offset(endpoint: Endpoint, path: str, page_size: int, *, overlap: int = 0) -> Collection:
    """The Network API's pages: advance by what came, stop at the total or at an empty page (unifi-api 2.2).

    Without a total (never seen, not excluded) a page that is not full is the last. With ``overlap`` 1 each page is
    asked for from the last row of the one before: where another row stands there, the list has moved, rows are lost.
    """
    rows: list[Json] = []
    offset = total = 0
    last = ""
    for _ in range(_MOST_PAGES):
        back = overlap if last else 0
        page = endpoint.json(path, ("offset", str(offset - back)), ("limit", str(page_size)))
        data = page.get("data")
        got = data if isinstance(data, list) else []
        if back and got and _id(got[0]) != last:
            return Collection(rows=tuple(rows), shortfall=max(0, total - offset), moved=True)
        came = len(got) - back
        rows.extend(objects(got[back:]))
        offset, last = offset + max(0, came), _id(got[-1]) if got else ""
        total = max(total, integer(page, "totalCount") or 0)
        if came <= 0 or (total and offset >= total) or (not total and len(got) < page_size):
            break
    return Collection(rows=tuple(rows), shortfall=max(0, total - offset))


def by_offset_unmoved(endpoint: Endpoint, path: str, page_size: int) -> Collection:
    """All pages of a list whose gaps would be taken for devices that are gone; once more when it moved meanwhile."""
    first = by_offset(endpoint, path, page_size, overlap=1)
    return by_offset(endpoint, path, page_size, overlap=1) if first.moved else first


def _id(row: object) -> str:
    return text(row, "id") or "" if isinstance(row, Mapping) else ""


def operation_of(path: str) -> str:
    """A short name for logs: the path without ids, ``unifi.stat/device``."""
    kept = [part for part in path.split("/") if part.isalpha() or part in ("stat", "rest")]
    return "unifi." + "/".join(kept[-2:])


def segment(value: str) -> str:
    """A value as one path segment; a host id keeps its colon, which is legal there (unifi-api 1.1)."""
    return quote(value, safe=":")


def refusal(response: Response, endpoint: Endpoint, path: str) -> Exception:
    """What a status other than 200 means. The status decides: the spelling of codes varies (unifi-api 1.2, 2.5)."""
    where, status = f"{endpoint.service} {path}", response.status
    why = _reason(response)
    if status == 401:
        return _not_in(response, endpoint, where, why)
    if status == _MFA:
        return second_factor(endpoint)
    if status == 403:
        return NotAuthorised(
            f"{where} may not be read with this login (403{why}).",
            next_step=f"Check the rights behind {endpoint.settings}.",
            detail=why,
        )
    if status == 429:
        return Throttled(f"{endpoint.service} asks to slow down (429{why}).", next_step="Try again in a few minutes.")
    if status in (408, 502, 503, 504):
        return SourceUnavailable(f"{where} cannot be reached now ({status}{why}).", next_step="Try again later.")
    if status >= 500:
        return ServerFault(f"{where} failed ({status}{why}).", next_step="Try again later.", status=status)
    if 300 <= status < 400:
        return Rejected(
            f"{where} redirects elsewhere ({status}): not followed.",
            next_step="Check the address: it must be the console's own.",
            status=status,
        )
    return Rejected(
        f"{where} was refused ({status}{why}).",
        next_step="Check the address, and that the console's UniFi Network version offers this.",
        status=status,
        detail=why,
    )


def second_factor(endpoint: Endpoint) -> NotAuthenticated:
    """Cloud accounts need one (unifi-api 3.1); nobody is there to type it."""
    return NotAuthenticated(
        f"{endpoint.service} asks for a second factor (MFA).",
        next_step="Use a local account without a cloud login, or an API key made on that console.",
    )


def _not_in(response: Response, endpoint: Endpoint, where: str, why: str) -> Exception:
    """401 is about the login, unless the controller's own code says it is about something else: a vanished site."""
    code = controller_code(response)
    if code.startswith("api.err.") and code not in _LOGIN_CODES:
        return controller_error(code, where)
    return NotAuthenticated(f"{where} refused the login (401{why}).", next_step=f"Check {endpoint.settings}.")


def controller_code(response: Response) -> str:
    """``meta.msg`` of a controller answer, or nothing."""
    try:
        return text(section(envelope(response.body, "answer"), "meta"), "msg") or ""
    except (SourceDataInvalid, SourceUnavailable):
        return ""


def _reason(response: Response) -> str:
    """The server's own words, in whichever of the shapes they come."""
    try:
        body = envelope(response.body, "answer")
    except (SourceDataInvalid, SourceUnavailable):
        return ""
    words = text(body, "message", "code", "error") or text(section(body, "meta"), "msg")
    return f": {shown(masked(words))}" if words else ""
