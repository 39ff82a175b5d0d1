"""What a creation keeps of a body: its configuration and its system prompt, from each of the three skins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.api_support import SKINS, USER, create, data_of, fresh, get, refused

if TYPE_CHECKING:
    from support.processes import Gateway

CHAT, MESSAGES, RESPONSES = SKINS
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def version_of(gateway: Gateway, slug: str, body: Any, skin: str = CHAT) -> dict[str, Any]:
    return create(gateway, slug, body, skin)["designated_version"]


# --- what is kept --------------------------------------------------------------------------------------------


def test_a_chat_body_keeps_its_configuration_in_its_own_order(shared_gateway: Gateway) -> None:
    config: dict[str, Any] = {
        "top_p": 0.9,
        "model": "sim/solo",
        "models": ["sim/solo", "other/solo"],
        "provider": {"sort": "price", "only": [], "order": None},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
        "tool_choice": "required",
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
        "plugins": [{"id": "web", "max_results": 2}],
        "max_completion_tokens": 9,
        "stop": ["END", "STOP"],
        "reasoning": {"effort": "high"},
        "logit_bias": {"50256": -100},
        "service_tier": "flex",
        "cache_enabled": True,
        "cache_ttl_seconds": 60,
        "temperature": 0,
    }
    transient = {
        "stream": True,
        "stream_options": {"include_usage": True},
        "user": "u",
        "metadata": {"a": "b"},
        "session_id": "s",
        "trace": {"trace_id": "t"},
        "debug": {"echo_upstream_body": True},
        "usage": {"include": True},
        "prompt_cache_key": "k",
        "prediction": {},
        "something_new": {"a": 1},
        "seed": None,
    }
    made = version_of(shared_gateway, fresh(), {"messages": [USER], **transient, **config})
    assert list(made["config"].items()) == list(config.items())
    assert made["system_prompt"] is None


def test_values_keep_their_bytes(shared_gateway: Gateway) -> None:
    body = b'{ "temperature" : 0.20, "seed":-0, "top_p":1.0e-1, "logit_bias":{"7": 1.50}, "stop":"\\u0041\\ud83d" }'
    slug = fresh()
    answer = shared_gateway.call("POST", f"/presets/{slug}/chat/completions", body=body)
    kept = b'"config":{"temperature":0.20,"seed":-0,"top_p":1.0e-1,"logit_bias":{"7": 1.50},"stop":"\\u0041\\ud83d"}'
    assert answer.status == 200
    assert kept in answer.body
    assert kept in shared_gateway.call("GET", f"/presets/{slug}").body
    assert kept in shared_gateway.call("GET", f"/presets/{slug}/versions").body


def test_an_empty_body_makes_an_empty_version(shared_gateway: Gateway) -> None:
    for skin in SKINS:
        made = version_of(shared_gateway, fresh(), {}, skin)
        assert (made["config"], made["system_prompt"]) == ({}, None)


def test_what_is_missing_is_no_matter_at_creation(shared_gateway: Gateway) -> None:
    for skin in (CHAT, RESPONSES):
        assert version_of(shared_gateway, fresh(), {"reasoning": {"effort": "max"}}, skin)["config"] == {
            "reasoning": {"effort": "max"}
        }
    made = version_of(shared_gateway, fresh(), {"model": "nobody/has-this-yet"}, MESSAGES)
    assert made["config"] == {"model": "nobody/has-this-yet"}


def test_a_messages_body_is_kept_in_the_neutral_names(shared_gateway: Gateway) -> None:
    tools = [
        {"name": "f", "description": "d", "input_schema": SCHEMA},
        {"type": "bash_20250124", "name": "bash"},
        {"type": "openrouter:datetime"},
    ]
    made = version_of(
        shared_gateway,
        fresh(),
        {
            "model": "sim/solo",
            "max_tokens": 1024,
            "system": [{"type": "text", "text": "One."}, {"type": "text", "text": "Two.", "cache_control": None}],
            "messages": [USER],
            "metadata": {"user_id": "u"},
            "stop_sequences": ["A", "B"],
            "thinking": {"type": "enabled", "budget_tokens": 2048, "display": "omitted"},
            "tools": tools,
            "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
            "output_config": {
                "effort": "low",
                "format": {"type": "json_schema", "schema": SCHEMA},
                "task_budget": {"type": "tokens", "total": 20_000},
            },
            "fallbacks": [{"model": "other/solo"}],
            "speed": "fast",
            "stream": True,
        },
        MESSAGES,
    )
    assert made["system_prompt"] == "One.\n\nTwo."
    assert made["config"] == {
        "model": "sim/solo",
        "max_tokens": 1024,
        "stop": ["A", "B"],
        "reasoning": {"enabled": True, "max_tokens": 2048, "exclude": True},
        "tools": tools,
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "parallel_tool_calls": False,
        "verbosity": "low",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "output", "schema": SCHEMA, "strict": True},
        },
        "output_config": {"task_budget": {"type": "tokens", "total": 20_000}},
        "models": ["other/solo"],
        "speed": "fast",
    }


def test_a_responses_body_is_kept_in_the_neutral_names(shared_gateway: Gateway) -> None:
    tools = [{"type": "function", "name": "f", "parameters": SCHEMA, "strict": True}, {"type": "web_search"}]
    made = version_of(
        shared_gateway,
        fresh(),
        {
            "model": "sim/solo",
            "instructions": "Be kind.",
            "input": [{"role": "developer", "content": "not this one"}, USER],
            "max_output_tokens": 7,
            "text": {
                "verbosity": "high",
                "format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True},
            },
            "tools": tools,
            "tool_choice": {"type": "function", "name": "f"},
            "reasoning": {"summary": "auto"},
            "truncation": "auto",
            "service_tier": "auto",
            "store": False,
            "stream": False,
            "include": ["reasoning.encrypted_content"],
        },
        RESPONSES,
    )
    assert made["system_prompt"] == "Be kind."
    assert made["config"] == {
        "model": "sim/solo",
        "max_tokens": 7,
        "verbosity": "high",
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}},
        "tools": tools,
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "reasoning": {"summary": "auto"},
        "truncation": "auto",
    }


def test_the_system_prompt_is_what_the_conversation_begins_with(shared_gateway: Gateway) -> None:
    conversation = [
        {"role": "system", "content": "One."},
        {"role": "developer", "content": [{"type": "text", "text": "Tw"}, {"type": "text", "text": "o. "}]},
        USER,
        {"role": "system", "content": "Later."},
    ]
    assert version_of(shared_gateway, fresh(), {"messages": conversation})["system_prompt"] == "One.\n\nTwo. "
    made = version_of(shared_gateway, fresh(), {"input": conversation[:1] + conversation[2:]}, RESPONSES)
    assert made["system_prompt"] == "One."
    made = version_of(shared_gateway, fresh(), {"messages": [USER, conversation[0]]})
    assert made["system_prompt"] is None


def test_of_two_tools_of_one_name_the_last_counts_at_the_place_of_the_first(shared_gateway: Gateway) -> None:
    def function(name: str, text: str) -> dict[str, Any]:
        return {"type": "function", "function": {"name": name, "description": text}}

    tools = [function("a", "old"), function("b", ""), function("a", "new")]
    assert version_of(shared_gateway, fresh(), {"tools": tools})["config"]["tools"] == [tools[2], tools[1]]


# --- a body that names a preset ------------------------------------------------------------------------------


def test_a_reference_is_resolved_and_stored_flat(shared_gateway: Gateway) -> None:
    base, slug = fresh("base"), fresh()
    messages = [{"role": "system", "content": "Base."}, USER]
    create(shared_gateway, base, {"model": "sim/solo", "temperature": 1, "max_tokens": 5, "messages": messages})
    for reference in ({"model": f"@preset/{base}"}, {"preset": base}, {"preset": f"@preset/{base}@1"}):
        made = version_of(shared_gateway, slug, {**reference, "max_completion_tokens": 6})
        assert made["config"] == {"model": "sim/solo", "temperature": 1, "max_completion_tokens": 6}
        assert made["system_prompt"] == "Base."
    combined = version_of(shared_gateway, slug, {"model": f"other/solo@preset/{base}", "max_tokens": None})
    assert combined["config"] == {"model": "other/solo", "temperature": 1, "max_tokens": 5}
    create(shared_gateway, base, {"model": "sim/model"})
    assert get(shared_gateway, slug)["designated_version"] == combined, "what was stored refers to nobody"


def test_a_pin_in_a_creation_body_is_followed(shared_gateway: Gateway) -> None:
    base = fresh("base")
    for seed in (1, 2):
        create(shared_gateway, base, {"seed": seed})
    made = version_of(shared_gateway, fresh(), {"model": f"@preset/{base}@1:nitro"})
    assert made["config"] == {"seed": 1}
    made = version_of(shared_gateway, fresh(), {"model": f"@preset/{base}@latest"}, MESSAGES)
    assert made["config"] == {"seed": 2}


def test_a_preset_may_name_itself_before_it_exists_and_after(shared_gateway: Gateway) -> None:
    slug = fresh()
    first = version_of(shared_gateway, slug, {"model": f"@preset/{slug}", "temperature": 1})
    assert (first["version"], first["config"]) == (1, {"temperature": 1})
    second = version_of(shared_gateway, slug, {"model": f"sim/solo@preset/{slug}"})
    assert (second["version"], second["config"]) == (2, {"temperature": 1, "model": "sim/solo"})


def test_a_reference_to_what_is_not_there_is_a_404_and_makes_nothing(shared_gateway: Gateway) -> None:
    base, archived = fresh("base"), fresh("archived")
    create(shared_gateway, base, {})
    create(shared_gateway, archived, {})
    data_of(shared_gateway.call("DELETE", f"/presets/{archived}"))
    for skin in SKINS:
        slug = fresh()
        for model in ("@preset/nobody", f"sim/solo@preset/{base}@2", f"@preset/{base}@stable", f"@preset/{archived}"):
            refused(shared_gateway.call("POST", f"/presets/{slug}/{skin}", {"model": model}), 404)
        refused(shared_gateway.call("GET", f"/presets/{slug}"), 404)


@pytest.mark.parametrize("model", ["@preset/", "@preset/a@preset/b", "@preset/a b", "@preset/a@007", "@preset/a@", ""])
def test_a_malformed_reference_is_refused(shared_gateway: Gateway, model: str) -> None:
    for skin in SKINS:
        answer = shared_gateway.call("POST", f"/presets/{fresh()}/{skin}", {"model": model})
        assert refused(answer, 400).startswith("model: ")


# --- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"null", b"7", b'{"a":1}x', b'{"a":1}{}', b"{'a':1}", b'{"a":NaN}', b"\xff{}"],
)
def test_a_body_that_is_no_json_object_is_refused(shared_gateway: Gateway, skin: str, body: bytes) -> None:
    slug = fresh()
    refused(shared_gateway.call("POST", f"/presets/{slug}/{skin}", body=body), 400)
    refused(shared_gateway.call("GET", f"/presets/{slug}"), 404)


@pytest.mark.parametrize(
    ("skin", "body", "path"),
    [
        (CHAT, {"temperature": 2.1}, "temperature"),
        (CHAT, {"temperature": "1"}, "temperature"),
        (CHAT, {"model": 7}, "model"),
        (CHAT, {"models": ["a/b", "@preset/x"]}, "models[1]"),
        (CHAT, {"tools": [{"type": "function", "function": {"name": "x" * 65}}]}, "tools[0].function.name"),
        (CHAT, {"tools": [{"type": "openrouter:advisor"}] * 2}, "tools"),
        (CHAT, {"provider": {"max_price": {"prompt": -1}}}, "provider.max_price.prompt"),
        (CHAT, {"messages": ["x"]}, "messages[0]"),
        (CHAT, {"stop": ["a"] * 5}, "stop"),
        (CHAT, {"logit_bias": {"5": 101}}, "logit_bias.5"),
        (CHAT, {"response_format": {"type": "xml"}}, "response_format.type"),
        (CHAT, {"plugins": [{"id": "nobody"}]}, "plugins[0].id"),
        (CHAT, {"user": "u" * 257}, "user"),
        (MESSAGES, {"max_tokens": 0}, "max_tokens"),
        (MESSAGES, {"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        (MESSAGES, {"tools": [{"name": "f"}]}, "tools[0].input_schema"),
        (MESSAGES, {"fallbacks": [{"model": "a/b"}], "models": ["a/b"]}, "fallbacks"),
        (MESSAGES, {"system": [{"type": "text"}]}, "system[0].text"),
        (RESPONSES, {"max_output_tokens": 1.5}, "max_output_tokens"),
        (RESPONSES, {"store": True}, "store"),
        (RESPONSES, {"text": {"verbosity": "loud"}}, "text.verbosity"),
        (RESPONSES, {"tools": [{"type": "function", "name": ""}]}, "tools[0].name"),
        (RESPONSES, {"input": 1}, "input"),
    ],
)
def test_a_wrong_field_is_refused_by_its_path(shared_gateway: Gateway, skin: str, body: Any, path: str) -> None:
    slug = fresh()
    answer = shared_gateway.call("POST", f"/presets/{slug}/{skin}", body)
    assert refused(answer, 400).startswith(f"{path}: ")
    refused(shared_gateway.call("GET", f"/presets/{slug}"), 404)


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("?dry_run=true", "dry_run"),
        ("?dry_run=1", "dry_run"),
        ("?designate=false", "designate"),
        ("?dry_run=false&designate=false", "designate"),
        ("?message=why", "message"),
        ("?dry_run=false&designate=true&message=", "message"),
    ],
)
def test_what_a_creation_cannot_do_yet_is_refused_and_not_taken_for_a_plain_one(
    shared_gateway: Gateway, skin: str, query: str, name: str
) -> None:
    slug = fresh()
    answer = shared_gateway.call("POST", f"/presets/{slug}/{skin}{query}", {})
    assert refused(answer, 400).startswith(f"{name}: ")
    assert answer.json()["error"]["metadata"]["reason"] == "unsupported"
    refused(shared_gateway.call("GET", f"/presets/{slug}"), 404)


def test_a_creation_that_says_what_holds_anyway_is_a_plain_one(shared_gateway: Gateway) -> None:
    answer = shared_gateway.call("POST", f"/presets/{fresh()}/messages?dry_run=false&designate=true", {})
    assert data_of(answer)["designated_version"]["version"] == 1
    for query in ("dry_run=maybe", "designate=", "dry_run=TRUE"):
        refused(shared_gateway.call("POST", f"/presets/{fresh()}/messages?{query}", {}), 400)


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize("name", ["preset_variables_schema", "preset_variables"])
def test_variables_are_refused_until_they_are_honoured(shared_gateway: Gateway, skin: str, name: str) -> None:
    slug = fresh()
    answer = shared_gateway.call("POST", f"/presets/{slug}/{skin}", {name: {"city": {"type": "string"}}})
    assert refused(answer, 400).startswith(f"{name}: ")
    assert answer.json()["error"]["metadata"]["reason"] == "unsupported"
    refused(shared_gateway.call("GET", f"/presets/{slug}"), 404)


def test_an_idempotency_key_is_refused_until_it_is_honoured(shared_gateway: Gateway) -> None:
    slug = fresh()
    answer = shared_gateway.call("POST", f"/presets/{slug}/messages", {}, headers={"Idempotency-Key": "once"})
    assert refused(answer, 400).startswith("Idempotency-Key: ")
    refused(shared_gateway.call("GET", f"/presets/{slug}"), 404)
