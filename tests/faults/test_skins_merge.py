"""A preset of any skin under a request of any skin, in front of any dialect: the edges of the merge, seen upstream."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from api.api_support import fresh
from api.skins_support import PAIRS, ROUTES, SKINS
from faults.faults_support import HANG_S, PROMPT
from faults.skins_faults_support import SkinsFront, skins_front, skins_gateway, skins_serving
from support.http import call
from support.processes import KEY, Gateway

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from setpoint.records import Dialect
    from simulator.client import Simulator

gateway = skins_gateway
front = skins_front

everywhere = pytest.mark.parametrize(("captured", "skin", "dialect"), [*product(SKINS, SKINS, SKINS)])
"""A preset captured from each skin, under a request of each, in front of each dialect."""

CONVERSATION = ("messages", "input", "system", "instructions")
LIMIT: dict[Dialect, str] = {"chat": "max_tokens", "messages": "max_tokens", "responses": "max_output_tokens"}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}


def captured_as(gateway: Gateway, skin: Dialect, **fields: Any) -> str:
    """The slug of a preset that was made from a body of this skin."""
    slug = fresh("merge")
    answer = call("POST", f"{gateway.url}/presets/{slug}{ROUTES[skin]}", fields, key=KEY, timeout_s=HANG_S)
    assert answer.status == 200, answer.body
    return slug


def merged(front: SkinsFront, skin: Dialect, dialect: Dialect, slug: str, **request: Any) -> dict[str, Any]:
    """What the upstream gets of a request under which this preset lies, but for what the gateway sets itself."""
    front.simulator.forget_requests()
    answer = front.post(skin, f"at/{dialect}@preset/{slug}", **request)
    assert answer.status == 200, answer.body
    assert answer.header("x-setpoint-preset") == f"{slug}@1"
    sent = front.upstream().json()
    return {name: content for name, content in sent.items() if name not in ("model", "stream", "store")}


def settings_of(sent: dict[str, Any]) -> dict[str, Any]:
    """The same without the conversation."""
    return {name: content for name, content in sent.items() if name not in CONVERSATION}


def function(skin: Dialect, name: str, text: str) -> dict[str, Any]:
    """A tool in the form of a skin."""
    match skin:
        case "chat":
            inside = {"name": name, "description": text, "parameters": SCHEMA}
            return {"type": "function", "function": inside}
        case "messages":
            return {"name": name, "description": text, "input_schema": SCHEMA}
        case "responses":
            return {"type": "function", "name": name, "description": text, "parameters": SCHEMA}


def told_tools(sent: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and description of each tool that an upstream gets, whatever its form."""
    tools = [tool.get("function") or tool for tool in sent["tools"]]
    return [(tool["name"], tool["description"]) for tool in tools]


# --- any preset, any request, any dialect --------------------------------------------------------------------


@everywhere
def test_null_is_as_if_it_were_not_there(front: SkinsFront, captured: Dialect, skin: Dialect, dialect: Dialect) -> None:
    tools = [function(captured, "look", "old")]
    slug = captured_as(front.gateway, captured, **{"temperature": 0.25, LIMIT[captured]: 77, "tools": tools})
    absent = merged(front, skin, dialect, slug)
    null = dict.fromkeys((LIMIT[skin], "temperature", "tools", "tool_choice", "top_p", "x_new"))
    assert merged(front, skin, dialect, slug, **null) == absent
    assert (absent["temperature"], absent[LIMIT[dialect]]) == (0.25, 77)
    assert told_tools(absent) == [("look", "old")]
    zero = merged(front, skin, dialect, slug, temperature=0)
    assert (zero["temperature"], zero[LIMIT[dialect]]) == (0, 77)


@everywhere
def test_a_tool_of_the_same_name_takes_its_place_whatever_its_form(
    front: SkinsFront, captured: Dialect, skin: Dialect, dialect: Dialect
) -> None:
    old = [function(captured, name, "old") for name in ("first", "look", "last")]
    slug = captured_as(front.gateway, captured, tools=old)
    new = [function(skin, name, "new") for name in ("look", "Look")]
    expected = [("first", "old"), ("look", "new"), ("last", "old"), ("Look", "new")]
    assert told_tools(merged(front, skin, dialect, slug, tools=new)) == expected
    nothing = merged(front, skin, dialect, slug, tools=[])
    assert told_tools(nothing) == [(name, "old") for name in ("first", "look", "last")], "a union removes nothing"


STOP: dict[Dialect, str] = {"chat": "stop", "messages": "stop_sequences", "responses": "stop"}


@everywhere
def test_a_list_of_the_request_replaces_the_presets_also_when_it_is_empty(
    front: SkinsFront, captured: Dialect, skin: Dialect, dialect: Dialect
) -> None:
    slug = captured_as(front.gateway, captured, **{STOP[captured]: ["A", "B"]})
    assert merged(front, skin, dialect, slug)[STOP[dialect]] == ["A", "B"]
    assert merged(front, skin, dialect, slug, **{STOP[skin]: ["C"]})[STOP[dialect]] == ["C"]
    assert merged(front, skin, dialect, slug, **{STOP[skin]: []})[STOP[dialect]] == []


# --- the system prompt ---------------------------------------------------------------------------------------


def prompted(skin: Dialect, *texts: str) -> dict[str, Any]:
    """The fields of a body that begins with these texts as its own system prompt."""
    turn = {"role": "user", "content": PROMPT}
    match skin:
        case "chat":
            return {"messages": [*({"role": "system", "content": text} for text in texts), turn]}
        case "messages":
            return {"system": [{"type": "text", "text": text} for text in texts], "messages": [turn]}
        case "responses":
            return {"instructions": "\n\n".join(texts), "input": [turn]}


def told_prompt(dialect: Dialect, sent: dict[str, Any]) -> str:
    """The system prompt that an upstream gets; there is one user message behind it, and nothing else."""
    match dialect:
        case "chat":
            *system, user = sent["messages"]
            assert user["role"] == "user"
            texts = [message["content"] for message in system]
        case "messages":
            system = sent.get("system", [])
            texts = [system] if isinstance(system, str) else [block["text"] for block in system]
            assert [message["role"] for message in sent["messages"]] == ["user"]
        case "responses":
            texts = [sent["instructions"]] if sent.get("instructions") else []
            items = sent["input"]
            assert isinstance(items, str) or [item["role"] for item in items] == ["user"]
    return "\n\n".join(text.strip("\n") for text in texts)


@everywhere
def test_a_system_prompt_fills_the_place_that_a_request_leaves_empty(
    front: SkinsFront, captured: Dialect, skin: Dialect, dialect: Dialect
) -> None:
    slug = captured_as(front.gateway, captured, **prompted(captured, "House", "rules."))
    empty = {"messages": {"system": ""}, "responses": {"instructions": ""}, "chat": {}}[skin]
    for request in ({}, {"system": None, "instructions": None}, empty):
        assert told_prompt(dialect, merged(front, skin, dialect, slug, **request)) == "House\n\nrules."
    own = prompted(skin, "Mine.")
    assert told_prompt(dialect, merged(front, skin, dialect, slug, **own)) == "Mine."


@pytest.fixture(scope="module")
def prepending(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that puts a preset's system prompt in front of the request's."""
    with skins_serving(tmp_path_factory, simulator_process, system_prompt_merge="prepend") as gateway:
        yield gateway


@pytest.fixture
def house(prepending: Gateway, simulator: Simulator) -> Generator[SkinsFront]:
    front = SkinsFront(prepending, simulator)
    yield front
    front.verify()


@everywhere
def test_house_rules_stand_in_front_where_that_is_wanted(
    house: SkinsFront, captured: Dialect, skin: Dialect, dialect: Dialect
) -> None:
    slug = captured_as(house.gateway, captured, **prompted(captured, "House."))
    for own, expected in (((), "House."), (("Mine.",), "House.\n\nMine."), (("My", "own."), "House.\n\nMy\n\nown.")):
        answer = house.post(skin, f"at/{dialect}@preset/{slug}", **prompted(skin, *own))
        assert answer.status == 200, answer.body
        assert answer.header("x-setpoint-system-prompt") is None
        assert told_prompt(dialect, house.upstream().json()) == expected
        assert house.record(answer)["system_prompt_from"] == ("both" if own else "preset")
        house.simulator.forget_requests()


@pytest.mark.parametrize(("skin", "dialect"), PAIRS)
def test_a_displaced_system_prompt_is_told_of(front: SkinsFront, skin: Dialect, dialect: Dialect) -> None:
    slug = captured_as(front.gateway, "chat", **prompted("chat", "House."))
    for own, told in ((prompted(skin, "Mine."), "request"), ({}, None)):
        answer = front.post(skin, f"at/{dialect}@preset/{slug}", **own)
        assert answer.header("x-setpoint-system-prompt") == told
        assert front.record(answer)["system_prompt_from"] == (told or "preset")


def test_system_words_that_are_no_system_prompt_of_the_skin_displace_nothing(front: SkinsFront) -> None:
    slug = captured_as(front.gateway, "chat", **prompted("chat", "House."))
    late = [{"role": "system", "content": "Late."}, {"role": "user", "content": PROMPT}]
    cases: list[tuple[Dialect, dict[str, Any], str]] = [
        ("messages", {"messages": late}, "preset"),
        ("chat", {"messages": [late[1], late[0]]}, "preset"),
        ("responses", {"input": [late[1], late[0]]}, "preset"),
        ("responses", {"input": late}, "request"),
    ]
    for skin, request, place in cases:
        answer = front.post(skin, f"at/{skin}@preset/{slug}", **request)
        assert answer.status == 200, answer.body
        assert front.record(answer)["system_prompt_from"] == place


# --- fields that say the same, and fields that hold several settings ------------------------------------------

JSON_FORMAT: dict[Dialect, Any] = {
    "chat": {
        "response_format": {"type": "json_schema", "json_schema": {"name": "output", "schema": SCHEMA, "strict": True}}
    },
    "messages": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    "responses": {"text": {"format": {"type": "json_schema", "name": "output", "schema": SCHEMA, "strict": True}}},
}
EFFORT: dict[Dialect, Any] = {
    "chat": {"verbosity": "low"},
    "messages": {"output_config": {"effort": "low"}},
    "responses": {"text": {"verbosity": "low"}},
}


def together(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Two settings in one body: the members of a field that both are in."""
    shared = {name: {**first[name], **second[name]} for name in first.keys() & second.keys()}
    return {**first, **second, **shared}


@everywhere
def test_settings_that_share_a_field_stand_side_by_side(
    front: SkinsFront, captured: Dialect, skin: Dialect, dialect: Dialect
) -> None:
    expected = together(EFFORT[dialect], JSON_FORMAT[dialect])
    for below, above in ((EFFORT, JSON_FORMAT), (JSON_FORMAT, EFFORT)):
        slug = captured_as(front.gateway, captured, **below[captured])
        sent = settings_of(merged(front, skin, dialect, slug, **above[skin]))
        assert {name: sent[name] for name in expected} == expected
    slug = captured_as(front.gateway, captured, **expected_of(captured))
    louder = {"chat": {"verbosity": "max"}, "messages": {"output_config": {"effort": "max"}}}.get(
        skin, {"text": {"verbosity": "max"}}
    )
    sent = settings_of(merged(front, skin, dialect, slug, **louder))
    said = (
        sent["verbosity"]
        if dialect == "chat"
        else sent["output_config"]["effort"]
        if dialect == "messages"
        else sent["text"]["verbosity"]
    )
    assert said == "max"
    assert "low" not in str(sent)


def expected_of(skin: Dialect) -> dict[str, Any]:
    """Both settings in one body of a skin."""
    return together(EFFORT[skin], JSON_FORMAT[skin])


Golden = tuple["Dialect", dict[str, Any], "Dialect", dict[str, Any], dict[str, Any]]
"""The preset's skin and fields, the request's skin and fields, and what an upstream of that skin gets."""

ONE: dict[str, Any] = {"parallel_tool_calls": False}
NAMED = {"type": "function", "function": {"name": "look"}}
GOLDEN: dict[str, Golden] = {
    "one-call-at-a-time-beside-a-choice": (
        *("chat", ONE),
        *("messages", {"tool_choice": {"type": "any"}}),
        {"tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
    ),
    "a-choice-that-says-so-itself": (
        *("chat", ONE),
        *("messages", {"tool_choice": {"type": "auto", "disable_parallel_tool_use": False}}),
        {"tool_choice": {"type": "auto", "disable_parallel_tool_use": False}},
    ),
    "no-call-at-all": (
        *("chat", ONE),
        *("messages", {"tool_choice": {"type": "none"}}),
        {"tool_choice": {"type": "none"}},
    ),
    "a-choice-of-the-presets-beside-nothing": (
        *("messages", {"tool_choice": {"type": "tool", "name": "look", "disable_parallel_tool_use": True}}),
        *("messages", {}),
        {"tool_choice": {"type": "tool", "name": "look", "disable_parallel_tool_use": True}},
    ),
    "a-choice-of-messages-under-chat": (
        *("messages", {"tool_choice": {"type": "tool", "name": "look", "disable_parallel_tool_use": True}}),
        *("chat", {"tool_choice": "auto"}),
        {"tool_choice": "auto", "parallel_tool_calls": False},
    ),
    "a-choice-of-responses-under-messages": (
        *("responses", {"tool_choice": {"type": "function", "name": "look"}, "parallel_tool_calls": False}),
        *("messages", {}),
        {"tool_choice": {"type": "tool", "name": "look", "disable_parallel_tool_use": True}},
    ),
    "a-choice-of-chat-under-responses": (
        *("chat", {"tool_choice": NAMED}),
        *("responses", {"parallel_tool_calls": True}),
        {"tool_choice": {"type": "function", "name": "look"}, "parallel_tool_calls": True},
    ),
    "thinking-displaces-reasoning": (
        *("chat", {"reasoning": {"effort": "high", "exclude": True}}),
        *("messages", {"thinking": {"type": "disabled"}}),
        {"thinking": {"type": "disabled"}},
    ),
    "reasoning-displaces-thinking": (
        *("messages", {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
        *("responses", {"reasoning": {"effort": "low"}}),
        {"reasoning": {"effort": "low"}},
    ),
    "a-limit-displaces-a-limit": (
        *("chat", {"max_tokens": 9, "max_completion_tokens": 8}),
        *("responses", {"max_output_tokens": 5}),
        {"max_output_tokens": 5},
    ),
    "task-budget-beside-an-effort": (
        *("messages", {"output_config": {"effort": "low", "task_budget": {"type": "tokens", "total": 20_000}}}),
        *("messages", {"output_config": {"effort": "high"}}),
        {"output_config": {"effort": "high", "task_budget": {"type": "tokens", "total": 20_000}}},
    ),
    "an-empty-object-displaces-nothing-inside-it": (
        *("chat", {"verbosity": "low"}),
        *("messages", {"output_config": {}}),
        {"output_config": {"effort": "low"}},
    ),
    "nor-does-an-empty-text": ("chat", {"verbosity": "low"}, "responses", {"text": {}}, {"text": {"verbosity": "low"}}),
    "an-object-that-holds-one-setting-goes-whole": (
        *("chat", {"reasoning": {"effort": "high", "summary": "auto"}}),
        *("responses", {"reasoning": {"summary": None}}),
        {"reasoning": {"summary": None}},
    ),
}


@pytest.mark.parametrize(("captured", "fields", "skin", "request_", "arrives"), GOLDEN.values(), ids=GOLDEN)
def test_golden_merges(
    front: SkinsFront,
    captured: Dialect,
    fields: dict[str, Any],
    skin: Dialect,
    request_: dict[str, Any],
    arrives: dict[str, Any],
) -> None:
    tools: dict[str, Any] = {"tools": [function(captured, "look", "old")]} if "tool" in str((fields, request_)) else {}
    slug = captured_as(front.gateway, captured, **{**tools, **fields})
    sent = settings_of(merged(front, skin, skin, slug, **request_))
    sent.pop("tools", None)
    if skin == "messages":
        sent.pop("max_tokens")  # it has a limit in any case
    assert sent == arrives
