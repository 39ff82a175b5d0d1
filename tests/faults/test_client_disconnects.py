"""Clients that go away: the upstream's connection is closed at once, nobody else is asked, and the record says so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from faults.faults_support import MESSAGES, PROMPT, Front, attempts, front_of_gateway, generation_id, said, serving
from simulator.script import hang, ok, raw, sse, status, stream
from support.http import RawConnection, request_bytes
from support.processes import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Received, Simulator
    from simulator.steps import Script
    from support.processes import Gateway

CLOSED_WITHIN_S = 10
"""Ten times what is promised: a bound against hanging. What was measured is printed (pytest -s)."""


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def gateway(
    request: pytest.FixtureRequest, simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    settings = {"stream_commit_s": 0.1, "keep_alive_s": 0.1, "workers": request.param}
    with serving(tmp_path_factory, simulator_process, settings=settings) as gateway:
        yield gateway


front = front_of_gateway


def sent(front: Front, model: str = "solo/alpha", **fields: Any) -> RawConnection:
    """A connection on which a request was sent; it has reached the upstream."""
    connection = RawConnection(front.gateway.origin)
    content = json.dumps({"model": model, "messages": MESSAGES, **fields}).encode()
    headers = [("Authorization", f"Bearer {KEY}"), ("Content-Type", "application/json")]
    connection.send(request_bytes("POST", f"{front.gateway.url}/chat/completions", content, headers=headers))
    front.simulator.wait_for_requests(1)
    return connection


def closed_upstream(front: Front, what: str) -> Received:
    """The upstream's request when the gateway has closed its connection, which it does in time."""
    received = front.simulator.wait_for_disconnect(timeout_s=CLOSED_WITHIN_S)
    assert received.closed_ms is not None
    assert received.went_away, "the upstream was not done"
    print(f"{what}: closed {received.closed_ms:.0f} ms after the request reached the upstream")
    return received


def recorded_as_cancelled(front: Front) -> dict[str, Any]:
    """The record of the one exchange whose client is gone."""
    record = front.record(front.wait_for_line())
    assert (record["status"], record["cancelled"], record["error_type"]) == ("cancelled", True, None)
    assert record["total_cost"] is None, "what was not counted has no price"
    assert front.reached() == ["alpha"], "no further attempt is made"
    return record


SILENCES: dict[str, Script] = {
    "no-head": hang(),
    "head-only": hang(stream(), after=100),
    "role-only": stream([], pause_ms=60_000),
}
LEAVING = ["close", "reset"]


def leave(connection: RawConnection, how: str) -> None:
    connection.close() if how == "close" else connection.reset()


@pytest.mark.parametrize("script", SILENCES.values(), ids=SILENCES)
@pytest.mark.parametrize("how", LEAVING)
def test_a_client_that_leaves_before_the_first_byte_ends_the_upstream_call(
    front: Front, script: Script, how: str
) -> None:
    front.simulator.script(script)
    leave(sent(front, "pair/model", stream=True), how)
    closed_upstream(front, "before the first byte")
    record = recorded_as_cancelled(front)
    assert [(name, error) for name, _, error in attempts(record)] == [("Alpha", "cancelled")]
    assert record["streamed"] is True


def test_a_client_that_leaves_behind_a_comment_ends_the_upstream_call(front: Front) -> None:
    front.simulator.script(hang())
    with front.open("pair/model") as streaming:
        frame = next(streaming.frames())
        assert frame.comments == ("OPENROUTER PROCESSING",)
    closed_upstream(front, "behind a comment")
    record = front.record(streaming)
    assert (record["status"], record["cancelled"]) == ("cancelled", True)
    assert front.reached() == ["alpha"]


@pytest.mark.parametrize("how", LEAVING)
def test_a_client_that_leaves_inside_a_stream_ends_the_upstream_call(front: Front, how: str) -> None:
    front.simulator.script(hang(stream(["Once", " upon", " a time"]), after=900))
    streaming = front.open("pair/model")
    for frame in streaming.frames():
        if frame.data and "upon" in frame.data:
            break
    leave(streaming.connection, how)
    closed_upstream(front, "inside a stream")
    record = front.record(streaming)
    assert (record["status"], record["cancelled"], record["usage_estimated"]) == ("cancelled", True, True)
    assert record["tokens_prompt"] == -(-len(PROMPT) // 4)
    assert record["tokens_completion"] >= -(-len("Once upon") // 4)
    assert record["total_cost"] is None
    assert attempts(record) == [("Alpha", 200, None)]
    assert front.reached() == ["alpha"]


def test_usage_that_has_come_before_the_client_left_is_kept(front: Front) -> None:
    counted = (
        'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}],"usage":{"prompt_tokens":7,"completion_tokens":3}}'
    )
    front.simulator.script(sse([counted], end="hang"))
    with front.open() as streaming:
        next(streaming.frames())
    closed_upstream(front, "with usage")
    record = front.record(streaming)
    assert (record["status"], record["usage_estimated"]) == ("cancelled", False)
    assert (record["tokens_prompt"], record["tokens_completion"], record["total_cost"]) == (7, 3, 0.000013)


@pytest.mark.parametrize("script", [hang(), hang(ok(), after=300)], ids=["no-head", "half-a-body"])
@pytest.mark.parametrize("how", LEAVING)
def test_a_client_that_leaves_a_whole_answer_ends_the_upstream_call(front: Front, script: Script, how: str) -> None:
    front.simulator.script(script)
    leave(sent(front, "pair/model"), how)
    closed_upstream(front, "whole answer")
    record = recorded_as_cancelled(front)
    assert record["streamed"] is False
    assert [(name, error) for name, _, error in attempts(record)] == [("Alpha", "cancelled")]


def test_a_client_that_leaves_during_a_later_attempt_ends_that_one(front: Front) -> None:
    front.simulator.script(status(500), prefix="/a")
    front.simulator.script(hang(), prefix="/b")
    connection = sent(front, "pair/model")
    front.simulator.wait_for_requests(2)
    connection.close()
    closed_upstream(front, "later attempt")
    record = front.record(front.wait_for_line())
    assert attempts(record) == [("Alpha", 500, "provider_unavailable"), ("Beta", None, "cancelled")]
    assert record["status"] == "cancelled"


def test_interim_answers_change_nothing_when_a_client_leaves(front: Front) -> None:
    front.simulator.script(raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 3, then="hang"))
    sent(front).close()
    closed_upstream(front, "interim answers")
    recorded_as_cancelled(front)


def test_others_go_on_when_one_client_leaves(front: Front) -> None:
    front.simulator.script(stream(["a"] * 10, pause_ms=30))
    staying = front.open()
    leaving = front.open()
    next(leaving.frames())
    leaving.close()
    pieces = [frame.json() for frame in staying.frames() if frame.data not in (None, "[DONE]")]
    staying.close()
    told = [choice["delta"].get("content", "") for one in pieces for choice in one["choices"]]
    assert "".join(told) == "a" * 10
    assert front.record(staying)["status"] == "completed"
    assert front.record(leaving)["status"] == "cancelled"


def test_a_client_that_leaves_behind_the_answer_changes_nothing(front: Front) -> None:
    answer = front.stream()
    assert said(answer) == "Hello from the simulator."
    record = front.record(generation_id(answer))
    assert (record["status"], record["cancelled"]) == ("completed", False)
    received = front.upstream()
    assert not received.went_away


def test_many_clients_that_leave_at_once_leave_nothing_behind(front: Front) -> None:
    front.simulator.script(hang(stream(["Once"]), after=600))
    streams = [front.open() for _ in range(30)]
    for streaming in streams:
        next(streaming.frames())
    for streaming in streams:
        streaming.close()
    for index in range(30):
        assert front.simulator.wait_for_disconnect(index).went_away
    assert {front.record(streaming)["status"] for streaming in streams} == {"cancelled"}
