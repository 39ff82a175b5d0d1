"""The system prompt of a responses body: whether it has one, and how another is put in front of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from setpoint.protocols import responses
from setpoint.wire.body import Body, join, raw, split, value

USER: dict[str, Any] = {"role": "user", "content": "Hi"}
ITEM: dict[str, Any] = {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "B"}]}
TOOLS: dict[str, Any] = {"type": "additional_tools", "role": "developer", "tools": []}


def body_of(content: object) -> Body:
    return split(json.dumps(content).encode())


@pytest.mark.parametrize(
    ("body", "filled"),
    [
        ({"instructions": "A", "input": "Hi"}, True),
        ({"instructions": "", "input": "Hi"}, False),
        ({"instructions": None, "input": [USER]}, False),
        ({"input": [{"role": "system", "content": "A"}, USER]}, True),
        ({"input": [ITEM]}, True),
        ({"input": [{"role": "system", "content": ""}]}, True),
        ({"input": [USER, ITEM]}, False),
        ({"input": [TOOLS, ITEM]}, False),
        ({"input": []}, False),
        ({"input": None}, False),
        ({}, False),
    ],
)
def test_instructions_or_leading_system_items_fill_the_place(body: object, filled: bool) -> None:
    assert responses.has_system(body_of(body)) is filled


def test_a_prompt_becomes_the_instructions_and_the_input_keeps_its_bytes() -> None:
    body = split(rb'{"x":1,"input": [ {"role":"developer", "content":"\ud800 1.50"} ]}')
    written = responses.write_system(body, Raw(rb'"Be\u0020brief."'))
    assert join(written) == (
        rb'{"x":1,"input":[ {"role":"developer", "content":"\ud800 1.50"} ],"instructions":"Be\u0020brief."}'
    )


@pytest.mark.parametrize(("own", "joined"), [("B", "A\n\nB"), ("", "A"), (None, "A"), (" \n", "A\n\n \n")])
def test_a_prompt_stands_in_front_of_instructions_and_a_blank_line(own: str | None, joined: str) -> None:
    written = responses.write_system(body_of({"instructions": own, "input": "Hi"}), raw("A"))
    assert value(written["instructions"]) == joined


@given(prompt=st.text(min_size=1), own=st.text(min_size=1))
def test_the_prompt_that_was_written_is_read_in_front_of_the_own_one(prompt: str, own: str) -> None:
    read = responses.read_system(responses.write_system(body_of({"instructions": own}), raw(prompt)))
    assert read is not None
    assert value(read) == f"{prompt}\n\n{own}"


def test_the_callers_body_is_not_changed() -> None:
    body = body_of({"input": [USER]})
    before = dict(body)
    responses.write_system(body, Raw(b'"A"'))
    assert body == before
