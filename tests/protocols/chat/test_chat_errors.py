"""Errors of the chat protocol: what an upstream's answer reports, and the envelope that clients get."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from protocols.chat.chat_support import opening
from setpoint.errors import STATUS, ErrorType, GatewayError, ProviderError, RequestError, SetpointError
from setpoint.protocols.chat import answer_instead, edit_stream, error_status, write_error, writer
from setpoint.protocols.failures import Reported, read_error
from setpoint.wire.sse import DONE


def envelope(error: SetpointError) -> dict[str, Any]:
    return json.loads(write_error(error, None, None))


# --- reading -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "reported"),
    [
        ({"message": "Slow", "type": "requests", "code": "rate_limited"}, ("rate_limited", "Slow")),
        ({"message": "Bad", "type": "invalid_request_error", "code": None}, ("invalid_request_error", "Bad")),
        ({"message": "Bad", "code": 429}, ("429", "Bad")),
        ({"message": None, "code": True}, (None, None)),
        ({"message": {"x": 1}, "code": [], "type": 1.5}, (None, None)),
        ({"message": "", "code": ""}, (None, None)),
        ("it broke", (None, "it broke")),
        ({}, (None, None)),
        ([1], (None, None)),
        (1, (None, None)),
        (False, (None, None)),
    ],
)
def test_an_error_is_read_in_every_form(error: object, reported: tuple[str | None, str | None]) -> None:
    assert read_error(json.dumps({"id": "x", "error": error}).encode()) == Reported(*reported)


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{}", b"[]", b"null", b'"error"', b"<html>busy</html>", b'{"error":null}', b'{"error":{', b"\xff"),
        b'{"error":"\xff"}',
        b'{"error":' + b"[" * 100_000,
        b'{"error":{"code":' + b"1" * 5000 + b"}}",
    ],
)
def test_what_reports_no_error_is_none(data: bytes) -> None:
    assert read_error(data) is None


_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
_NAMES = st.sampled_from(["error", "code", "type", "message"]) | st.text(max_size=2)
_ANYTHING = st.recursive(_SCALARS, lambda inner: st.lists(inner) | st.dictionaries(_NAMES, inner), max_leaves=8)


@given(st.binary() | st.fixed_dictionaries({"error": _ANYTHING}).map(lambda content: json.dumps(content).encode()))
@example(b'{"error":{"message":"\\ud800","code":"\\udfff"}}')
def test_nothing_is_too_strange_to_be_read(data: bytes) -> None:
    reported = read_error(data)
    if reported is not None:
        envelope(ProviderError("invalid_request", reported.message or "", provider_code=reported.code))


# --- writing -------------------------------------------------------------------------------------------------


def test_the_envelope_has_an_integer_code_a_message_and_the_type() -> None:
    assert envelope(RequestError("payload_too_large", "the body is too large")) == {
        "error": {"code": 413, "message": "the body is too large", "metadata": {"error_type": "payload_too_large"}},
        "user_id": None,
        "openrouter_metadata": None,
    }


@pytest.mark.parametrize("type_", get_args(ErrorType))
def test_every_type_has_an_envelope_with_its_status(type_: ErrorType) -> None:
    error = envelope(SetpointError(type_, ""))["error"]
    assert error["code"] == STATUS[type_]
    assert error["message"]
    assert error["metadata"]["error_type"] == type_


@pytest.mark.parametrize("type_", ["server", "unmapped"])
def test_our_own_faults_tell_nothing_but_their_type(type_: ErrorType) -> None:
    error = GatewayError(type_, "KeyError: 'sk-secret'", metadata={"provider_code": "x", "raw": "sk-secret"})
    assert envelope(error)["error"] == {
        "code": 500,
        "message": "Internal Server Error",
        "metadata": {"error_type": type_},
    }


def test_metadata_stands_beside_the_type() -> None:
    error = ProviderError("rate_limit_exceeded", "Slow down", metadata={"provider_name": "Acme", "previous_errors": []})
    assert envelope(error)["error"]["metadata"] == {
        "error_type": "rate_limit_exceeded",
        "provider_name": "Acme",
        "previous_errors": [],
    }


def test_an_availability_comes_with_type_and_status_beside_the_code() -> None:
    error = envelope(RequestError("not_found", "gone", availability={"code": "no_endpoints", "retryable": False}))
    assert error["error"] == {
        "code": 404,
        "message": "gone",
        "metadata": {"error_type": "not_found"},
        "error_type": "not_found",
        "http_status": 404,
        "availability": {"code": "no_endpoints", "retryable": False},
    }


def test_lone_surrogates_in_a_message_go_out_as_escapes() -> None:
    error = RequestError("invalid_request", "\ud800 is not a valid model ID", metadata={"reason": "\udfff"})
    assert b"\\ud800 is not" in write_error(error, None, None)
    assert b"\\ud800 is not" in edit_stream(opening()).fail(error, None)


def test_router_metadata_stands_beside_the_error_unless_it_is_ours() -> None:
    metadata = Raw(b'{"attempts":1}')
    shown = json.loads(write_error(RequestError("not_found", "gone"), "gen-1", metadata))
    assert shown["openrouter_metadata"] == {"attempts": 1}
    assert json.loads(write_error(GatewayError("server", "x"), "gen-1", metadata))["openrouter_metadata"] is None


@pytest.mark.parametrize("type_", get_args(ErrorType))
def test_every_error_has_its_own_status_and_none_is_told_as_an_answer(type_: ErrorType) -> None:
    error = SetpointError(type_, "x")
    assert error_status(error) == STATUS[type_]
    assert answer_instead(error, opening(), None) is None


@given(st.sampled_from(get_args(ErrorType)), st.text(min_size=1))
def test_what_a_stream_says_of_an_error_its_reader_reads_back(type_: ErrorType, message: str) -> None:
    error = RequestError(type_, message)
    masked = type_ in ("server", "unmapped")
    edited, written = (stream.fail(error, None) for stream in (edit_stream(opening()), writer(opening())))
    assert edited == written
    written = (write_error(error, None, None), edited.removeprefix(b"data: ").removesuffix(DONE))
    for data in written:
        assert read_error(data) == Reported(str(STATUS[type_]), "Internal Server Error" if masked else message)
