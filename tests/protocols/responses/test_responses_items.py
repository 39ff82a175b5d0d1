"""The items of what a model says: written from parts and read again, whatever their kind."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from openai.types.responses import ResponseOutputItem
from openrouter.components import OutputItems
from pydantic import TypeAdapter

from setpoint.canonical.parts import (
    CallKind,
    Citation,
    Maker,
    Media,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from setpoint.errors import FieldError, ProviderError
from setpoint.protocols.responses.items import (
    belongs,
    item_id_prefix,
    read_annotation,
    read_item,
    read_items,
    write_annotation,
    write_item,
    write_items,
)
from setpoint.protocols.seals import read_seal
from setpoint.wire.body import join, members, raw, value

OPENAI_ITEM: TypeAdapter[Any] = TypeAdapter(ResponseOutputItem)
OPENROUTER_ITEM: TypeAdapter[Any] = TypeAdapter(OutputItems)


def text(words: str, **more: Any) -> Text:
    return Text(text=raw(words), **more)


def call(arguments: str, kind: CallKind = "function", **more: Any) -> ToolCall:
    return ToolCall(id="call_1", name=more.pop("name", kind), arguments=raw(arguments), kind=kind, **more)


def thought(
    words: str | None = None, *, seal: str | None = None, maker: Maker | None = "messages", **more: Any
) -> Reasoning:
    told: dict[str, Any] = {"kind": "text", **more}
    return Reasoning(
        text=None if words is None else raw(words), seal=None if seal is None else raw(seal), maker=maker, **told
    )


def written(*parts: Part, status: str = "completed", logprobs: Raw | None = None) -> list[dict[str, Any]]:
    numbers = count(1)
    items = write_items(parts, lambda prefix: f"{prefix}{next(numbers)}", status=status, logprobs=logprobs)
    return [json.loads(join(item)) for item in items]


def read(*items: dict[str, Any]) -> tuple[list[Part], list[str]]:
    return read_items([raw(item) for item in items])


# --- writing -------------------------------------------------------------------------------------------------


def test_neighbouring_texts_and_refusals_share_a_message() -> None:
    assert written(text("A"), text("B"), Refusal(text=raw("No."))) == [
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [
                {"type": "output_text", "text": "A", "annotations": [], "logprobs": []},
                {"type": "output_text", "text": "B", "annotations": [], "logprobs": []},
                {"type": "refusal", "refusal": "No."},
            ],
        }
    ]


def test_a_call_between_two_texts_parts_them() -> None:
    items = written(text("A"), call("{}"), text("B"))
    assert [(item["type"], item["id"]) for item in items] == [
        ("message", "msg_1"),
        ("function_call", "fc_2"),
        ("message", "msg_3"),
    ]


def test_only_the_last_item_of_an_answer_that_was_cut_is_incomplete() -> None:
    assert [item["status"] for item in written(text("A"), call('{"a":'), status="incomplete")] == [
        "completed",
        "incomplete",
    ]


def test_log_probabilities_stand_at_the_first_text() -> None:
    scores = [{"token": "A", "logprob": -1, "bytes": [65], "top_logprobs": []}]
    first, second, _, third = (
        part
        for item in written(text("A"), text("B"), call("{}"), text("C"), logprobs=raw(scores))
        for part in item.get("content", [{}])
    )
    assert (first["logprobs"], second["logprobs"], third["logprobs"]) == (scores, [], [])


CALLS: list[tuple[ToolCall, dict[str, Any]]] = [
    (
        call('{"city": 1.50}', name="look_up", namespace="maps"),
        {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "name": "look_up",
            "arguments": '{"city": 1.50}',
            "namespace": "maps",
            "status": "completed",
        },
    ),
    (
        call("*** Begin Patch", "custom", name="apply_patch"),
        {
            "type": "custom_tool_call",
            "id": "ctc_1",
            "call_id": "call_1",
            "name": "apply_patch",
            "input": "*** Begin Patch",
            "status": "completed",
        },
    ),
    (
        call('{"command":["ls"],"timeout_ms":5}', "local_shell"),
        {
            "type": "local_shell_call",
            "id": "lsh_1",
            "call_id": "call_1",
            "action": {"type": "exec", "env": {}, "command": ["ls"], "timeout_ms": 5},
            "status": "completed",
        },
    ),
    (
        call('{"commands":["ls","pwd"]}', "shell"),
        {
            "type": "shell_call",
            "id": "sh_1",
            "call_id": "call_1",
            "action": {"timeout_ms": None, "max_output_length": None, "commands": ["ls", "pwd"]},
            "status": "completed",
        },
    ),
    (
        call('{"type":"delete_file","path":"a.py"}', "apply_patch"),
        {
            "type": "apply_patch_call",
            "id": "apc_1",
            "call_id": "call_1",
            "operation": {"type": "delete_file", "path": "a.py"},
            "status": "completed",
        },
    ),
]


@pytest.mark.parametrize(("part", "item"), CALLS, ids=[part.kind for part, _ in CALLS])
def test_each_kind_of_call_has_an_item_of_its_own(part: ToolCall, item: dict[str, Any]) -> None:
    assert written(part) == [item]


@pytest.mark.parametrize("kind", ["local_shell", "shell", "apply_patch"])
@pytest.mark.parametrize("arguments", ['{"command":"ls', "[]", '{"command":"ls","commands":1,"path":"a"}', ""])
def test_a_call_that_tells_no_action_is_written_as_a_function_so_that_nothing_is_lost(
    kind: CallKind, arguments: str
) -> None:
    [item] = written(call(arguments, kind))
    assert (item["type"], item["name"], item["arguments"]) == ("function_call", kind, arguments)


def test_a_call_without_an_id_gets_one() -> None:
    [item] = written(ToolCall(id="", name="f", arguments=raw("{}")))
    assert item["call_id"] == "call_2"


def test_a_patch_is_never_incomplete() -> None:
    part = call('{"type":"delete_file","path":"a.py"}', "apply_patch")
    assert value(write_item(part, "apc_1", "incomplete")["status"]) == "in_progress"


def test_an_image_is_a_call_with_its_content_or_an_item_with_its_address() -> None:
    image, linked = (
        Media(kind="image", data=raw("iVBO"), media_type="image/png"),
        Media(kind="image", url=raw("http://a/b")),
    )
    assert written(image, linked) == [
        {
            "type": "image_generation_call",
            "id": "ig_1",
            "status": "completed",
            "result": "iVBO",
            "output_format": "png",
        },
        {"type": "openrouter:image_generation", "id": "ig_2", "status": "completed", "imageUrl": "http://a/b"},
    ]


@pytest.mark.parametrize(
    "part",
    [
        Media(kind="audio", data=raw("UklG"), media_type="wav"),
        Media(kind="image", file_id=raw("file-1")),
        ToolResult(call_id="call_1", parts=()),
    ],
)
def test_what_there_is_no_item_for_is_left_out(part: Part) -> None:
    assert item_id_prefix(part) == ""
    assert [item["type"] for item in written(text("A"), part, text("B"))] == ["message"]


EVERY_PART: list[Part] = [
    text("A", citations=(Citation(url=raw("http://a"), title=raw("T"), quoted=raw("q"), start=1, end=2),)),
    Refusal(text=raw("No.")),
    thought("So.", seal="S"),
    thought("So.", kind="summary", maker="responses", id="rs_9"),
    thought(seal="E", kind="encrypted", maker="responses", id="rs_9"),
    Media(kind="image", data=raw("iVBO")),
    Media(kind="image", url=raw("http://a/b")),
    *(part for part, _ in CALLS),
]


@pytest.mark.parametrize("status", ["completed", "in_progress", "incomplete"])
@pytest.mark.parametrize("part", EVERY_PART, ids=lambda part: f"{type(part).__name__}-{getattr(part, 'kind', '')}")
def test_official_clients_take_every_item(part: Part, status: str) -> None:
    data = join(write_item(part, f"{item_id_prefix(part)}1", status))
    openrouters = OPENROUTER_ITEM.validate_json(data)
    assert not getattr(openrouters, "is_unknown", False) or b"local_shell" in data
    if b"openrouter:" not in data:
        OPENAI_ITEM.validate_json(data)


@pytest.mark.parametrize("kind", ["shell", "local_shell", "apply_patch"])
def test_an_action_of_another_shape_has_the_id_of_the_function_call_that_it_is_written_as(kind: Any) -> None:
    (item,) = written(ToolCall(id="c", name=kind, kind=kind, arguments=raw("rm")))
    assert (item["type"], item["id"]) == ("function_call", "fc_1")


@pytest.mark.parametrize("form", ["jpeg", "webp", None])
def test_an_image_says_what_it_is(form: str | None) -> None:
    image = Media(kind="image", data=raw("AAAA"), media_type=None if form is None else f"image/{form}")
    (item,) = written(image)
    assert item.get("output_format") == form
    (read,) = read_items([raw(item)])[0]
    assert isinstance(read, Media)
    assert read.media_type == f"image/{form or 'png'}"


# --- reasoning -----------------------------------------------------------------------------------------------


def test_steps_of_one_maker_share_an_item_up_to_the_one_that_is_sealed() -> None:
    first, second = written(thought("A"), thought("B", seal="S"), thought("C"))
    assert first["content"] == [{"type": "reasoning_text", "text": "A"}, {"type": "reasoning_text", "text": "B"}]
    assert first["encrypted_content"].startswith("setpoint:")
    assert (second["id"], second["content"]) == ("rs_2", [{"type": "reasoning_text", "text": "C"}])
    assert read_seal(raw(second["encrypted_content"])) == thought()


@pytest.mark.parametrize("other", [{"maker": "chat"}, {"id": "rs_2"}, {"format": "x"}])
def test_steps_that_do_not_belong_together_are_items_of_their_own(other: dict[str, Any]) -> None:
    assert not belongs(thought("A"), thought("B", **other))
    assert belongs(thought("A"), thought("B"))


def test_an_item_of_this_protocol_is_written_as_it_was() -> None:
    item = {
        "type": "reasoning",
        "id": "rs_abc",
        "summary": [{"type": "summary_text", "text": "In short"}, {"type": "summary_text", "text": "so."}],
        "content": [{"type": "reasoning_text", "text": "Long"}],
        "encrypted_content": "gAAA",
        "status": "completed",
    }
    parts, unsaid = read(item)
    assert unsaid == []
    assert [type(part) for part in parts] == [Reasoning] * 4
    assert written(*parts) == [item]


def test_a_signature_and_a_foreign_format_stay_where_they_were() -> None:
    item = {
        "type": "reasoning",
        "id": "rs_abc",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": "Long"}],
        "signature": "sig",
        "format": "anthropic-claude-v1",
        "status": "completed",
    }
    assert written(*read(item)[0]) == [item]


STEP = st.builds(
    thought,
    st.none() | st.text(),
    seal=st.none() | st.text(min_size=1).filter(lambda seal: not seal.startswith("setpoint:")),
    maker=st.sampled_from(["chat", "messages", "responses"]),
    kind=st.sampled_from(["text", "summary", "encrypted"]),
    id=st.none() | st.sampled_from(["rs_1", "x"]),
    format=st.sampled_from(["anthropic-claude-v1", "openai-responses-v1", "google-gemini-v1"]),
)


def is_honest(step: Reasoning) -> bool:
    return (step.seal is not None and step.text is None) if step.kind == "encrypted" else step.text is not None


@given(STEP.filter(is_honest).filter(lambda step: step.seal is not None))
def test_a_sealed_step_comes_back_from_the_client_as_it_was(step: Reasoning) -> None:
    item = write_item(step, step.id or "rs_1", "completed")
    parts = read_item(members(join(item)), "input[0]", replayed=True)
    assert parts is not None
    [back] = parts
    assert isinstance(back, Reasoning)
    assert (back.seal, back.maker, back.format) == (step.seal, step.maker, step.format)
    assert (back.kind, back.text) == (step.kind, step.text)
    if step.maker != "responses" or step.id is not None:
        assert back.id == step.id


def test_a_replayed_item_without_an_opaque_value_may_be_anybodys() -> None:
    item = members(raw({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "A"}]}))
    for replayed, maker in ((True, None), (False, "responses")):
        steps = read_item(item, "input[0]", replayed=replayed)
        assert steps is not None
        assert [step.maker for step in steps if isinstance(step, Reasoning)] == [maker]


def test_a_wrapped_value_that_is_no_longer_whole_is_nobodys() -> None:
    told: dict[str, Any] = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [],
        "encrypted_content": 'setpoint:["messages"',
    }
    assert read_item(members(raw(told)), "input[0]", replayed=True) == ()


def test_reasoning_that_says_nothing_has_no_steps() -> None:
    assert read({"type": "reasoning", "id": "rs_1", "summary": None, "content": None, "encrypted_content": ""}) == (
        [],
        [],
    )


# --- reading -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("part", "item"), CALLS, ids=[part.kind for part, _ in CALLS])
def test_each_kind_of_call_is_read_again(part: ToolCall, item: dict[str, Any]) -> None:
    [back], unsaid = read(item)
    assert isinstance(back, ToolCall)
    assert unsaid == []
    assert (back.id, back.kind, back.namespace, back.item_id) == ("call_1", part.kind, part.namespace, item["id"])
    assert back.name == (part.name if part.kind in ("function", "custom") else part.kind)
    if part.kind in ("function", "custom"):
        assert back.arguments == part.arguments
    else:
        told = json.loads(value(back.arguments))
        assert json.loads(value(part.arguments)).items() <= told.items()
        assert "exec" not in told.values()  # says nothing, and stands in no schema of a function


def test_arguments_that_are_an_object_are_read_as_their_text() -> None:
    [back], _ = read_items([Raw(b'{"type":"function_call","call_id":"c","name":"f","arguments":{"a": 1.50}}')])
    assert isinstance(back, ToolCall)
    assert value(back.arguments) == '{"a": 1.50}'


def test_a_call_of_an_answer_needs_no_id_and_a_replayed_one_does() -> None:
    item = {"type": "function_call", "name": "f", "arguments": "{}"}
    [back], _ = read(item)
    assert isinstance(back, ToolCall)
    assert back.id == ""
    with pytest.raises(FieldError, match=r"^input\[3\]\.call_id: must be a string"):
        read_item(members(raw(item)), "input[3]", replayed=True)


def test_a_call_that_the_provider_ran_itself_is_none_of_the_clients() -> None:
    ran = {"type": "shell_call", "id": "sh_1", "call_id": "c1", "status": "completed", "action": {"commands": ["ls"]}}
    output: dict[str, Any] = {"type": "shell_call_output", "id": "sho_1", "call_id": "c1", "output": []}
    parts, unsaid = read(ran, output, {**ran, "call_id": "c2"})
    assert [part.id for part in parts if isinstance(part, ToolCall)] == ["c2"]
    assert unsaid == ["shell_call", "shell_call_output"]


UNSAID = (
    *("web_search_call", "file_search_call", "code_interpreter_call", "computer_call", "mcp_call", "mcp_list_tools"),
    *("openrouter:datetime", "compaction", "tool_search_call", "x_new"),
)


@pytest.mark.parametrize("kind", UNSAID)
def test_what_there_is_no_word_for_is_left_out_and_named(kind: str) -> None:
    parts, unsaid = read({"type": kind, "id": "x", "status": "completed"}, {"type": "message", "content": "Hi"})
    assert [part.text for part in parts if isinstance(part, Text)] == [raw("Hi")]
    assert unsaid == [kind]


def test_parts_and_annotations_of_a_message_that_nobody_else_has_are_named() -> None:
    citation = {"type": "file_citation", "file_id": "f", "filename": "a", "index": 0}
    content = [{"type": "output_text", "text": "Hi", "annotations": [citation]}, {"type": "output_hologram"}]
    parts, unsaid = read({"type": "message", "role": "assistant", "content": content})
    assert parts == [text("Hi", path="output[0].content[0]")]
    assert unsaid == ["annotations.file_citation", "output_hologram"]


@pytest.mark.parametrize(
    ("item", "image"),
    [
        ({"type": "image_generation_call", "result": "iVBO"}, {"data": "iVBO", "media_type": "image/png"}),
        (
            {"type": "image_generation_call", "result": "UklG", "output_format": "webp"},
            {"data": "UklG", "media_type": "image/webp"},
        ),
        (
            {"type": "image_generation_call", "result": "data:image/gif;base64,R0"},
            {"data": "R0", "media_type": "image/gif"},
        ),
        ({"type": "openrouter:image_generation", "imageUrl": "http://a/b"}, {"url": "http://a/b"}),
        (
            {"type": "openrouter:image_generation", "imageB64": "iVBO"},
            {"data": "iVBO", "media_type": "image/png"},
        ),
    ],
)
def test_a_made_image_is_read(item: dict[str, Any], image: dict[str, str]) -> None:
    [part], unsaid = read(item)
    assert isinstance(part, Media)
    assert unsaid == []
    told = {name: getattr(part, name) for name in ("data", "url", "media_type")}
    assert told == {
        "data": None,
        "url": None,
        "media_type": None,
        **{name: raw(said) if name != "media_type" else said for name, said in image.items()},
    }


def test_an_image_that_is_not_there_yet_is_named() -> None:
    assert read({"type": "image_generation_call", "id": "ig_1", "status": "failed", "result": None}) == (
        [],
        ["image_generation_call"],
    )


def test_items_of_another_shape_make_a_malformed_answer() -> None:
    with pytest.raises(ProviderError, match="malformed"):
        read({"type": "function_call", "call_id": "c", "name": 7, "arguments": "{}"})


# --- citations -----------------------------------------------------------------------------------------------

STRING = st.text().map(raw)
CITATION = st.builds(
    Citation,
    url=STRING,
    title=STRING,
    quoted=st.none() | STRING,
    start=st.integers(0, 2**50),
    end=st.integers(0, 2**50),
)


@given(CITATION)
def test_a_link_is_read_as_it_was_written(citation: Citation) -> None:
    data = write_annotation(citation)
    assert data is not None
    assert read_annotation(data) == citation


def test_a_link_that_tells_too_little_gets_what_clients_need() -> None:
    data = write_annotation(Citation(url=raw("http://a")))
    assert data is not None
    assert json.loads(bytes(data)) == {
        "type": "url_citation",
        "url": "http://a",
        "title": "",
        "start_index": 0,
        "end_index": 0,
    }


def test_a_citation_that_is_no_link_has_no_annotation() -> None:
    assert write_annotation(Citation(kind="char_location", body=raw({}))) is None
    assert read_annotation(raw({"type": "file_path", "file_id": "f", "index": 0})) is None


# --- there and back ------------------------------------------------------------------------------------------

PART = st.one_of(
    st.builds(Text, text=STRING, citations=st.lists(CITATION, max_size=2).map(tuple)),
    st.builds(Refusal, text=STRING),
    st.builds(
        ToolCall,
        id=st.text(min_size=1),
        name=st.text(min_size=1),
        arguments=STRING,
        kind=st.sampled_from(["function", "custom"]),
        namespace=st.none() | st.text(min_size=1),
    ),
    st.builds(Media, kind=st.just("image"), data=st.just(raw("iVBO")), media_type=st.just("image/png")),
)


def bare(part: Part) -> Part:
    """The part without where it stood and under which id."""
    match part:
        case Text() | Refusal() | Media():
            return type(part)(**{name: getattr(part, name) for name in part.__struct_fields__ if name != "path"})
        case ToolCall():
            return ToolCall(
                id=part.id, name=part.name, arguments=part.arguments, kind=part.kind, namespace=part.namespace
            )
        case _:
            return part


@given(st.lists(PART, max_size=6))
def test_what_was_written_is_read_again(parts: list[Part]) -> None:
    numbers = count(1)
    items = write_items(parts, lambda prefix: f"{prefix}{next(numbers)}")
    back, unsaid = read_items([Raw(join(item)) for item in items])
    assert [bare(part) for part in back] == parts
    assert unsaid == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
MEMBERS = ("id", "call_id", "name", "arguments", "input", "action", "operation", "content", "summary", "result", "role")
KINDS = ("message", "reasoning", "function_call", "custom_tool_call", "shell_call", "image_generation_call", None, 7)


@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(MEMBERS), JSON), st.booleans())
def test_whatever_an_item_says_only_a_field_is_wrong(kind: object, told: dict[str, Any], replayed: bool) -> None:
    problems: list[FieldError] = []
    try:
        read_item(members(raw({**told, "type": kind})), "input[0]", replayed=replayed)
    except FieldError as error:
        problems.append(error)
    assert all(problem.path.startswith("input[0].") for problem in problems)
