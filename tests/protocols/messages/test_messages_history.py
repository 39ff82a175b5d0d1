"""What a client sends back of a conversation, on its way to a messages upstream."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from setpoint.canonical.parts import Citation, Reasoning, Text
from setpoint.canonical.result import Result
from setpoint.canonical.usage import Usage
from setpoint.protocols.answer import Bill, Opening, Stamp
from setpoint.protocols.messages.history import called_without_a_thought, mend_history
from setpoint.protocols.messages.request import finish_request
from setpoint.protocols.messages.result import write_result
from setpoint.protocols.seals import write_seal
from setpoint.protocols.terms import Terms
from setpoint.wire.body import raw, split, value

if TYPE_CHECKING:
    from setpoint.canonical.parts import Part

HELLO: dict[str, Any] = {"role": "user", "content": "Hi"}
AND: dict[str, Any] = {"role": "user", "content": "And?"}
FOREIGN = value(write_seal(Reasoning(kind="text", seal=raw("s"), maker="responses"), "messages"))
CLAUDE, OTHER = "us.anthropic.Claude-sage-2", "other"


def mended(*blocks: dict[str, Any], model: str = CLAUDE) -> list[dict[str, Any]]:
    """The messages that go upstream of three, of which these blocks are the assistant's."""
    messages = raw([HELLO, {"role": "assistant", "content": blocks}, AND])
    body = split(json.dumps({"model": model, "max_tokens": 5}).encode()) | {"messages": messages}
    sent = finish_request(body, Terms(), body)[0]["messages"]
    assert bytes(sent) == bytes(mend_history(messages, model))
    return json.loads(bytes(sent))


def told(*parts: Part) -> list[dict[str, Any]]:
    """The blocks that a client gets for an answer of these parts."""
    opening = Opening(stamp=Stamp("gen-1", "a/b", "Acme", 1), request={}, new_id=lambda prefix: f"{prefix}1")
    bill = Bill(Usage(input_tokens=1, output_tokens=1), None, None)
    return json.loads(write_result(Result(parts=parts), opening, bill, None))["content"]


# --- thoughts ------------------------------------------------------------------------------------------------

WORDS = {"type": "text", "text": "so"}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}
UNSIGNED: list[dict[str, Any]] = [
    {"type": "thinking", "thinking": "hm", "signature": ""},
    {"type": "thinking", "thinking": "hm", "signature": None},
    {"type": "thinking", "thinking": "hm"},
    {"type": "redacted_thinking", "data": ""},
    {"type": "redacted_thinking"},
]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "thinking", "thinking": "hm", "signature": FOREIGN},
        {"type": "redacted_thinking", "data": FOREIGN},
    ],
)
@pytest.mark.parametrize("model", ["claude-sage-2", "other"])
def test_what_another_maker_sealed_goes_to_no_upstream(block: dict[str, Any], model: str) -> None:
    assert mended(block, WORDS, model=model)[1] == {"role": "assistant", "content": [WORDS]}
    assert [message["role"] for message in mended(block, model=model)] == ["user", "user"]


@pytest.mark.parametrize("thought", UNSIGNED)
def test_a_thought_without_a_signature_goes_to_models_that_may_have_made_it_and_not_to_claude(
    thought: dict[str, Any],
) -> None:
    assert mended(thought, WORDS)[1]["content"] == [WORDS]
    assert mended(thought, THOUGHT, model=OTHER)[1]["content"] == [thought, THOUGHT]


@pytest.mark.parametrize(
    "block",
    [
        THOUGHT,
        {"type": "text", "text": '"setpoint: "signature":"" "thinking"'},
        {"type": "x", "signature": "", "data": "", "citations": [{"encrypted_index": ""}]},
        {"type": "tool_use", "id": "t", "name": "thinking", "input": {"type": "thinking", "thinking": "hm"}},
    ],
)
def test_everything_else_goes_as_it_came(block: dict[str, Any]) -> None:
    assert mended(block, UNSIGNED[0])[1]["content"] == [block]


# --- results of a gateway's own tools ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["openrouter_shell_tool_result", "openrouter_bash_tool_result"])
@pytest.mark.parametrize("model", [CLAUDE, OTHER])
def test_the_result_of_a_tool_that_a_gateway_ran_goes_to_no_upstream(kind: str, model: str) -> None:
    result = {"type": kind, "tool_use_id": "t", "content": {"stdout": "x"}}
    assert mended(result, WORDS, model=model)[1]["content"] == [WORDS]
    assert mended(result, model=model) == [HELLO, AND]
    quoted = {"type": "text", "text": f'"{kind}"'}
    assert mended(quoted, model=model)[1]["content"] == [quoted]


# --- links ---------------------------------------------------------------------------------------------------

OURS = Citation(url=raw("https://a.test"), title=raw("A"))
THEIRS = {"type": "web_search_result_location", "url": "https://b.test", "encrypted_index": "Eo8B"}
PLACE = {"type": "char_location", "cited_text": "x"}


def test_a_link_that_we_wrote_does_not_go_to_claude() -> None:
    (cited,) = told(Text(text=raw("so"), citations=(OURS,)))
    assert mended(cited)[1]["content"] == [{**WORDS, "citations": None}]
    both = {**cited, "citations": [THEIRS, *cited["citations"], PLACE]}
    assert mended(both)[1]["content"] == [{**WORDS, "citations": [THEIRS, PLACE]}]
    assert mended(both, model=OTHER)[1]["content"] == [both]


@pytest.mark.parametrize("citations", [None, [], [THEIRS], [PLACE], [{"type": "x_new", "encrypted_index": ""}]])
def test_other_citations_go_as_they_came(citations: list[dict[str, Any]] | None) -> None:
    block = {**WORDS, "citations": citations}
    assert mended(block, UNSIGNED[0])[1]["content"] == [block]


# --- bytes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [CLAUDE, OTHER])
def test_messages_of_which_nothing_is_left_out_keep_their_bytes(model: str) -> None:
    messages = Raw(
        b'[ {"role":"assistant", "content":[ {"type":"thinking","thinking":"\\u0068m","signature":"s\\/"} ]} ,'
        b' {"role":"user","content":"a \\"openrouter_bash_tool_result\\" \\ud800"} ]'
    )
    assert mend_history(messages, model) is messages


def test_only_the_messages_with_something_to_leave_out_are_written_anew() -> None:
    first, last = b'{"role":"user" ,"content":"\\u0048i"}', b'{ "content":[{"type":"thinking","signature":"s"}]}'
    thought = b'{"role":"assistant","x_new": 1.0,"content":[{"type":"thinking"},{"type":"text" ,"text":"so"}]}'
    left = b'{"role":"assistant","x_new":1.0,"content":[{"type":"text" ,"text":"so"}]}'
    mended_ = mend_history(Raw(b"[%b, %b ,%b]" % (first, thought, last)), CLAUDE)
    assert bytes(mended_) == b"[%b,%b,%b]" % (first, left, last)


JSON = st.recursive(
    st.none() | st.sampled_from(["", "thinking", "text", "openrouter_bash_tool_result", FOREIGN]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "content", "signature", "citations", "thinking"]), inner)
    ),
)


@given(st.lists(JSON), st.sampled_from([CLAUDE, OTHER]))
def test_messages_of_any_shape_are_mended_once(messages: list[object], model: str) -> None:
    once = mend_history(raw(messages), model)
    assert mend_history(once, model) is once


# --- where a conversation stands -----------------------------------------------------------------------------


@pytest.mark.parametrize("messages", [None, "Hi", [], [HELLO], [None, None], [HELLO, AND], [[], {"content": [5]}]])
def test_what_does_not_end_in_results_has_no_call_without_a_thought(messages: object) -> None:
    assert not called_without_a_thought(raw(messages))
