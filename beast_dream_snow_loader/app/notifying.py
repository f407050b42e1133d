"""Who hears of a load, whatever became of it: channels and the dead man's switch (R4.4).

Nothing here changes how a load ends, and it is told last, when that is settled. It ends later by ``timeout_seconds`` at
its start and its end and by ``total_seconds`` at most, and by what it takes to read the secrets of the channels.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from beast_dream_snow_loader.app.breakers import registry_of, shared_memory
from beast_dream_snow_loader.app.failing import result_of
from beast_dream_snow_loader.app.ground import Ground, quieter_libraries
from beast_dream_snow_loader.app.listening import logging_after
from beast_dream_snow_loader.app.notify_channels import Channels, Delivery
from beast_dream_snow_loader.app.notify_message import coming, facts_of, message_of
from beast_dream_snow_loader.app.opening import opened
from beast_dream_snow_loader.app.options import Place
from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.app.signals import Stop, stop_on_signals
from beast_dream_snow_loader.core.exit_codes import ExitCode
from beast_dream_snow_loader.core.notices import ALL, MEMORY, Condition, Decision, notices_of
from beast_dream_snow_loader.errors import SnowloadError, StateError
from beast_dream_snow_loader.operations.circuit_breaker import BreakerRegistry
from beast_dream_snow_loader.operations.correlation import trace_id
from beast_dream_snow_loader.operations.listeners import to_log
from beast_dream_snow_loader.operations.logger import StructuredLogger
from beast_dream_snow_loader.operations.withheld_memory import WithheldMemory
from beast_dream_snow_loader.state.notices import Decide, Letter
from beast_dream_snow_loader.state.store import Store

_FINE = (ExitCode.OK, ExitCode.QUEUED)
"""What the dead man's switch takes for a success: with queued writes nothing is lost, and the channels tell of them."""
_LOOKED = (ExitCode.OK, ExitCode.QUEUED, ExitCode.PARTIAL)


class Telling:
    """What people hear of one command, from the moment its settings are known to its end.

    ``mute``: it is none of those that people want to hear of. ``stop`` is by which signal it was asked to end.
    """

    def __init__(self, command: str, place: Place, *, mute: bool = False) -> None:
        self.command, self.stop = command, Stop()
        self._place, self._mute = place, mute
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
            with stop_on_signals(here.clock, self.stop), quieter_libraries(self._place):
                self._run_id = result.run_id or self._run_id
                with logging_after(here, self._place, self._run_id):
                    self._tell(here, result, deliveries)
        except Exception as error:  # noqa: BLE001 - who tells is a listener: it does not change how a load ends
            deliveries.append(Delivery(channel=ALL, error=_untold(error, deliveries)))
        rows = [one.document() for one in deliveries]
        return replace(result, body={**result.body, "notifications": rows})

    def broken_off(self, why: BaseException) -> None:
        """Whoever asked for the end twice waits for nothing more: then nobody is told."""
        if self._here is not None and not isinstance(why, SystemExit):
            environment = self._here.environment
            self.ended(result_of(self.command, why, environment=environment, run_id=self._run_id))

    def _tell(self, here: Ground, result: Result, deliveries: list[Delivery]) -> None:
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
            deliveries += self._told([Delivery(channel=MEMORY, error=error)])
            if not remembered:
                deliveries += self._told(_sent(here, None, _without_memory(here, result)))

    def _ping(
        self, channels: Channels, suffix: str, params: Sequence[tuple[str, str]], text: str = ""
    ) -> list[Delivery]:
        if channels.settings.ping_url is None:
            return []
        named = (("rid", str(uuid.UUID(hex=trace_id(self._run_id)))),) if self._run_id else ()
        return [channels.ping(suffix, (*named, *params), text)]

    def _told(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Into the log."""
        logger = StructuredLogger("notify")
        for one in deliveries:
            row = one.document()
            if one.error is not None:
                logger.log_event("notice.failed", channel=one.channel, code=one.error.code, message=row["message"])
            elif one.remark is not None:
                logger.log_event("notice.sent", "WARNING", channel=one.channel, message=row["message"])
            else:
                logger.log_event("notice.sent", channel=one.channel)
        return deliveries


def with_telling(telling: Telling, work: Callable[[], Result]) -> Result:
    """What ``work`` comes to, told to whoever has to know; told also when it ends by an exception."""
    try:
        result = work()
    except BaseException as why:
        telling.broken_off(why)
        raise
    return telling.ended(result)


def _untold(error: Exception, deliveries: Sequence[Delivery]) -> SnowloadError:
    if isinstance(error, SnowloadError):
        return error
    heard = any(one.error is None for one in deliveries)
    who = "Not everybody was told" if heard else "Nobody was told"
    return SnowloadError(f"{who}: {type(error).__name__}.", next_step="Try each channel: snowload notify test")


def _channels(here: Ground, registry: BreakerRegistry | None = None) -> Channels:
    return Channels(
        settings=here.settings.notify,
        credentials=here.credentials,
        clock=here.clock,
        listener=to_log(StructuredLogger("notify")),
        registry=registry or BreakerRegistry(),
    )


@contextmanager
def _breakers(here: Ground, store: Store | None) -> Iterator[BreakerRegistry]:
    """What threads that are left behind find out later is not written: the store is closed by then."""
    listener = to_log(StructuredLogger("notify"))
    if store is None:
        yield registry_of(here.settings, here.clock, listener)
        return
    memory = WithheldMemory(shared_memory(here.settings, here.clock, listener, store)[0])
    try:
        yield registry_of(here.settings, here.clock, listener, memory)
    finally:
        memory.close()


def _remember(here: Ground, store: Store, result: Result) -> None:
    """What is new since the last run goes into the outbox, and counts as told."""
    looks = int(result.exit_code) in _LOOKED and Condition.FORECAST in here.settings.notify.on
    decide, letters = _deciding(here, result, coming(here, store) if looks else None)
    _, let_go = store.notices.decide(here.target, decide, letters)
    if let_go:
        StructuredLogger("notify").log_event("notice.dropped", count=let_go)


def _outbox_sent(here: Ground, store: Store) -> list[Delivery]:
    """Also what earlier runs could not send; what cannot be sent waits for the next."""
    claimed = store.notices.claim(here.target, here.settings.notify.channels)
    deliveries = _sent(here, store, claimed)
    outcome = list(zip(claimed, deliveries, strict=True))
    with suppress(StateError):  # sent all the same; what is not written down now is sent again, under the same id
        store.notices.settle(
            sent=[letter for letter, one in outcome if not one.repeatable],
            unsent=[letter for letter, one in outcome if one.repeatable],
        )
    return deliveries


def _without_memory(here: Ground, result: Result) -> list[Letter]:
    """The state itself is broken: told each time rather than never, and not kept."""
    decide, letters = _deciding(here, result, None)
    return list(letters(decide({})))


def _deciding(
    here: Ground, result: Result, forecasts: Sequence[str] | None
) -> tuple[Decide, Callable[[Decision], Iterator[Letter]]]:
    facts, rules, now = facts_of(result, forecasts), here.settings.notify.rules(), here.clock.now()

    def letters(decision: Decision) -> Iterator[Letter]:
        if decision.notices:
            name = secrets.token_hex(16)
            body = json.dumps(message_of(decision.notices, result, here, name))
            yield from (Letter(id=name, channel=channel, body=body) for channel in here.settings.notify.channels)

    return lambda last: notices_of(facts, last, rules, now), letters


def _sent(here: Ground, store: Store | None, letters: Sequence[Letter]) -> list[Delivery]:
    if not letters:
        return []
    with _breakers(here, store) as registry:
        return _channels(here, registry).send([(one.channel, json.loads(one.body)) for one in letters])
