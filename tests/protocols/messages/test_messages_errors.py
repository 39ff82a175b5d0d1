"""Errors in the words of the messages protocol."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from msgspec import Raw

from setpoint.errors import ErrorType, SetpointError
from setpoint.protocols.answer import Opening, Stamp
from setpoint.protocols.messages.errors import answer_instead, error_event, error_status, write_error

ROUTED = Raw(b'{"requested":"a/b"}')
INVALID = "invalid_request_error"


def told(error: SetpointError, id_: str | None = None, metadata: Raw | None = None) -> dict[str, Any]:
    return json.loads(write_error(error, id_, metadata))


@pytest.mark.parametrize(
    ("type_", "word", "status"),
    [
        ("authentication", "authentication_error", 401),
        ("permission_denied", "permission_error", 403),
        ("payment_required", "billing_error", 402),
        ("not_found", "not_found_error", 404),
        ("rate_limit_exceeded", "rate_limit_error", 429),
        ("provider_overloaded", "overloaded_error", 529),
        ("unavailable", "overloaded_error", 529),
        ("timeout", "timeout_error", 504),
        ("invalid_request", INVALID, 400),
        ("invalid_prompt", INVALID, 400),
        ("context_length_exceeded", INVALID, 400),
        ("max_tokens_exceeded", INVALID, 400),
        ("token_limit_exceeded", INVALID, 400),
        ("string_too_long", INVALID, 400),
        ("content_policy_violation", INVALID, 400),
        ("refusal", INVALID, 400),
        ("payload_too_large", INVALID, 413),
        ("headers_too_large", INVALID, 431),
        ("request_timeout", INVALID, 408),
        ("unprocessable", INVALID, 422),
        ("method_not_allowed", INVALID, 405),
        ("conflict", INVALID, 409),
        ("provider_unavailable", "api_error", 502),
        ("server", "api_error", 500),
        ("unmapped", "api_error", 500),
    ],
)
def test_each_error_type_has_the_protocols_word_and_status(type_: ErrorType, word: str, status: int) -> None:
    error = SetpointError(type_, "why")
    assert (told(error)["error"]["type"], told(error)["error"]["error_type"]) == (word, type_)
    assert error_status(error) == status


@pytest.mark.parametrize("type_", get_args(ErrorType))
def test_every_error_has_the_whole_envelope_and_a_message(type_: ErrorType) -> None:
    envelope = told(SetpointError(type_, ""))
    assert set(envelope) == {"type", "error", "request_id"}
    assert envelope["type"] == "error"
    assert envelope["error"]["message"]


def test_the_request_id_is_the_generations_once_there_is_one() -> None:
    error = SetpointError("not_found", "no such model")
    assert told(error)["request_id"] is None
    assert told(error, "gen-1")["request_id"] == "gen-1"


def test_what_the_caller_may_see_beside_the_message_stands_beside_the_error() -> None:
    error = SetpointError("invalid_request", "no", metadata={"reason": "unsupported"})
    envelope = told(error, "gen-1", ROUTED)
    assert envelope["metadata"] == {"reason": "unsupported"}
    assert envelope["openrouter_metadata"] == {"requested": "a/b"}


def test_availability_stands_inside_the_error() -> None:
    error = SetpointError("provider_overloaded", "busy", availability={"code": "temporarily_unavailable"})
    assert told(error)["error"] == {
        "type": "overloaded_error",
        "message": "busy",
        "error_type": "provider_overloaded",
        "http_status": 529,
        "availability": {"code": "temporarily_unavailable"},
    }


@pytest.mark.parametrize("type_", ["server", "unmapped"])
def test_a_fault_of_ours_tells_nothing_but_its_type(type_: ErrorType) -> None:
    error = SetpointError(type_, "the secret cause", metadata={"provider_code": "x"})
    assert told(error, "gen-1", ROUTED) == {
        "type": "error",
        "error": {"type": "api_error", "message": "Internal Server Error", "error_type": type_},
        "request_id": "gen-1",
    }


def test_the_error_event_of_a_stream_says_the_same() -> None:
    error = SetpointError("timeout", "too slow", metadata={"provider_name": "Acme"})
    assert error_event(error, "gen-1", ROUTED) == write_error(error, "gen-1", ROUTED)


def test_no_error_is_answered_with_a_success() -> None:
    opening = Opening(stamp=Stamp("gen-1", "a/b", "Acme", 1), request={}, new_id=lambda prefix: prefix)
    assert answer_instead(SetpointError("context_length_exceeded", "too long"), opening, None) is None
