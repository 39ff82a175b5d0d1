"""The conversation of a responses body, read into turns."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from setpoint.canonical.conversation import Conversation, Turn
from setpoint.canonical.parts import Media, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from setpoint.errors import FieldError
from setpoint.protocols.responses.reading import read_conversation
from setpoint.protocols.seals import write_seal
from setpoint.wire.body import raw, split, value


def read(*items: dict[str, Any], **more: Any) -> Conversation:
    return read_conversation(split(json.dumps({**more, "input": list(items)}).encode()))


def told(part: Part) -> Any:
    """A part as a short word."""
    match part:
        case Text(text=text):
            return value(text)
        case Refusal(text=text):
            return f"refusal:{value(text)}"
        case Reasoning(kind=kind):
            return f"({kind})"
        case ToolCall(id=id_):
            return f"call:{id_}"
        case ToolResult(call_id=id_, parts=parts):
            return f"result:{id_}={''.join(told(inner) for inner in parts)}"
        case Media(kind=kind):
            return f"<{kind}>"


def outline(conversation: Conversation) -> list[tuple[str, list[Any]]]:
    return [(turn.speaker, [told(part) for part in turn.parts]) for turn in conversation]


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def said(content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": content, **more}


def call(id_: str) -> dict[str, Any]:
    return {"type": "function_call", "id": "fc_1", "call_id": id_, "name": "f", "arguments": "{}"}


def output(id_: str, content: Any = "ok") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": id_, "output": content}


THOUGHT: dict[str, Any] = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "A"}],
    "encrypted_content": "gAAA",
}

# --- turns ---------------------------------------------------------------------------------------------------


def test_a_string_is_one_message_of_the_users_behind_the_instructions() -> None:
    assert read_conversation(split(b'{"instructions":"Be brief.","input":"Hi"}')) == (
        Turn(speaker="system", parts=(Text(text=raw("Be brief."), path="instructions"),), path="instructions"),
        Turn(speaker="user", parts=(Text(text=raw("Hi"), path="input"),), path="input"),
    )


@pytest.mark.parametrize("body", [b"{}", b'{"input":[]}', b'{"instructions":"","input":null}'])
def test_nothing_said_is_no_turn(body: bytes) -> None:
    assert read_conversation(split(body)) == ()


def test_every_message_of_anybody_but_the_assistant_is_a_turn_of_its_own() -> None:
    assert outline(
        read(
            {"role": "system", "content": "S"},
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "D"}]},
            user("A"),
            user([{"type": "input_text", "text": "B"}, {"type": "input_text", "text": "C"}]),
            {"role": "system", "content": "late"},
        )
    ) == [("system", ["S"]), ("developer", ["D"]), ("user", ["A"]), ("user", ["B", "C"]), ("system", ["late"])]


def test_what_the_assistant_does_up_to_an_answer_is_one_turn_and_the_answers_another() -> None:
    turns = read(
        user("Hi"), THOUGHT, said("Let me see."), call("1"), call("2"), output("1"), output("2"), THOUGHT, said("Done.")
    )
    assert outline(turns) == [
        ("user", ["Hi"]),
        ("assistant", ["(summary)", "(encrypted)", "Let me see.", "call:1", "call:2"]),
        ("user", ["result:1=ok", "result:2=ok"]),
        ("assistant", ["(summary)", "(encrypted)", "Done."]),
    ]
    assert [turn.path for turn in turns] == ["input[0]", "input[1]", "input[5]", "input[7]"]


def test_a_second_message_begins_a_turn_and_takes_its_reasoning_along() -> None:
    assert outline(read(said("A"), THOUGHT, said("B"))) == [
        ("assistant", ["A"]),
        ("assistant", ["(summary)", "(encrypted)", "B"]),
    ]


def test_a_message_behind_a_call_stays_in_its_turn_for_the_result_must_come_next() -> None:
    assert outline(read(said("A"), call("1"), said("B"), output("1"))) == [
        ("assistant", ["A", "call:1", "B"]),
        ("user", ["result:1=ok"]),
    ]


def test_results_and_messages_of_the_users_do_not_mix() -> None:
    assert outline(read(output("0"), user("A"), output("1"), user("B"))) == [
        ("user", ["result:0=ok"]),
        ("user", ["A"]),
        ("user", ["result:1=ok"]),
        ("user", ["B"]),
    ]


def test_a_phase_stays_with_its_turn() -> None:
    turns = read(said("A", phase="commentary"), said("B", phase="final_answer"), user("C"), said("D", phase=None))
    assert [turn.phase for turn in turns] == ["commentary", "final_answer", None, None]


@pytest.mark.parametrize("content", [None, []])
def test_a_message_without_content_is_a_turn_without_parts(content: Any) -> None:
    assert outline(read(user(content), said(content))) == [("user", []), ("assistant", [])]


# --- content -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["input_text", "output_text", "text"])
@pytest.mark.parametrize("role", ["user", "assistant", "system", "developer"])
def test_text_may_be_of_any_kind_whoever_speaks(kind: str, role: str) -> None:
    [turn] = read({"role": role, "content": [{"type": kind, "text": "\ud800", "prompt_cache_breakpoint": {}}]})
    assert turn.parts == (Text(text=Raw(rb'"\ud800"'), path="input[0].content[0]"),)


def test_only_an_assistant_refuses() -> None:
    content = [{"type": "refusal", "refusal": "No."}]
    assert outline(read(said(content), user(content))) == [("assistant", ["refusal:No."]), ("user", ["No."])]


def test_links_of_what_was_said_are_read() -> None:
    annotation = {"type": "url_citation", "url": "http://a", "title": "T", "start_index": 0, "end_index": 2}
    [turn] = read(said([{"type": "output_text", "text": "Hi", "annotations": [annotation, {"type": "file_path"}]}]))
    [part] = turn.parts
    assert isinstance(part, Text)
    assert [value(citation.url or b"") for citation in part.citations] == ["http://a"]


PART = "input[0].content[0]"
MEDIA: list[tuple[dict[str, Any], Media]] = [
    (
        {"type": "input_image", "image_url": "http://a/b", "detail": "low"},
        Media(kind="image", url=raw("http://a/b"), detail=raw("low"), path=PART),
    ),
    (
        {"type": "input_image", "image_url": "data:image/png;base64,iVBO", "detail": None, "file_id": None},
        Media(kind="image", data=raw("iVBO"), media_type="image/png", path=PART),
    ),
    ({"type": "input_image", "file_id": "f1"}, Media(kind="image", file_id=raw("f1"), path=PART)),
    (
        {"type": "input_file", "file_data": "data:application/pdf;base64,JVBE", "filename": "a.pdf"},
        Media(kind="file", data=raw("JVBE"), media_type="application/pdf", filename=raw("a.pdf"), path=PART),
    ),
    ({"type": "input_file", "file_data": "JVBE"}, Media(kind="file", data=raw("JVBE"), path=PART)),
    (
        {"type": "input_file", "file_data": "SGk=", "filename": "notes.TXT"},
        Media(kind="file", data=raw("SGk="), media_type="text/plain", filename=raw("notes.TXT"), path=PART),
    ),
    (
        {"type": "input_file", "file_data": "SGk=", "filename": "txt.new"},
        Media(kind="file", data=raw("SGk="), filename=raw("txt.new"), path=PART),
    ),
    ({"type": "input_file", "file_data": "https://a/b"}, Media(kind="file", url=raw("https://a/b"), path=PART)),
    ({"type": "input_file", "file_url": "http://a/b"}, Media(kind="file", url=raw("http://a/b"), path=PART)),
    ({"type": "input_file", "file_id": "f1"}, Media(kind="file", file_id=raw("f1"), path=PART)),
    (
        {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
        Media(kind="audio", data=raw("UklG"), media_type="wav", path=PART),
    ),
    ({"type": "input_video", "video_url": "http://a/b"}, Media(kind="video", url=raw("http://a/b"), path=PART)),
    (
        {"type": "input_video", "video_url": "data:video/mp4;base64,AAAA"},
        Media(kind="video", data=raw("AAAA"), media_type="video/mp4", path=PART),
    ),
]


@pytest.mark.parametrize(("part", "medium"), MEDIA)
def test_every_medium_is_read(part: dict[str, Any], medium: Media) -> None:
    [turn] = read(user([part]))
    assert turn.parts == (medium,)


def test_an_image_that_was_made_is_the_assistants() -> None:
    made = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "iVBO"}
    assert outline(read(user("Draw."), made)) == [("user", ["Draw."]), ("assistant", ["<image>"])]


# --- calls and outputs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "result"),
    [
        (output("1"), ToolResult(call_id="1", parts=(Text(text=raw("ok"), path="input[0].output"),), path="input[0]")),
        (
            output("1", [{"type": "input_text", "text": "ok"}, {"type": "input_image", "file_id": "f1"}]),
            ToolResult(
                call_id="1",
                parts=(
                    Text(text=raw("ok"), path="input[0].output[0]"),
                    Media(kind="image", file_id=raw("f1"), path="input[0].output[1]"),
                ),
                path="input[0]",
            ),
        ),
        (output("1", []), ToolResult(call_id="1", parts=(), path="input[0]")),
        (
            {"type": "custom_tool_call_output", "call_id": "1", "output": "ok"},
            ToolResult(
                call_id="1", kind="custom", parts=(Text(text=raw("ok"), path="input[0].output"),), path="input[0]"
            ),
        ),
        (
            {"type": "local_shell_call_output", "id": "1", "output": "ok"},
            ToolResult(
                call_id="1", kind="local_shell", parts=(Text(text=raw("ok"), path="input[0].output"),), path="input[0]"
            ),
        ),
        (
            {"type": "apply_patch_call_output", "call_id": "1", "status": "failed", "output": "no such file"},
            ToolResult(
                call_id="1",
                kind="apply_patch",
                parts=(Text(text=raw("no such file"), path="input[0].output"),),
                is_error=True,
                path="input[0]",
            ),
        ),
        (
            {"type": "apply_patch_call_output", "call_id": "1", "status": "completed"},
            ToolResult(
                call_id="1",
                kind="apply_patch",
                parts=(Text(text=raw("completed"), path="input[0].output"),),
                path="input[0]",
            ),
        ),
    ],
)
def test_every_output_of_a_call_is_read(item: dict[str, Any], result: ToolResult) -> None:
    [turn] = read(item)
    assert turn.parts == (result,)


def test_what_a_shell_wrote_is_read_as_json() -> None:
    listed = [{"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]
    [turn] = read({"type": "shell_call_output", "call_id": "1", "output": listed})
    [result] = turn.parts
    assert isinstance(result, ToolResult)
    [part] = result.parts
    assert isinstance(part, Text)
    assert (result.kind, json.loads(value(part.text))) == ("shell", listed)


def test_a_coding_agents_history_is_read() -> None:
    turns = read(
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "You are Codex."}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Fix it."}]},
        {"type": "reasoning", "summary": [], "content": None, "encrypted_content": "gAAA"},
        {**call("1"), "namespace": "mcp__files", "status": "completed"},
        {
            "type": "custom_tool_call",
            "call_id": "2",
            "name": "apply_patch",
            "input": "*** Begin",
            "status": "completed",
        },
        {
            "type": "local_shell_call",
            "id": "lsh_1",
            "call_id": "3",
            "status": "completed",
            "action": {"type": "exec", "command": ["ls"], "env": {}},
        },
        output("1"),
        {"type": "custom_tool_call_output", "call_id": "2", "output": "Done"},
        {"type": "local_shell_call_output", "call_id": "3", "output": "a.py"},
        instructions="Base.",
    )
    assert outline(turns) == [
        ("system", ["Base."]),
        ("developer", ["You are Codex."]),
        ("user", ["Fix it."]),
        ("assistant", ["(encrypted)", "call:1", "call:2", "call:3"]),
        ("user", ["result:1=ok", "result:2=Done", "result:3=a.py"]),
    ]
    calls = [part for part in turns[3].parts if isinstance(part, ToolCall)]
    assert [(one.kind, one.name, one.namespace, value(one.arguments)) for one in calls] == [
        ("function", "f", "mcp__files", "{}"),
        ("custom", "apply_patch", None, "*** Begin"),
        ("local_shell", "local_shell", None, '{"command":["ls"],"env":{}}'),
    ]


def test_reasoning_that_another_dialect_sealed_is_its_own_again() -> None:
    step = Reasoning(kind="text", text=raw("So."), seal=raw("sig"), maker="messages", format="anthropic-claude-v1")
    item = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": "So."}],
        "encrypted_content": value(write_seal(step, "responses")),
    }
    [turn] = read(item)
    [back] = turn.parts
    assert isinstance(back, Reasoning)
    assert (back.text, back.seal, back.maker, back.format) == (step.text, step.seal, step.maker, step.format)


# --- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        *("web_search_call", "file_search_call", "code_interpreter_call", "computer_call", "computer_call_output"),
        *("mcp_list_tools", "mcp_approval_request", "mcp_approval_response", "mcp_call", "image_generation_call"),
        *("compaction", "context_compaction", "agent_message", "openrouter:datetime", "x_new"),
    ],
)
def test_items_that_only_this_protocol_has_are_refused_by_their_path(kind: str) -> None:
    with pytest.raises(FieldError, match=f"{kind} has no word in another protocol") as caught:
        read(user("A"), {"type": kind, "role": "user", "id": "x"})
    assert (caught.value.path, caught.value.metadata) == ("input[1]", {"reason": "unsupported"})


def test_a_stored_prompt_is_refused() -> None:
    with pytest.raises(FieldError) as caught:
        read(prompt={"id": "pmpt_1"})
    assert (caught.value.path, caught.value.metadata) == ("prompt", {"reason": "unsupported"})


def test_an_unknown_part_is_refused_by_its_path() -> None:
    with pytest.raises(FieldError) as caught:
        read(user([{"type": "input_text", "text": "A"}, {"type": "input_hologram"}]))
    assert (caught.value.path, caught.value.metadata) == ("input[0].content[1]", {"reason": "unsupported"})


@pytest.mark.parametrize(
    ("item", "path"),
    [
        ({}, "input[0].type"),
        ({"type": 7}, "input[0].type"),
        ({"role": "tool"}, "input[0].role"),
        ({"type": "message"}, "input[0].role"),
        (user(7), "input[0].content"),
        (user([7]), "input[0].content[0].type"),
        (user([{"type": "input_text"}]), "input[0].content[0].text"),
        (user([{"type": "input_image"}]), "input[0].content[0].image_url"),
        (user([{"type": "input_image", "image_url": {"url": "x"}}]), "input[0].content[0].image_url"),
        (user([{"type": "input_image", "image_url": "x", "detail": 7}]), "input[0].content[0].detail"),
        (user([{"type": "input_file"}]), "input[0].content[0].file_data"),
        (user([{"type": "input_file", "file_id": 7}]), "input[0].content[0].file_id"),
        (user([{"type": "input_audio", "input_audio": "x"}]), "input[0].content[0].input_audio.data"),
        (user([{"type": "input_video"}]), "input[0].content[0].video_url"),
        ({"type": "function_call", "name": "f", "arguments": "{}"}, "input[0].call_id"),
        ({"type": "function_call", "call_id": "1", "arguments": "{}"}, "input[0].name"),
        ({"type": "function_call", "call_id": "1", "name": "f"}, "input[0].arguments"),
        ({"type": "custom_tool_call", "call_id": "1", "name": "f", "input": None}, "input[0].input"),
        ({"type": "shell_call", "call_id": "1", "action": "ls"}, "input[0].action"),
        ({"type": "apply_patch_call", "call_id": "1"}, "input[0].operation"),
        ({"type": "function_call_output", "output": "x"}, "input[0].call_id"),
        ({"type": "local_shell_call_output", "output": "x"}, "input[0].id"),
        ({"type": "function_call_output", "call_id": "1"}, "input[0].output"),
        ({"type": "function_call_output", "call_id": "1", "output": {}}, "input[0].output"),
        ({"type": "function_call_output", "call_id": "1", "output": [{"type": "x"}]}, "input[0].output[0]"),
        ({"type": "apply_patch_call_output", "call_id": "1"}, "input[0].status"),
        ({"type": "reasoning", "summary": "A"}, "input[0].summary"),
        ({"type": "reasoning", "summary": [{"text": 7}]}, "input[0].summary[0].text"),
        ({"type": "reasoning", "content": ["A"]}, "input[0].content[0].text"),
        ({"type": "reasoning", "summary": [], "encrypted_content": 7}, "input[0].encrypted_content"),
    ],
)
def test_another_shape_is_refused_by_the_member(item: dict[str, Any], path: str) -> None:
    with pytest.raises(FieldError) as caught:
        read(item)
    assert caught.value.path == path


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
WORDS = st.sampled_from(
    [
        *("message", "reasoning", "function_call", "function_call_output", "shell_call_output", "apply_patch_call"),
        *(
            "local_shell_call_output",
            "input_text",
            "input_image",
            "input_file",
            "input_audio",
            "output_text",
            "refusal",
        ),
        *("user", "assistant", "system", "completed", "setpoint:[", "data:image/png;base64,iVBO"),
    ]
)
NAMES = st.sampled_from(
    [
        *("type", "role", "content", "text", "image_url", "file_data", "input_audio", "data", "call_id", "id", "name"),
        *("arguments", "output", "status", "summary", "encrypted_content", "signature", "operation", "annotations"),
    ]
)
LIKELY = st.recursive(
    JSON | WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6), max_leaves=20
)


@given(st.dictionaries(st.sampled_from(["input", "instructions", "prompt"]), LIKELY | st.lists(LIKELY, max_size=4)))
def test_whatever_a_body_says_only_a_field_is_wrong(body: dict[str, Any]) -> None:
    problems: list[FieldError] = []
    try:
        read_conversation(split(json.dumps(body).encode()))
    except FieldError as error:
        problems.append(error)
    assert all(problem.path.startswith(("input[", "prompt")) for problem in problems)
