"""What becomes a version of a request body of each skin."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from presets.presets_support import USER, system, version
from setpoint.presets.capture import Captured, capture
from setpoint.protocols import chat, messages, responses
from setpoint.wire.body import split, value

if TYPE_CHECKING:
    from setpoint.protocols.base import CaptureSkin
    from setpoint.records import Version


def captured(skin: CaptureSkin, body: object, base: Version | None = None) -> tuple[Any, Any]:
    taken = capture(skin, split(json.dumps(body).encode()), base)
    return value(taken.config), None if taken.system_prompt is None else value(taken.system_prompt)


TOOL_A: dict[str, Any] = {"type": "function", "function": {"name": "a"}}
TOOL_B: dict[str, Any] = {"type": "function", "function": {"name": "b"}}


def test_a_chat_body_leaves_its_settings_and_its_system_message() -> None:
    body = {
        "model": "openai/gpt-4o",
        "temperature": 0.7,
        "provider": {"sort": "price"},
        "messages": [system("Be brief."), USER],
        "stream": True,
    }
    config = {"model": "openai/gpt-4o", "temperature": 0.7, "provider": {"sort": "price"}}
    assert captured(chat, body) == (config, "Be brief.")


def test_a_messages_body_leaves_its_settings_and_its_system_blocks() -> None:
    body = {
        "model": "anthropic/claude-4.6-sonnet",
        "max_tokens": 1024,
        "system": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}],
        "messages": [USER],
    }
    assert captured(messages, body) == ({"model": "anthropic/claude-4.6-sonnet", "max_tokens": 1024}, "A\n\nB")


def test_a_responses_body_leaves_its_settings_in_canonical_names_and_its_instructions() -> None:
    body = {"max_output_tokens": 9, "service_tier": "auto", "instructions": "A", "input": "Hi", "store": False}
    assert captured(responses, body) == ({"max_tokens": 9}, "A")


@pytest.mark.parametrize("skin", [chat, messages, responses], ids=lambda skin: skin.name)
def test_an_empty_body_is_an_empty_version(skin: CaptureSkin) -> None:
    assert capture(skin, {}, None) == Captured(b"{}", None)


def test_values_keep_their_bytes_and_fields_their_order() -> None:
    body = split(b'{"top_p": 0.50, "tools":[ {"type":"x"} ], "messages":[], "temperature": 1.0, "seed":null}')
    assert capture(chat, body, None).config == b'{"top_p":0.50,"tools":[ {"type":"x"} ],"temperature":1.0}'


def test_of_one_tool_twice_the_last_is_stored_at_the_first_place() -> None:
    last = TOOL_A | {"cache_control": {"type": "ephemeral"}}
    assert captured(chat, {"tools": [TOOL_A, TOOL_B, last]}) == ({"tools": [last, TOOL_B]}, None)


def test_tools_are_stored_in_the_form_they_came_in() -> None:
    tool = {"name": "a", "input_schema": {"type": "object"}}
    assert captured(messages, {"tools": [tool]}) == ({"tools": [tool]}, None)


BASE = version(
    {"model": "base/model", "models": ["m/1", "m/2"], "temperature": 0.2, "max_tokens": 10, "tools": [TOOL_A]}, "Base."
)


def test_a_body_that_names_a_preset_is_stored_flat_with_its_own_values_on_top() -> None:
    changed = TOOL_A | {"x": 1}
    body = {
        "model": "own/model@preset/s",
        "temperature": 1,
        "max_completion_tokens": 20,
        "tools": [TOOL_B, changed],
        "messages": [USER],
    }
    config = {
        "models": ["m/1", "m/2"],
        "model": "own/model",
        "temperature": 1,
        "max_completion_tokens": 20,
        "tools": [changed, TOOL_B],
    }
    assert captured(chat, body, BASE) == (config, "Base.")


def test_the_bodys_own_system_prompt_wins() -> None:
    assert captured(chat, {"preset": "s", "messages": [system("Own.")]}, BASE)[1] == "Own."


@pytest.mark.parametrize(
    ("body", "base", "model"),
    [
        ({"model": "@preset/s"}, BASE, "base/model"),
        ({"preset": "s"}, BASE, "base/model"),
        ({"model": "@preset/s:nitro"}, BASE, "base/model:nitro"),
        ({"model": "@preset/s:nitro"}, version({"model": "a/b:nitro"}), "a/b:nitro"),
        ({"model": "@preset/s:nitro"}, version({"models": ["a/b", "c/d"]}), "a/b:nitro"),
        ({"model": "@preset/s"}, version({"models": ["a/b", "c/d"]}), None),
        ({"model": "own/m:free@preset/s:nitro"}, BASE, "own/m:free:nitro"),
        ({"model": "own/m", "preset": "s"}, BASE, "own/m"),
        ({"model": "@preset/new"}, None, None),
        ({"model": "@preset/new:nitro"}, None, None),
        ({"model": "own/m@preset/new:nitro"}, None, "own/m:nitro"),
        ({"model": "llama3:8b"}, None, "llama3:8b"),
    ],
)
def test_no_stored_model_names_a_preset(body: object, base: Version | None, model: str | None) -> None:
    assert captured(chat, body, base)[0].get("model") == model


def test_null_and_an_automatic_tier_do_not_displace_what_the_base_says() -> None:
    base = version({"service_tier": "flex", "temperature": 0.2})
    body = {"preset": "s", "service_tier": "auto", "temperature": None}
    assert captured(chat, body, base)[0] == {"service_tier": "flex", "temperature": 0.2}
    assert captured(chat, {"service_tier": "auto"})[0] == {"service_tier": "auto"}


def test_the_bodies_are_not_changed() -> None:
    body = split(json.dumps({"model": "@preset/s:nitro", "tools": [TOOL_B], "messages": [USER]}).encode())
    before = dict(body)
    capture(chat, body, BASE)
    assert body == before
