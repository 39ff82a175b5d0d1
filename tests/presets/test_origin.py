"""Where each field of a request comes from: the request, the preset under it, or the settings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presets.presets_support import USER, system, version
from setpoint.presets.merge import resolve
from setpoint.presets.origin import origin
from setpoint.protocols import chat, messages, responses
from setpoint.wire.body import split, value

if TYPE_CHECKING:
    from setpoint.protocols.base import PresetSkin


def origins(
    request: object, config: object = None, prompt: str | None = None, *, skin: PresetSkin = chat, **options: Any
) -> dict[str, str]:
    body = split(json.dumps(request).encode())
    under = None if config is None else version(config, prompt)
    return dict(origin(skin, body, under, resolve(skin, body, under, **options)))


def test_without_a_preset_all_is_the_requests() -> None:
    assert origins({"model": "a/b", "temperature": 1, "x/y": 2}) == {
        "/model": "request",
        "/temperature": "request",
        "/x~1y": "request",
    }


def test_what_the_request_does_not_say_is_the_presets() -> None:
    told = origins(
        {"model": "@preset/s", "temperature": 0, "messages": [USER]}, {"model": "a/b", "temperature": 1, "top_p": 0.5}
    )
    assert told == {"/model": "preset", "/temperature": "request", "/top_p": "preset", "/messages": "request"}


@pytest.mark.parametrize(
    ("request_", "config", "expected"),
    [
        ({"model": "a/b@preset/s"}, {"model": "c/d"}, "request"),
        ({"model": "a/b", "preset": "s"}, {"model": "c/d"}, "request"),
        ({"model": "@preset/s:nitro"}, {"model": "c/d"}, "preset"),
        ({"models": ["a/b"], "preset": "s"}, {"model": "c/d"}, "preset"),
        ({"models": ["a/b"], "preset": "s"}, {"top_p": 1}, "request"),
        ({"preset": "s"}, {"models": ["c/d"]}, "preset"),
        ({"preset": "s"}, {"top_p": 1}, "default"),
        ({"temperature": 1}, None, "default"),
    ],
)
def test_the_model_is_whose_that_names_it(request_: object, config: object, expected: str) -> None:
    assert origins(request_, config, default_model="e/f")["/model"] == expected


def function(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def test_of_united_tools_each_has_its_own_origin() -> None:
    request = {"model": "@preset/s", "tools": [{**function("b"), "strict": True}, function("c")]}
    told = origins(request, {"model": "a/b", "tools": [function("a"), function("b")]})
    assert {at: whose for at, whose in told.items() if at != "/model"} == {
        "/tools/0": "preset",
        "/tools/1": "request",
        "/tools/2": "request",
    }


def test_of_objects_that_were_put_together_each_member_has() -> None:
    told = origins(
        {"model": "@preset/s", "input": "Hi", "text": {"verbosity": "low", "format": None}},
        {"model": "a/b", "verbosity": "high", "response_format": {"type": "json_object"}},
        skin=responses,
    )
    assert told == {"/model": "preset", "/input": "request", "/text/verbosity": "request", "/text/format": "preset"}


@pytest.mark.parametrize(
    ("skin", "request_", "expected"),
    [
        (chat, {"messages": [USER]}, {"/messages": "request", "/messages/0": "preset"}),
        (messages, {"messages": [USER]}, {"/messages": "request", "/system": "preset"}),
        (messages, {"messages": [USER], "system": []}, {"/system": "preset"}),
        (responses, {"input": "Hi"}, {"/input": "request", "/instructions": "preset"}),
        (responses, {"input": "Hi", "instructions": ""}, {"/instructions": "preset"}),
        (chat, {"messages": [system("A"), USER]}, {"/messages": "request"}),
        (responses, {"input": "Hi", "instructions": "A"}, {"/instructions": "request"}),
    ],
)
def test_a_system_prompt_is_the_presets_where_the_request_has_none(
    skin: PresetSkin, request_: dict[str, Any], expected: dict[str, str]
) -> None:
    told = origins({"model": "@preset/s", **request_}, {"model": "a/b"}, "Be brief.", skin=skin)
    assert told.items() >= expected.items()
    assert "/messages/1" not in told
    assert ("/messages/0" in told) is ("/messages/0" in expected)


@pytest.mark.parametrize(
    ("skin", "request_", "at"),
    [
        (chat, {"messages": [system("A"), USER]}, "/messages"),
        (messages, {"messages": [USER], "system": [{"type": "text", "text": "A"}]}, "/system"),
        (responses, {"input": "Hi", "instructions": "A"}, "/instructions"),
    ],
)
def test_a_prompt_that_both_have_a_part_in_counts_as_the_requests(
    skin: PresetSkin, request_: dict[str, Any], at: str
) -> None:
    told = origins({"model": "@preset/s", **request_}, {"model": "a/b"}, "B", skin=skin, prepend_system=True)
    assert [told[at], *(whose for pointer, whose in told.items() if pointer.startswith(f"{at}/"))] == ["request"]


def test_a_limit_that_has_grown_by_the_presets_budget_is_the_requests() -> None:
    config = {"model": "a/b", "reasoning": {"max_tokens": 2000}}
    told = origins({"model": "@preset/s", "max_tokens": 1500, "messages": [USER]}, config, skin=messages)
    assert (told["/max_tokens"], told["/thinking"]) == ("request", "preset")


FIELDS: dict[str, Any] = {
    "temperature": st.floats(0, 2),
    "top_k": st.integers(0, 9),
    "seed": st.integers(),
    "stop": st.lists(st.text(max_size=3), max_size=3),
    "tools": st.lists(st.sampled_from([function(name) for name in "abc"]), min_size=1, max_size=3),
}
SOME = st.fixed_dictionaries({}, optional=FIELDS)


@given(SOME, SOME)
def test_every_field_has_an_origin_and_it_is_a_side_that_says_it(own: dict[str, Any], below: dict[str, Any]) -> None:
    body = split(json.dumps({"model": "@preset/s", **own}).encode())
    under = version({"model": "a/b", **below})
    effective = resolve(chat, body, under)
    told = origin(chat, body, under, effective)
    assert {at.split("/")[1] for at in told} == effective.body.keys()
    for at, whose in told.items():
        name = at.split("/")[1]
        side = own if whose == "request" else {"model": "a/b", **below}
        if name == "tools" and at != "/tools":
            assert value(effective.body["tools"])[int(at.split("/")[2])] in side["tools"]
        else:
            assert value(effective.body[name]) == side[name] or name == "tools"
