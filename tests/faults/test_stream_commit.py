"""The two commit points of a stream: of its status, by the first event or by time, and of the attempt, by the event."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from faults.faults_support import (
    MESSAGES,
    Front,
    attempts,
    chunks,
    front_of_gateway,
    generation_id,
    provider,
    said,
    serving,
    stream_error,
)
from simulator.answers import chunk, data_frame
from simulator.script import endless_comments, hang, ok, sse, status, stream
from simulator.steps import Pause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator
    from simulator.steps import Script
    from support.processes import Gateway

COMMENT = ("OPENROUTER PROCESSING",)
COMMIT_S = 0.1
LATE_MS = 250
ROLE = data_frame(chunk({"role": "assistant", "content": ""}))
ERROR = b'data: {"error":{"message":"no room","code":503}}\n\n'


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = {"workers": 2, "stream_commit_s": COMMIT_S, "keep_alive_s": 0.05}
    impatient = {"alpha": provider(simulator_process.origin, "alpha", first_token_timeout_s=0.6)}
    with serving(tmp_path_factory, simulator_process, settings=settings, more_providers=impatient) as gateway:
        created = gateway.call(
            "POST", "/presets/cautious/chat/completions", {"model": "solo/alpha", "messages": MESSAGES}
        )
        assert created.status == 200, created.body
        yield gateway


front = front_of_gateway


def comments(answer: Any) -> list[tuple[str, ...]]:
    return [frame.comments for frame in answer.frames() if frame.data is None]


# --- behind a committed status -------------------------------------------------------------------------------


def late(script: Script) -> Script:
    """The same, when the status has gone out."""
    return replace(script, steps=(Pause(LATE_MS), *script.steps))


def test_a_slow_stream_is_committed_by_time_with_a_comment_and_kept_alive(front: Front) -> None:
    front.simulator.script(ok(delay_ms=LATE_MS))
    with front.open() as streaming:
        started = time.monotonic()
        assert streaming.status == 200
        assert streaming.header("content-type") == "text/event-stream"
        frames = list(streaming.frames())
    waited = [frame for frame in frames if frame.data is None]
    assert {frame.comments for frame in waited} == {COMMENT}
    assert len(waited) >= 2, "the first comment and more of them during the silence"
    assert frames[: len(waited)] == waited, "no comment stands between events that flow"
    assert waited[0].at_s - started < LATE_MS / 1_000, "the first comes with the status, before the answer"
    assert frames[-1].data == "[DONE]"


def test_upstream_events_without_meaning_commit_nothing(front: Front) -> None:
    front.simulator.script(sse([ROLE, *[": wait"] * 40, ERROR], pause_ms=10), prefix="/a")
    answer = front.stream("pair/model")
    assert comments(answer)[0] == COMMENT
    assert said(answer) == "Hello from the simulator."
    assert {one["provider"] for one in chunks(answer)} == {"Beta"}


@pytest.mark.parametrize(
    "script",
    [status(500), sse([ERROR]), sse([ROLE, ERROR]), hang(), endless_comments()],
    ids=["status", "error-event", "error-event-behind-a-role", "silence", "comments"],
)
def test_fallback_is_silent_behind_a_comment(front: Front, script: Script) -> None:
    front.simulator.script(late(script), prefix="/a")
    answer = front.stream("pair/model")
    assert comments(answer)[0] == COMMENT
    assert said(answer) == "Hello from the simulator."
    record = front.record(answer)
    assert [name for name, _, _ in attempts(record)] == ["Alpha", "Beta"]
    assert (record["status"], record["provider_name"]) == ("completed", "Beta")


@pytest.mark.parametrize(
    ("script", "code", "type_"),
    [
        (status(429, headers={"Retry-After": "3"}), 429, "rate_limit_exceeded"),
        (status(400), 400, "invalid_request"),
        (status(401), 502, "provider_unavailable"),
        (sse([ERROR]), 503, "provider_overloaded"),
        (hang(), 504, "timeout"),
    ],
    ids=["429", "400", "401", "error-event", "timeout"],
)
def test_a_late_error_is_the_last_event_of_the_stream(front: Front, script: Script, code: int, type_: str) -> None:
    front.simulator.script(late(script))
    answer = front.stream()
    assert comments(answer)[0] == COMMENT
    error = stream_error(answer)
    assert (error["code"], error["metadata"]["error_type"]) == (code, type_)
    assert len(chunks(answer)) == 1
    assert chunks(answer)[0]["model"] == "solo/alpha"
    assert answer.header("retry-after") is None, "what can no longer be a header is left out"
    record = front.record(answer)
    assert (record["status"], record["error_type"]) == ("failed", type_)


def test_a_late_error_names_all_that_was_tried(front: Front) -> None:
    front.simulator.script(late(status(500)), prefix="/a")
    front.simulator.script(status(404), prefix="/b")
    answer = front.stream("pair/model")
    error = stream_error(answer)
    assert error["metadata"]["previous_errors"] == [{"provider": "Alpha", "code": "simulated_error", "status": 500}]
    assert error["metadata"]["provider_name"] == "Beta"
    assert chunks(answer)[0]["provider"] == "Beta"


def test_a_status_that_is_committed_by_time_carries_what_is_known(front: Front) -> None:
    front.simulator.script(ok(delay_ms=LATE_MS))
    answer = front.stream("@preset/cautious")
    assert comments(answer)[0] == COMMENT
    assert answer.header("x-setpoint-preset") == "cautious@1"
    assert {one["id"] for one in chunks(answer)} == {generation_id(answer)}


def test_comments_go_on_through_silence_to_the_end(front: Front) -> None:
    front.simulator.script(stream(["a", "b", "c"], pause_ms=150))
    answer = front.stream()
    frames = answer.frames()
    texts = [at for at, frame in enumerate(frames) if frame.data and '"content":"' in frame.data]
    for before, behind in pairwise(texts[1:]):
        assert behind - before > 1, "a comment between two pieces that are far apart"
    assert said(answer) == "abc"
