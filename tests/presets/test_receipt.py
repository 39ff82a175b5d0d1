"""What a capture says beside its version: the account of every field, and what its author should know."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from presets.presets_support import USER, system, version
from setpoint.presets.capture import capture
from setpoint.presets.receipt import Caveat, Receipt, receipt
from setpoint.protocols import chat, messages, responses
from setpoint.wire.body import as_pointer, members, split

if TYPE_CHECKING:
    from setpoint.protocols.base import Room
    from setpoint.records import Version

SKINS: dict[str, Room] = {"C": chat, "M": messages, "R": responses}
KEY = "sk-proj-4f9a0c71d2e85b36aa90"
"""What looks like a key and is none."""


def told(skin: Room, body: object, base: Version | None = None, *rehearsed: Caveat) -> Receipt:
    content = split(json.dumps(body).encode())
    skin.check(content, creating=True)
    return receipt(skin, content, base, capture(skin, content, base), rehearsed)


def accounted(skin: Room, body: object, base: Version | None = None) -> dict[str, str]:
    """By path the outcome, with what a renamed field became behind it."""
    fields = told(skin, body, base).fields
    found = {one.path: f"{one.outcome} {one.to}" if one.to else one.outcome for one in fields}
    assert len(found) == len(fields), "a path is there twice"
    return found


def warned(skin: Room, body: object, base: Version | None = None) -> list[tuple[str, str]]:
    return [(one.code, one.path) for one in told(skin, body, base).warnings]


def function(name: str, schema: object = None) -> dict[str, Any]:
    parameters = {"parameters": schema} if schema is not None else {}
    return {"type": "function", "function": {"name": name, **parameters}}


# --- every field ---------------------------------------------------------------------------------------------


def test_every_field_of_a_chat_body_is_accounted_for_in_its_order() -> None:
    body: dict[str, Any] = {
        "model": "acme/sage",
        "messages": [system("Be brief."), USER],
        "reasoning_effort": "low",
        "temperature": 0.2,
        "seed": None,
        "stream": True,
        "n": 1,
        "of/tomorrow": {},
    }
    assert list(accounted(chat, body).items()) == [
        ("/model", "stored"),
        ("/messages", "system_prompt"),
        ("/reasoning_effort", "renamed reasoning"),
        ("/temperature", "stored"),
        ("/seed", "null_ignored"),
        ("/stream", "transient"),
        ("/n", "transient"),
        ("/of~1tomorrow", "unknown"),
    ]


def test_what_holds_several_settings_is_accounted_for_part_by_part() -> None:
    body = {"text": {"verbosity": "low", "format": {"type": "text"}, "of_tomorrow": 1}, "max_output_tokens": 9}
    assert accounted(responses, body) == {
        "/text": "renamed verbosity",
        "/text/verbosity": "renamed verbosity",
        "/text/format": "renamed response_format",
        "/text/of_tomorrow": "unknown",
        "/max_output_tokens": "renamed max_tokens",
    }
    body = {
        "output_config": {"effort": "low", "format": None, "task_budget": {"type": "tokens", "total": 20000}},
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        "stop_sequences": ["END"],
        "thinking": {"type": "adaptive"},
        "fallbacks": [{"model": "acme/mint"}],
    }
    assert accounted(messages, body) == {
        "/output_config": "stored",
        "/output_config/effort": "renamed verbosity",
        "/output_config/format": "null_ignored",
        "/output_config/task_budget": "stored",
        "/tool_choice": "stored",
        "/tool_choice/disable_parallel_tool_use": "renamed parallel_tool_calls",
        "/stop_sequences": "renamed stop",
        "/thinking": "renamed reasoning",
        "/fallbacks": "renamed models",
    }


@pytest.mark.parametrize(
    ("skin", "body", "taken_from"),
    [
        (chat, {"messages": [system("A"), USER]}, "/messages"),
        (chat, {"messages": [USER, system("A")]}, None),
        (chat, {"messages": [system("")]}, None),
        (messages, {"system": "A", "messages": [USER]}, "/system"),
        (messages, {"system": "", "messages": [USER]}, None),
        (messages, {"messages": [system("A")]}, None),
        (responses, {"instructions": "A", "input": [system("B")]}, "/instructions"),
        (responses, {"instructions": "A", "input": "B"}, "/instructions"),
        (responses, {"instructions": None, "input": [system("B")]}, "/input"),
        (responses, {"input": "B"}, None),
    ],
)
def test_the_field_that_the_system_prompt_is_taken_from_says_so(skin: Room, body: Any, taken_from: str | None) -> None:
    found = accounted(skin, body)
    assert [path for path, outcome in found.items() if outcome == "system_prompt"] == (
        [taken_from] if taken_from else []
    )
    assert {outcome for path, outcome in found.items() if path != taken_from} <= {"transient", "null_ignored"}


def test_a_service_tier_that_a_client_put_in_counts_as_not_sent() -> None:
    assert accounted(responses, {"service_tier": "auto"}) == {"/service_tier": "null_ignored"}
    assert accounted(chat, {"service_tier": "auto"}) == {"/service_tier": "stored"}
    base = version({"model": "acme/sage"})
    assert accounted(chat, {"service_tier": "auto", "preset": "other"}, base)["/service_tier"] == "null_ignored"


def test_every_tool_is_accounted_for_and_of_two_alike_the_last_is_kept() -> None:
    body = {"tools": [function("a"), function("b"), {**function("a"), "strict": True}]}
    assert accounted(chat, body) == {
        "/tools": "stored",
        "/tools/0": "transient",
        "/tools/1": "stored",
        "/tools/2": "stored",
    }
    assert warned(chat, body) == [("tool_duplicate", "/tools/0")]


def _rows() -> list[Any]:
    cases = Path(__file__).parents[1] / "protocols" / "field_cases.toml"
    rows: list[dict[str, Any]] = tomllib.loads(cases.read_text("utf-8"))["row"]
    return [
        pytest.param(skin, row["field"], content, id=f"{skin}-{row['field']}-{content[:30]}")
        for row in rows
        if row.get("when") != "calling" and "beside" not in row
        for skin in row["skins"]
        for content in (*row.get("valid", ()), "null")
    ]


def test_what_is_stored_of_any_field_that_is_right_is_what_the_account_says() -> None:
    for skin, field, content in (row.values for row in _rows()):
        room = SKINS[str(skin)]
        text = str(content)
        body = split(f'{{"{field}":{text},"of_tomorrow":1}}'.encode()) if "«" not in text else {}
        captured = capture(room, body, None)
        fields = receipt(room, body, None, captured).fields
        by_path = {one.path: one for one in fields}
        assert by_path.keys() >= set(map(as_pointer, body)), (skin, field, text)
        stored = members(captured.config)
        for name in body:
            one = by_path[as_pointer(name)]
            assert (one.outcome == "stored") == (name in stored), (skin, field, text)
            if one.outcome == "renamed":
                assert one.to in stored
        told_of = {one.to or one.path[1:].partition("/")[0] for one in fields if one.outcome in ("stored", "renamed")}
        assert told_of == stored.keys(), (skin, field, text)


# --- a body that names a preset ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "path", "model"),
    [
        ({"model": "@preset/other"}, "/model", "transient"),
        ({"model": "acme/mint@preset/other@1"}, "/model", "stored"),
        ({"model": "acme/mint", "preset": "other"}, "/preset", "stored"),
        ({"preset": "other"}, "/preset", None),
    ],
)
def test_a_body_that_names_a_preset_is_said_to_be_resolved(body: Any, path: str, model: str | None) -> None:
    base = version({"model": "acme/sage", "top_p": 0.5})
    assert warned(chat, body, base) == [("preset_resolved", path)]
    assert "version 1 of preset other" in told(chat, body, base).warnings[0].message
    found = accounted(chat, body, base)
    assert found.get("/model") == model
    assert found.get("/preset", "transient") == "transient"
    assert "does not exist yet" in told(chat, body).warnings[0].message


def test_what_a_request_would_meet_with_is_told_where_the_body_says_it() -> None:
    base = version(
        {"model": "acme/sage", "min_p": 0.1, "models": ["acme/x"], "tools": [function("of-base"), function("b")]}
    )
    body = {
        "model": "@preset/other",
        "max_output_tokens": 9,
        "text": {"verbosity": "low"},
        "seed": None,
        "tools": [{"type": "function", "name": "b"}, {"type": "web_search"}],
    }
    places = {
        "/max_output_tokens": "/max_output_tokens",
        "/text/verbosity": "/text/verbosity",
        "/tools": "/tools",
        "/tools/0": "/model",
        "/tools/1/function/strict": "/tools/0/function/strict",
        "/tools/2": "/tools/1",
        "/min_p": "/model",
        "/models/0": "/model",
        "/model": "/model",
    }
    rehearsed = [Caveat("parameter_unsupported", path, "no") for path in places]
    found = told(responses, body, base, *rehearsed).warnings
    assert [one.path for one in found if one.code == "parameter_unsupported"] == list(places.values())


@pytest.mark.parametrize(
    ("skin", "body", "pointer", "path"),
    [
        (chat, {"reasoning_effort": "low"}, "/reasoning/effort", "/reasoning_effort"),
        (messages, {"fallbacks": [{"model": "a/b"}]}, "/models/0", "/fallbacks/0/model"),
        (messages, {"thinking": {"type": "adaptive"}}, "/thinking/type", "/thinking/type"),
        (chat, {}, "/model", "/model"),
    ],
)
def test_a_field_by_another_name_is_told_by_that(skin: Room, body: Any, pointer: str, path: str) -> None:
    (found,) = told(skin, body, None, Caveat("parameter_unsupported", pointer, "no")).warnings
    assert found == Caveat("parameter_unsupported", path, "no")


# --- tools and secrets ---------------------------------------------------------------------------------------


def test_a_schema_that_is_none_is_told_by_its_place_in_the_tool_that_is_kept() -> None:
    wrong = {"type": "object", "properties": {"city": {"type": "strnig"}}}
    body = {"tools": [function("a", wrong), function("b", wrong), function("a", {"type": "object"})]}
    assert warned(chat, body) == [
        ("tool_duplicate", "/tools/0"),
        ("tool_schema_invalid", "/tools/1/function/parameters/properties/city/type"),
    ]


@pytest.mark.parametrize(
    ("skin", "body", "paths"),
    [
        (chat, {"messages": [system(f"The key is\n{KEY}.")]}, ["/messages"]),
        (messages, {"system": [{"type": "text", "text": KEY}]}, ["/system"]),
        (responses, {"instructions": KEY, "input": "Hi"}, ["/instructions"]),
        (chat, {"messages": [system("A"), {"role": "user", "content": KEY}]}, []),
        (chat, {"user": KEY, "metadata": {"a": KEY}, "of_tomorrow": KEY}, []),
        (chat, {"stop": ["a", KEY]}, ["/stop/1"]),
        (messages, {"stop_sequences": [KEY]}, ["/stop_sequences/0"]),
        (
            responses,
            {
                "tools": [
                    {"type": "mcp", "server_label": "a", "headers": {"Authorization": KEY}},
                    {"type": "mcp", "server_label": "b"},
                    {"type": "mcp", "server_label": "c", "headers": {KEY: "x"}},
                ]
            },
            ["/tools/0/headers/Authorization", "/tools/2/headers"],
        ),
        (chat, {"tools": [{**function("a"), "x": KEY}, function("a")]}, []),
    ],
)
def test_what_looks_like_a_secret_is_told_where_it_would_be_stored_and_never_quoted(
    skin: Room, body: Any, paths: list[str]
) -> None:
    found = [one for one in told(skin, body).warnings if one.code == "looks_like_secret"]
    assert [one.path for one in found] == paths
    assert not any(KEY in one.path + one.message for one in found)


def test_text_that_is_no_text_can_still_be_told() -> None:
    body = split(b'{"x\\ud800":1,"messages":[]}')
    assert receipt(chat, body, None, capture(chat, body, None)).fields[0].path == "/x\\ud800"


def test_an_empty_body_has_an_empty_receipt() -> None:
    assert told(chat, {}) == Receipt((), ())
