"""Conversations that are not as they should be, in every skin and for every dialect: said as they are, or refused.

Towards a provider of the skin's own protocol nothing is looked at that the field checks do not know. Towards another
a wrong shape is a 400 that names its place, and what goes upstream is what that dialect allows.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest

from api.skins_support import SKINS
from faults.faults_support import PROMPT
from faults.skins_faults_support import SkinsFront, refused, skins_front, skins_gateway

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.records import Dialect

gateway = skins_gateway
front = skins_front


class Case(NamedTuple):
    """The fields of a request. `path` is where it is wrong for a translation, None where it can be said.

    `at_the_door`: for any endpoint. `sealed`: there is something in it that goes to its maker only, if to anybody.
    `differs`: the paths that hold for one dialect only.
    """

    fields: dict[str, Any]
    path: str | None = None
    at_the_door: bool = False
    sealed: bool = False
    differs: Mapping[Dialect, str | None] = {}


USER: dict[str, Any] = {"role": "user", "content": PROMPT}

# --- chat ----------------------------------------------------------------------------------------------------

CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"city":"Bern"}'}}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "rain"}


def chat(*turns: Any) -> dict[str, Any]:
    return {"messages": [USER, *turns, USER]}


def user(*parts: Any) -> dict[str, Any]:
    return chat({"role": "user", "content": [*parts]})


def said(**members: Any) -> dict[str, Any]:
    return chat({"role": "assistant", "content": "Hm.", **members})


def calling(call: Any, *results: Any) -> dict[str, Any]:
    return chat({"role": "assistant", "content": None, "tool_calls": [call]}, *results)


def without(members: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {it: content for it, content in members.items() if it != name}


_C, _P = "messages[1].tool_calls[0]", "messages[1].content[0]"
CHAT: dict[str, Case] = {
    "no-messages": Case({"messages": []}, "messages", at_the_door=True),
    "a-message-that-is-none": Case(chat(5), "messages[1]", at_the_door=True),
    "unknown-role": Case(chat({"role": "robot", "content": "x"}), "messages[1].role", at_the_door=True),
    "role-of-another-type": Case(chat({"role": 5, "content": "x"}), "messages[1].role", at_the_door=True),
    "empty-text": Case(chat({"role": "user", "content": ""})),
    "empty-parts": Case(chat({"role": "user", "content": []})),
    "null-content": Case(chat({"role": "user", "content": None})),
    "no-content": Case(chat({"role": "user"})),
    "content-of-another-type": Case(chat({"role": "user", "content": 5}), "messages[1].content"),
    "content-that-is-an-object": Case(chat({"role": "user", "content": {"text": "x"}}), "messages[1].content"),
    "part-that-is-none": Case(user("x"), _P),
    "part-that-is-null": Case(user(None), _P),
    "part-without-a-type": Case(user({"text": "x"}), f"{_P}.type"),
    "type-of-another-type": Case(user({"type": 5}), f"{_P}.type"),
    "unknown-part": Case(user({"type": "hologram", "hologram": {}}), _P),
    "text-without-text": Case(user({"type": "text"}), f"{_P}.text"),
    "text-of-another-type": Case(user({"type": "text", "text": ["x"]}), f"{_P}.text"),
    "empty-text-part": Case(user({"type": "text", "text": ""}, {"type": "text", "text": "x"})),
    "image-without-image": Case(user({"type": "image_url"}), f"{_P}.image_url"),
    "image-that-is-a-text": Case(user({"type": "image_url", "image_url": "http://x/y.png"}), f"{_P}.image_url"),
    "image-without-url": Case(user({"type": "image_url", "image_url": {}}), f"{_P}.image_url.url"),
    "image-by-a-number": Case(user({"type": "image_url", "image_url": {"url": 5}}), f"{_P}.image_url.url"),
    "file-without-content": Case(user({"type": "file", "file": {}}), f"{_P}.file"),
    "sound": Case(
        user({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}), differs={"messages": _P}
    ),
    "sound-without-data": Case(user({"type": "input_audio", "input_audio": {}}), f"{_P}.input_audio.data"),
    "image-in-a-system-message": Case(
        chat({"role": "system", "content": [{"type": "image_url", "image_url": {"url": "http://x/y.png"}}]}), _P
    ),
    "assistant-that-says-nothing": Case(chat({"role": "assistant", "content": None})),
    "assistant-without-content": Case(chat({"role": "assistant"})),
    "older-way-of-calling": Case(said(function_call={"name": "f", "arguments": "{}"}), "messages[1].function_call"),
    "calls-that-are-no-list": Case(said(tool_calls="x"), "messages[1].tool_calls"),
    "call-that-is-none": Case(said(tool_calls=[None]), _C),
    "call-without-function": Case(calling(without(CALL, "function")), f"{_C}.function"),
    "call-without-name": Case(calling({**CALL, "function": {"arguments": "{}"}}), f"{_C}.function.name"),
    "call-without-id": Case(calling(without(CALL, "id"), RESULT), f"{_C}.id"),
    "arguments-that-are-no-json": Case(calling({**CALL, "function": {"name": "look", "arguments": "Bern"}}, RESULT)),
    "arguments-that-are-no-object": Case(calling({**CALL, "function": {"name": "look", "arguments": "[1]"}}, RESULT)),
    "no-arguments-at-all": Case(calling({**CALL, "function": {"name": "look", "arguments": ""}}, RESULT)),
    "name-that-others-do-not-take": Case(
        calling(
            {**CALL, "id": "a.b:c", "function": {"name": "Grüß Gott", "arguments": "{}"}},
            {**RESULT, "tool_call_id": "a.b:c"},
        )
    ),
    "call-id-twice": Case(
        chat({"role": "assistant", "content": None, "tool_calls": [CALL, CALL]}, RESULT, {**RESULT, "content": "sun"})
    ),
    "call-without-result": Case(calling(CALL)),
    "result-of-no-call": Case(chat(RESULT)),
    "result-without-call-id": Case(calling(CALL, without(RESULT, "tool_call_id")), "messages[2].tool_call_id"),
    "result-of-another-type": Case(calling(CALL, {**RESULT, "content": {"a": 1}}), "messages[2].content"),
    "empty-result": Case(calling(CALL, {**RESULT, "content": ""})),
    "null-result": Case(calling(CALL, {**RESULT, "content": None})),
    "refusal-of-another-type": Case(said(refusal=5), "messages[1].refusal"),
    "images-that-are-no-list": Case(said(images={"image_url": {}}), "messages[1].images"),
    "image-made-that-is-none": Case(said(images=[5]), "messages[1].images[0].image_url"),
    "details-that-are-no-list": Case(said(reasoning_details="x"), "messages[1].reasoning_details"),
    "unknown-detail": Case(said(reasoning_details=[{"type": "what"}]), "messages[1].reasoning_details[0]"),
    "detail-that-is-none": Case(said(reasoning_details=[5]), "messages[1].reasoning_details[0]"),
    "detail-sealed-with-a-number": Case(
        said(reasoning_details=[{"type": "reasoning.encrypted", "data": 5, "format": "openai-responses-v1"}])
    ),
    "mark-of-another-type": Case(user({"type": "text", "text": "x", "cache_control": "yes"})),
}

# --- messages ------------------------------------------------------------------------------------------------

USE = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"city": "Bern"}}
USED = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"}


def asked(*blocks: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [*blocks]}]}


def answered(*blocks: Any) -> dict[str, Any]:
    return {"messages": [USER, {"role": "assistant", "content": [*blocks]}, USER]}


def used(use: Mapping[str, Any], *results: Any) -> dict[str, Any]:
    return {"messages": [USER, {"role": "assistant", "content": [use]}, {"role": "user", "content": [*results]}]}


def thought(seal: str) -> dict[str, Any]:
    return answered({"type": "thinking", "thinking": "hm", "signature": seal}, {"type": "text", "text": "so"})


_U, _A = "messages[0].content[0]", "messages[1].content[0]"
MESSAGES: dict[str, Case] = {
    "no-messages": Case({"messages": []}, "messages", at_the_door=True),
    "unknown-role": Case({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role", at_the_door=True),
    "system-block-of-another-type": Case(
        {"system": [{"type": "image"}], "messages": [USER]}, "system[0].type", at_the_door=True
    ),
    "empty-text": Case({"messages": [USER, {"role": "assistant", "content": ""}, USER]}),
    "empty-blocks": Case(answered()),
    "null-content": Case({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
    "no-content": Case({"messages": [{"role": "user"}]}, "messages[0].content"),
    "content-of-another-type": Case({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    "block-that-is-none": Case(asked("x"), _U),
    "block-without-a-type": Case(asked({"text": "x"}), f"{_U}.type"),
    "unknown-block": Case(asked({"type": "hologram"}), _U),
    "unknown-block-with-an-odd-name": Case(asked({"type": "x\n\ud800" * 40}), _U),
    "text-without-text": Case(asked({"type": "text"}), f"{_U}.text"),
    "text-of-another-type": Case(asked({"type": "text", "text": 5}), f"{_U}.text"),
    "empty-text-block": Case(asked({"type": "text", "text": ""}, {"type": "text", "text": "x"})),
    "image-without-source": Case(asked({"type": "image"}), f"{_U}.source"),
    "image-of-unknown-source": Case(asked({"type": "image", "source": {"type": "moon"}}), f"{_U}.source.type"),
    "image-without-data": Case(
        asked({"type": "image", "source": {"type": "base64", "media_type": "image/png"}}), f"{_U}.source.data"
    ),
    "image-by-file": Case(
        asked({"type": "image", "source": {"type": "file", "file_id": "file_1"}}), differs={"chat": _U}
    ),
    "document-in-blocks-that-are-none": Case(
        asked({"type": "document", "source": {"type": "content", "content": 5}}), f"{_U}.source.content"
    ),
    "document-with-a-numbered-title": Case(
        asked({"type": "document", "title": 5, "source": {"type": "url", "url": "http://x/y.pdf"}}), f"{_U}.title"
    ),
    "call-by-the-user": Case(asked(USE), _U),
    "result-by-the-assistant": Case(answered(USED), _A),
    "call-without-id": Case(used(without(USE, "id"), USED), f"{_A}.id"),
    "call-without-name": Case(used(without(USE, "name"), USED), f"{_A}.name"),
    "call-with-a-text-for-input": Case(used({**USE, "input": "x"}, USED), f"{_A}.input"),
    "call-with-null-for-input": Case(used({**USE, "input": None}, USED)),
    "call-without-input": Case(used(without(USE, "input"), USED)),
    "call-id-twice": Case(
        {
            "messages": [
                USER,
                {"role": "assistant", "content": [USE, USE]},
                {"role": "user", "content": [USED, {**USED, "content": "sun"}]},
            ]
        }
    ),
    "result-of-no-call": Case(asked(USED)),
    "result-without-call-id": Case(used(USE, without(USED, "tool_use_id")), "messages[2].content[0].tool_use_id"),
    "result-without-content": Case(used(USE, without(USED, "content"))),
    "result-of-another-type": Case(used(USE, {**USED, "content": 5}), "messages[2].content[0].content"),
    "result-with-a-call-in-it": Case(used(USE, {**USED, "content": [USE]}), "messages[2].content[0].content[0]"),
    "error-that-is-a-text": Case(used(USE, {**USED, "is_error": "yes"})),
    "thinking-of-another-type": Case(answered({"type": "thinking", "thinking": 5, "signature": "x"}), f"{_A}.thinking"),
    "thinking-without-signature": Case(
        answered({"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "so"})
    ),
    "sealed-with-a-number": Case(answered({"type": "redacted_thinking", "data": 5}), f"{_A}.data"),
    "a-seal-that-is-cut": Case(thought('setpoint:["responses","text"'), sealed=True),
    "a-seal-of-a-number": Case(thought('setpoint:["responses","encrypted","f","rs_1",5]'), sealed=True),
    "a-seal-of-a-list": Case(thought('setpoint:["chat","text","f","rs_1",["x"]]'), sealed=True),
    "a-seal-of-an-object": Case(thought('setpoint:["chat","encrypted","f","rs_1",{"a":1}]'), sealed=True),
    "a-seal-without-a-value": Case(thought('setpoint:["responses","summary","f","rs_1",null]'), sealed=True),
    "citations-that-are-none": Case(answered({"type": "text", "text": "x", "citations": "y"})),
    "citation-that-is-none": Case(answered({"type": "text", "text": "x", "citations": [5, {}]})),
    "mark-of-another-type": Case(asked({"type": "text", "text": "x", "cache_control": 5})),
    "image-in-a-system-message": Case(
        {"messages": [USER, {"role": "system", "content": [{"type": "image"}]}]}, "messages[1].content[0]"
    ),
}

# --- responses -----------------------------------------------------------------------------------------------

FUNCTION = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": '{"city":"Bern"}'}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "rain"}


def items(*more: Any) -> dict[str, Any]:
    return {"input": [USER, *more]}


def parts(*content: Any) -> dict[str, Any]:
    return items({"role": "user", "content": [*content]})


_I, _C0 = "input[1]", "input[1].content[0]"
RESPONSES: dict[str, Case] = {
    "input-of-another-type": Case({"input": 5}, "input", at_the_door=True),
    "item-that-is-none": Case(items("x"), _I, at_the_door=True),
    "item-that-is-null": Case(items(None), _I, at_the_door=True),
    "item-by-reference": Case(items({"type": "item_reference", "id": "x"}), f"{_I}.type", at_the_door=True),
    "type-of-another-type": Case(items({"type": 5}), f"{_I}.type", at_the_door=True),
    "neither-type-nor-role": Case(items({"content": "x"}), f"{_I}.type"),
    "unknown-item": Case(items({"type": "hologram"}), _I),
    "item-of-the-providers-own": Case(items({"type": "mcp_call", "id": "x"}), _I),
    "unknown-role": Case(items({"role": "robot", "content": "x"}), f"{_I}.role"),
    "role-of-another-type": Case(items({"type": "message", "role": 5, "content": "x"}), f"{_I}.role"),
    "empty-text": Case(items({"role": "assistant", "content": ""}, USER)),
    "empty-parts": Case(items({"role": "assistant", "content": []}, USER)),
    "null-content": Case(items({"role": "user", "content": None})),
    "content-of-another-type": Case(items({"role": "user", "content": 5}), f"{_I}.content"),
    "part-that-is-none": Case(parts("x"), f"{_C0}.type"),
    "part-without-a-type": Case(parts({"text": "x"}), f"{_C0}.type"),
    "unknown-part": Case(parts({"type": "hologram"}), _C0),
    "text-of-another-type": Case(parts({"type": "input_text", "text": None}), f"{_C0}.text"),
    "image-without-image": Case(parts({"type": "input_image"}), f"{_C0}.image_url"),
    "image-that-is-an-object": Case(parts({"type": "input_image", "image_url": {"url": "x"}}), f"{_C0}.image_url"),
    "file-without-content": Case(parts({"type": "input_file"}), f"{_C0}.file_data"),
    "sound-that-is-a-text": Case(parts({"type": "input_audio", "input_audio": "x"}), f"{_C0}.input_audio.data"),
    "film": Case(parts({"type": "input_video", "video_url": "http://x/y.mp4"}), differs={"messages": _C0}),
    "image-in-a-developer-message": Case(
        items({"role": "developer", "content": [{"type": "input_image", "image_url": "http://x/y.png"}]}), _C0
    ),
    "call-without-id": Case(items(without(FUNCTION, "call_id")), f"{_I}.call_id"),
    "call-without-name": Case(items(without(FUNCTION, "name")), f"{_I}.name"),
    "call-with-an-empty-name": Case(items({**FUNCTION, "name": ""}, OUTPUT)),
    "arguments-that-are-no-json": Case(items({**FUNCTION, "arguments": "Bern"}, OUTPUT)),
    "arguments-that-are-an-object": Case(items({**FUNCTION, "arguments": {"a": 1}}, OUTPUT)),
    "arguments-that-are-null": Case(items({**FUNCTION, "arguments": None}, OUTPUT), f"{_I}.arguments"),
    "call-id-twice": Case(items(FUNCTION, FUNCTION, OUTPUT, OUTPUT)),
    "call-without-output": Case(items(FUNCTION)),
    "output-of-no-call": Case(items(OUTPUT)),
    "output-without-call-id": Case(items(FUNCTION, without(OUTPUT, "call_id")), "input[2].call_id"),
    "no-output": Case(items(FUNCTION, without(OUTPUT, "output")), "input[2].output"),
    "output-of-another-type": Case(items(FUNCTION, {**OUTPUT, "output": 5}), "input[2].output"),
    "empty-output": Case(items(FUNCTION, {**OUTPUT, "output": []})),
    "unknown-part-in-an-output": Case(items(FUNCTION, {**OUTPUT, "output": [{"type": "x"}]}), "input[2].output[0]"),
    "free-text-of-another-type": Case(
        items({"type": "custom_tool_call", "call_id": "c", "name": "run", "input": 5}), f"{_I}.input"
    ),
    "shell-without-action": Case(
        items({"type": "local_shell_call", "id": "i", "call_id": "c", "action": 5}), f"{_I}.action"
    ),
    "shell-with-an-odd-action": Case(
        items(
            {"type": "shell_call", "call_id": "c", "action": {"commands": "ls"}},
            {"type": "shell_call_output", "call_id": "c", "output": [5]},
        )
    ),
    "patch-without-operation": Case(items({"type": "apply_patch_call", "call_id": "c"}), f"{_I}.operation"),
    "patch-that-nobody-answered": Case(items({"type": "apply_patch_call_output", "call_id": "c"}), f"{_I}.status"),
    "summary-of-another-type": Case(items({"type": "reasoning", "summary": 5}), f"{_I}.summary"),
    "summary-that-is-none": Case(items({"type": "reasoning", "summary": [5]}), f"{_I}.summary[0].text"),
    "sealed-with-a-number": Case(
        items({"type": "reasoning", "summary": [], "encrypted_content": 5}), f"{_I}.encrypted_content"
    ),
    "reasoning-of-nothing": Case(items({"type": "reasoning"})),
    "a-seal-of-an-object": Case(
        items(
            {
                "type": "reasoning",
                "summary": [],
                "encrypted_content": 'setpoint:["messages","encrypted","f","",{"a":1}]',
            },
            {"role": "assistant", "content": "so"},
        ),
        sealed=True,
    ),
    "a-seal-of-a-number": Case(
        items(
            {"type": "reasoning", "summary": [], "encrypted_content": 'setpoint:["chat","encrypted","f","",5]'},
            {"role": "assistant", "content": "so"},
        ),
        sealed=True,
    ),
    "refusal-of-another-type": Case(
        items({"role": "assistant", "content": [{"type": "refusal", "refusal": 5}]}), f"{_C0}.refusal"
    ),
    "annotations-that-are-none": Case(
        items({"role": "assistant", "content": [{"type": "output_text", "text": "x", "annotations": [5, {}]}]})
    ),
    "image-made-that-is-none": Case(items({"type": "image_generation_call", "result": 5}), _I),
    "image-that-was-made": Case(items({"type": "image_generation_call", "result": "AAAA"}), differs={"messages": _I}),
    "stored-prompt": Case({"prompt": {"id": "x"}, "input": "x"}, "prompt"),
}

# --- what upstreams may be sent ------------------------------------------------------------------------------

_CALL_ID = re.compile(r"[A-Za-z0-9_-]+")
_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def check_sent(dialect: Dialect, sent: Mapping[str, Any]) -> None:
    """Hold that the conversation which an upstream got is one that its dialect allows."""
    match dialect:
        case "chat":
            for message in sent["messages"]:
                _check_chat_message(message)
        case "messages":
            roles = [message["role"] for message in sent["messages"]]
            assert set(roles) <= {"user", "assistant", "system"}
            assert all(role != following for role, following in pairwise(roles)), "roles alternate"
            assert sent["max_tokens"] > 0
            for message in sent["messages"]:
                _check_blocks(message["content"], empty=False)
        case "responses":
            assert sent["store"] is False
            for item in sent["input"]:
                _check_item(item)


def _check_chat_message(message: Any) -> None:
    role, content = message["role"], message["content"]
    assert role in ("system", "developer", "user", "assistant", "tool")
    assert isinstance(content, str | list) or (role == "assistant" and message.get("tool_calls"))
    for part in cast("list[Any]", content) if isinstance(content, list) else ():
        types = {"text": str, "image_url": dict, "file": dict, "input_audio": dict, "video_url": dict, "refusal": str}
        assert isinstance(part[part["type"]], types[part["type"]])
    for call in message.get("tool_calls", ()):
        assert (call["type"], type(call["id"])) == ("function", str)
        assert _TOOL_NAME.fullmatch(call["function"]["name"])
        assert isinstance(call["function"]["arguments"], str)
    for detail in message.get("reasoning_details", ()):
        said = [detail[name] for name in ("text", "summary", "data", "signature") if name in detail]
        assert said
        assert all(isinstance(it, str) for it in said)
    if role == "tool":
        assert isinstance(message["tool_call_id"], str)


def _check_blocks(content: Any, *, empty: bool = True) -> None:
    assert content or empty
    if isinstance(content, str):
        return
    for block in content:
        match block["type"]:
            case "text":
                assert block["text"].strip()
            case "image" | "document":
                assert block["source"]["type"] in ("base64", "url", "file", "text")
            case "tool_use":
                assert _CALL_ID.fullmatch(block["id"])
                assert _TOOL_NAME.fullmatch(block["name"])
                assert isinstance(block["input"], dict)
            case "tool_result":
                assert _CALL_ID.fullmatch(block["tool_use_id"])
                _check_blocks(block.get("content", ""))
            case "thinking":
                assert isinstance(block["thinking"], str)
                assert isinstance(block["signature"], str)
            case kind:
                assert kind == "redacted_thinking"
                assert isinstance(block["data"], str)


def _check_item(item: Any) -> None:
    match item["type"]:
        case "message":
            kinds = ("output_text", "refusal") if item["role"] == "assistant" else ("input_",)
            assert item["content"]
            assert all(part["type"].startswith(kinds) for part in item["content"])
        case "reasoning":
            assert isinstance(item["summary"], list)
            said = [item[name] for name in ("encrypted_content", "signature", "id", "format") if name in item]
            assert all(isinstance(it, str) for it in said)
        case "function_call_output":
            assert isinstance(item["call_id"], str)
            assert isinstance(item["output"], str | list)
        case kind:
            assert kind == "function_call"
            assert _TOOL_NAME.fullmatch(item["name"])
            assert isinstance(item["call_id"], str)
            assert isinstance(item["arguments"], str)


# --- in front of every dialect -------------------------------------------------------------------------------

CASES = [
    pytest.param(skin, case, id=f"{skin}-{name}")
    for skin, cases in (("chat", CHAT), ("messages", MESSAGES), ("responses", RESPONSES))
    for name, case in cases.items()
]


@pytest.mark.parametrize(("skin", "case"), CASES)
def test_a_bad_conversation_is_said_as_the_dialect_allows_or_refused_by_its_path(
    front: SkinsFront, skin: Dialect, case: Case
) -> None:
    for dialect in SKINS:
        front.simulator.forget_requests()
        answer = front.post(skin, f"at/{dialect}", refusable=True, **case.fields)
        path = case.differs.get(dialect, case.path)
        if path is not None and (case.at_the_door or dialect != skin):
            assert refused(skin, answer, path)[0] == "invalid_request"
            assert front.simulator.requests() == []
            continue
        assert answer.status == 200, answer.body
        sent = front.upstream()
        assert b"setpoint:" not in sent.body, "a seal goes to its maker as it was made"
        if dialect != skin:
            check_sent(dialect, sent.json())
        elif not case.sealed:
            assert {name: sent.json()[name] for name in case.fields} == case.fields, "nothing of it is touched"
        assert front.record(answer)["status"] == "completed"


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize("stream", [False, True])
def test_an_endpoint_of_the_skins_own_protocol_takes_what_another_could_not_be_told(
    front: SkinsFront, skin: Dialect, stream: bool
) -> None:
    """What cannot be said to the first endpoint is no failure of the request as long as there is another."""
    fields = {
        "chat": user({"type": "hologram"}),
        "messages": asked({"type": "hologram"}),
        "responses": items({"type": "hologram"}),
    }[skin]
    for other in SKINS:
        if other == skin:
            continue
        front.simulator.forget_requests()
        answer = front.post(skin, f"{other}-{skin}/model", stream=stream, **fields)
        assert answer.status == 200, answer.body
        assert front.reached() == [skin]
        assert json.dumps("hologram").encode() in front.upstream().body
