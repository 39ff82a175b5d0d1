"""The last touch to a request for a messages upstream."""

from __future__ import annotations

import json
from typing import Any

import pytest

from setpoint.canonical.parts import Reasoning
from setpoint.protocols.messages.request import finish_request, path
from setpoint.protocols.seals import write_seal
from setpoint.protocols.terms import Terms
from setpoint.wire.body import Body, join, raw, split, value

HELLO: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]
TOOLS: list[dict[str, Any]] = [{"name": "f", "input_schema": {}}]
ADAPTIVE = {"type": "adaptive"}
FOREIGN = value(write_seal(Reasoning(kind="text", seal=raw("s"), maker="responses"), "messages"))


CALL: dict[str, Any] = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t"}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}
WORDS = {"type": "text", "text": "so"}


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


# --- whose thinking it is -------------------------------------------------------------------------------------


def test_thinking_that_a_preset_brought_is_not_the_clients_own() -> None:
    sent = {"thinking": thinking(8000), "tool_choice": {"type": "any"}, "tools": TOOLS, "max_tokens": 5000}
    without = {name: content for name, content in sent.items() if name != "thinking"}
    assert edited(sent, own=frozenset({"tool_choice", "tools", "max_tokens"})) == (without, ("reasoning",))
    assert edited(sent, own=frozenset(sent)) == (sent, ())


def replayed(thought: dict[str, Any]) -> list[dict[str, Any]]:
    """A conversation that ends in the result of a call, which this thought led to."""
    return [*HELLO, {"role": "assistant", "content": [thought, CALL]}, {"role": "user", "content": [RESULT]}]


CLEARING = {"type": "clear_thinking_20251015", "keep": "all"}
OTHER_EDIT = {"type": "clear_tool_uses_20250919"}


def claude(messages: list[dict[str, Any]], **more: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What becomes of a client's own request to Claude, beside the messages."""
    body = body_of({"model": "claude-sage-2", "messages": messages, "max_tokens": 5000, **more})
    done, unsaid = finish_request(body, Terms(), body)
    return {name: value(content) for name, content in done.items() if name not in ("model", "messages")}, unsaid


@pytest.mark.parametrize("signature", [{"signature": ""}, {"signature": None}, {}, {"signature": FOREIGN}])
def test_the_clients_own_thinking_is_left_out_where_the_thought_before_its_results_was(
    signature: dict[str, Any],
) -> None:
    messages = replayed({"type": "thinking", "thinking": "hm", **signature})
    assert claude(messages, thinking=thinking(2000)) == ({"max_tokens": 5000}, ("reasoning",))
    assert claude(messages, thinking=ADAPTIVE) == ({"max_tokens": 5000, "thinking": ADAPTIVE}, ())
    stays = ({"max_tokens": 5000, "thinking": thinking(2000)}, ())
    assert claude(replayed(THOUGHT), thinking=thinking(2000)) == stays
    assert claude([*messages, {"role": "assistant", "content": [WORDS]}, *HELLO], thinking=thinking(2000)) == stays


def test_the_clients_own_thinking_stays_where_it_was_the_client_who_left_the_thought_out() -> None:
    shell: dict[str, Any] = {"type": "openrouter_shell_tool_result", "tool_use_id": "x", "content": {}}
    answered = {"role": "user", "content": [RESULT, shell]}
    messages = [*HELLO, {"role": "assistant", "content": [CALL]}, answered]
    assert claude(messages, thinking=thinking(2000))[0]["thinking"] == thinking(2000)


@pytest.mark.parametrize(
    ("edits", "kept"),
    [
        ([CLEARING], {}),
        ([CLEARING, OTHER_EDIT], {"context_management": {"edits": [OTHER_EDIT], "x_new": 1}}),
        ([OTHER_EDIT], {"context_management": {"edits": [OTHER_EDIT], "x_new": 1}}),
    ],
)
def test_what_is_to_be_done_with_thoughts_goes_with_the_thinking(
    edits: list[dict[str, Any]], kept: dict[str, Any]
) -> None:
    management = {"edits": edits, "x_new": 1}
    messages = replayed({"type": "thinking", "thinking": "hm"})
    done, unsaid = claude(messages, thinking=thinking(2000), context_management=management)
    assert done == {"max_tokens": 5000, **kept}
    assert unsaid == (("reasoning", "context_management") if CLEARING in edits else ("reasoning",))
    done, unsaid = claude(replayed(THOUGHT), thinking=thinking(2000), context_management=management)
    assert (done["context_management"], unsaid) == (management, ())


# --- sampling beside thinking --------------------------------------------------------------------------------

SAMPLING: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"temperature": 0.2, "top_p": 0.5, "top_k": 5}, ("temperature", "top_p", "top_k")),
    ({"temperature": 0}, ("temperature",)),
    ({"temperature": 1.0, "top_p": 0.95}, ()),
    ({"temperature": 1, "top_p": 1}, ()),
    ({"top_p": 0.949}, ("top_p",)),
    ({"top_k": 0}, ("top_k",)),
    ({"temperature": None, "top_p": None, "top_k": None}, ()),
    ({"temperature": "hot", "top_p": []}, ()),
]


@pytest.mark.parametrize("said", [thinking(2000), ADAPTIVE])
@pytest.mark.parametrize(("sampling", "refused"), SAMPLING)
def test_sampling_that_translated_thinking_does_not_stand_is_left_out(
    said: dict[str, Any], sampling: dict[str, Any], refused: tuple[str, ...]
) -> None:
    sent = {"thinking": said, "max_tokens": 5000, **sampling}
    assert finished(sent) == ({name: content for name, content in sent.items() if name not in refused}, refused)
    assert edited(sent) == (sent, ())


@pytest.mark.parametrize("said", [{}, {"thinking": {"type": "disabled"}}])
def test_sampling_without_thinking_stays(said: dict[str, Any]) -> None:
    sent = {"max_tokens": 5000, **SAMPLING[0][0], **said}
    assert finished(sent) == (sent, ())


def test_sampling_stays_where_the_thinking_does_not() -> None:
    sent = {"thinking": ADAPTIVE, "tool_choice": {"type": "any"}, "tools": TOOLS, "max_tokens": 50, "temperature": 0.2}
    assert finished(sent)[0]["temperature"] == 0.2


def test_the_request_that_was_handed_in_is_not_changed() -> None:
    sent = body_of({"tool_choice": {"type": "auto"}, "thinking": thinking(9000)})
    before = dict(sent)
    finish_request(sent, Terms(stream=True), {})
    assert sent == before
