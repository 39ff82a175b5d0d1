"""The simulator in three dialects: what it says of itself is what a provider would say, whole and streamed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from simulator import messages, responses
from simulator.answers import TEXT, USAGE
from simulator.script import ok, status, typed
from support.http import call, open_stream

if TYPE_CHECKING:
    from simulator.client import Simulator

ASKED: dict[str, Any] = {"model": "sage-2"}
DATED = {"type": "web_search_result_location", "url": "https://example.test", "title": "T", "cited_text": "t"}


def streamed(simulator: Simulator, path: str) -> list[Any]:
    """The events of the stream that this path answers with; each is named by its type."""
    with open_stream(simulator.url(path), {**ASKED, "stream": True}) as answer:
        frames = list(answer.frames())
    assert [frame.event for frame in frames] == [frame.json()["type"] for frame in frames]
    return [frame.json() for frame in frames]


# --- by the path ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/messages", "/a/v1/messages?beta=true"])
def test_a_messages_path_is_answered_with_a_message(simulator: Simulator, path: str) -> None:
    said = call("POST", simulator.url(path), ASKED).json()
    assert (said["type"], said["model"], said["stop_reason"]) == ("message", "sage-2", "end_turn")
    assert said["content"] == [{"type": "text", "text": TEXT}]
    assert (said["usage"]["input_tokens"], said["usage"]["output_tokens"]) == USAGE


def test_a_responses_path_is_answered_with_a_response(simulator: Simulator) -> None:
    said = call("POST", simulator.url("/v1/responses"), ASKED).json()
    assert (said["object"], said["model"], said["status"]) == ("response", "sage-2", "completed")
    assert said["output"][0]["content"][0]["text"] == TEXT
    assert said["usage"]["total_tokens"] == sum(USAGE)


def test_a_count_of_tokens_is_a_count(simulator: Simulator) -> None:
    simulator.script(ok(tokens=(321, 5)))
    assert call("POST", simulator.url("/v1/messages/count_tokens"), ASKED).json() == {"input_tokens": 321}


def test_any_other_path_is_answered_with_a_chat_completion(simulator: Simulator) -> None:
    for path in ("/v1/chat/completions", "/v1/x", "/"):
        assert call("POST", simulator.url(path), ASKED).json()["object"] == "chat.completion"


def test_a_message_is_streamed_when_the_request_asks(simulator: Simulator) -> None:
    simulator.script(ok("One two", tokens=(7, 2)))
    said = streamed(simulator, "/v1/messages")
    assert said[0]["message"]["content"] == []
    assert "".join(event["delta"]["text"] for event in said if event["type"] == "content_block_delta") == "One two"
    assert said[-2]["delta"]["stop_reason"] == "end_turn"
    assert said[-2]["usage"]["output_tokens"] == 2
    assert said[-1] == {"type": "message_stop"}


def test_a_response_is_streamed_when_the_request_asks(simulator: Simulator) -> None:
    simulator.script(ok("One two", tokens=(7, 2)))
    said = streamed(simulator, "/v1/responses")
    assert [event["sequence_number"] for event in said] == list(range(len(said)))
    assert [said[0]["type"], said[1]["type"], said[-1]["type"]] == [
        "response.created",
        "response.in_progress",
        "response.completed",
    ]
    assert "".join(event["delta"] for event in said if event["type"] == "response.output_text.delta") == "One two"
    assert said[0]["response"]["usage"] is None
    assert said[-1]["response"]["output"][0]["content"][0]["text"] == "One two"


def test_an_error_has_the_form_of_its_dialect(simulator: Simulator) -> None:
    simulator.script(status(529, dialect="messages"), status(500, dialect="responses"))
    first, second = (call("POST", simulator.url("/"), ASKED) for _ in range(2))
    assert first.json()["error"] == {"type": "overloaded_error", "message": "simulated 529"}
    assert second.json()["error"]["message"] == "simulated 500"


# --- streams made of whole answers ---------------------------------------------------------------------------


def test_the_events_of_a_message_make_that_message() -> None:
    blocks = (
        messages.thinking("Let me look."),
        messages.redacted_thinking(),
        messages.text("Here it is.", DATED),
        messages.tool_use("look", {"at": "ü"}),
        messages.tool_use("wait"),
    )
    made = messages.events(messages.message(*blocks))
    assert [event["content_block"]["type"] for event in made if event["type"] == "content_block_start"] == [
        block["type"] for block in blocks
    ]
    deltas = [event["delta"] for event in made if event["type"] == "content_block_delta"]
    assert "".join(delta.get("thinking", "") for delta in deltas) == "Let me look."
    assert "".join(delta.get("text", "") for delta in deltas) == "Here it is."
    assert "".join(delta.get("partial_json", "") for delta in deltas) == '{"at":"ü"}'
    assert [delta["citation"] for delta in deltas if delta["type"] == "citations_delta"] == [DATED]
    assert made[-2]["delta"]["stop_reason"] == "tool_use"


@pytest.mark.parametrize(
    ("counted", "places"),
    [
        ("both", ["message_start", "message_delta"]),
        ("start", ["message_start"]),
        ("delta", ["message_delta"]),
        ("every", ["message_start", "message_delta", "message_delta"]),
        ("never", []),
    ],
)
def test_a_message_counts_its_tokens_where_it_is_told_to(counted: messages.Counted, places: list[str]) -> None:
    made = messages.events(messages.message(messages.text("Hi"), tokens=(9, 4)), counted=counted)
    told = [(event["type"], event.get("message", event)) for event in made]
    assert [kind for kind, body in told if "usage" in body] == places


def test_tokens_of_the_cache_are_part_of_the_prompt() -> None:
    counted = messages.usage((100, 5), cached=60, written=30, written_1h=10)
    assert counted["input_tokens"] == 10
    assert counted["cache_creation"] == {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10}


def test_the_events_of_a_response_make_that_response() -> None:
    items = (
        responses.reasoning("First.", "Then.", content=("Long.",), sealed="gAAA"),
        responses.message("Here.", responses.refusal("No.")),
        responses.function_call("look", '{"at":1}', namespace="files"),
        responses.custom_tool_call("patch", "*** Begin"),
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
    )
    whole = responses.response(*items)
    made = responses.events(whole)
    assert [event["item"] for event in made if event["type"] == "response.output_item.done"] == whole["output"]
    assert made[-1]["response"] == whole

    def joined(kind: str) -> str:
        return "".join(event["delta"] for event in made if event["type"] == f"response.{kind}.delta")

    assert joined("reasoning_summary_text") == "First.Then."
    assert joined("reasoning_text") == "Long."
    assert joined("output_text") == "Here."
    assert joined("refusal") == "No."
    assert joined("function_call_arguments") == '{"at":1}'
    assert joined("custom_tool_call_input") == "*** Begin"


@pytest.mark.parametrize(
    ("whole", "last"),
    [
        (responses.incomplete(responses.message("Cut")), "response.incomplete"),
        (responses.failed("rate_limit_exceeded"), "response.failed"),
    ],
)
def test_a_response_that_is_not_complete_ends_as_it_is(whole: dict[str, Any], last: str) -> None:
    made = responses.events(whole)
    assert made[-1]["type"] == last
    assert made[0]["response"]["error"] is None


def test_typed_events_go_out_under_their_names(simulator: Simulator) -> None:
    simulator.script(typed([{"type": "ping"}, messages.error()]))
    assert [event["type"] for event in streamed(simulator, "/v1/messages")] == ["ping", "error"]
