"""A conversation of any protocol, written as the instructions and input items of a request."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, structs
from openai.types.responses import ResponseInputItemParam
from pydantic import TypeAdapter

from setpoint.canonical.conversation import Conversation, Speaker, Turn
from setpoint.canonical.parts import CallKind, Citation, Media, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from setpoint.errors import FieldError
from setpoint.protocols.names import Named, ToolNames
from setpoint.protocols.responses.reading import read_conversation
from setpoint.protocols.responses.writing import write_conversation
from setpoint.protocols.terms import Terms
from setpoint.wire.body import join, raw, split

NATIVE = ToolNames(native=frozenset({"function", "custom", "local_shell", "shell", "apply_patch"}), namespaces=True)
INPUT_ITEM: TypeAdapter[Any] = TypeAdapter(ResponseInputItemParam)


def text(words: str) -> Text:
    return Text(text=raw(words))


def turn(speaker: Speaker, *parts: Part, **more: Any) -> Turn:
    return Turn(speaker=speaker, parts=parts, **more)


def call(kind: CallKind = "function", arguments: str = "{}", **more: Any) -> ToolCall:
    return ToolCall(id=more.pop("id", "1"), name=more.pop("name", kind), arguments=raw(arguments), kind=kind, **more)


def write(*turns: Turn, names: ToolNames = NATIVE) -> dict[str, Any]:
    return json.loads(join(write_conversation(turns, Terms(names=names))))


def written(*turns: Turn, names: ToolNames = NATIVE) -> list[dict[str, Any]]:
    """The items behind a first message of the user's."""
    body = write(turn("user", text("Hi")), *turns, names=names)
    assert "instructions" not in body
    return body["input"][1:]


# --- system --------------------------------------------------------------------------------------------------


def test_leading_system_turns_become_the_instructions_and_later_ones_stay() -> None:
    assert write(
        turn("system", text("A"), text("B")),
        turn("developer", text("C"), name="boss"),
        turn("user", text("Hi")),
        turn("developer", text("D")),
    ) == {
        "instructions": "A\n\nB\n\nboss: C",
        "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "D"}]},
        ],
    }


def test_a_conversation_of_nothing_but_a_system_prompt_is_an_input() -> None:
    assert write(turn("system", text("A"))) == {
        "input": [{"type": "message", "role": "system", "content": [{"type": "input_text", "text": "A"}]}]
    }


def test_a_system_prompt_that_is_no_text_is_refused() -> None:
    with pytest.raises(FieldError, match=r"^system\[0\]: image cannot be said"):
        write(turn("system", Media(kind="image", url=raw("x"), path="system[0]")), turn("user", text("Hi")))


# --- messages ------------------------------------------------------------------------------------------------


def test_a_speakers_name_stands_in_front_of_the_first_text() -> None:
    image = Media(kind="image", url=raw("http://a"))
    [item] = written(turn("user", image, text("A"), text("B"), name="Ann"))
    assert [part.get("text") for part in item["content"]] == [None, "Ann: A", "B"]


def test_an_assistants_turn_becomes_items_in_its_order() -> None:
    citation = Citation(url=raw("http://a"), title=raw("T"), start=0, end=1)
    items = written(
        turn(
            "assistant",
            structs.replace(text("A"), citations=(citation,)),
            Refusal(text=raw("No.")),
            call(item_id="fc_9", namespace="maps"),
            text("B"),
            phase="commentary",
        )
    )
    annotation = {"type": "url_citation", "url": "http://a", "title": "T", "start_index": 0, "end_index": 1}
    assert items == [
        {
            "type": "message",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "A", "annotations": [annotation]},
                {"type": "refusal", "refusal": "No."},
            ],
            "phase": "commentary",
        },
        {
            "type": "function_call",
            "id": "fc_9",
            "call_id": "1",
            "name": "function",
            "arguments": "{}",
            "namespace": "maps",
        },
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "B", "annotations": []}],
            "phase": "commentary",
        },
    ]


def test_a_turn_that_says_nothing_is_left_out() -> None:
    assert written(turn("user"), turn("assistant"), turn("system")) == []


MEDIA: list[tuple[Media, list[dict[str, Any]]]] = [
    (
        Media(kind="image", url=raw("http://a"), detail=raw("low")),
        [{"type": "input_image", "detail": "low", "image_url": "http://a"}],
    ),
    (
        Media(kind="image", data=raw("iVBO"), media_type="image/gif"),
        [{"type": "input_image", "detail": "auto", "image_url": "data:image/gif;base64,iVBO"}],
    ),
    (Media(kind="image", file_id=raw("f1")), [{"type": "input_image", "detail": "auto", "file_id": "f1"}]),
    (
        Media(kind="file", data=raw("JVBE"), media_type="application/pdf"),
        [{"type": "input_file", "filename": "document.pdf", "file_data": "data:application/pdf;base64,JVBE"}],
    ),
    (
        Media(kind="file", url=raw("http://a"), filename=raw("a.pdf"), context=raw("Of 1999.")),
        [
            {"type": "input_text", "text": "Of 1999."},
            {"type": "input_file", "filename": "a.pdf", "file_url": "http://a"},
        ],
    ),
    (Media(kind="file", file_id=raw("f1")), [{"type": "input_file", "file_id": "f1"}]),
    (
        Media(kind="file", text=raw("é")),
        [
            {
                "type": "input_file",
                "filename": "document.txt",
                "file_data": "data:text/plain;base64," + base64.b64encode("é".encode()).decode(),
            }
        ],
    ),
    (
        Media(kind="audio", data=raw("UklG"), media_type="mp3"),
        [{"type": "input_audio", "input_audio": {"data": "UklG", "format": "mp3"}}],
    ),
    (Media(kind="video", url=raw("http://a")), [{"type": "input_video", "video_url": "http://a"}]),
    (
        Media(kind="video", data=raw("AAAA")),
        [{"type": "input_video", "video_url": "data:video/mp4;base64,AAAA"}],
    ),
]


@pytest.mark.parametrize(("medium", "parts"), MEDIA)
def test_every_medium_is_written(medium: Media, parts: list[dict[str, Any]]) -> None:
    [item] = written(turn("user", medium))
    assert item["content"] == parts


@pytest.mark.parametrize(
    "part",
    [
        Media(kind="audio", url=raw("http://a"), path="p"),
        Media(kind="image", path="p"),
        Media(kind="file", path="p"),
        Media(kind="video", file_id=raw("f1"), path="p"),
        Reasoning(kind="text", text=raw("x"), path="p"),
    ],
)
def test_what_a_message_cannot_hold_is_refused_by_its_path(part: Part) -> None:
    with pytest.raises(FieldError, match=r"^p: (audio|image|file|video|reasoning) cannot be said") as caught:
        written(turn("user", part))
    assert caught.value.metadata == {"reason": "unsupported"}


def test_an_image_that_the_model_made_is_its_own_item_with_an_id_that_stays_the_same() -> None:
    image = Media(kind="image", data=raw("iVBO"))
    first, second = written(turn("assistant", image, image))
    assert first == second
    assert (first["type"], first["status"], first["result"]) == ("image_generation_call", "completed", "iVBO")
    assert first["id"].startswith("ig_")


@pytest.mark.parametrize(
    "part", [Media(kind="image", url=raw("http://a"), path="p"), Media(kind="audio", data=raw("UklG"), path="p")]
)
def test_other_media_of_an_assistants_are_refused(part: Media) -> None:
    with pytest.raises(FieldError, match=r"^p: "):
        written(turn("assistant", part))


# --- reasoning -----------------------------------------------------------------------------------------------


def step(**told: Any) -> Reasoning:
    usual: dict[str, Any] = {"kind": "text", "maker": "responses", "format": "openai-responses-v1", "id": "rs_1"}
    return Reasoning(**usual | told)


def test_sealed_reasoning_of_this_protocol_goes_back_whole() -> None:
    summary, sealed = step(kind="summary", text=raw("A")), step(kind="encrypted", seal=raw("gAAA"))
    assert written(turn("assistant", summary, sealed, text("B")))[0] == {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "A"}],
        "encrypted_content": "gAAA",
    }


@pytest.mark.parametrize(
    "steps",
    [
        (step(kind="summary", text=raw("A")),),
        (step(text=raw("A"), seal=raw("sig"), maker="messages"),),
        (step(kind="encrypted", seal=raw("x"), maker="chat"),),
        (step(text=raw("A"), maker=None),),
    ],
)
def test_other_reasoning_is_left_out_in_silence(steps: tuple[Reasoning, ...]) -> None:
    assert [item["type"] for item in written(turn("assistant", *steps, text("B")))] == ["message"]


# --- calls and results ---------------------------------------------------------------------------------------


def result(*parts: Text | Media, kind: CallKind = "function", **more: Any) -> ToolResult:
    return ToolResult(call_id="1", parts=parts, kind=kind, **more)


@pytest.mark.parametrize(
    ("parts", "output"),
    [
        ((text("ok"),), "ok"),
        ((), ""),
        (
            (text("A"), text("B")),
            [{"type": "input_text", "text": "A"}, {"type": "input_text", "text": "B"}],
        ),
        (
            (Media(kind="image", url=raw("http://a")),),
            [{"type": "input_image", "detail": "auto", "image_url": "http://a"}],
        ),
    ],
)
def test_a_result_is_a_string_or_a_list_of_parts(parts: tuple[Text | Media, ...], output: object) -> None:
    assert written(turn("assistant", call()), turn("user", result(*parts)))[1] == {
        "type": "function_call_output",
        "call_id": "1",
        "output": output,
    }


@pytest.mark.parametrize(
    ("parts", "output"),
    [
        ((text("no such file"),), "Error: no such file"),
        ((text(" ERROR 7"),), " ERROR 7"),
        ((), "Error"),
        (
            (Media(kind="file", file_id=raw("f")), text("x")),
            [{"type": "input_file", "file_id": "f"}, {"type": "input_text", "text": "Error: x"}],
        ),
    ],
)
def test_a_result_that_is_an_error_says_so(parts: tuple[Text | Media, ...], output: object) -> None:
    [item] = written(turn("user", result(*parts, is_error=True)))
    assert item["output"] == output


def test_sound_cannot_be_a_result() -> None:
    with pytest.raises(FieldError, match=r"^p: audio cannot be said"):
        written(turn("user", result(Media(kind="audio", data=raw("UklG"), path="p"))))


def test_results_and_words_of_one_turn_stay_in_order() -> None:
    items = written(turn("user", result(text("A")), text("B"), text("C"), structs.replace(result(), call_id="2")))
    assert [item["type"] for item in items] == ["function_call_output", "message", "function_call_output"]


CALLS: list[tuple[ToolCall, ToolResult, dict[str, Any], dict[str, Any]]] = [
    (
        call("custom", "*** Begin", name="apply_patch"),
        result(text("Done"), kind="custom"),
        {"type": "custom_tool_call", "call_id": "1", "name": "apply_patch", "input": "*** Begin"},
        {"type": "custom_tool_call_output", "call_id": "1", "output": "Done"},
    ),
    (
        call("local_shell", '{"command":["ls"]}', item_id="lsh_1"),
        result(text("a.py"), text("b.py"), kind="local_shell"),
        {
            "type": "local_shell_call",
            "id": "lsh_1",
            "call_id": "1",
            "action": {"type": "exec", "command": ["ls"], "env": {}},
            "status": "completed",
        },
        {"type": "local_shell_call_output", "id": "1", "output": "a.py\nb.py"},
    ),
    (
        call("shell", '{"commands":["ls"]}'),
        result(text("a.py"), kind="shell"),
        {
            "type": "shell_call",
            "call_id": "1",
            "action": {"commands": ["ls"], "timeout_ms": None, "max_output_length": None},
            "status": "completed",
        },
        {
            "type": "shell_call_output",
            "call_id": "1",
            "output": [{"stdout": "a.py", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}],
        },
    ),
    (
        call("apply_patch", '{"type":"delete_file","path":"a"}'),
        result(text("no"), kind="apply_patch", is_error=True),
        {
            "type": "apply_patch_call",
            "call_id": "1",
            "operation": {"type": "delete_file", "path": "a"},
            "status": "completed",
        },
        {"type": "apply_patch_call_output", "call_id": "1", "status": "failed", "output": "no"},
    ),
]


@pytest.mark.parametrize(("asked", "answered", "call_item", "output_item"), CALLS, ids=[row[0].kind for row in CALLS])
def test_every_kind_of_call_and_its_output_have_items_of_their_own(
    asked: ToolCall, answered: ToolResult, call_item: dict[str, Any], output_item: dict[str, Any]
) -> None:
    assert written(turn("assistant", asked), turn("user", answered)) == [call_item, output_item]


@pytest.mark.parametrize(
    ("words", "output"),
    [
        ('[{"stdout":"a","stderr":"","outcome":{"type":"timeout"}}]', None),
        ("[]", []),
        ("[1]", "[1]"),
        ('[], "x": [', '[], "x": ['),
        ("\ud800", "\ud800"),
    ],
)
def test_what_a_shell_wrote_is_a_list_again_where_the_text_spells_one(words: str, output: Any) -> None:
    [item] = written(turn("user", result(text(words), kind="shell", is_error=True)))
    if isinstance(output, str):
        output = [{"stdout": output, "stderr": "", "outcome": {"type": "exit", "exit_code": 1}}]
    assert item["output"] == (json.loads(words) if output is None else output)


def test_calls_go_under_the_names_that_the_upstream_knows_and_results_follow_them() -> None:
    names = ToolNames(sent_names={Named("apply patch", "custom"): "apply_patch_1"})
    items = written(
        turn("assistant", call("custom", "*** Begin", name="apply patch")),
        turn("user", result(text("Done"), kind="custom")),
        names=names,
    )
    assert items == [
        {
            "type": "function_call",
            "call_id": "1",
            "name": "apply_patch_1",
            "arguments": '{"input":"*** Begin"}',
        },
        {"type": "function_call_output", "call_id": "1", "output": "Done"},
    ]


def test_a_result_follows_its_call_where_its_own_protocol_could_not_say_the_kind() -> None:
    items = written(turn("assistant", call("custom", "x")), turn("user", result(text("Done"))))
    assert [item["type"] for item in items] == ["custom_tool_call", "custom_tool_call_output"]


@pytest.mark.parametrize(
    ("names", "kind"), [(NATIVE, "custom_tool_call_output"), (ToolNames(), "function_call_output")]
)
def test_a_result_without_a_call_keeps_its_kind_where_there_is_a_word_for_it(names: ToolNames, kind: str) -> None:
    [item] = written(turn("user", result(text("Done"), kind="custom")), names=names)
    assert item["type"] == kind


# --- there and back ------------------------------------------------------------------------------------------


def without_paths(conversation: Conversation) -> Conversation:
    """Turns and parts without where they stood."""
    return tuple(
        structs.replace(one, path="", parts=tuple(_without_path(part) for part in one.parts)) for one in conversation
    )


def _without_path(part: Part) -> Part:
    if isinstance(part, ToolResult):
        return structs.replace(part, path="", parts=tuple(structs.replace(inner, path="") for inner in part.parts))
    return structs.replace(part, path="")


STRING = st.text().map(raw)
WORDS = st.builds(Text, text=STRING)
ID = st.text("abc123", min_size=1, max_size=3)
PICTURE = st.builds(
    Media, kind=st.just("image"), url=st.just(raw("http://a")), detail=st.sampled_from([raw("auto"), raw("low")])
)
FILE = st.builds(
    Media,
    kind=st.just("file"),
    data=st.just(raw("JVBE")),
    media_type=st.just("application/pdf"),
    filename=STRING,
)
SOUND = st.builds(Media, kind=st.just("audio"), data=st.just(raw("UklG")), media_type=st.just("wav"))
SEAL = st.text(min_size=1).filter(lambda seal: not seal.startswith("setpoint:")).map(raw)


@st.composite
def sealed(draw: st.DrawFn) -> tuple[Reasoning, ...]:
    """The steps of one item of this protocol's own reasoning."""
    id_ = draw(st.text("xyz", min_size=1).map(lambda word: f"rs_{word}"))
    summary = [step(kind="summary", text=words, id=id_) for words in draw(st.lists(STRING, max_size=2))]
    return *summary, step(kind="encrypted", seal=draw(SEAL), id=id_)


CALL = st.builds(
    ToolCall,
    id=ID,
    name=st.text(min_size=1),
    arguments=STRING,
    kind=st.sampled_from(["function", "custom"]),
    namespace=st.none() | st.text(min_size=1),
    item_id=st.none() | st.just("fc_1"),
)
RESULT_PARTS = st.lists(WORDS, min_size=1, max_size=1) | st.lists(WORDS | PICTURE | FILE, min_size=2, max_size=3)
USER = st.lists(WORDS | PICTURE | FILE | SOUND, min_size=1, max_size=3).map(lambda parts: turn("user", *parts))
SYSTEM = WORDS.map(lambda words: turn("system", words)) | WORDS.map(lambda words: turn("developer", words))


@st.composite
def rounds(draw: st.DrawFn) -> list[Turn]:
    """A turn of the assistant's, and the results of its calls."""
    steps = draw(st.just(()) | sealed())
    said = draw(st.lists(WORDS | st.builds(Refusal, text=STRING), max_size=2))
    calls = draw(st.lists(CALL, max_size=2, unique_by=lambda one: one.id))
    if not (said or calls):
        return []
    assistant = turn(
        "assistant", *steps, *said, *calls, phase=draw(st.none() | st.just("commentary")) if said else None
    )
    results = [ToolResult(call_id=one.id, kind=one.kind, parts=tuple(draw(RESULT_PARTS))) for one in calls]
    return [assistant, turn("user", *results)] if results else [assistant, draw(USER)]


@given(st.text(min_size=1), USER, st.lists(rounds() | SYSTEM.map(lambda one: [one]), max_size=3))
def test_a_conversation_that_was_written_is_read_again(prompt: str, first: Turn, more: list[list[Turn]]) -> None:
    conversation: Conversation = (
        turn("system", text(prompt)),
        first,
        *(one for listed in more for one in listed),
    )
    data = join(write_conversation(conversation, Terms(names=NATIVE)))
    assert without_paths(read_conversation(split(data))) == conversation


def test_the_official_types_know_every_item() -> None:
    conversation = (
        turn("user", *(medium for medium, _ in MEDIA if medium.kind in ("image", "file"))),
        *(one for asked, answered, _, _ in CALLS for one in (turn("assistant", asked), turn("user", answered))),
        turn("assistant", step(kind="encrypted", seal=raw("gAAA")), text("A"), Media(kind="image", data=raw("iVBO"))),
        turn("user", structs.replace(result(text("A"), Media(kind="image", url=raw("http://a"))), call_id="2")),
    )
    for item in write(*conversation)["input"]:
        # The reference wants an id and a status of what was said before; upstreams do not, and nobody knows an id.
        INPUT_ITEM.validate_python({"id": "x", "status": "completed", **item})


def test_texts_keep_their_bytes() -> None:
    odd = Text(text=Raw(rb'"\ud83d\u00e9\/ \ud800"'))
    data = join(write_conversation((turn("user", odd), turn("user", result(odd))), Terms()))
    assert data.count(bytes(odd.text)) == 2
