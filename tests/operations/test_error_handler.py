"""Errors classified, kept with their context and counted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from beast_dream_snow_loader import errors
from beast_dream_snow_loader.operations.classification import CLASSIFICATION, classify
from beast_dream_snow_loader.operations.correlation import correlated
from beast_dream_snow_loader.operations.error_handler import (
    ErrorCategory,
    ErrorContext,
    ErrorHandler,
    ErrorSeverity,
    OperationalError,
)
from beast_dream_snow_loader.transport.messages import Response

CANARY = "s3cret-canary"


def leaves(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    below = [one for one in kind.__subclasses__() if one.__module__ == errors.__name__]
    if not below:
        yield kind
    for one in below:
        yield from leaves(one)


def test_every_leaf_of_the_error_tree_is_classified() -> None:
    found = set(leaves(errors.SnowloadError))
    assert len(found) > 15
    assert found - set(CLASSIFICATION) == set()


def test_every_class_of_the_tree_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in CLASSIFICATION if issubclass(kind, errors.SnowloadError)]
    assert len(codes) == len(set(codes))


def test_a_mistake_of_ours_is_critical() -> None:
    assert classify(ZeroDivisionError()).severity is ErrorSeverity.CRITICAL


@pytest.fixture
def handler(clock) -> ErrorHandler:
    return ErrorHandler(clock=clock, environment="testing")


def failed(handler: ErrorHandler, error: Exception, **more: object) -> ErrorContext:
    try:
        raise error
    except type(error) as caught:
        return handler.capture("load", caught, more or None)


def test_a_captured_error_has_its_whole_context(handler: ErrorHandler, clock) -> None:
    """R1.1."""
    with correlated("run-7"):
        context = failed(handler, errors.NotSent("Could not reach gw-1."), key="gw-1", password=CANARY)
    assert (context.operation, context.category, context.severity) == (
        "load",
        ErrorCategory.NETWORK,
        ErrorSeverity.MEDIUM,
    )
    assert (context.timestamp, context.correlation_id) == (clock.now(), "run-7")
    assert context.error_message == "Could not reach gw-1."
    assert "test_error_handler.py" in context.stack_trace
    assert context.input_data == {"key": "gw-1", "password": "[hidden]"}
    assert set(context.environment_info) == {"snowload", "python", "system", "environment"}


def test_an_operational_error_is_one_of_ours_and_carries_the_context(handler: ErrorHandler) -> None:
    error = OperationalError(failed(handler, errors.MappingError("No class for gw-1.")))
    assert isinstance(error, errors.SnowloadError)
    assert (str(error), error.context.category) == ("No class for gw-1.", ErrorCategory.TRANSFORMATION)


@pytest.mark.parametrize(
    ("status", "category"),
    [(401, "authentication"), (403, "authentication"), (429, "servicenow_api"), (503, "servicenow_api")],
)
def test_an_answer_is_classified_without_its_body(handler: ErrorHandler, status: int, category: str) -> None:
    response = Response(status=status, headers={}, body=CANARY.encode(), url="https://x/")
    context = handler.handle_servicenow_error(response, "ire.enhanced")
    assert context.category.value == category
    assert str(status) in context.error_message
    assert CANARY not in repr(context)


def test_a_refused_login_says_what_to_look_at(handler: ErrorHandler) -> None:
    context = handler.handle_authentication_error("basic", "401 User Not Authenticated.")
    assert "snc_basic_auth_api_access" in context.error_message
    assert "registry entry" in handler.handle_authentication_error("OAuth password grant", "401").error_message
    assert context.severity is ErrorSeverity.CRITICAL


def test_errors_are_counted_by_category_within_the_window(handler: ErrorHandler, clock) -> None:
    failed(handler, errors.NotSent("a"))
    clock.seconds += 3000
    failed(handler, errors.NotSent("b"))
    failed(handler, errors.MappingError("c"))
    failed(handler, errors.OutcomeUnknown("d"))
    assert handler.aggregate_errors() == {"network": 3, "transformation": 1}
    assert handler.aggregate_errors(time_window_minutes=10) == {"network": 2, "transformation": 1}
    clock.seconds += 3601
    assert handler.aggregate_errors() == {}


def test_only_so_many_errors_are_remembered(clock) -> None:
    handler = ErrorHandler(clock=clock, capacity=10)
    for _ in range(50):
        failed(handler, errors.NotSent("again"))
    assert handler.aggregate_errors() == {"network": 10}
