"""Whether the schema of a tool's parameters is one."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from msgspec import Raw

from setpoint.presets.schemas import Flaw, flaw
from setpoint.wire.body import MalformedError, members, raw


def found(schema: Any) -> str | None:
    """The path, within the schema of a chat function, of what is wrong with it."""
    wrong = flaw(raw({"type": "function", "function": {"name": "f", "parameters": schema}}))
    return None if wrong is None else wrong.path.removeprefix("/function/parameters")


def within(schema: Any) -> Any:
    return {"type": "object", "properties": {"x": schema}}


GOOD: list[Any] = [
    {},
    {"type": "object"},
    {"type": "object", "properties": {}, "required": []},
    within({"type": ["string", "null"], "enum": ["a", None], "description": "A"}),
    within({"type": "array", "items": {"type": "integer", "minimum": 0, "exclusiveMaximum": 1.5}, "maxItems": 3.0}),
    within({"type": "array", "items": [{"type": "string"}], "prefixItems": [True], "uniqueItems": True}),
    within({"anyOf": [{"type": "string"}, {"$ref": "#/$defs/a~1b"}]}) | {"$defs": {"a/b": {"const": 1}}},
    within({"$ref": "https://example.com/schema.json"}),
    within({"$ref": "#"}),
    within({"$ref": "#/properties/x/anyOf/0", "anyOf": [{"type": "string"}]}),
    {"type": "object", "additionalProperties": False, "x-anything": {"type": "of anybody"}},
    within({"type": "string", "pattern": "^a+$", "format": "email", "minLength": 1, "default": {"type": 5}}),
    within({"properties": {"properties": {"type": "string"}, "required": {"type": "boolean"}}}),
]


@pytest.mark.parametrize("schema", GOOD, ids=json.dumps)
def test_a_good_schema_has_no_flaw(schema: Any) -> None:
    assert found(schema) is None


BAD: list[tuple[Any, str]] = [
    ({"type": "array"}, "/type"),
    ({"properties": {}}, "/type"),
    ({"type": ["object"]}, "/type"),
    ({"type": "object", "properties": []}, "/properties"),
    ({"type": "object", "properties": {"a/b": "string"}}, "/properties/a~1b"),
    ({"type": "object", "required": "x"}, "/required"),
    ({"type": "object", "required": ["x", 1]}, "/required"),
    ({"type": "object", "required": ["x", "x"]}, "/required"),
    ({"type": "object", "required": True}, "/required"),
    (within({"type": "strnig"}), "/properties/x/type"),
    (within({"type": []}), "/properties/x/type"),
    (within({"type": ["string", "nil"]}), "/properties/x/type"),
    (within({"type": None}), "/properties/x/type"),
    (within({"enum": "a"}), "/properties/x/enum"),
    (within({"items": "string"}), "/properties/x/items"),
    (within({"items": [{"type": "x"}]}), "/properties/x/items/0/type"),
    (within({"anyOf": []}), "/properties/x/anyOf"),
    (within({"anyOf": [{"type": "string"}, 1]}), "/properties/x/anyOf/1"),
    (within({"allOf": {"type": "string"}}), "/properties/x/allOf"),
    (within({"additionalProperties": "no"}), "/properties/x/additionalProperties"),
    (within({"not": {"type": "x"}}), "/properties/x/not/type"),
    (within({"minLength": -1}), "/properties/x/minLength"),
    (within({"maxItems": 1.5}), "/properties/x/maxItems"),
    (within({"minimum": "0"}), "/properties/x/minimum"),
    (within({"minimum": True}), "/properties/x/minimum"),
    (within({"multipleOf": 0}), "/properties/x/multipleOf"),
    (within({"uniqueItems": "yes"}), "/properties/x/uniqueItems"),
    (within({"description": ["a"]}), "/properties/x/description"),
    (within({"$ref": "#/$defs/gone"}), "/properties/x/$ref"),
    (within({"$ref": 1}), "/properties/x/$ref"),
    (within({"$ref": "#/properties/x/anyOf/1", "anyOf": [True]}), "/properties/x/$ref"),
    ({"type": "object", "$defs": {"a": {"type": "x"}}}, "/$defs/a/type"),
    ({"type": "object", "properties": {"a": {"type": "x"}, "b": {"type": "y"}}}, "/properties/a/type"),
]


@pytest.mark.parametrize(("schema", "path"), BAD, ids=lambda one: json.dumps(one) if not isinstance(one, str) else "")
def test_what_is_wrong_with_a_schema_is_told_by_its_path(schema: Any, path: str) -> None:
    assert found(schema) == path


@pytest.mark.parametrize(
    ("tool", "path"),
    [
        ({"type": "function", "function": {"name": "f"}}, None),
        ({"type": "function", "name": "f", "parameters": None}, None),
        ({"type": "function", "name": "f", "parameters": {"type": "x"}}, "/parameters/type"),
        ({"name": "f", "input_schema": {"type": "string"}}, "/input_schema/type"),
        ({"name": "f", "input_schema": {}}, "/input_schema/type"),
        ({"type": "custom", "name": "f", "input_schema": {"type": "object", "required": 1}}, "/input_schema/required"),
        ({"type": "custom", "name": "f", "format": {"type": "text"}}, None),
        ({"type": "openrouter:advisor", "parameters": {"type": "x"}}, None),
        ({"type": "mcp", "server_label": "x"}, None),
    ],
)
def test_the_schema_is_found_in_each_form_of_a_function_and_nowhere_else(tool: Any, path: str | None) -> None:
    wrong = flaw(raw(tool))
    assert (None if wrong is None else wrong.path) == path


def test_it_says_what_it_must_be() -> None:
    wrong = flaw(raw({"type": "function", "name": "f", "parameters": within({"items": 1})}))
    assert wrong == Flaw("/parameters/properties/x/items", "must be a schema: an object, true or false")


def test_a_schema_may_be_as_deep_as_any_body() -> None:
    text = b'{"type":"object","properties":{"x":' + b'{"not":' * 250 + b'{"type":"x"}' + b"}" * 250 + b"}}"
    wrong = flaw(raw({"type": "function", "name": "f", "parameters": json.loads(text)}))
    assert wrong is not None
    assert wrong.path == "/parameters/properties/x" + "/not" * 250 + "/type"


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" * 5_000, "-" + "1" * 5_000, "0." + "1" * 5_000])
def test_a_number_of_any_size_can_be_looked_at(number: str) -> None:
    for keyword in ("maxItems", "minimum", "multipleOf", "const", "$ref", "type", "x-anything"):
        wrong = flaw(raw_tool(f'{{"type":"object","not":{{"{keyword}":{number}}}}}'))
        assert wrong is None or wrong.path == f"/parameters/not/{keyword}"


def test_a_schema_that_is_deeper_than_anybody_can_follow_is_none() -> None:
    found: set[Flaw | None] = set()
    for depth in range(900, 1_000):  # about where Python's own limit lies
        tool = raw_tool('{"not":' * depth + "{}" + "}" * depth)
        with suppress(MalformedError):  # it cannot even be taken apart
            members(tool)
            found.add(flaw(tool))
    assert found == {Flaw("/parameters/type", TYPE), Flaw("/parameters", "is nested too deeply to be followed")}


TYPE = 'must be "object": the parameters of a function are an object'


def raw_tool(schema: str) -> Raw:
    return Raw(f'{{"type":"function","name":"f","parameters":{schema}}}'.encode())
