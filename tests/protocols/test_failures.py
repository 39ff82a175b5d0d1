"""What an upstream's failure becomes, how far its retry reaches, and what callers are told of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from setpoint.protocols.failures import (
    RETRY_AFTER_CAP_S,
    Reported,
    failure,
    reported_status,
    retry_after_s,
    scrub,
    scrubbed,
)
from setpoint.wire.body import raw, value

if TYPE_CHECKING:
    from setpoint.errors import ErrorType, ProviderError, Retry

NOW = datetime(2026, 4, 20, 10, tzinfo=UTC)
NOTHING = Reported()


def failed(status: int, reported: Reported = NOTHING, **more: Any) -> ProviderError:
    headers = more.pop("headers", {})
    return failure(status, reported, headers, provider="Acme", now=NOW, **more)


# --- the table -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "type_", "retry"),
    [
        (400, "invalid_request", "next_model"),
        (401, "provider_unavailable", "next_endpoint"),
        (402, "provider_unavailable", "next_endpoint"),
        (403, "provider_unavailable", "next_endpoint"),
        (404, "not_found", "next_endpoint"),
        (408, "timeout", "next_endpoint"),
        (413, "payload_too_large", "next_endpoint"),
        (422, "unprocessable", "next_model"),
        (429, "rate_limit_exceeded", "next_endpoint"),
        (500, "provider_unavailable", "next_endpoint"),
        (502, "provider_unavailable", "next_endpoint"),
        (503, "provider_overloaded", "next_endpoint"),
        (504, "provider_unavailable", "next_endpoint"),
        (529, "provider_overloaded", "next_endpoint"),
        *(
            (status, "provider_unavailable", "next_endpoint")
            for status in (204, 301, 307, 405, 409, 418, 451, 520, 599)
        ),
    ],
)
def test_a_status_becomes_a_type_with_its_reach(status: int, type_: ErrorType, retry: Retry) -> None:
    error = failed(status)
    assert (error.type, error.retry, error.upstream_status) == (type_, retry, status)
    assert error.permanent == (status in (401, 402, 403))


@pytest.mark.parametrize("code", ["context_length_exceeded", "content_filter", "unsupported_parameter", "unheard_of"])
def test_only_a_400_is_told_apart_by_its_word(code: str) -> None:
    assert failed(500, Reported(code)).type == "provider_unavailable"
    assert failed(422, Reported(code)).type == "unprocessable"


@pytest.mark.parametrize(
    ("code", "type_", "retry"),
    [
        ("context_length_exceeded", "context_length_exceeded", "next_model"),
        ("content_filter", "content_policy_violation", "next_model"),
        ("content_policy_violation", "content_policy_violation", "next_model"),
        ("refusal", "content_policy_violation", "next_model"),
        ("unsupported_parameter", "invalid_request", "next_endpoint"),
        ("unsupported_value", "invalid_request", "next_endpoint"),
        ("unknown_parameter", "invalid_request", "next_endpoint"),
        ("invalid_request_error", "invalid_request", "next_model"),
        (None, "invalid_request", "next_model"),
    ],
)
def test_a_400_is_told_apart_by_its_word(code: str | None, type_: ErrorType, retry: Retry) -> None:
    error = failed(400, Reported(code, "Bad"))
    assert (error.type, error.retry, error.provider_code) == (type_, retry, code)


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 8192 tokens.",
        "prompt is too long: 250000 tokens > 200000 maximum",
        "The request exceeds the CONTEXT WINDOW",
    ],
)
def test_a_400_about_the_length_of_the_prompt_is_known_by_its_message(message: str) -> None:
    assert failed(400, Reported("invalid_request_error", message)).type == "context_length_exceeded"
    assert failed(500, Reported(None, message)).type == "provider_unavailable"


@pytest.mark.parametrize(
    ("status", "code"), [(429, "insufficient_quota"), (402, None), (400, "billing_error"), (402, "unheard_of")]
)
def test_a_used_up_quota_is_permanent_whatever_its_status(status: int, code: str | None) -> None:
    error = failed(status, Reported(code, "You owe us"))
    assert (error.type, error.permanent, error.provider_code) == ("provider_unavailable", True, "insufficient_quota")
    assert error.message == "provider Acme has no quota left"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_permanent_and_never_the_callers_problem(status: int) -> None:
    error = failed(status, Reported("invalid_api_key", "Incorrect API key provided: sk-abc"))
    assert (error.status, error.permanent) == (502, True)
    assert error.message == "provider Acme refuses the configured key"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("content_policy_violation", "No"),
        ("content_filter", None),
        ("403", 'Input requires moderation. Your input was flagged for "violence".'),
        ("permission_error", "This request violates our content policy."),
    ],
)
def test_refused_content_is_the_callers_affair_and_no_refused_key(code: str, message: str | None) -> None:
    error = failed(403, Reported(code, message))
    assert (error.type, error.status, error.retry, error.permanent) == (
        *("content_policy_violation", 400, "next_model", False),
    )
    assert failed(401, Reported(code, message)).permanent


@pytest.mark.parametrize("word", ["overloaded", "overloaded_error"])
def test_an_overloaded_provider_is_known_by_its_word_too(word: str) -> None:
    assert failed(500, Reported(word)).type == "provider_overloaded"


def test_a_model_that_is_not_there_is_an_availability() -> None:
    assert failed(404).availability == {"code": "model_unavailable_upstream", "retryable": False}
    assert failed(500).availability is None


# --- an error inside a 200 -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status"),
    [
        *((None, 502), ("", 502), ("unheard_of", 502), ("server_error", 502)),
        *(("429", 429), ("400", 400), ("599", 599), ("399", 502), ("600", 502), ("4290", 502), ("٤٢٩", 502)),
        *(("9" * 5000, 502), ("-429", 502), ("429.0", 502)),
        *(("rate_limit_exceeded", 429), ("rate_limit_error", 429), ("insufficient_quota", 402)),
        *(("overloaded_error", 529), ("authentication_error", 401), ("permission_error", 403)),
        *(("invalid_request_error", 400), ("context_length_exceeded", 400), ("model_not_found", 404)),
    ],
)
def test_an_error_inside_a_200_has_the_status_that_it_names(code: str | None, status: int) -> None:
    assert reported_status(Reported(code)) == status


def test_a_rate_limit_inside_a_200_is_one_like_any_other() -> None:
    reported = Reported("rate_limit_exceeded", "Slow down")
    error = failed(reported_status(reported), reported)
    assert (error.type, error.retry, error.message) == ("rate_limit_exceeded", "next_endpoint", "Acme: Slow down")


# --- what callers are told -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "message", "told"),
    [
        (400, "temperature: too hot", "Acme: temperature: too hot"),
        (400, None, "Acme answered with status 400"),
        (400, "  ", "Acme answered with status 400"),
        (302, "Moved", "Acme answered with a redirect, which is not followed"),
    ],
)
def test_the_message_is_the_providers_with_its_name(status: int, message: str | None, told: str) -> None:
    assert failed(status, Reported(None, message)).message == told


SECRET = "acme-7f3e9d1c5b"


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_no_secret_is_quoted_from_anywhere(status: int) -> None:
    text = f"key {SECRET} and sk-proj-abcdefgh12345678 and Bearer abcdefgh.ijkl"
    error = failed(status, Reported(text, text), secrets=[SECRET], raw=f'{{"error":"{text}"}}')
    quoted = f"{error.message} {error.provider_code} {error.raw}"
    for secret in (SECRET, "abcdefgh12345678", "abcdefgh.ijkl"):
        assert secret not in quoted
    assert "[redacted]" in f"{error.raw}"


def test_what_is_quoted_is_bounded() -> None:
    error = failed(400, Reported("c" * 10_000, "m" * 10_000), raw="r" * 10_000)
    assert len(error.message) < 1_100
    assert len(error.provider_code or "") == 100
    assert len(error.raw or "") == 1_000


@given(st.text(), st.text(alphabet="abcdef0123456789", min_size=12), st.text())
def test_a_secret_never_survives(before: str, secret: str, after: str) -> None:
    assert secret not in scrub(before + secret + after, [secret])


@pytest.mark.parametrize("secret", ['ab"cd\\ef-0123', "base64/with+signs==", "tags<&>0123456789"])
@pytest.mark.parametrize("form", ["json", "json with escaped slashes", "path", "query", "html"])
def test_a_secret_is_known_however_it_is_written(form: str, secret: str) -> None:
    forms = {
        "json": json.dumps(secret),
        "json with escaped slashes": json.dumps(secret).replace("/", "\\/"),
        "path": f"https://acme.test/{quote(secret)}",
        "query": f"https://acme.test/?key={quote(secret, safe='')}",
        "html": escape(secret),
    }
    written = forms[form]
    assert written[-8:] not in scrub(f"I was sent {written} by you", [secret])


def test_an_error_inside_an_answer_is_scrubbed_at_every_depth() -> None:
    said = raw({"code": 500, "message": f"key {SECRET}", "metadata": {SECRET: [SECRET, 1.5, None, True]}})
    cleaned = value(scrubbed(said, lambda text: scrub(text, [SECRET])))
    told = "[redacted]"
    assert cleaned == {"code": 500, "message": f"key {told}", "metadata": {told: [told, 1.5, None, True]}}
    assert bytes(scrubbed(Raw(b"9" * 5000), scrub)) == b"null"


@pytest.mark.parametrize("text", ["skill-building is fun", "the sk-8 board", "keys: a, b", "Bearer of news"])
def test_plain_words_are_left_alone(text: str) -> None:
    assert scrub(text, ["", SECRET]) == text


# --- how long to wait ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 7 "}, 7),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "1.2"}, 2),
        ({"retry-after": "1000000000"}, RETRY_AFTER_CAP_S),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e3"}, None),
        ({"retry-after-ms": "1500"}, 2),
        ({"retry-after-ms": "20", "retry-after": "9"}, 1),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=30), usegmt=True)}, 30),
        ({"retry-after": format_datetime(NOW - timedelta(seconds=30), usegmt=True)}, None),
        ({"retry-after": format_datetime(NOW + timedelta(days=30), usegmt=True)}, RETRY_AFTER_CAP_S),
        ({"retry-after": "Mon, 20 Apr 2026 10:00:07"}, 7),
        ({"retry-after": "Mon, 20 Apr 2026 10:00:07 +9999"}, None),
        ({"retry-after": "Mon, 99 Apr 2026 10:00:07 GMT"}, None),
    ],
)
def test_the_wait_is_read_in_every_form_within_a_cap(headers: dict[str, str], wait_s: int | None) -> None:
    assert retry_after_s(headers, NOW) == wait_s


@given(st.text(), st.text())
def test_no_header_is_too_strange(seconds: str, milliseconds: str) -> None:
    wait = retry_after_s({"retry-after": seconds, "retry-after-ms": milliseconds}, NOW)
    assert wait is None or 0 <= wait <= RETRY_AFTER_CAP_S


def test_only_a_busy_provider_asks_to_wait() -> None:
    for status in (400, 401, 429, 500, 502, 503, 529):
        wait = failed(status, headers={"retry-after": "7"}).retry_after_s
        assert wait == (7 if status in (429, 503, 529) else None)
