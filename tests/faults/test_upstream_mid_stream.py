"""Upstreams that fail when the answer has begun: nobody else is asked, and the stream ends with an error of its own."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from faults.faults_support import (
    Front,
    attempts,
    chunks,
    front_of_gateway,
    generation_id,
    said,
    secret,
    serving,
    stream_error,
)
from simulator.answers import chunk, data_frame, usage_chunk
from simulator.script import body, raw, sse, stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator
    from simulator.steps import Script
    from support.processes import Gateway


IDLE_S = 0.5


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = {"workers": 2, "idle_timeout_s": IDLE_S, "keep_alive_s": 0.1}
    with serving(tmp_path_factory, simulator_process, settings=settings) as gateway:
        yield gateway


front = front_of_gateway


def text(content: str, finish: str | None = None) -> bytes:
    """An event with a piece of text."""
    return data_frame(chunk({"content": content}, finish))


def event(content: Any) -> bytes:
    """An event with any content."""
    return b"data: " + json.dumps(content).encode() + b"\n\n"


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
BEGUN = [text("Once"), text(" upon")]
# A pause keeps what was said from coming together with what breaks it.
PAUSE_MS = 20

BREAKS: dict[str, tuple[Script, str]] = {
    "reset": (sse(BEGUN, end="reset", pause_ms=PAUSE_MS), "provider_unavailable"),
    "closed": (sse(BEGUN, end="close", pause_ms=PAUSE_MS), "provider_unavailable"),
    "clean-end": (sse(BEGUN), "provider_unavailable"),
    "clean-end-of-the-connection": (sse(BEGUN, framing="close"), "provider_unavailable"),
    "inside-an-event": (sse([*BEGUN, text(" a time")[:30]]), "provider_unavailable"),
    "no-blank-line-behind-the-last": (sse([*BEGUN, b"data: [DONE]"]), "provider_unavailable"),
    "silence": (sse(BEGUN, end="hang"), "timeout"),
    "no-json": (sse([*BEGUN, b"data: {]\n\n"]), "provider_unavailable"),
    "array": (sse([*BEGUN, b"data: [1]\n\n"]), "provider_unavailable"),
    "not-utf-8": (sse([*BEGUN, text("é").replace("é".encode(), b"\xe9")]), "provider_unavailable"),
    "broken-coding": (
        raw(HEAD + b"%x\r\n%s\r\n" % (len(BEGUN[0]), BEGUN[0]), b"zz\r\n", pause_ms=PAUSE_MS),
        "provider_unavailable",
    ),
}


@pytest.mark.parametrize(("script", "type_"), BREAKS.values(), ids=BREAKS)
def test_a_stream_that_breaks_ends_with_an_error(front: Front, script: Script, type_: str) -> None:
    front.simulator.script(script, prefix="/a")
    answer = front.stream("pair/model")
    error = stream_error(answer)
    assert said(answer).startswith("Once")
    assert error["code"] == {"provider_unavailable": 502, "timeout": 504}[type_]
    assert error["metadata"]["error_type"] == type_
    assert error["metadata"]["provider_name"] == "Alpha"
    assert front.reached() == ["alpha"], "nobody else is asked once the answer has begun"
    finishes = [choice["finish_reason"] for one in chunks(answer) for choice in one["choices"]]
    assert finishes[:-1] == [None] * (len(finishes) - 1)


@pytest.mark.parametrize(("script", "type_"), BREAKS.values(), ids=BREAKS)
def test_a_stream_that_breaks_is_recorded_as_failed_with_what_it_used(front: Front, script: Script, type_: str) -> None:
    front.simulator.script(script)
    record = front.record(front.stream())
    assert (record["status"], record["error_type"], record["cancelled"]) == ("failed", type_, False)
    assert record["usage_estimated"] is True
    assert record["tokens_prompt"] > 0
    assert record["tokens_completion"] > 0
    assert record["total_cost"] is None, "an estimate has no price"
    assert attempts(record) == [("Alpha", 200, type_)]


def test_usage_that_came_before_the_break_counts_as_it_is(front: Front) -> None:
    counted = event({**chunk({"content": "Once"}), "usage": {"prompt_tokens": 7, "completion_tokens": 3}})
    front.simulator.script(sse([counted], end="reset", pause_ms=PAUSE_MS))
    record = front.record(front.stream())
    assert (record["status"], record["usage_estimated"]) == ("failed", False)
    assert (record["tokens_prompt"], record["tokens_completion"]) == (7, 3)
    assert record["total_cost"] == 0.000013


def test_every_chunk_of_a_broken_stream_tells_of_the_same_answer(front: Front) -> None:
    front.simulator.script(sse(BEGUN, end="reset", pause_ms=PAUSE_MS))
    answer = front.stream()
    told = {(one["id"], one["object"], one["created"], one["model"], one["provider"]) for one in chunks(answer)}
    assert told == {(generation_id(answer), "chat.completion.chunk", 1_700_000_000, "solo/alpha", "Alpha")}


# --- errors that the upstream reports ------------------------------------------------------------------------

IN_BAND: list[tuple[Any, int, str]] = [
    ({"error": {"message": "Slow down", "code": 429}}, 429, "rate_limit_exceeded"),
    ({"error": {"message": "Overloaded", "type": "overloaded_error"}}, 503, "provider_overloaded"),
    ({"error": {"message": "Went wrong", "code": "never_heard_of"}}, 502, "provider_unavailable"),
    ({**chunk({"content": ""}, "error"), "error": {"message": "Went wrong", "code": 502}}, 502, "provider_unavailable"),
    ({**chunk({}), "error": "Went wrong"}, 502, "provider_unavailable"),
    (chunk({}, "error"), 502, "provider_unavailable"),
]


@pytest.mark.parametrize(("reported", "code", "type_"), IN_BAND)
@pytest.mark.parametrize("done", [True, False], ids=["done", "no-done"])
def test_an_error_inside_a_stream_is_passed_on(front: Front, reported: Any, code: int, type_: str, done: bool) -> None:
    front.simulator.script(sse([*BEGUN, event(reported), *([b"data: [DONE]\n\n"] if done else [])]))
    answer = front.stream()
    error = stream_error(answer)
    assert said(answer) == "Once upon"
    assert (error["code"], error["metadata"]["error_type"]) == (code, type_)
    record = front.record(answer)
    assert (record["status"], record["error_type"]) == ("failed", type_)


def test_an_error_inside_a_stream_is_passed_on_without_secrets(front: Front) -> None:
    words = f"key {secret('alpha')} of org-1 is over its limit"
    front.simulator.script(sse([*BEGUN, event({"error": {"message": words, "code": 500}})]))
    assert stream_error(front.stream())["message"].endswith("of org-1 is over its limit")


def test_a_refused_key_inside_a_stream_is_never_the_callers_fault(front: Front) -> None:
    front.simulator.script(sse([*BEGUN, event({"error": {"message": "Invalid API key", "code": 401}})]))
    assert stream_error(front.stream())["code"] == 502


def test_a_choice_that_failed_in_a_whole_answer_is_told_as_it_is(front: Front) -> None:
    failure = {"code": 502, "message": "The model broke off", "metadata": {"provider_code": "x"}}
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "Once"},
        "finish_reason": "error",
        "error": failure,
    }
    front.simulator.script(
        body({"id": "x", "choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}})
    )
    answer = front.ask()
    assert answer.status == 200
    told = answer.json()["choices"][0]
    assert (told["finish_reason"], told["error"], told["message"]["content"]) == ("error", failure, "Once")
    assert front.record(answer)["finish_reason"] == "error"


# --- what comes behind the end -------------------------------------------------------------------------------

DONE = b"data: [DONE]\n\n"
FINISHED = text(" time", "stop")
USED = data_frame(usage_chunk((7, 3)))
ENDINGS: dict[str, list[bytes]] = {
    "text-behind-finish": [FINISHED, text(" and more"), USED, DONE],
    "text-behind-done": [FINISHED, USED, DONE, text(" and more")],
    "text-behind-done-before-usage": [FINISHED, DONE, text(" and more"), USED],
    "two-finishes": [FINISHED, data_frame(chunk({}, "length")), USED, DONE],
    "two-dones": [FINISHED, USED, DONE, DONE],
    "error-behind-done": [FINISHED, USED, DONE, event({"error": {"message": "too late", "code": 500}})],
    "rubbish-behind-done": [FINISHED, USED, DONE, b"data: {]\n\n"],
    "no-done": [FINISHED, USED],
}


@pytest.mark.parametrize("frames", ENDINGS.values(), ids=ENDINGS)
@pytest.mark.parametrize("pause_ms", [0, PAUSE_MS], ids=["at-once", "apart"])
def test_what_comes_behind_the_end_is_ignored(front: Front, frames: list[bytes], pause_ms: int) -> None:
    front.simulator.script(sse([text("Once"), *frames], pause_ms=pause_ms))
    answer = front.stream()
    assert said(answer) == "Once time"
    *_, finish, last = chunks(answer)
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert (last["choices"], last["usage"]["total_tokens"]) == ([], 10)
    record = front.record(answer)
    assert (record["status"], record["finish_reason"]) == ("completed", "stop")
    assert (record["tokens_prompt"], record["tokens_completion"], record["total_cost"]) == (7, 3, 0.000013)


BREAKS_BEHIND: dict[str, Script] = {
    "reset": sse([text("Once"), FINISHED, USED], end="reset", pause_ms=PAUSE_MS),
    "closed": sse([text("Once"), FINISHED, USED], end="close", pause_ms=PAUSE_MS),
    "silence": sse([text("Once"), FINISHED, USED], end="hang"),
}


@pytest.mark.parametrize("script", BREAKS_BEHIND.values(), ids=BREAKS_BEHIND)
def test_an_answer_that_has_finished_is_complete_however_its_connection_ends(front: Front, script: Script) -> None:
    front.simulator.script(script)
    answer = front.stream()
    assert said(answer) == "Once time"
    assert chunks(answer)[-1]["choices"] == []
    assert front.record(answer)["status"] == "completed"


def test_an_upstream_is_not_waited_for_longer_behind_its_end_than_inside_its_answer(front: Front) -> None:
    front.simulator.script(BREAKS_BEHIND["silence"])
    began = time.monotonic()
    assert said(front.stream()) == "Once time"
    assert time.monotonic() - began < 10 * IDLE_S, "a bound against hanging"


@pytest.mark.parametrize("more", [b": still here\n\n", text(" and more")], ids=["comments", "text"])
def test_nobody_waits_for_an_upstream_that_goes_on_behind_the_end(front: Front, more: bytes) -> None:
    front.simulator.script(sse([text("Once"), FINISHED, DONE, *[more] * 500], pause_ms=20))
    answer = front.stream()
    assert said(answer) == "Once time"
    assert front.upstream().answered_ms is None, "the upstream is not done"
    assert front.record(answer)["status"] == "completed"
    assert front.simulator.wait_for_disconnect().went_away


# --- silence -------------------------------------------------------------------------------------------------


def test_comments_keep_the_client_waiting_until_the_upstream_is_given_up(front: Front) -> None:
    front.simulator.script(sse(BEGUN, end="hang"))
    answer = front.stream()
    comments = [frame.comments for frame in answer.frames() if frame.data is None]
    assert len(comments) >= 2
    assert set(comments) == {("OPENROUTER PROCESSING",)}
    assert stream_error(answer)["code"] == 504
    assert front.simulator.wait_for_disconnect().went_away


def test_comments_of_the_upstream_keep_a_stream_alive_and_are_not_passed_on(front: Front) -> None:
    waiting = [b": tick\n\n"] * 12
    front.simulator.script(sse([text("Once"), *waiting, text(" time", "stop"), USED, DONE], pause_ms=50))
    answer = front.stream()
    assert said(answer) == "Once time"
    comments = {frame.comments for frame in answer.frames() if frame.data is None}
    assert comments == {("OPENROUTER PROCESSING",)}


def test_a_slow_stream_is_not_cut_while_it_goes_on(front: Front) -> None:
    front.simulator.script(stream(["a"] * 8, pause_ms=80))
    assert said(front.stream()) == "a" * 8


def test_what_an_upstream_takes_for_its_first_event_is_no_silence(front: Front) -> None:
    front.simulator.script(stream(["Late"], delay_ms=1200), prefix="/a")
    answer = front.stream("solo/alpha")
    assert said(answer) == "Late"
