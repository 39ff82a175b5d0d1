"""What is another in one version than in another."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from presets.presets_support import version
from setpoint.presets.diff import diff
from setpoint.wire.body import MalformedError, members


def told(before: object, after: object, prompts: tuple[str | None, str | None] = (None, None)) -> dict[str, Any]:
    old = version(before, prompts[0])
    new = structs.replace(version(after, prompts[1]), version=2)
    return json.loads(msgspec.json.encode(diff(old, new)))


def changes(before: object, after: object) -> list[dict[str, Any]]:
    return told(before, after)["config"]


def function(name: str, **inside: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **inside}}


def test_it_has_the_documented_members() -> None:
    assert told({"top_p": 1, "seed": 1}, {"top_p": 0.5, "stop": "END"}, (None, "B")) == {
        "from": 1,
        "to": 2,
        "system_prompt": {"before": None, "after": "B"},
        "config": [
            {"path": "/seed", "op": "remove", "before": 1},
            {"path": "/top_p", "op": "replace", "before": 1, "after": 0.5},
            {"path": "/stop", "op": "add", "after": "END"},
        ],
    }


@pytest.mark.parametrize(
    ("prompts", "expected"),
    [
        ((None, None), None),
        (("A", "A"), None),
        (("A", None), {"before": "A", "after": None}),
        (("A", "B"), {"before": "A", "after": "B"}),
    ],
)
def test_the_system_prompt_is_there_when_it_has_changed(prompts: tuple[str | None, str | None], expected: Any) -> None:
    assert told({}, {}, prompts)["system_prompt"] == expected


def test_objects_are_compared_member_by_member_and_lists_as_a_whole() -> None:
    before = {"provider": {"sort": "price", "only": ["a"], "zdr": True}, "stop": ["a", "b"]}
    after = {"provider": {"sort": {"by": "price"}, "only": ["a", "b"], "zdr": True, "a/b": 1}, "stop": ["b", "a"]}
    assert changes(before, after) == [
        {"path": "/provider/sort", "op": "replace", "before": "price", "after": {"by": "price"}},
        {"path": "/provider/only", "op": "replace", "before": ["a"], "after": ["a", "b"]},
        {"path": "/provider/a~1b", "op": "add", "after": 1},
        {"path": "/stop", "op": "replace", "before": ["a", "b"], "after": ["b", "a"]},
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"a": 0.20, "b": {"x": 1, "y": [1, {"p": 1, "q": 2}]}}', b'{"b":{"y":[1,{"q":2,"p":1}],"x":1},"a":0.2}'),
        (b'{"stop": "\\u0041\\/"}', b'{"stop":"A/"}'),
        (b'{"a": 5, "b": 1e2, "c": -0}', b'{"a": 5.0, "b": 100, "c": 0.0}'),
        (b'{"stop": "\\ud800"}', b'{"stop": "\\uD800"}'),
    ],
)
def test_how_a_value_is_written_says_nothing(before: bytes, after: bytes) -> None:
    old = structs.replace(version({}), config=before)
    assert diff(old, structs.replace(old, config=after)).config == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("1" * 5_000, "2" * 5_000),
        ("1e999", "2e999"),
        ('"\\ud800"', '"\\ud801"'),
    ],
)
def test_what_python_cannot_hold_can_be_told_apart_all_the_same(before: str, after: str) -> None:
    old = structs.replace(version({}), config=f'{{"x":{before}}}'.encode())
    (change,) = diff(old, structs.replace(old, config=f'{{"x":{after}}}'.encode())).config
    assert (change.path, change.op) == ("/x", "replace")


def test_what_is_deeper_than_anybody_can_follow_is_compared_as_it_is_written() -> None:
    found: set[int] = set()
    for depth in range(900, 1_000):  # about where Python's own limit lies
        old = structs.replace(version({}), config=b'{"x":' + b"[" * depth + b"]" * depth + b"}")
        with suppress(MalformedError):  # it cannot even be taken apart
            members(old.config)
            found.add(len(diff(old, structs.replace(old, config=old.config.replace(b"]", b" ]"))).config))
    assert found == {0, 1}


@pytest.mark.parametrize(("before", "after"), [(1, True), (0, False), ("1", 1), (None, False), ([], {})])
def test_what_only_looks_alike_is_not_the_same(before: object, after: object) -> None:
    assert changes({"x": before}, {"x": after}) == [{"path": "/x", "op": "replace", "before": before, "after": after}]


def test_tools_are_told_apart_by_what_they_are_and_not_by_their_place() -> None:
    a, b, c = function("a"), function("b", description="x"), function("c")
    search, other = {"type": "web_search"}, {"type": "openrouter:web_search"}
    assert changes({"tools": [a, b, search]}, {"tools": [other, c, function("b", description="y")]}) == [
        {"path": "/tools/0", "op": "remove", "before": a},
        {"path": "/tools/0/type", "op": "replace", "before": "web_search", "after": "openrouter:web_search"},
        {"path": "/tools/1", "op": "add", "after": c},
        {"path": "/tools/2/function/description", "op": "replace", "before": "x", "after": "y"},
    ]
    assert changes({"tools": [a, b]}, {"tools": [b, a]}) == []
    assert changes({"tools": [a]}, {}) == [{"path": "/tools", "op": "remove", "before": [a]}]


def test_what_lies_deep_is_shown_with_what_is_around_it() -> None:
    def nested(leaf: int) -> Any:
        content: Any = leaf
        for _ in range(250):
            content = {"x": content}
        return content

    (change,) = changes(nested(1), nested(2))
    assert change["path"] == "/x" * 8
    assert json.dumps(change["after"]).count("x") == 242


CONFIGS = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.recursive(
        st.none() | st.booleans() | st.integers(-3, 3) | st.text("xy", max_size=2),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
        max_leaves=6,
    ),
    max_size=3,
)


@given(CONFIGS, CONFIGS)
def test_the_changes_make_the_one_of_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    made = json.loads(json.dumps(before))
    for change in changes(before, after):
        *way, name = change["path"].split("/")[1:]
        holder = made
        for step in way:
            holder = holder[step]
        if change["op"] == "remove":
            assert holder.pop(name) == change["before"]
        else:
            assert (name in holder) == (change["op"] == "replace")
            holder[name] = change["after"]
    assert json.dumps(made, sort_keys=True) == json.dumps(after, sort_keys=True)
