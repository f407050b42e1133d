"""Who hears of a load, whatever became of it: channels and the dead man's switch (R4.4).

Nothing here changes how a load ends. It ends later by 5 s at its start and 5 s and 20 s at its end at most, and by what
it takes to read the secrets of the channels.
"""

from __future__ import annotations

import json
import secrets
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import TracebackType
from typing import Any

from beast_dream_snow_loader.app.breakers import breakers_of
from beast_dream_snow_loader.app.ground import Ground
from beast_dream_snow_loader.app.listening import console_level, log_config
from beast_dream_snow_loader.app.notify_channels import Channels, Delivery
from beast_dream_snow_loader.app.notify_message import coming, facts_of, message_of
from beast_dream_snow_loader.app.options import Place
from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.app.wiring import opened
from beast_dream_snow_loader.core.exit_codes import ExitCode
from beast_dream_snow_loader.core.notices import Condition, Decision, at_run, notices_of
from beast_dream_snow_loader.core.run import RunStatus
from beast_dream_snow_loader.errors import SnowloadError, StateError
from beast_dream_snow_loader.operations.correlation import correlated, trace_id
from beast_dream_snow_loader.operations.listeners import to_log
from beast_dream_snow_loader.operations.log_sinks import logging_to
from beast_dream_snow_loader.operations.logger import StructuredLogger
from beast_dream_snow_loader.state.notices import Letter
from beast_dream_snow_loader.state.store import Store

_PING = "ping"
_FINE = (ExitCode.OK, ExitCode.QUEUED)
"""What the dead man's switch takes for a success: with queued writes nothing is lost, and the channels tell of them."""
_LOOKED = (ExitCode.OK, ExitCode.QUEUED, ExitCode.PARTIAL)


class Watch:
    """One command, from the moment its settings are known to its end. As a context it also tells of a defect.

    ``mute``: it is none of those that people want to hear of.
    """

    def __init__(self, command: str, place: Place, *, mute: bool = False) -> None:
        self._command, self._place, self._mute = command, place, mute
        self._here: Ground | None = None
        self._run_id = ""

    def begins(self, here: Ground) -> None:
        """The settings are read: from now on there is somebody to tell."""
        mine = here.settings.notify
        heard = mine.channels or mine.ping_url is not None
        self._here = here if heard and here.settings.features.notifications and not self._mute else None

    def starts(self, run_id: str) -> None:
        """The run has its name; the log is open."""
        self._run_id = run_id
        if self._here is not None:
            self._told(self._ping(_channels(self._here), "/start", ()))

    def ended(self, result: Result) -> Result:
        """Tell whoever has to know; the same result, with what became of it."""
        here, self._here = self._here, None
        if here is None:
            return result
        deliveries: list[Delivery] = []
        try:
            with self._logged(here):
                self._tell(here, result, deliveries)
        except (SnowloadError, OSError, ValueError, LookupError) as error:
            told = f"Nobody was told: {type(error).__name__}."
            trouble = error if isinstance(error, SnowloadError) else SnowloadError(told)
            deliveries.append(Delivery(channel="all", error=trouble))
        rows = [one.document() for one in deliveries]
        return replace(result, body={**result.body, "notifications": rows})

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or self._here is None:
            return
        stopped = kind is KeyboardInterrupt
        code = ExitCode.INTERRUPTED if stopped else ExitCode.ERROR
        told = "It was interrupted." if stopped else f"This is a defect of snowload: {kind.__name__}."
        status = RunStatus.INTERRUPTED if stopped else RunStatus.FAILED
        self.ended(
            Result(
                command=self._command,
                status=status.value,
                exit_code=code,
                environment=self._here.environment,
                run_id=self._run_id,
                error=SnowloadError(told, next_step="Run it again with -vv: snowload load -vv"),
            )
        )

    def _tell(self, here: Ground, result: Result, deliveries: list[Delivery]) -> None:
        self._run_id = result.run_id or self._run_id
        code = int(result.exit_code)
        suffix, params = ("", ()) if code in _FINE else ("/fail", (("exit_code", str(code)),))
        deliveries += self._told(self._ping(_channels(here), suffix, params, f"{result.status} ({code})"))
        if not here.settings.notify.channels:
            return
        remembered = False
        try:
            with opened(here) as store:
                _remember(here, store, result)
                remembered = True
                deliveries += self._told(_outbox_sent(here, store))
        except StateError as error:
            self._told([Delivery(channel="memory", error=error)])
            if not remembered:
                deliveries += self._told(_sent(here, None, _without_memory(here, result)))

    def _ping(
        self, channels: Channels, suffix: str, params: Sequence[tuple[str, str]], text: str = ""
    ) -> list[Delivery]:
        if channels.settings.ping_url is None:
            return []
        named = (("rid", str(uuid.UUID(hex=trace_id(self._run_id)))),) if self._run_id else ()
        return [Delivery(channel=_PING, error=channels.ping(suffix, (*named, *params), text))]

    def _told(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Into the log."""
        logger = StructuredLogger("notify")
        for one in deliveries:
            row = one.document()
            if one.error is None:
                logger.log_event("notice.sent", channel=one.channel)
            else:
                logger.log_event("notice.failed", channel=one.channel, code=one.error.code, message=row["message"])
        return deliveries

    @contextmanager
    def _logged(self, here: Ground) -> Iterator[None]:
        """The log of the run is closed already."""
        config, console = log_config(here, self._place.verbosity), console_level(here, self._place)
        with correlated(self._run_id or here.environment), logging_to(config, sys.stderr, console=console):
            yield


def _channels(here: Ground, store: Store | None = None) -> Channels:
    listener = to_log(StructuredLogger("notify"))
    registry = breakers_of(here.settings, here.clock, listener, store)
    return Channels(
        settings=here.settings.notify,
        credentials=here.credentials,
        clock=here.clock,
        listener=listener,
        registry=registry,
    )


def _remember(here: Ground, store: Store, result: Result) -> None:
    """What is new since the last run goes into the outbox, and counts as told."""
    looks = int(result.exit_code) in _LOOKED and Condition.FORECAST in here.settings.notify.on
    decide, letters = _deciding(here, result, coming(here, store) if looks else None)
    store.notices.decide(here.target, decide, letters)


def _outbox_sent(here: Ground, store: Store) -> list[Delivery]:
    """Also what earlier runs could not send; what cannot be sent waits for the next."""
    claimed = store.notices.claim(here.target, here.settings.notify.channels)
    deliveries = _sent(here, store, claimed)
    outcome = list(zip(claimed, deliveries, strict=True))
    with suppress(StateError):  # sent all the same; what is not written down now is sent again, under the same id
        store.notices.settle(
            sent=[letter for letter, one in outcome if one.error is None],
            unsent=[letter for letter, one in outcome if one.error is not None],
        )
    return deliveries


def _without_memory(here: Ground, result: Result) -> list[Letter]:
    """The state itself is broken: told each time rather than never, and not kept."""
    decide, letters = _deciding(here, result, None)
    return list(letters(decide({})))


def _deciding(
    here: Ground, result: Result, forecasts: Sequence[str] | None
) -> tuple[Callable[[Any], Decision], Callable[[Decision], Iterator[Letter]]]:
    facts, rules, now = facts_of(result, forecasts), here.settings.notify.rules(), here.clock.now()

    def letters(decision: Decision) -> Iterator[Letter]:
        if decision.notices:
            name = secrets.token_hex(16)
            notices = [at_run(one, result.run_id) for one in decision.notices]
            body = json.dumps(message_of(notices, result, here, name))
            yield from (Letter(id=name, channel=channel, body=body) for channel in here.settings.notify.channels)

    return lambda last: notices_of(facts, last, rules, now), letters


def _sent(here: Ground, store: Store | None, letters: Sequence[Letter]) -> list[Delivery]:
    if not letters:
        return []
    return _channels(here, store).send([(one.channel, json.loads(one.body)) for one in letters])
