"""What kind of trouble an exception is and how bad, for every class of ``errors.py``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from beast_dream_snow_loader import errors


class ErrorSeverity(Enum):
    LOW = "low"
    """It passes by itself."""
    MEDIUM = "medium"
    """One record, or one try, is lost."""
    HIGH = "high"
    """A person has to do something."""
    CRITICAL = "critical"
    """Nothing can go on."""


class ErrorCategory(Enum):
    AUTHENTICATION = "authentication"
    NETWORK = "network"
    DATA_VALIDATION = "data_validation"
    SERVICENOW_API = "servicenow_api"
    TRANSFORMATION = "transformation"
    CONFIGURATION = "configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    category: ErrorCategory
    severity: ErrorSeverity


def _as(category: ErrorCategory, severity: ErrorSeverity) -> Classification:
    return Classification(category=category, severity=severity)


_C, _S = ErrorCategory, ErrorSeverity

CLASSIFICATION: Mapping[type[BaseException], Classification] = {
    errors.ConfigurationError: _as(_C.CONFIGURATION, _S.CRITICAL),
    errors.UnknownDataSource: _as(_C.CONFIGURATION, _S.CRITICAL),
    errors.OtherInstance: _as(_C.CONFIGURATION, _S.CRITICAL),
    errors.BadArgument: _as(_C.CONFIGURATION, _S.LOW),
    errors.SourceUnavailable: _as(_C.NETWORK, _S.HIGH),
    errors.SourceDataInvalid: _as(_C.DATA_VALIDATION, _S.MEDIUM),
    errors.MappingError: _as(_C.TRANSFORMATION, _S.MEDIUM),
    errors.NotSent: _as(_C.NETWORK, _S.MEDIUM),
    errors.Throttled: _as(_C.SERVICENOW_API, _S.LOW),
    errors.ServerFault: _as(_C.SERVICENOW_API, _S.MEDIUM),
    errors.OutcomeUnknown: _as(_C.NETWORK, _S.HIGH),
    errors.Rejected: _as(_C.SERVICENOW_API, _S.MEDIUM),
    errors.NotAuthenticated: _as(_C.AUTHENTICATION, _S.CRITICAL),
    errors.NotAuthorised: _as(_C.AUTHENTICATION, _S.HIGH),
    errors.CircuitBreakerOpen: _as(_C.NETWORK, _S.MEDIUM),
    errors.BulkheadFull: _as(_C.NETWORK, _S.LOW),
    errors.RequestLimitReached: _as(_C.CONFIGURATION, _S.LOW),
    errors.ReadOnlyMode: _as(_C.CONFIGURATION, _S.LOW),
    errors.CmdbAsleep: _as(_C.SERVICENOW_API, _S.HIGH),
    errors.SeveralRecords: _as(_C.DATA_VALIDATION, _S.HIGH),
    errors.WriteNotKept: _as(_C.SERVICENOW_API, _S.MEDIUM),
    errors.ClassMissing: _as(_C.SERVICENOW_API, _S.LOW),
    errors.StateLocked: _as(_C.CONFIGURATION, _S.MEDIUM),
    errors.StateFull: _as(_C.CONFIGURATION, _S.CRITICAL),
    errors.StateUnavailable: _as(_C.CONFIGURATION, _S.CRITICAL),
    errors.StateAbsent: _as(_C.CONFIGURATION, _S.CRITICAL),
    errors.QueueFull: _as(_C.SERVICENOW_API, _S.CRITICAL),
    errors.AuditDamaged: _as(_C.CONFIGURATION, _S.CRITICAL),
    errors.StateTooNew: _as(_C.CONFIGURATION, _S.CRITICAL),
    errors.StateDamaged: _as(_C.CONFIGURATION, _S.CRITICAL),
    errors.EmptySource: _as(_C.DATA_VALIDATION, _S.HIGH),
    errors.TooManyRetirements: _as(_C.DATA_VALIDATION, _S.HIGH),
    errors.Stopped: _as(_C.CONFIGURATION, _S.LOW),
    errors.StalePlan: _as(_C.DATA_VALIDATION, _S.HIGH),
    errors.PlanDamaged: _as(_C.DATA_VALIDATION, _S.CRITICAL),
    errors.Refused: _as(_C.DATA_VALIDATION, _S.HIGH),
    errors.SnowloadError: _as(_C.CONFIGURATION, _S.HIGH),
    OSError: _as(_C.NETWORK, _S.MEDIUM),
    ValueError: _as(_C.DATA_VALIDATION, _S.MEDIUM),
}

_UNEXPECTED = _as(_C.TRANSFORMATION, _S.CRITICAL)
"""A mistake of ours. Nearly all of our own work is turning one thing into another."""


def classify(exception: BaseException) -> Classification:
    """By the nearest class in the table."""
    return next((CLASSIFICATION[kind] for kind in type(exception).__mro__ if kind in CLASSIFICATION), _UNEXPECTED)


_BY_STATUS: Mapping[int | None, Classification] = {
    None: _as(_C.NETWORK, _S.MEDIUM),
    401: _as(_C.AUTHENTICATION, _S.CRITICAL),
    403: _as(_C.AUTHENTICATION, _S.HIGH),
    429: _as(_C.SERVICENOW_API, _S.LOW),
}


def classify_status(status: int | None) -> Classification:
    """An answer of ServiceNow by its status alone, for when there is nothing better; None: there was none."""
    other = _S.HIGH if (status or 0) >= 500 else _S.MEDIUM
    return _BY_STATUS.get(status, _as(_C.SERVICENOW_API, other))


_BY_CODE: Mapping[str, Classification] = {
    kind.code: found for kind, found in CLASSIFICATION.items() if issubclass(kind, errors.SnowloadError)
}
_BY_BEGINNING: tuple[tuple[str, Classification], ...] = (
    ("auth.", _as(_C.AUTHENTICATION, _S.HIGH)),
    ("transport.", _as(_C.NETWORK, _S.MEDIUM)),
    ("unknown.", _as(_C.NETWORK, _S.HIGH)),
    ("", _as(_C.SERVICENOW_API, _S.MEDIUM)),
)


def classify_code(code: str) -> Classification:
    """What a receipt's code says: one of our classes', or one of ServiceNow's own."""
    return _BY_CODE.get(code) or next(found for beginning, found in _BY_BEGINNING if code.startswith(beginning))


def is_code(text: str) -> bool:
    """Whether this is the code of one of our errors."""
    return text in _BY_CODE
