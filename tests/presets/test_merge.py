"""A version put under a request: what the effective request is, field by field."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presets.presets_support import USER, system, version
from setpoint.canonical.config import GROUPS
from setpoint.errors import FieldError
from setpoint.presets.capture import capture
from setpoint.presets.merge import Resolved, resolve
from setpoint.protocols import chat, messages
from setpoint.records import Version
from setpoint.wire.body import Body, join, split, value


def body_of(content: object) -> Body:
    return split(json.dumps(content).encode())


def merged(content: object, config: object, prompt: str | None = None, **options: Any) -> Resolved:
    return resolve(chat, body_of(content), version(config, prompt), **options)


def effective(content: object, config: object, prompt: str | None = None, **options: Any) -> Any:
    return value(join(merged(content, config, prompt, **options).body))


def function(name: str, text: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": text}}


def name_of(tool: dict[str, Any]) -> str:
    return tool["function"]["name"]


def turn(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}


# --- the story of one preset ------------------------------------------------------------------------------------


def test_a_request_that_only_names_the_preset_gets_everything_from_it() -> None:
    body = split(json.dumps({"model": "m/claude", "max_tokens": 9, "system": "A", "messages": [USER]}).encode())
    taken = capture(messages, body, None)
    later = resolve(
        chat,
        body_of({"model": "@preset/s", "messages": [USER]}),
        Version(
            id="v",
            preset_id="p",
            creator_id="u",
            version=2,
            system_prompt=taken.system_prompt,
            config=taken.config,
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
        ),
    )
    assert value(join(later.body)) == {"model": "m/claude", "max_tokens": 9, "messages": [system("A"), USER]}
    assert (later.unsaid, later.system_prompt_from) == ((), "preset")


def test_what_the_request_sets_wins_and_the_rest_comes_from_the_preset() -> None:
    body = {"model": "openai/gpt-4o@preset/s", "temperature": 0}
    assert effective(body, {"model": "a/b", "temperature": 0.7, "max_tokens": 9}) == {
        "model": "openai/gpt-4o",
        "temperature": 0,
        "max_tokens": 9,
    }


def test_tools_are_united_in_the_order_of_the_preset() -> None:
    def subagent(name: str) -> dict[str, Any]:
        return {"type": "openrouter:subagent", "parameters": {"name": name}}

    search = {"type": "openrouter:web_search"}
    body = {"model": "@preset/s", "tools": [function("a", "new"), subagent("y")]}
    config = {"model": "a/b", "tools": [search, function("a", "old"), subagent("x")]}
    assert effective(body, config)["tools"] == [search, function("a", "new"), subagent("x"), subagent("y")]


def test_the_requests_own_system_prompt_displaces_the_presets() -> None:
    body = {"model": "@preset/s", "messages": [system("Own."), USER]}
    result = merged(body, {"model": "a/b"}, "Preset.")
    assert value(result.body["messages"]) == [system("Own."), USER]
    assert result.system_prompt_from == "request"


def test_with_prepend_the_presets_prompt_comes_first() -> None:
    body = {"model": "@preset/s", "messages": [system("Own."), USER]}
    result = merged(body, {"model": "a/b"}, "Preset.", prepend_system=True)
    assert value(result.body["messages"]) == [system("Preset.\n\nOwn."), USER]
    assert result.system_prompt_from == "both"
    alone = merged({"model": "@preset/s", "messages": [USER]}, {"model": "a/b"}, "Preset.", prepend_system=True)
    assert value(alone.body["messages"]) == [system("Preset."), USER]
    assert alone.system_prompt_from == "preset"


def test_a_preset_without_a_system_prompt_says_nothing_of_it() -> None:
    result = merged({"model": "@preset/s", "messages": [system("Own."), USER]}, {"model": "a/b"})
    assert result.system_prompt_from is None


# --- field by field ---------------------------------------------------------------------------------------------

GOLDEN: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "objects are replaced whole": (
        {"provider": {"sort": "price"}},
        {"provider": {"only": ["a"]}},
        {"provider": {"sort": "price"}},
    ),
    "an empty object is one": ({"provider": {}}, {"provider": {"only": ["a"]}}, {"provider": {}}),
    "arrays are replaced whole": ({"stop": []}, {"stop": ["a"]}, {"stop": []}),
    "null is not sent": ({"temperature": None}, {"temperature": 0.2}, {"temperature": 0.2}),
    "null without a preset value goes": ({"temperature": None}, {}, {}),
    "false and zero are sent": (
        {"temperature": 0, "logprobs": False},
        {"temperature": 1, "logprobs": True},
        {"temperature": 0, "logprobs": False},
    ),
    "null inside stays": ({"provider": {"sort": None}}, {}, {"provider": {"sort": None}}),
    "an automatic tier is not sent": ({"service_tier": "auto"}, {"service_tier": "flex"}, {"service_tier": "flex"}),
    "an automatic tier goes": ({"service_tier": "auto"}, {}, {}),
    "another tier wins": ({"service_tier": "default"}, {"service_tier": "flex"}, {"service_tier": "default"}),
    "output limits are one field": (
        {"max_completion_tokens": 5},
        {"max_tokens": 9, "max_completion_tokens": 8},
        {"max_completion_tokens": 5},
    ),
    "a null limit displaces none": ({"max_completion_tokens": None}, {"max_tokens": 9}, {"max_tokens": 9}),
    "a shorthand displaces reasoning": (
        {"reasoning_effort": "low"},
        {"reasoning": {"max_tokens": 2000}},
        {"reasoning_effort": "low"},
    ),
    "the legacy shorthand too": (
        {"include_reasoning": True},
        {"reasoning": {"effort": "high"}},
        {"include_reasoning": True},
    ),
    "tool_choice and parallel calls are two": (
        {"tool_choice": "none"},
        {"tool_choice": "auto", "parallel_tool_calls": False},
        {"tool_choice": "none", "parallel_tool_calls": False},
    ),
    "an empty list of tools removes none": (
        {"tools": []},
        {"tools": [{"type": "openrouter:datetime"}]},
        {"tools": [{"type": "openrouter:datetime"}]},
    ),
    "null tools are not sent": (
        {"tools": None},
        {"tools": [{"type": "openrouter:datetime"}]},
        {"tools": [{"type": "openrouter:datetime"}]},
    ),
    "tools of other case are others": (
        {"tools": [{"type": "function", "function": {"name": "A"}}]},
        {"tools": [{"name": "a", "input_schema": {}}]},
        {
            "tools": [
                {"type": "function", "function": {"name": "a", "parameters": {}}},
                {"type": "function", "function": {"name": "A"}},
            ]
        },
    ),
    "one function in two forms is one": (
        {"tools": [{"type": "function", "function": {"name": "a"}}]},
        {"tools": [{"name": "a", "input_schema": {}}]},
        {"tools": [{"type": "function", "function": {"name": "a"}}]},
    ),
    "a models list is one field and model another": ({"models": ["x/y"]}, {"models": ["c/d"]}, {"models": ["x/y"]}),
    "the models of a preset stay": ({}, {"models": ["c/d"]}, {"models": ["c/d"]}),
    "the reference goes": ({"preset": "s"}, {}, {}),
    "unknown fields of the request stay": ({"x_new": {"a": None}}, {"seed": 1}, {"x_new": {"a": None}, "seed": 1}),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_golden_merges(case: str) -> None:
    request, config, outcome = GOLDEN[case]
    assert effective({"model": "a/b", **request}, {"model": "z/z", **config}) == {"model": "a/b", **outcome}


@pytest.mark.parametrize(
    ("request_", "config", "model", "models"),
    [
        ({"model": "@preset/s"}, {"model": "a/b"}, "a/b", None),
        ({"preset": "s"}, {"model": "a/b"}, "a/b", None),
        ({"model": "x/y@preset/s"}, {"model": "a/b", "models": ["c/d"]}, "x/y", ["c/d"]),
        ({"model": "@preset/s"}, {"models": ["c/d", "e/f"]}, "c/d", ["c/d", "e/f"]),
        ({"model": "@preset/s", "models": ["x/y"]}, {"models": ["c/d"]}, "x/y", ["x/y"]),
        ({"preset": "s", "models": ["x/y"]}, {"model": "a/b", "models": ["c/d"]}, "a/b", ["x/y"]),
        ({"model": "@preset/s:nitro"}, {"model": "a/b:free"}, "a/b:free:nitro", None),
        ({"model": "@preset/s:nitro"}, {"model": "a/b:nitro"}, "a/b:nitro", None),
        ({"model": "@preset/s:nitro"}, {"models": ["c/d"]}, "c/d:nitro", ["c/d"]),
        ({"model": "x/y:nitro@preset/s:nitro"}, {"model": "a/b"}, "x/y:nitro", None),
        ({"model": "@preset/s:nitro"}, {}, "default/model:nitro", None),
        ({"preset": "s"}, {"models": []}, "default/model", []),
    ],
)
def test_the_model_is_the_requests_else_the_presets_else_the_default(
    request_: object, config: object, model: str, models: object
) -> None:
    outcome = effective(request_, config, default_model="default/model")
    assert (outcome["model"], outcome.get("models")) == (model, models)


def test_without_any_model_a_request_is_refused() -> None:
    for case in (None, version({"temperature": 1})):
        with pytest.raises(FieldError) as caught:
            resolve(chat, body_of({"messages": [USER]}), case)
        assert (caught.value.message, caught.value.status) == ("No model specified", 400)


def test_without_a_preset_the_first_of_models_or_the_default_answers() -> None:
    assert bytes(resolve(chat, body_of({"models": ["a/b"]}), None, default_model="z/z").body["model"]) == b'"a/b"'
    assert bytes(resolve(chat, body_of({"seed": 1}), None, default_model="z/z").body["model"]) == b'"z/z"'


def test_without_a_preset_a_request_is_left_alone() -> None:
    body = body_of({"model": "x:a:a", "messages": [USER]})
    result = resolve(chat, body, None)
    assert result == Resolved(body)
    assert result.body is body


def test_without_a_preset_nulls_and_an_automatic_tier_are_not_sent() -> None:
    result = resolve(chat, body_of({"model": "a/b", "seed": None, "service_tier": "auto", "preset": None}), None)
    assert join(result.body) == b'{"model":"a/b"}'


def test_preset_values_that_the_skin_cannot_say_are_left_out_and_named() -> None:
    config = {"model": "a/b", "speed": "fast", "truncation": "auto", "stop": ["1", "2", "3", "4", "5"], "seed": 1}
    result = merged({"model": "@preset/s"}, config)
    assert value(join(result.body)) == {"model": "a/b", "seed": 1}
    assert result.unsaid == ("/speed", "/truncation", "/stop")
    assert merged({"model": "@preset/s", "stop": "x"}, config).unsaid == ("/speed", "/truncation")


def test_the_callers_body_is_not_changed() -> None:
    body = body_of({"model": "@preset/s", "tools": [], "messages": [USER], "seed": None})
    before = dict(body)
    resolve(chat, body, version({"model": "a/b", "tools": [{"type": "openrouter:datetime"}]}, "A"))
    assert body == before


# --- for any two ------------------------------------------------------------------------------------------------

MODEL: dict[str, Any] = {"model": "z/z"}
FUNCTIONS = st.lists(st.builds(function, st.sampled_from("abc"), st.text(max_size=3)), max_size=3, unique_by=name_of)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "model": st.sampled_from(["a/b", "a/b:free"]),
    "models": st.lists(st.just("c/d"), max_size=2),
    "provider": st.dictionaries(st.sampled_from(["sort", "only"]), st.none()),
    "tools": FUNCTIONS,
    "temperature": st.floats(0, 2),
    "max_tokens": st.integers(1, 9),
    "max_completion_tokens": st.integers(1, 9),
    "stop": st.lists(st.text(max_size=3), max_size=4),
    "reasoning": st.fixed_dictionaries({"effort": st.sampled_from(["low", "high"])}),
    "service_tier": st.sampled_from(["auto", "flex"]),
    "seed": st.integers(0, 9),
}
CONFIGS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries({}, optional=FIELDS).map(
    lambda fields: MODEL | fields
)
REQUESTS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"messages": st.lists(st.builds(turn, st.sampled_from(["system", "user"]), st.text()), max_size=3)},
    optional={
        **{name: content | st.none() for name, content in FIELDS.items()},
        "reasoning_effort": st.sampled_from(["low", "high"]),
        "user": st.text(max_size=3),
    },
)
PROMPTS = st.none() | st.text(min_size=1)


@given(REQUESTS, CONFIGS, PROMPTS)
def test_merging_twice_is_merging_once(request_: dict[str, Any], config: dict[str, Any], prompt: str | None) -> None:
    below = version(config, prompt)
    once = resolve(chat, body_of(request_), below)
    twice = resolve(chat, once.body, below)
    assert value(join(twice.body)) == value(join(once.body))
    assert twice.unsaid == once.unsaid


@given(REQUESTS, CONFIGS, PROMPTS)
def test_the_request_wins_with_its_bytes(request_: dict[str, Any], config: dict[str, Any], prompt: str | None) -> None:
    body = split(json.dumps(request_, indent=1).encode())
    outcome = resolve(chat, body, version(config, prompt)).body
    for name, content in body.items():
        if bytes(content) in {b"null", b'"auto"'} or name in {"tools", "messages"}:
            continue
        assert bytes(outcome[name]) == bytes(content)
    turns = value(outcome["messages"])
    assert turns[len(turns) - len(request_["messages"]) :] == request_["messages"]
    assert all(tool in value(outcome["tools"]) for tool in request_.get("tools") or ())


@given(REQUESTS, CONFIGS)
def test_what_the_request_leaves_open_comes_from_the_preset(request_: dict[str, Any], config: dict[str, Any]) -> None:
    outcome = resolve(chat, body_of(request_), version(config)).body
    own = chat.read_config(body_of({name: said for name, said in request_.items() if said != "auto"}))
    taken = {GROUPS[name] for name in own} - {"tools"}
    for name, content in config.items():
        if GROUPS[name] in taken:
            assert name in own or name not in outcome
        elif name != "tools" or "tools" not in own:
            assert value(outcome[name]) == content
