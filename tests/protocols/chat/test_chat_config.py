"""Chat's fields by their canonical names: those of one call beside the configuration, and where a body says them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.chat.chat_support import odd
from setpoint.canonical.config import GROUPS
from setpoint.protocols.chat import COMPOSITE, FIELDS, PARTS, pointer, read_call, read_config, write_config
from setpoint.protocols.chat.fields import FIELDS as CHECKED
from setpoint.protocols.rules import RULES
from setpoint.wire.body import join, raw, split

CALL: dict[str, Any] = {
    "user": "ann",
    "safety_identifier": "s",
    "metadata": {"a": "b"},
    "prompt_cache_key": "k",
    "prediction": {"type": "content", "content": "x"},
    "n": 2,
}


def body(content: object) -> dict[str, Any]:
    return split(json.dumps(content).encode())


def test_every_field_that_is_checked_is_known_and_has_its_own_name() -> None:
    assert CHECKED.keys() <= FIELDS.keys()
    assert {name for name, canonical in FIELDS.items() if name != canonical} == {"prompt"}
    assert FIELDS["prompt"] not in {"prompt", *GROUPS}
    assert not PARTS
    assert not COMPOSITE


def test_every_known_field_has_a_rule_of_what_becomes_of_it() -> None:
    assert {name for name, canonical in FIELDS.items() if canonical not in RULES and name != "prompt"} == set()


def test_a_call_is_the_configuration_and_what_is_of_this_call_only() -> None:
    content = body({"temperature": 1, "reasoning_effort": "low", "messages": [], "stream": True, "usage": {}, **CALL})
    assert list(read_config(content)) == ["temperature", "reasoning"]
    assert {name: json.loads(bytes(said)) for name, said in read_call(content).items()} == {
        "temperature": 1,
        "reasoning": {"effort": "low"},
        **CALL,
    }


@pytest.mark.parametrize("content", [dict.fromkeys(CALL), {"n": 1}])
def test_what_says_nothing_is_not_in_a_call(content: object) -> None:
    assert read_call(body(content)) == {}


def test_what_is_of_one_call_is_written_back() -> None:
    assert write_config(body(CALL)) == (body(CALL), ())


@pytest.mark.parametrize("name", ["include", "output_config", "speed", "context_management", "truncation", "x"])
def test_what_chat_has_no_field_for_is_named(name: str) -> None:
    assert write_config({name: raw("x")}) == ({}, (name,))


@pytest.mark.parametrize(
    ("name", "content"),
    [("metadata", {"user_id": None}), ("metadata", {"a": "x" * 513}), ("response_format", {"type": "x"})],
)
def test_a_value_that_chat_refuses_is_named(name: str, content: object) -> None:
    assert write_config(body({name: content})) == ({}, (name,))


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("temperature", "/temperature"),
        ("reasoning.exclude", "/reasoning/exclude"),
        ("reasoning.a.b", "/reasoning/a.b"),
    ],
)
def test_a_pointer_says_where_a_field_stands(name: str, place: str) -> None:
    assert pointer(name) == place


_ANY = odd("type", "function", "name", "input_schema", "json_schema", "mode", "auto", "json_object", "user_id")


@given(st.dictionaries(st.sampled_from([*GROUPS, *CALL, "include"]), _ANY, max_size=4))
def test_a_configuration_is_written_or_named_whatever_it_says(config: dict[str, Any]) -> None:
    config["tools"] = [tool for tool in [config.get("tools")] if isinstance(tool, dict)]
    content = split(json.dumps(config).encode())
    written, unsaid = write_config(content)
    assert sorted([*written, *unsaid]) == sorted(content)
    join(written)
