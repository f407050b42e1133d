"""Errors with their context: what was done, to what, where it broke, and how often of late."""

from __future__ import annotations

import platform
import threading
import traceback
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol

from beast_dream_snow_loader import __version__
from beast_dream_snow_loader.clock import Clock, SystemClock
from beast_dream_snow_loader.errors import SnowloadError
from beast_dream_snow_loader.operations.classification import (
    ErrorCategory,
    ErrorSeverity,
    classify,
    classify_code,
    classify_status,
)
from beast_dream_snow_loader.operations.correlation import correlation_id
from beast_dream_snow_loader.redaction import allow, masked

__all__ = ["ErrorCategory", "ErrorContext", "ErrorHandler", "ErrorSeverity", "OperationalError"]

SHOWN_INPUT = frozenset(
    {"key", "kind", "site", "console", "class_name", "operation", "rule", "step", "count", "run_id"}
)
"""Names of input that may be kept with an error; the values of all others are hidden."""

_TRACE_MAX = 20_000
_TRACE_FRAMES = 12


@dataclass(frozen=True, slots=True)
class ErrorContext:
    """``timestamp`` is aware and in UTC; ``input_data`` is redacted; ``environment_info`` are facts about the program
    and the machine, never the environment variables (R1.1)."""

    operation: str
    category: ErrorCategory
    severity: ErrorSeverity
    timestamp: datetime
    error_message: str
    stack_trace: str
    input_data: Mapping[str, Any] | None
    environment_info: Mapping[str, str]
    correlation_id: str
    code: str = ""


class OperationalError(SnowloadError):
    """Any error with its context, at a step's edge. The error itself is its cause."""

    code: ClassVar[str] = "operational"

    def __init__(self, context: ErrorContext) -> None:
        super().__init__(context.error_message)
        self.context = context


class Answered(Protocol):
    """A response, ours: only its status is looked at; None: there was none."""

    @property
    def status(self) -> int | None: ...


class ErrorHandler:
    """Captures errors and remembers the latest ``capacity`` of them. Thread-safe.

    ``environment`` is the named one (``production``).
    """

    def __init__(self, *, clock: Clock | None = None, environment: str = "", capacity: int = 10_000) -> None:
        self._clock = clock or SystemClock()
        self._facts = {
            "snowload": __version__,
            "python": platform.python_version(),
            "system": platform.system(),
            "environment": environment,
        }
        self._recent: deque[ErrorContext] = deque(maxlen=capacity)
        self._met_at: dict[str, str] = {}
        self._lock = threading.Lock()

    def capture_error(
        self,
        operation: str,
        exception: BaseException,
        category: ErrorCategory,
        severity: ErrorSeverity,
        input_data: Mapping[str, Any] | None = None,
    ) -> ErrorContext:
        trace = "".join(traceback.format_exception(exception))
        code = exception.code if isinstance(exception, SnowloadError) else ""
        return self._keep(operation, category, severity, str(exception), trace, input_data, code)

    def capture(
        self, operation: str, exception: BaseException, input_data: Mapping[str, Any] | None = None
    ) -> ErrorContext:
        """:meth:`capture_error` with category and severity from the classification table."""
        kind = classify(exception)
        return self.capture_error(operation, exception, kind.category, kind.severity, input_data)

    def capture_refusal(
        self, operation: str, code: str, message: str, input_data: Mapping[str, Any] | None = None
    ) -> ErrorContext:
        """A failure that was answered, not raised: there is no exception, so the trace is of where the first one with
        that code was met."""
        kind = classify_code(code)
        with self._lock:
            trace = self._met_at.get(code) or "".join(traceback.format_stack(limit=_TRACE_FRAMES)[:-1])
            self._met_at[code] = trace
        return self._keep(operation, kind.category, kind.severity, message, trace, input_data, code)

    def handle_servicenow_error(self, response: Answered, operation: str) -> ErrorContext:
        """An answer that is none. Its body is not kept: it may hold the request's payload."""
        kind = classify_status(response.status)
        message = f"ServiceNow answered {operation} with status {response.status}."
        if response.status is None:
            message = f"ServiceNow did not answer {operation}."
        return self._keep(operation, kind.category, kind.severity, message, "", None)

    def handle_authentication_error(self, auth_method: str, details: str) -> ErrorContext:
        """``details`` is the server's reason or ours, never a credential."""
        method = auth_method.lower().replace(" ", "_")
        told = (guidance for name, guidance in _GUIDANCE.items() if method.startswith(name))
        guidance = next(told, "Check the credentials with: snowload doctor")
        message = f"The login by {auth_method} was refused: {details.rstrip('.')}. {guidance}"
        return self._keep("authentication", ErrorCategory.AUTHENTICATION, ErrorSeverity.CRITICAL, message, "", None)

    def aggregate_errors(self, time_window_minutes: int = 60) -> dict[str, int]:
        """How many of each category there were in the window, the most frequent first."""
        since = self._clock.now() - timedelta(minutes=time_window_minutes)
        with self._lock:
            counts = Counter(one.category.value for one in self._recent if one.timestamp >= since)
        return dict(counts.most_common())

    def _keep(
        self,
        operation: str,
        category: ErrorCategory,
        severity: ErrorSeverity,
        message: str,
        trace: str,
        input_data: Mapping[str, Any] | None,
        code: str = "",
    ) -> ErrorContext:
        context = ErrorContext(
            operation=operation,
            category=category,
            severity=severity,
            timestamp=self._clock.now(),
            error_message=masked(message),
            stack_trace=masked(trace[-_TRACE_MAX:]),
            input_data=None if input_data is None else allow(input_data, SHOWN_INPUT),
            environment_info=self._facts,
            correlation_id=correlation_id(),
            code=code,
        )
        with self._lock:
            self._recent.append(context)
        return context


_GUIDANCE: Mapping[str, str] = {
    "oauth": "Check the client id and secret, and the OAuth Application User of the instance's registry entry.",
    "api_key": "Check the key, and the inbound authentication profile and REST API access policy of the instance.",
    "basic": "Check user name and password; newer instances also want the role snc_basic_auth_api_access.",
    "1password": "Sign in with: op signin. Then check the reference with: snowload config check",
}
