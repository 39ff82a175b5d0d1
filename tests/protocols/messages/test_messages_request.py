"""The last touch to a request for a messages upstream."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from setpoint.canonical.parts import Reasoning
from setpoint.protocols.messages.request import finish_request, path
from setpoint.protocols.seals import write_seal
from setpoint.protocols.terms import Terms
from setpoint.wire.body import Body, join, raw, split, value

HELLO: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]
TOOLS: list[dict[str, Any]] = [{"name": "f", "input_schema": {}}]
ADAPTIVE = {"type": "adaptive"}
FOREIGN = value(write_seal(Reasoning(kind="text", seal=raw("s"), maker="responses"), "messages"))


def body_of(content: dict[str, Any]) -> Body:
    return split(json.dumps({"model": "sage-2", "messages": HELLO} | content).encode())


def finished(
    sent: dict[str, Any], body: dict[str, Any] | None = None, **terms: Any
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What becomes of a request, by default of one that was translated, beside its model and messages."""
    done, unsaid = finish_request(body_of(sent), Terms(**terms), body_of(body or {}))
    content = json.loads(join(done))
    assert content.pop("model") == "sage-2"
    assert content.pop("messages") == sent.get("messages", HELLO)
    return content, unsaid


def edited(sent: dict[str, Any], **terms: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What becomes of a request that was in this protocol's words already."""
    return finished(sent, sent, **terms)


def thinking(budget: int) -> dict[str, Any]:
    return {"type": "enabled", "budget_tokens": budget}


@pytest.mark.parametrize(
    ("base_url", "behind"),
    [
        ("https://api.acme.test", "/v1/messages"),
        ("https://api.acme.test/v1", "/messages"),
        ("https://acme.test/anthropic", "/v1/messages"),
        ("https://acme.test/v10", "/v1/messages"),
    ],
)
def test_the_path_has_its_version_once(base_url: str, behind: str) -> None:
    assert path(base_url) == behind


# --- the output limit ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("most", "limit"), [(None, 8192), (64_000, 64_000)])
def test_a_limit_that_is_missing_is_the_endpoints(most: int | None, limit: int) -> None:
    assert finished({}, max_output_tokens=most) == ({"max_tokens": limit}, ())
    assert edited({}, max_output_tokens=most) == ({"max_tokens": limit}, ())


def test_a_limit_that_is_there_stays() -> None:
    assert finished({"max_tokens": 5}, max_output_tokens=100) == ({"max_tokens": 5}, ())


@pytest.mark.parametrize(("stream", "said"), [(True, {"stream": True}), (False, {})])
def test_a_stream_is_asked_for_where_one_is_wanted(stream: bool, said: dict[str, Any]) -> None:
    assert finished({"max_tokens": 5}, stream=stream)[0] == {"max_tokens": 5, **said}


# --- room for thinking ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("budget", "limit", "most", "sent"),
    [
        (2000, 8000, None, (2000, 8000)),
        (8000, 8000, None, (8000, 16000)),
        (1024, 100, None, (1024, 1124)),
        (1024, 100, 64_000, (1024, 1124)),
        (7000, 5000, 8192, (6553, 8192)),
        (5000, 5000, 8192, (5000, 8192)),
        (26214, None, 8192, (6553, 8192)),
        (16384, None, 8192, (4096, 8192)),
        (31129, None, 8192, (7782, 8192)),
        (99_999, None, 8192, (7782, 8192)),
        (5000, None, 8192, (5000, 8192)),
        (26214, None, None, (26214, 34406)),
        (26214, None, 64_000, (26214, 64_000)),
        (9000, 9000, 8192, (6553, 9000)),
        (2000, 1000, 1200, (1024, 1200)),
    ],
)
def test_the_limit_stays_above_a_translated_budget_and_within_the_endpoints(
    budget: int, limit: int | None, most: int | None, sent: tuple[int, int]
) -> None:
    own = {} if limit is None else {"max_tokens": limit}
    done, unsaid = finished({"thinking": thinking(budget), **own}, max_output_tokens=most)
    assert (done["thinking"]["budget_tokens"], done["max_tokens"], unsaid) == (*sent, ())


def test_a_budget_and_a_limit_of_the_callers_own_stay_as_they_are() -> None:
    sent = {"thinking": thinking(8000), "max_tokens": 100}
    assert edited(sent, max_output_tokens=500) == (sent, ())


def test_a_budget_of_the_callers_own_gets_room_where_the_limit_is_not() -> None:
    done, unsaid = edited({"thinking": thinking(9000)}, max_output_tokens=8192)
    assert (done, unsaid) == ({"thinking": thinking(9000), "max_tokens": 17192}, ())


@pytest.mark.parametrize("said", [{"type": "disabled"}, ADAPTIVE, {"type": "enabled", "budget_tokens": "x"}])
def test_thinking_without_a_budget_needs_no_room(said: dict[str, Any]) -> None:
    assert finished({"thinking": said, "max_tokens": 5}) == ({"thinking": said, "max_tokens": 5}, ())


# --- what is refused side by side ----------------------------------------------------------------------------


@pytest.mark.parametrize("said", [thinking(2000), ADAPTIVE])
@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "f"}])
def test_a_tool_that_must_be_called_leaves_no_room_for_translated_thinking(
    said: dict[str, Any], choice: dict[str, Any]
) -> None:
    sent = {"thinking": said, "tool_choice": choice, "tools": TOOLS, "max_tokens": 100}
    without = {name: content for name, content in sent.items() if name != "thinking"}
    assert finished(sent) == (without, ("reasoning",))
    assert edited(sent) == (sent, ())


@pytest.mark.parametrize(
    ("said", "kind"), [({"type": "disabled"}, "any"), (ADAPTIVE, "auto"), (thinking(2000), "none")]
)
def test_thinking_that_is_no_trouble_stays(said: dict[str, Any], kind: str) -> None:
    sent = {"thinking": said, "tool_choice": {"type": kind}, "tools": TOOLS, "max_tokens": 5000}
    assert finished(sent) == (sent, ())


CALL: dict[str, Any] = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t"}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}
LOOPS: list[tuple[list[dict[str, Any]], list[dict[str, Any]], bool]] = [
    ([CALL], [RESULT], False),
    ([{"type": "text", "text": "so"}, CALL], [RESULT, {"type": "text", "text": "and"}], False),
    ([THOUGHT, CALL], [RESULT], True),
    ([{"type": "redacted_thinking", "data": "d"}, CALL], [RESULT], True),
    ([CALL], [{"type": "text", "text": "Hi"}], True),
]


@pytest.mark.parametrize(("assistant", "user", "thinks"), LOOPS)
def test_a_budget_is_refused_behind_calls_that_no_own_thought_led_to(
    assistant: list[dict[str, Any]], user: list[dict[str, Any]], thinks: bool
) -> None:
    messages = [*HELLO, {"role": "assistant", "content": assistant}, {"role": "user", "content": user}]
    sent = {"messages": messages, "thinking": thinking(2000), "max_tokens": 5000}
    done, unsaid = finished(sent)
    assert ("thinking" in done, unsaid) == (thinks, () if thinks else ("reasoning",))
    assert "thinking" in edited(sent)[0]
    assert "thinking" in finished(sent | {"thinking": ADAPTIVE})[0]


@pytest.mark.parametrize("kind", ["auto", "none"])
def test_a_choice_that_says_nothing_without_tools_is_not_said(kind: str) -> None:
    choice = {"tool_choice": {"type": kind, "disable_parallel_tool_use": True}, "max_tokens": 5}
    assert finished(choice) == ({"max_tokens": 5}, ())


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "f"}])
def test_a_tool_that_must_be_called_and_is_not_there_is_the_upstreams_to_refuse(choice: dict[str, Any]) -> None:
    sent = {"tool_choice": choice, "max_tokens": 5}
    assert finished(sent) == (sent, ())


def test_a_choice_of_no_tool_has_nothing_beside_it() -> None:
    sent = {"tool_choice": {"type": "none", "disable_parallel_tool_use": True}, "tools": TOOLS, "max_tokens": 5}
    assert edited(sent) == (sent | {"tool_choice": {"type": "none"}}, ())


# --- what another maker sealed -------------------------------------------------------------------------------


def sent_messages(*blocks: dict[str, Any], model: str = "claude-sage-2") -> list[dict[str, Any]]:
    """The messages that go upstream of one with these blocks of the assistant's."""
    messages = [*HELLO, {"role": "assistant", "content": blocks}, {"role": "user", "content": "And?"}]
    body = body_of({"model": model, "messages": messages, "max_tokens": 5})
    return json.loads(bytes(finish_request(body, Terms(), body)[0]["messages"]))


WORDS = {"type": "text", "text": "so"}
EMPTY = {"type": "thinking", "thinking": "hm", "signature": ""}


@pytest.mark.parametrize(
    "block",
    [
        {"type": "thinking", "thinking": "hm", "signature": FOREIGN},
        {"type": "redacted_thinking", "data": FOREIGN},
    ],
)
@pytest.mark.parametrize("model", ["claude-sage-2", "other"])
def test_what_another_maker_sealed_goes_to_no_upstream(block: dict[str, Any], model: str) -> None:
    assert sent_messages(block, WORDS, model=model)[1] == {"role": "assistant", "content": [WORDS]}
    assert [message["role"] for message in sent_messages(block, model=model)] == ["user", "user"]


def test_a_thought_without_a_signature_goes_to_models_that_may_have_made_it_and_not_to_claude() -> None:
    assert sent_messages(EMPTY, WORDS, model="us.anthropic.Claude-sage-2")[1]["content"] == [WORDS]
    assert sent_messages(EMPTY, WORDS, model="other")[1]["content"] == [EMPTY, WORDS]


@pytest.mark.parametrize(
    "block",
    [THOUGHT, {"type": "text", "text": '"setpoint: "signature":""'}, {"type": "x", "signature": "", "data": ""}],
)
def test_everything_else_goes_as_it_came(block: dict[str, Any]) -> None:
    assert sent_messages(block, EMPTY)[1]["content"] == [block]


def test_messages_without_a_foreign_thought_keep_their_bytes() -> None:
    messages = b'[ {"role":"assistant", "content":[ {"type":"thinking","thinking":"\\u0068m","signature":"s\\/"} ]} ]'
    body: Body = {"model": raw("claude-sage-2"), "messages": Raw(messages), "max_tokens": raw(5)}
    assert bytes(finish_request(body, Terms(), body)[0]["messages"]) == messages


def test_the_request_that_was_handed_in_is_not_changed() -> None:
    sent = body_of({"tool_choice": {"type": "auto"}, "thinking": thinking(9000)})
    before = dict(sent)
    finish_request(sent, Terms(stream=True), {})
    assert sent == before
