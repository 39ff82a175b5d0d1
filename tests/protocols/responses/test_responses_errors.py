"""Errors of the responses skin: the envelope, the failed response's member, and the answer given instead."""

from __future__ import annotations

import json
from itertools import count
from typing import Any, get_args

import pytest
from openai.types.responses import Response, ResponseError
from openrouter.components import OpenResponsesResult

from setpoint.errors import STATUS, ErrorType, GatewayError, ProviderError, RequestError
from setpoint.protocols import responses
from setpoint.protocols.answer import Opening, Stamp
from setpoint.protocols.responses.errors import ERROR_CODES, response_error
from setpoint.wire.body import raw, split
from setpoint.wire.sse import FrameReader

STAMP = Stamp("gen-1", "acme/sage-2", "Acme", 1767225000)


def opening(request: dict[str, Any]) -> Opening:
    numbers = count(1)
    return Opening(
        stamp=STAMP, request=split(json.dumps(request).encode()), new_id=lambda prefix: f"{prefix}{next(numbers)}"
    )


# --- the envelope --------------------------------------------------------------------------------------------


def test_an_error_is_an_envelope_with_a_whole_number_and_its_type_beside_it() -> None:
    error = ProviderError("rate_limit_exceeded", "too fast", metadata={"provider_name": "Acme"})
    assert json.loads(responses.write_error(error, "gen-1", raw({"attempt": 1}))) == {
        "error": {
            "code": 429,
            "message": "too fast",
            "metadata": {"error_type": "rate_limit_exceeded", "provider_name": "Acme"},
        },
        "user_id": None,
        "openrouter_metadata": {"attempt": 1},
        "error_type": "rate_limit_exceeded",
    }
    assert responses.error_status(error) == 429


def test_a_fault_of_ours_tells_nothing_but_its_type() -> None:
    told = json.loads(responses.write_error(GatewayError("server", "secret"), None, raw({"a": 1})))
    assert "secret" not in json.dumps(told)
    assert (told["error"]["code"], told["error_type"], told["openrouter_metadata"]) == (500, "server", None)


@pytest.mark.parametrize("kind", get_args(ErrorType))
def test_every_error_has_the_status_of_its_type(kind: ErrorType) -> None:
    assert responses.error_status(RequestError(kind, "x")) == STATUS[kind]


# --- the member of a failed response -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", get_args(ErrorType))
def test_every_error_has_a_code_that_clients_know(kind: ErrorType) -> None:
    told = ResponseError.model_validate_json(bytes(response_error(RequestError(kind, "x"))))
    assert told.code == ERROR_CODES.get(kind, "server_error")
    assert told.message


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("rate_limit_exceeded", "rate_limit_exceeded"),
        ("context_length_exceeded", "invalid_prompt"),
        ("invalid_request", "invalid_prompt"),
        ("content_policy_violation", "image_content_policy_violation"),
        ("invalid_prompt", "server_error"),
        ("provider_unavailable", "server_error"),
    ],
)
def test_codes_are_the_documented_ones(kind: ErrorType, code: str) -> None:
    assert json.loads(bytes(response_error(RequestError(kind, "why")))) == {"code": code, "message": "why"}


@pytest.mark.parametrize("kind", ["server", "unmapped"])
def test_a_failed_response_shows_no_cause_of_ours(kind: ErrorType) -> None:
    assert json.loads(bytes(response_error(GatewayError(kind, "secret"))))["message"] == "Internal Server Error"


# --- the answer given instead --------------------------------------------------------------------------------

TOO_LONG: tuple[ErrorType, ...] = (
    *("context_length_exceeded", "max_tokens_exceeded", "token_limit_exceeded", "string_too_long"),
)


@pytest.mark.parametrize("kind", get_args(ErrorType))
def test_only_what_is_too_long_has_an_answer_instead(kind: ErrorType) -> None:
    answer = responses.answer_instead(RequestError(kind, "x"), opening({}), None)
    assert (answer is not None) == (kind in TOO_LONG)


def test_what_is_too_long_is_answered_as_incomplete() -> None:
    error = ProviderError("context_length_exceeded", "too long")
    data = responses.answer_instead(error, opening({"stream": False, "temperature": 0.5}), raw({"attempt": 1}))
    assert data is not None
    told = json.loads(data)
    assert (told["status"], told["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert (told["output"], told["output_text"], told["error"], told["temperature"]) == ([], "", None, 0.5)
    assert (told["usage"]["total_tokens"], told["usage"]["cost"]) == (0, 0)
    assert told["openrouter_metadata"] == {"attempt": 1}
    assert "error_type" not in told
    Response.model_validate_json(data)
    OpenResponsesResult.model_validate(told | {"openrouter_metadata": None})


def test_a_stream_is_answered_by_a_whole_one() -> None:
    error = RequestError("string_too_long", "too long")
    data = responses.answer_instead(error, opening({"stream": True}), None)
    assert data is not None
    frames = FrameReader().feed(data)
    assert frames.pop().data == b"[DONE]"
    events = [json.loads(frame.data) for frame in frames]
    assert [frame.event for frame in frames] == [event["type"].encode() for event in events]
    assert [(event["type"], event["sequence_number"], event["response"]["status"]) for event in events] == [
        ("response.created", 0, "in_progress"),
        ("response.in_progress", 1, "in_progress"),
        ("response.incomplete", 2, "incomplete"),
    ]
    assert {event["response"]["id"] for event in events} == {"resp_1"}
    assert events[2]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
