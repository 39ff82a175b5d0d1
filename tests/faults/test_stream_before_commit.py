"""Streams whose status has not gone out: an error is plain JSON, and what failed before the answer is never seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from faults.faults_support import (
    Front,
    attempts,
    chunks,
    error_of,
    front_of_gateway,
    generation_id,
    plain_gateway,
    said,
)
from simulator.answers import chunk, data_frame
from simulator.script import cut, sse, status

if TYPE_CHECKING:
    from simulator.steps import Script

ROLE = data_frame(chunk({"role": "assistant", "content": ""}))
ERROR = b'data: {"error":{"message":"no room","code":503}}\n\n'


gateway = plain_gateway
front = front_of_gateway


EARLY: dict[str, tuple[Script, int, str]] = {
    "status": (status(500), 502, "provider_unavailable"),
    "cut": (cut(), 502, "provider_unavailable"),
    "error-event": (sse([ERROR]), 503, "provider_overloaded"),
    "error-event-behind-a-role": (sse([": wait", ROLE, ERROR]), 503, "provider_overloaded"),
    "end-behind-a-role": (sse([ROLE, b"data: [DONE]\n\n"]), 502, "provider_unavailable"),
}


@pytest.mark.parametrize(("script", "code", "type_"), EARLY.values(), ids=EARLY)
def test_an_early_error_is_plain_json_with_its_own_status(front: Front, script: Script, code: int, type_: str) -> None:
    front.simulator.script(script)
    answer = front.stream()
    assert answer.status == code
    assert error_of(answer)["metadata"]["error_type"] == type_


@pytest.mark.parametrize(("script", "code", "type_"), EARLY.values(), ids=EARLY)
def test_an_early_error_is_never_seen_when_the_next_upstream_answers(
    front: Front, script: Script, code: int, type_: str
) -> None:
    del code
    front.simulator.script(script, prefix="/a")
    answer = front.stream("pair/model")
    assert said(answer) == "Hello from the simulator."
    assert not [frame for frame in answer.frames() if frame.data is None], "a fast stream has no comments"
    assert {one["provider"] for one in chunks(answer)} == {"Beta"}
    assert [(name, error) for name, _, error in attempts(front.record(answer))] == [("Alpha", type_), ("Beta", None)]


# --- what was sent, shown to who asks ------------------------------------------------------------------------


def test_the_upstream_body_is_shown_once_for_each_provider_that_was_tried(front: Front) -> None:
    front.simulator.script(status(500), prefix="/a")
    answer = front.stream("pair/model", debug={"echo_upstream_body": True}, temperature=0.25)
    shown = [one for one in chunks(answer) if "debug" in one]
    assert chunks(answer)[:2] == shown, "they come first"
    assert [(one["choices"], one["provider"]) for one in shown] == [([], "Alpha"), ([], "Beta")]
    assert [one["debug"]["echo_upstream_body"] for one in shown] == [it.json() for it in front.simulator.requests()]
    told = {(one["id"], one["object"], one["created"]) for one in chunks(answer)}
    assert told == {(generation_id(answer), "chat.completion.chunk", 1_700_000_000)}


def test_the_upstream_body_is_shown_without_secrets_and_payloads(front: Front) -> None:
    picture = "data:image/png;base64," + "iVBORw0KGgo" * 100
    parts = [
        {"type": "text", "text": "my key is sk-proj-0123456789abcdef"},
        {"type": "image_url", "image_url": {"url": picture}},
        {"type": "input_audio", "input_audio": {"data": "QUJD" * 100, "format": "wav"}},
    ]
    answer = front.stream(messages=[{"role": "user", "content": parts}], debug={"echo_upstream_body": True})
    shown = answer.body.decode()
    assert "data:image/png;base64,[redacted]" in shown
    assert "sk-proj" not in shown
    assert "iVBOR" not in shown
    assert "QUJDQUJD" not in shown
    assert front.upstream().json()["messages"][0]["content"] == parts, "what goes upstream is not touched"


@pytest.mark.parametrize("debug", [{"echo_upstream_body": False}, {}, None])
def test_the_upstream_body_is_shown_only_on_request(front: Front, debug: Any) -> None:
    assert not [one for one in chunks(front.stream(debug=debug)) if "debug" in one]
    assert "debug" not in front.ask(debug={"echo_upstream_body": True}).json()
    assert [it.json() for it in front.simulator.requests() if "debug" in it.json()] == []
