"""The use cases behind ``snowload breakers``: which dependencies are left alone, and what a person decides about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from beast_dream_snow_loader.app.breaker_config import DATABASE, FIXED, NOTIFY, ONE_PASSWORD, UNIFI
from beast_dream_snow_loader.app.breakers import breaker_name
from beast_dream_snow_loader.app.config import Settings
from beast_dream_snow_loader.app.failing import failed
from beast_dream_snow_loader.app.ground import Ground, ground
from beast_dream_snow_loader.app.opening import opened
from beast_dream_snow_loader.app.options import Place
from beast_dream_snow_loader.app.result import Result, carried_out
from beast_dream_snow_loader.app.runs import begun, closed
from beast_dream_snow_loader.app.waiting import time_to_wait
from beast_dream_snow_loader.clock import rfc3339
from beast_dream_snow_loader.core.nearest import nearest
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.errors import BadArgument, SnowloadError
from beast_dream_snow_loader.operations.breaker_memory import CircuitState, Remembered
from beast_dream_snow_loader.operations.pace import LONGEST_ASKED_SECONDS, CoolDownInForce, in_words
from beast_dream_snow_loader.state.store import Store
from beast_dream_snow_loader.unifi.cloud import SITE_MANAGER
from beast_dream_snow_loader.unifi.door import address

_COMMAND = "breakers"


def list_breakers(place: Place) -> Result:
    """Every dependency that the settings name, and every other one of which something is known."""
    try:
        with ground(place) as here, opened(here) as store:
            return _result("list", here, _standing(here, store))
    except SnowloadError as error:
        return failed(_COMMAND, error, environment=place.environment or "")


def open_breaker(place: Place, name: str, lasting: str | None, reason: str, *, dry_run: bool) -> Result:
    """Nothing is sent to that dependency, by no process that works on this state, for so long or until it is reset."""
    try:
        with ground(place) as here, opened(here) as store:
            _refuse_unknown(here, store, name)
            seconds = _seconds(lasting)
            if not dry_run:
                store.breakers.keep(
                    Remembered(
                        name=name,
                        state=CircuitState.OPEN,
                        left=seconds,
                        by_hand=True,
                        reason=shown(reason, 200) or "opened by hand",
                    )
                )
            return _recorded("open", here, store, [name], dry_run=dry_run)
    except SnowloadError as error:
        return failed(_COMMAND, error, environment=place.environment or "")


def reset_breakers(place: Place, name: str | None, *, dry_run: bool) -> Result:
    """Closed, whatever opened them: one, or all; with them the cool-downs of what they are for."""
    try:
        with ground(place) as here, opened(here) as store:
            if name is not None:
                _refuse_unknown(here, store, breaker_name(name))
            known = store.breakers.all().values()
            chosen = [one.name for one in known if name in (None, one.name) and one.state is not CircuitState.CLOSED]
            changed = chosen if dry_run else store.breakers.reset(chosen)
            ended = _ended(here, store, name, dry_run=dry_run)
            return _recorded("reset", here, store, changed, ended, dry_run=dry_run)
    except SnowloadError as error:
        return failed(_COMMAND, error, environment=place.environment or "")


def _ended(here: Ground, store: Store, name: str | None, *, dry_run: bool) -> Sequence[str]:
    """Services that may be asked again: all, or those known by that name."""
    pacing = store.pacing(here.target)
    cooling = [one.service for one in pacing.in_force()]
    chosen = [service for service in cooling if name in (None, service, breaker_name(service))]
    return chosen if dry_run else pacing.end(chosen)


def _recorded(
    action: str, here: Ground, store: Store, changed: Sequence[str], ended: Sequence[str] = (), *, dry_run: bool
) -> Result:
    """A person's decision is a run of its own: who reads the history finds why nothing was sent."""
    body = {"dry_run": dry_run, "changed": list(changed), "ended": list(ended), **_standing(here, store)}
    result = _result(action, here, body)
    if not dry_run:
        run = begun(_COMMAND, here)
        return replace(closed(store, run, result, here), body=result.body)
    return result


def _seconds(lasting: str | None) -> float | None:
    if lasting is None:
        return None
    seconds = time_to_wait(lasting, "--for", "2h").total_seconds()
    if not seconds:
        raise BadArgument("A breaker cannot be open for no time.", next_step="Write --for 2h.")
    return seconds


def _refuse_unknown(here: Ground, store: Store, name: str) -> None:
    if name == DATABASE:
        raise BadArgument(
            "The breaker of the database is each process's own: where the database is away nothing can be shared.",
            next_step="See the others with: snowload breakers list",
        )
    cooling = [one.service for one in store.pacing(here.target).in_force()]
    known = [*_names(here.settings), *store.breakers.all(), *map(breaker_name, cooling)]
    if name in known or name.startswith(f"{UNIFI}:connector/"):
        return
    near = nearest(name, [one for one in known if one != ONE_PASSWORD])  # two letters are near to everything
    raise BadArgument(
        f"There is no circuit breaker {shown(name)}{f'; did you mean {near}?' if near else ''}.",
        next_step=f"There are {', '.join(dict.fromkeys(known))}. See how each is: snowload breakers list",
    )


def _names(settings: Settings) -> Iterator[str]:
    """One for each dependency; of the consoles behind Site Manager only those are known that failed."""
    yield from (name for name in FIXED if name not in (UNIFI, DATABASE, *NOTIFY))
    yield from (name for name in NOTIFY if name.removeprefix("notify.") in settings.notify.channels)
    if settings.unifi.api_key is not None:
        yield SITE_MANAGER
    yield from (f"{UNIFI}:{address(console)}" for console in settings.unifi.consoles)


def _standing(here: Ground, store: Store) -> dict[str, Any]:
    """All that keeps requests back."""
    now, cooling = here.clock.now(), store.pacing(here.target).in_force()
    return {"breakers": _rows(here, store), "cool_downs": [_cool_down(one, now) for one in cooling]}


def _cool_down(one: CoolDownInForce, now: datetime) -> dict[str, Any]:
    capped = f" ({in_words(one.whole)} is the most that is heeded)" if one.whole >= LONGEST_ASKED_SECONDS else ""
    return {
        "service": one.service,
        "seconds": round(one.seconds, 1),
        "until": rfc3339(now + timedelta(seconds=one.seconds)),
        "reason": f"answered 429: left alone for {in_words(one.whole)} in all{capped}",
    }


def _rows(here: Ground, store: Store) -> list[dict[str, Any]]:
    found = store.breakers.all()
    names = sorted({*_names(here.settings), *found})
    return [_row(found.get(name) or Remembered(name=name, state=CircuitState.CLOSED)) for name in names]


def _row(one: Remembered) -> dict[str, Any]:
    is_closed = one.state is CircuitState.CLOSED
    return {
        "name": one.name,
        "state": "half_open" if one.over and not is_closed else one.state.value,
        "by_hand": one.by_hand and not is_closed,
        "reason": "" if is_closed else shown(one.reason, 500),
        "seconds": None if one.left is None else round(max(0.0, one.left), 1),
        "openings": one.openings,
        "since": rfc3339(one.since) if one.since is not None and not is_closed else None,
    }


def _result(action: str, here: Ground, body: Mapping[str, Any]) -> Result:
    at = rfc3339(here.clock.now())
    return carried_out(_COMMAND, action, body, environment=here.environment, at=at)
