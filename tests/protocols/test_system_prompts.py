"""The system prompt in a body of each skin, and the way back into a chat body."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from setpoint.protocols import chat, messages, responses
from setpoint.wire.body import Body, join, raw, split, value

if TYPE_CHECKING:
    from setpoint.protocols.base import CaptureSkin


def body_of(content: object) -> Body:
    return split(json.dumps(content).encode())


def read(skin: CaptureSkin, content: object) -> Any:
    prompt = skin.read_system(body_of(content))
    return None if prompt is None else value(prompt)


def system(content: object, role: str = "system") -> dict[str, Any]:
    return {"role": role, "content": content}


USER: dict[str, Any] = {"role": "user", "content": "Hi"}


@pytest.mark.parametrize(
    ("turns", "prompt"),
    [
        ([system("Be brief."), USER], "Be brief."),
        ([system("A", "developer"), system("B"), USER, system("C")], "A\n\nB"),
        ([system([{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]), USER], "AB"),
        ([system("  A \n"), USER], "  A \n"),
        ([system("")], None),
        ([system([])], None),
        ([system(None)], None),
        ([{"role": "system"}], None),
        ([USER, system("A")], None),
        ([], None),
        (None, None),
    ],
)
def test_the_leading_system_messages_are_the_prompt_on_chat(turns: object, prompt: str | None) -> None:
    assert read(chat, {"messages": turns}) == prompt


@pytest.mark.parametrize(
    ("content", "prompt"),
    [
        ("Be brief.", "Be brief."),
        (
            [{"type": "text", "text": "A", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "B"}],
            "A\n\nB",
        ),
        ("", None),
        ([], None),
        (None, None),
    ],
)
def test_the_top_level_system_is_the_prompt_on_messages(content: object, prompt: str | None) -> None:
    assert read(messages, {"system": content, "messages": [system("not this one"), USER]}) == prompt


def test_a_messages_body_without_system_has_no_prompt() -> None:
    assert read(messages, {"messages": [system("not this one"), USER]}) is None


ITEM: dict[str, Any] = {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "B"}]}


TOOLS_ITEM: dict[str, Any] = {"type": "additional_tools", "role": "developer", "tools": [], "content": "C"}


@pytest.mark.parametrize(
    ("body", "prompt"),
    [
        ({"instructions": "A", "input": [system("B")]}, "A"),
        ({"instructions": None, "input": [system("A"), ITEM, USER, system("C")]}, "A\n\nB"),
        ({"instructions": "", "input": [ITEM]}, "B"),
        ({"input": [TOOLS_ITEM, ITEM]}, None),
        ({"input": "Hi"}, None),
        ({"input": [USER]}, None),
        ({}, None),
    ],
)
def test_instructions_or_leading_system_items_are_the_prompt_on_responses(body: object, prompt: str | None) -> None:
    assert read(responses, body) == prompt


@pytest.mark.parametrize(
    ("skin", "text"),
    [
        (chat, rb'{"messages":[{"role":"system","content":"\ud83d\u00e9\/"},{"role":"system","content":"\ud800"}]}'),
        (messages, rb'{"system":[{"type":"text","text":"\ud83d\u00e9\/"},{"type":"text","text":"\ud800"}]}'),
        (
            responses,
            rb'{"input":[{"role":"system","content":"\ud83d\u00e9\/"},{"role":"system","content":"\ud800"}]}',
        ),
    ],
)
def test_escapes_in_a_prompt_are_not_decoded(skin: CaptureSkin, text: bytes) -> None:
    prompt = skin.read_system(split(text))
    assert prompt is not None
    assert bytes(prompt) == rb'"\ud83d\u00e9\/\n\n\ud800"'


@given(st.lists(st.lists(st.text(), max_size=3), min_size=1, max_size=3))
def test_a_chat_prompt_is_the_texts_of_its_messages_joined_by_blank_lines(texts: list[list[str]]) -> None:
    turns = [system([{"type": "text", "text": text} for text in parts]) for parts in texts]
    assert read(chat, {"messages": [*turns, USER]}) == ("\n\n".join(map("".join, texts)) or None)


# --- into a chat body -----------------------------------------------------------------------------------------

LONG = 70_000  # more than is looked at before the whole array is taken apart


@pytest.mark.parametrize(
    ("turns", "filled"),
    [
        ([USER], False),
        ([USER, system("A")], False),
        ([], False),
        (None, False),
        ([{"content": "x"}], False),
        ([system("A"), USER], True),
        ([system("", "developer")], True),
        ([{"content": "é" * LONG, "role": "system"}, USER], True),
        ([system("é" * LONG, "user"), USER], False),
    ],
)
def test_a_leading_system_message_fills_the_place_of_the_prompt(turns: object, filled: bool) -> None:
    assert chat.has_system(body_of({"messages": turns})) is filled


def test_the_last_of_two_roles_counts_as_it_does_for_the_parser() -> None:
    assert chat.has_system(split(b'{"messages":[{"role":"user","role":"system","content":"A"}]}'))


@pytest.mark.parametrize(("role", "filled"), [(b"system", True), (b"user", False)])
def test_a_long_message_with_half_a_surrogate_is_understood(role: bytes, filled: bool) -> None:
    first = b'{"content":"\\ud800' + b"a" * LONG + b'","role":"' + role + b'"}'
    body = split(b'{"messages":[' + first + b"]}")
    assert chat.has_system(body) is filled
    written = chat.write_system(body, Raw(b'"A"'))
    joined = b'{"content":"A\\n\\n\\ud800' + b"a" * LONG + b'","role":"system"}'
    assert (
        join(written) == b'{"messages":[' + (joined if filled else b'{"role":"system","content":"A"},' + first) + b"]}"
    )


def test_a_prompt_is_put_in_front_and_the_messages_keep_their_bytes() -> None:
    body = split(rb'{"x":1,"messages": [ {"role":"user", "content":"\ud800 1.50"} , {"a" : 1.0} ]}')
    written = chat.write_system(body, Raw(rb'"Be\u0020brief."'))
    assert join(written) == (
        rb'{"x":1,"messages":[{"role":"system","content":"Be\u0020brief."},'
        rb'{"role":"user", "content":"\ud800 1.50"} , {"a" : 1.0} ]}'
    )


@pytest.mark.parametrize("text", [b'{"messages":[]}', b'{"messages":[ \n]}', b'{"messages":null}', b"{}"])
def test_a_prompt_alone_makes_a_conversation(text: bytes) -> None:
    written = chat.write_system(split(text), Raw(b'"A"'))
    assert join(written) == b'{"messages":[{"role":"system","content":"A"}]}'


@pytest.mark.parametrize(
    ("own", "joined"),
    [
        (b'{"role":"developer","content":"B","name":"n"}', b'{"role":"developer","content":"A\\n\\nB","name":"n"}'),
        (b'{"role":"system","content":""}', b'{"role":"system","content":"A"}'),
        (b'{"role":"system","content":null}', b'{"role":"system","content":"A"}'),
        (b'{"role":"system"}', b'{"role":"system","content":"A"}'),
        (b'{"role":"system","content":[]}', b'{"role":"system","content":[{"type":"text","text":"A"}]}'),
        (
            b'{"role":"system","content":[{"type":"text", "text":"B","cache_control":{}}]}',
            (
                b'{"role":"system","content":[{"type":"text","text":"A\\n\\n"},'
                b'{"type":"text", "text":"B","cache_control":{}}]}'
            ),
        ),
    ],
)
def test_a_prompt_in_front_of_a_system_message_joins_it(own: bytes, joined: bytes) -> None:
    body = split(b'{"messages":[\n' + own + b' , {"role":"user", "content":"B"}]}')
    written = chat.write_system(body, Raw(b'"A"'))
    assert bytes(written["messages"]) == b"[" + joined + b' , {"role":"user", "content":"B"}]'


CONTENT = st.text(min_size=1) | st.lists(st.text(min_size=1), min_size=1, max_size=3).map(
    lambda texts: [{"type": "text", "text": text} for text in texts]
)


@given(prompt=st.text(min_size=1), own=st.lists(CONTENT, max_size=2))
def test_the_prompt_that_was_written_is_read_in_front_of_the_own_one(prompt: str, own: list[Any]) -> None:
    body = body_of({"messages": [*map(system, own), USER]})
    before = chat.read_system(body)
    after = chat.read_system(chat.write_system(body, raw(prompt)))
    assert after is not None
    assert value(after) == (prompt if before is None else f"{prompt}\n\n{value(before)}")


@pytest.mark.parametrize("cut", range(4))
def test_a_character_cut_by_the_window_does_no_harm(cut: int) -> None:
    body = split(
        json.dumps({"messages": [system("a" * cut), system("😀" * LONG, "user")]}, ensure_ascii=False).encode()
    )
    written = chat.write_system(body, Raw(b'"A"'))
    assert value(written["messages"])[1] == system("😀" * LONG, "user")


def test_the_callers_body_is_not_changed() -> None:
    body = body_of({"messages": [USER]})
    before = dict(body)
    chat.write_system(body, Raw(b'"A"'))
    assert body == before
