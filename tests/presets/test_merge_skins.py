"""A version put under a request of messages or of responses: their own fields, some of which hold several settings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from presets.presets_support import USER, version
from setpoint.presets.merge import Resolved, resolve
from setpoint.protocols.registry import PROTOCOLS
from setpoint.wire.body import join, split, value

if TYPE_CHECKING:
    from setpoint.records import Dialect

MESSAGES: dict[str, Any] = {"model": "@preset/s", "messages": [USER]}
RESPONSES: dict[str, Any] = {"model": "@preset/s", "input": "Hi"}
SCHEMA = {"type": "object"}
FORMAT = {"type": "json_schema", "json_schema": {"name": "output", "schema": SCHEMA, "strict": True}}


def merged(
    skin: Dialect, content: object, config: dict[str, Any], prompt: str | None = None, **options: Any
) -> Resolved:
    below = version({"model": "m", **config}, prompt)
    return resolve(PROTOCOLS[skin], split(json.dumps(content).encode()), below, **options)


def effective(skin: Dialect, content: object, config: dict[str, Any], prompt: str | None = None, **options: Any) -> Any:
    return value(join(merged(skin, content, config, prompt, **options).body))


@pytest.mark.parametrize(
    ("config", "request_", "together"),
    [
        ({"verbosity": "low"}, {"format": None}, {"effort": "low", "format": None}),
        (
            {"response_format": FORMAT},
            {"effort": "high"},
            {"format": {"type": "json_schema", "schema": SCHEMA}, "effort": "high"},
        ),
        ({"verbosity": "low"}, {"effort": "high"}, {"effort": "high"}),
    ],
)
def test_what_a_preset_says_inside_output_config_stands_beside_the_requests(
    config: dict[str, Any], request_: dict[str, Any], together: dict[str, Any]
) -> None:
    assert effective("messages", {**MESSAGES, "output_config": request_}, config)["output_config"] == together


def test_a_null_inside_such_a_field_says_nothing() -> None:
    made = effective("messages", {**MESSAGES, "output_config": {"effort": None}}, {"verbosity": "low"})
    assert made["output_config"] == {"effort": "low"}
    made = effective("responses", {**RESPONSES, "text": {"verbosity": None}}, {"verbosity": "low"})
    assert made["text"] == {"verbosity": "low"}


def test_what_a_preset_says_inside_text_stands_beside_the_requests() -> None:
    made = effective("responses", {**RESPONSES, "text": {"format": {"type": "text"}}}, {"verbosity": "low"})
    assert made["text"] == {"verbosity": "low", "format": {"type": "text"}}
    made = effective("responses", {**RESPONSES, "text": {"verbosity": "high"}}, {"verbosity": "low"})
    assert made["text"] == {"verbosity": "high"}


def test_a_presets_word_on_parallel_calls_stands_beside_the_requests_choice() -> None:
    made = effective("messages", {**MESSAGES, "tool_choice": {"type": "any"}}, {"parallel_tool_calls": False})
    assert made["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}


def test_a_presets_value_that_the_skin_has_no_word_for_is_named_in_its_own_words() -> None:
    assert set(merged("messages", MESSAGES, {"min_p": 0.1, "seed": 7}).unsaid) == {"/min_p", "/seed"}
    assert set(merged("responses", RESPONSES, {"reasoning": {"exclude": True}}).unsaid) == {"/reasoning/exclude"}


def test_an_effort_of_a_preset_is_a_share_of_the_limit_that_the_request_sets() -> None:
    config = {"reasoning": {"effort": "high"}}
    thinking = effective("messages", {**MESSAGES, "max_tokens": 10_000}, config)["thinking"]
    assert thinking == {"type": "enabled", "budget_tokens": 8000}


def test_a_budget_for_thinking_is_on_top_of_a_limit_that_it_would_fill() -> None:
    config = {"reasoning": {"enabled": True, "max_tokens": 8000}}
    assert effective("messages", {**MESSAGES, "max_tokens": 1024}, config)["max_tokens"] == 9024
    assert effective("messages", {**MESSAGES, "max_tokens": 16000}, config)["max_tokens"] == 16000
    own = {**MESSAGES, "max_tokens": 1024, "thinking": {"type": "enabled", "budget_tokens": 2048}}
    assert effective("messages", own, config)["max_tokens"] == 1024


@pytest.mark.parametrize("blocks", [False, True])
def test_a_system_prompt_of_messages_fills_an_empty_place_or_stands_in_front(blocks: bool) -> None:
    own: Any = [{"type": "text", "text": "Mine."}] if blocks else "Mine."
    assert effective("messages", MESSAGES, {}, "Be kind.")["system"] == "Be kind."
    assert effective("messages", {**MESSAGES, "system": own}, {}, "Be kind.")["system"] == own
    front = effective("messages", {**MESSAGES, "system": own}, {}, "Be kind.", prepend_system=True)["system"]
    text = "\n\n".join(block["text"] for block in front) if blocks else front
    assert text.startswith("Be kind.\n\n")
    assert text.endswith("Mine.")


def test_a_system_message_between_others_does_not_count_as_the_prompt() -> None:
    talk = {**MESSAGES, "messages": [{"role": "system", "content": "Late."}, USER]}
    assert merged("messages", talk, {}, "Be kind.").system_prompt_from == "preset"


def test_a_system_item_of_responses_counts_as_the_prompt() -> None:
    items = [{"role": "developer", "content": "Mine."}, {"role": "user", "content": "Hi"}]
    assert merged("responses", {**RESPONSES, "input": items}, {}, "Be kind.").system_prompt_from == "request"
    made = effective("responses", RESPONSES, {}, "Be kind.")
    assert (made["instructions"], made["input"]) == ("Be kind.", "Hi")
