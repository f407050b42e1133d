"""Everything that went wrong in a run, kept as it happened: for ``errors`` and ``incidents`` of its report."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime

from beast_dream_snow_loader.clock import Clock
from beast_dream_snow_loader.core.events import (
    ChangeSettled,
    CredentialAccessed,
    Event,
    RequestFinished,
    StepStarted,
    TroubleMet,
)
from beast_dream_snow_loader.core.incidents import Trouble
from beast_dream_snow_loader.core.receipts import Outcome, Receipt
from beast_dream_snow_loader.errors import NotAuthenticated, ServerFault, SnowloadError, Throttled
from beast_dream_snow_loader.operations.error_handler import ErrorContext, ErrorHandler
from beast_dream_snow_loader.operations.listeners import failing
from beast_dream_snow_loader.operations.logger import StructuredLogger

_FAILED = frozenset({Outcome.REFUSED, Outcome.UNKNOWN})
_OF_AN_END = ("transport.", "auth.", "cmdb.", "source.")
_CODES = {401: NotAuthenticated.code, 429: Throttled.code}


class Troubles:
    """A listener. Thread-safe."""

    def __init__(self, clock: Clock, *, environment: str = "", logger: StructuredLogger | None = None) -> None:
        self.handler = ErrorHandler(clock=clock, environment=environment)
        self._clock, self._logger = clock, logger
        self._lock = threading.Lock()
        self._step = ""
        self._met: list[Trouble] = []
        self._seen: dict[int, SnowloadError] = {}
        self._placed: dict[int, Trouble] = {}
        self.answered: dict[tuple[str, str], datetime] = {}
        """When a request last went well, by service and operation."""
        self.captured: list[ErrorContext] = []
        """Errors that were raised, each once."""
        self.refused: dict[str, ErrorContext] = {}
        """What became of changes, by subject; a later try may have made one after all."""
        self.settled: dict[str, Trouble] = {}
        """Where and when changes that failed or wait first did, by subject."""

    def __call__(self, event: Event) -> None:
        if isinstance(event, RequestFinished):
            if failing(event):
                code = event.error or _CODES.get(event.status or 0, ServerFault.code)
                self._add(event.service, code, operation=event.operation)
                if event.service == "servicenow":
                    self.handler.handle_servicenow_error(event, event.operation)
            else:
                self._answered(event)
        elif isinstance(event, CredentialAccessed):
            if event.code == NotAuthenticated.code:
                self.handler.handle_authentication_error(event.method, "the server answered 401")
        elif isinstance(event, ChangeSettled):
            if event.receipt.outcome is not Outcome.DONE:
                self._settled(event.receipt)
        elif isinstance(event, StepStarted):
            self._step = event.step
        elif isinstance(event, TroubleMet):
            self.met(event.error, event.step)

    @property
    def on_the_way(self) -> Sequence[Trouble]:
        """Requests that failed, and errors that came of none."""
        with self._lock:
            return tuple(self._met)

    def met(self, error: SnowloadError, step: str = "") -> None:
        """Capture an error, once however often it is told."""
        with self._lock:
            if id(error) in self._seen:
                return
            self._seen[id(error)] = error
        step = step or self._step
        context = self.handler.capture(step or "run", error, {"step": step, "code": error.code})
        self.captured.append(context)
        if self._logger is not None:
            self._logger.log_error(context)
        service = self._service(error.code, step)
        self._placed[id(error)] = Trouble(at=self._clock.now(), step=step, service=service, code=error.code)
        if not any((one.service, one.step, one.code) == (service, step, error.code) for one in self.on_the_way):
            self._add(service, error.code, step)

    def placed(self, error: SnowloadError) -> Trouble:
        """Where and of whom an error was met."""
        self.met(error)
        return self._placed[id(error)]

    def _answered(self, event: RequestFinished) -> None:
        with self._lock:
            self.answered[event.service, event.operation] = self._clock.now()

    def _settled(self, receipt: Receipt) -> None:
        trouble = Trouble(
            at=self._clock.now(), step=self._step, service="servicenow", code=receipt.code, subject=receipt.subject
        )
        with self._lock:
            self.settled.setdefault(receipt.subject, trouble)
        if receipt.outcome in _FAILED:
            told = {"key": receipt.subject, "step": self._step}
            self.refused[receipt.subject] = self.handler.capture_refusal("load", receipt.code, receipt.message, told)

    def _add(self, service: str, code: str, step: str | None = None, operation: str = "") -> None:
        now, step = self._clock.now(), self._step if step is None else step
        with self._lock:
            self._met.append(Trouble(at=now, step=step, service=service, code=code, operation=operation))

    def _service(self, code: str, step: str) -> str:
        """Whom an error is about: the one whose request failed so, else the end that the step talks to."""
        if not code.startswith(_OF_AN_END):
            return ""
        asked = (one.service for one in reversed(self.on_the_way) if (one.step, one.code) == (step, code))
        return next(asked, "unifi" if step == "fetch" else "servicenow")
