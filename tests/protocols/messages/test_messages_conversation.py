"""The place of the system prompt in a messages body."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from setpoint.protocols.messages.conversation import has_system, read_system, write_system
from setpoint.wire.body import Body, join, raw, split, value

HOUSE = Raw(b'"House rules."')
BLOCK = {"type": "text", "text": "Own rules.", "cache_control": {"type": "ephemeral"}}


def body_of(content: object) -> Body:
    return split(json.dumps(content).encode())


def written(content: object) -> dict[str, Any]:
    return json.loads(join(write_system(body_of(content), HOUSE)))


@pytest.mark.parametrize(
    ("body", "filled"),
    [
        ({}, False),
        ({"system": None}, False),
        ({"system": ""}, False),
        ({"system": []}, False),
        ({"system": [{"type": "text", "text": ""}]}, False),
        ({"system": "x"}, True),
        ({"system": [BLOCK]}, True),
        ({"messages": [{"role": "system", "content": "x"}]}, False),
    ],
)
def test_only_a_system_that_says_something_fills_the_place(body: object, filled: bool) -> None:
    assert has_system(body_of(body)) is filled


@pytest.mark.parametrize("body", [{}, {"system": ""}, {"system": []}, {"system": None}])
def test_a_prompt_fills_an_empty_place(body: dict[str, Any]) -> None:
    messages = [{"role": "system", "content": "said later"}]
    assert written({**body, "messages": messages}) == {"system": "House rules.", "messages": messages}


def test_a_prompt_goes_before_a_string_and_a_blank_line() -> None:
    assert written({"system": "Own rules."}) == {"system": "House rules.\n\nOwn rules."}


def test_a_prompt_goes_before_blocks_as_a_block_and_theirs_keep_their_bytes() -> None:
    body = split(b'{"system": [ {"text":"Own \\u0072ules.",  "type":"text"} ], "x":1.50}')
    assert join(write_system(body, HOUSE)) == (
        b'{"system":[{"type":"text","text":"House rules."},{"text":"Own \\u0072ules.",  "type":"text"}],"x":1.50}'
    )


@given(st.text(min_size=1), st.none() | st.text(min_size=1) | st.lists(st.text(min_size=1), min_size=1))
def test_what_is_written_is_read_with_what_was_there_behind_it(prompt: str, own: str | list[str] | None) -> None:
    system = [{"type": "text", "text": text} for text in own] if isinstance(own, list) else own
    texts = own if isinstance(own, list) else [own] if own else []
    read = read_system(write_system(body_of({"system": system}), raw(prompt)))
    assert read is not None
    assert value(read) == "\n\n".join([prompt, *texts])
