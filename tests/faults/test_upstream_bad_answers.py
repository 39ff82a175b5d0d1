"""Upstreams that answer, and wrongly: what is no answer is an error of its own kind, and the next one is asked."""

from __future__ import annotations

import gzip
import json
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest

from faults.faults_support import (
    Front,
    attempts,
    error_of,
    front_of_gateway,
    peak_memory,
    said,
    secret,
    serving,
)
from simulator.answers import completion
from simulator.script import body, gzip_bomb, gzip_without_end, ok, raw, sse, status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator
    from simulator.steps import Script
    from support.processes import Gateway

GOOD = completion("Grüße", (3, 2))
GOOD_JSON = json.dumps(GOOD, ensure_ascii=False)
MEBIBYTE = 1_048_576


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = {"max_answer_bytes": 4 * MEBIBYTE, "first_token_timeout_s": 20, "total_timeout_s": 20}
    with serving(tmp_path_factory, simulator_process, settings=settings) as gateway:
        yield gateway


front = front_of_gateway


def passed_over(front: Front, script: Script, *, streamed: bool) -> list[tuple[str, int | None, str | None]]:
    """The attempts of a request for which alpha does this and beta answers."""
    front.simulator.script(script, prefix="/a")
    answer = front.ask("pair/model", stream=streamed)
    assert answer.status == 200
    assert answer.json()["provider"] == "Beta" if not streamed else said(answer)
    return attempts(front.record(answer))


def failed(front: Front, script: Script, *, streamed: bool = False) -> Any:
    """The error of a request to alpha alone, with the status that the caller gets."""
    front.simulator.script(script)
    answer = front.ask(stream=streamed)
    assert front.record(answer)["status"] == "failed"
    return error_of(answer)


# --- what is no answer ---------------------------------------------------------------------------------------

PAGE = "<!doctype html><title>Just a moment...</title>"
EVENTS = "text/event-stream"
MALFORMED: dict[str, Script] = {
    "html": body(PAGE, content_type="text/html; charset=utf-8"),
    "html-as-json": body(PAGE),
    "empty": body(""),
    "blank": body("  \n"),
    "truncated": body(GOOD_JSON[:-20]),
    "length-too-long": body(GOOD_JSON, content_length=5_000),
    "length-too-short": body(GOOD_JSON, content_length=100),
    "length-no-number": raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ten\r\n\r\n{}"),
    "latin-1": body(GOOD_JSON.encode("latin-1"), content_type="application/json; charset=iso-8859-1"),
    "utf-16": body(GOOD_JSON.encode("utf-16"), content_type="application/json; charset=utf-16"),
    "array": body([GOOD]),
    "scalar": body("true"),
    "no-choices": body({**GOOD, "choices": []}),
    "choices-no-list": body({**GOOD, "choices": {"0": GOOD["choices"][0]}}),
    "no-message": body({**GOOD, "choices": [{"index": 0, "finish_reason": "stop"}]}),
    "not-a-number": body(GOOD_JSON.replace('"created": 1700000000', '"created": NaN')),
    "deep": body(GOOD_JSON[:-1] + ', "x": ' + "[" * 100_000 + "]" * 100_000 + "}"),
    "no-coding": raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "no-http": raw(b"SSH-2.0-OpenSSH_9.9\r\n"),
    "not-gzip": body(GOOD_JSON, headers={"Content-Encoding": "gzip"}),
    "half-a-gzip": body(gzip.compress(GOOD_JSON.encode())[:-30], headers={"Content-Encoding": "gzip"}),
    "unasked-coding": body(GOOD_JSON, headers={"Content-Encoding": "br"}),
    "no-content": body("", code=204),
    "created": body(GOOD_JSON, code=201),
}
MALFORMED_STREAMS: dict[str, Script] = {
    "html": body(PAGE, content_type="text/html"),
    "html-as-events": body(PAGE, content_type=EVENTS),
    "json": body(GOOD),
    "empty": body("", content_type=EVENTS),
    "only-comments": sse([": hello", ": OPENROUTER PROCESSING"] * 3),
    "only-a-role": sse(['data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}']),
    "only-usage": sse(['data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":0}}', "data: [DONE]"]),
    "only-done": sse(["data: [DONE]"]),
    "no-json": sse(["data: hello"]),
    "array": sse(["data: []"]),
    "not-gzip": sse(["data: {}"], headers={"Content-Encoding": "gzip"}),
    "latin-1": body(
        'data: {"choices":[{"delta":{"content":"Grüße"}}]}\n\n'.encode("latin-1"),
        content_type="text/event-stream; charset=iso-8859-1",
    ),
}


@pytest.mark.parametrize("script", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_answer_is_passed_over(front: Front, script: Script) -> None:
    tried = passed_over(front, script, streamed=False)
    assert [(name, error) for name, _, error in tried] == [("Alpha", "provider_unavailable"), ("Beta", None)]
    error = failed(front, script)
    assert (error["code"], error["metadata"]["error_type"]) == (502, "provider_unavailable")


@pytest.mark.parametrize("script", MALFORMED_STREAMS.values(), ids=MALFORMED_STREAMS)
def test_what_is_no_stream_is_passed_over(front: Front, script: Script) -> None:
    tried = passed_over(front, script, streamed=True)
    assert [(name, error) for name, _, error in tried] == [("Alpha", "provider_unavailable"), ("Beta", None)]
    error = failed(front, script, streamed=True)
    assert (error["code"], error["metadata"]["error_type"]) == (502, "provider_unavailable")


def test_an_answer_without_a_content_type_is_read(front: Front) -> None:
    front.simulator.script(body(GOOD, content_type=None))
    assert front.ask().status == 200


def test_an_answer_that_is_compressed_unasked_is_read_all_the_same(front: Front) -> None:
    front.simulator.script(body(gzip.compress(GOOD_JSON.encode()), headers={"Content-Encoding": "gzip"}))
    assert front.ask().json()["choices"][0]["message"]["content"] == "Grüße"
    assert front.upstream().header("accept-encoding") == "identity"


# --- a 200 that reports an error -----------------------------------------------------------------------------

REPORTED: list[tuple[Any, int, str]] = [
    ({"message": "Slow down", "code": 429}, 429, "rate_limit_exceeded"),
    ({"message": "Slow down", "type": "rate_limit_error", "code": None}, 429, "rate_limit_exceeded"),
    ({"message": "Busy", "type": "overloaded_error"}, 503, "provider_overloaded"),
    ({"message": "Too long", "code": "context_length_exceeded"}, 400, "context_length_exceeded"),
    ({"message": "No", "code": "content_filter"}, 400, "content_policy_violation"),
    ({"message": "Who are you?", "code": 401}, 502, "provider_unavailable"),
    ({"message": "Broken", "code": 500}, 502, "provider_unavailable"),
    ({"message": "Odd", "code": "never_heard_of"}, 502, "provider_unavailable"),
    ({}, 502, "provider_unavailable"),
    ("It broke", 502, "provider_unavailable"),
]


@pytest.mark.parametrize(("reported", "code", "type_"), REPORTED)
@pytest.mark.parametrize("form", ["whole", "instead-of-a-stream", "in-a-stream", "in-a-named-event"])
def test_a_200_that_reports_an_error_is_that_error(
    front: Front, form: str, reported: Any, code: int, type_: str
) -> None:
    said_so = json.dumps({"error": reported})
    forms = {
        "whole": body(said_so),
        "instead-of-a-stream": body(said_so),
        "in-a-stream": sse([": wait", f"data: {said_so}", "data: [DONE]"]),
        "in-a-named-event": sse([f"event: error\ndata: {said_so}"]),
    }
    error = failed(front, forms[form], streamed=form != "whole")
    assert (error["code"], error["metadata"]["error_type"]) == (code, type_)


# --- too much of it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content_type", ["application/json", EVENTS])
def test_a_gzip_bomb_is_capped(front: Front, content_type: str) -> None:
    front.ask()
    before = peak_memory(front.gateway)
    tried = passed_over(front, gzip_bomb(1_024, content_type=content_type), streamed=content_type == EVENTS)
    assert tried[0] == ("Alpha", None, "provider_unavailable")
    assert peak_memory(front.gateway) - before < 64 * MEBIBYTE


def test_what_comes_behind_a_gzip_is_neither_kept_nor_read_for_ever(front: Front) -> None:
    front.ask()
    before = peak_memory(front.gateway)
    assert failed(front, gzip_without_end(GOOD_JSON))["code"] == 502
    assert peak_memory(front.gateway) - before < 16 * MEBIBYTE
    front.simulator.script(body(gzip.compress(GOOD_JSON.encode()) + b"\0" * 9, headers={"Content-Encoding": "gzip"}))
    assert front.ask().status == 200


@pytest.mark.parametrize("size", [262_143, 262_144, 262_145, 524_288, 3_000_000])
def test_an_answer_that_unpacks_to_much_is_unpacked_to_its_end(front: Front, size: int) -> None:
    content = completion("x" * size, (3, 2))
    packed = gzip.compress(json.dumps(content).encode())
    front.simulator.script(body(packed, headers={"Content-Encoding": "gzip"}))
    assert front.ask().json()["choices"][0]["message"]["content"] == "x" * size


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, gzip"])
def test_an_encoding_that_nobody_asked_for_is_not_unpacked(front: Front, encoding: str) -> None:
    front.ask()
    before = peak_memory(front.gateway)
    tried = passed_over(front, body(b"\0" * MEBIBYTE, headers={"Content-Encoding": encoding}), streamed=False)
    assert tried[0] == ("Alpha", None, "provider_unavailable")
    assert peak_memory(front.gateway) - before < 16 * MEBIBYTE


def test_an_answer_is_capped_however_it_comes(front: Front) -> None:
    front.ask()
    before = peak_memory(front.gateway)
    for script in (
        body(GOOD_JSON + " " * 5 * MEBIBYTE),
        body(GOOD_JSON + " " * 5 * MEBIBYTE, framing="chunked"),
        body(" " * 5 * MEBIBYTE, code=500),
    ):
        assert failed(front, script)["code"] == 502
    assert peak_memory(front.gateway) - before < 64 * MEBIBYTE
    front.forget()
    front.simulator.script(body(GOOD_JSON + " " * 3 * MEBIBYTE))
    assert front.ask().status == 200, "what is below the cap is answered"


HUGE_HEADS: dict[str, bytes] = {
    "long-value": b"X-Long: " + b"y" * MEBIBYTE + b"\r\n",
    "long-name": b"X" * MEBIBYTE + b": y\r\n",
    "many": b"".join(b"X-%d: y\r\n" % number for number in range(10_000)),
    "endless-folding": b"X-Folded: y\r\n" + b" y\r\n" * 100_000,
}


@pytest.mark.parametrize("head", HUGE_HEADS.values(), ids=HUGE_HEADS)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_huge_head_is_refused(front: Front, head: bytes, streamed: bool) -> None:
    lines = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n" + head
    assert passed_over(front, raw(lines + b"\r\n{}"), streamed=streamed)[0] == ("Alpha", None, "provider_unavailable")


def test_nothing_of_an_upstreams_head_reaches_the_client(front: Front) -> None:
    told = {"Set-Cookie": "a=b", "X-Request-Id": "r", "Server": "s", "X-Generation-Id": "gen-forged", "X-Two": "1"}
    front.simulator.script(body(GOOD, headers=told))
    answer = front.ask()
    for name in ("set-cookie", "x-request-id", "server", "x-two"):
        assert answer.header(name) is None
    assert answer.header("x-generation-id") != "gen-forged"
    assert front.ask().status == 200
    assert front.simulator.requests()[-1].header("cookie") is None, "no cookie is kept"


# --- redirects -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(front: Front, code: int) -> None:
    redirect = status(code, "", headers={"Location": front.simulator.url("/c/elsewhere")})
    tried = passed_over(front, redirect, streamed=False)
    assert tried == [("Alpha", code, "provider_unavailable"), ("Beta", 200, None)]
    assert front.reached() == ["alpha", "beta"], "nobody was asked where the redirect points"
    assert failed(front, redirect)["code"] == 502


# --- whose key, whose words ----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [401, 403])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_refused_provider_key_is_never_the_callers_fault(front: Front, code: int, streamed: bool) -> None:
    words = {"error": {"message": f"Incorrect API key provided: {secret('alpha')}", "code": "invalid_api_key"}}
    front.simulator.script(status(code, words, headers={"WWW-Authenticate": "Bearer"}))
    answer = front.ask(stream=streamed)
    error = error_of(answer)
    assert answer.status == 502
    assert answer.header("x-should-retry") == "false"
    assert answer.header("www-authenticate") is None
    assert error["metadata"]["error_type"] == "provider_unavailable"
    assert error["message"] == "provider Alpha refuses the configured key"
    assert len(front.simulator.requests()) == 1, "the key is not tried twice"
    assert attempts(front.record(answer)) == [("Alpha", code, "provider_unavailable")]


def test_what_an_upstream_says_is_passed_on_without_secrets(front: Front) -> None:
    words = f"bad field `top_k`, sent with Bearer {secret('alpha')} and sk-proj-abcdefgh12345678 to org-1"
    error = failed(front, status(400, {"error": {"message": words, "type": "invalid_request_error"}}))
    assert error["code"] == 400
    assert error["message"].startswith("Alpha: bad field `top_k`, sent with ")
    assert error["message"].endswith(" to org-1")
    assert "sk-" not in error["message"]
    assert "raw" not in error["metadata"]


def test_a_word_is_no_secret(front: Front) -> None:
    words = "Unrecognized key additionalProperties in the schema"
    assert failed(front, status(400, {"error": {"message": words}}))["message"] == f"Alpha: {words}"


def test_an_upstreams_words_are_cut(front: Front) -> None:
    assert len(failed(front, status(400, {"error": {"message": "x" * 100_000}}))["message"]) < 2_000


# --- Retry-After ---------------------------------------------------------------------------------------------

WAITS: dict[str, tuple[dict[str, str], int | None]] = {
    "seconds": ({"Retry-After": "7"}, 7),
    "none": ({}, None),
    "zero": ({"Retry-After": "0"}, 0),
    "fraction": ({"Retry-After": "1.2"}, 2),
    "milliseconds": ({"Retry-After-Ms": "1500", "Retry-After": "7"}, 2),
    "absurd": ({"Retry-After": "1000000000"}, 60),
    "negative": ({"Retry-After": "-5"}, None),
    "garbage": ({"Retry-After": "soon"}, None),
    "infinite": ({"Retry-After": "inf"}, None),
    "past": ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
    "far": ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, 60),
    "no-date": ({"Retry-After": "Fri, 32 Dec 2026 23:59:59 GMT"}, None),
}


@pytest.mark.parametrize(("headers", "wait"), WAITS.values(), ids=WAITS)
@pytest.mark.parametrize("code", [429, 503])
def test_the_wait_that_an_upstream_asks_for_is_passed_on(
    front: Front, code: int, headers: dict[str, str], wait: int | None
) -> None:
    front.simulator.script(status(code, headers=headers))
    answer = front.ask()
    assert answer.status == code
    assert answer.header("retry-after") == (None if wait is None else str(wait))
    if code == 429:
        assert error_of(answer)["availability"].get("retry_after") == wait


def test_the_wait_may_be_a_date(front: Front) -> None:
    front.simulator.script(status(429, headers={"Retry-After": formatdate(time.time() + 30, usegmt=True)}))
    assert 1 <= int(front.ask().header("retry-after") or 0) <= 31


def test_the_shortest_wait_of_all_upstreams_counts(front: Front) -> None:
    front.simulator.script(status(429, headers={"Retry-After": "40"}), prefix="/a")
    front.simulator.script(status(429, headers={"Retry-After": "9"}), prefix="/b")
    assert front.ask("pair/model").header("retry-after") == "9"


def test_a_good_answer_has_no_wait(front: Front) -> None:
    front.simulator.script(status(429, headers={"Retry-After": "40"}), prefix="/a")
    front.simulator.script(ok(), prefix="/b")
    assert front.ask("pair/model").header("retry-after") is None
