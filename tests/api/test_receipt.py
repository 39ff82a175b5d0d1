"""The receipt of a capture over HTTP: beside an answer that is what it was, and true of the use that follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.api_support import SKINS, USER, fresh
from api.skins_support import ROUTES, least
from api.skins_support import SKINS as DIALECTS

if TYPE_CHECKING:
    from setpoint.records import Dialect
    from simulator.client import Simulator
    from support.http import Answer
    from support.processes import Gateway

CHAT = SKINS[0]
DATETIME = {"type": "openrouter:datetime"}


def captured(gateway: Gateway, body: Any, skin: str = CHAT, slug: str | None = None) -> dict[str, Any]:
    answer = gateway.call("POST", f"/presets/{slug or fresh()}/{skin}", body)
    assert answer.status == 200, answer.body
    return answer.json()


def warned(gateway: Gateway, body: Any, skin: str = CHAT) -> list[tuple[str, str]]:
    return [(one["code"], one["path"]) for one in captured(gateway, body, skin)["receipt"]["warnings"]]


def use(gateway: Gateway, slug: str) -> Answer:
    return gateway.call("POST", "/chat/completions", {"model": f"@preset/{slug}", "messages": [USER]})


@pytest.mark.parametrize("skin", SKINS)
def test_it_stands_beside_the_data_in_every_skin(gateway: Gateway, simulator: Simulator, skin: str) -> None:
    slug = fresh()
    answer = captured(gateway, {"model": "sim/solo", "temperature": 1, "stream": None, "x": 1}, skin, slug)
    assert answer.keys() == {"data", "receipt"}
    assert answer["data"] == gateway.call("GET", f"/presets/{slug}").json()["data"]
    assert answer["receipt"] == {
        "fields": [
            {"path": "/model", "outcome": "stored"},
            {"path": "/temperature", "outcome": "stored"},
            {"path": "/stream", "outcome": "null_ignored"},
            {"path": "/x", "outcome": "unknown"},
        ],
        "warnings": [],
        "diff": None,
    }
    assert simulator.requests() == []


def test_the_diff_is_to_the_version_that_was_designated_before(gateway: Gateway) -> None:
    slug = fresh()
    captured(gateway, {"model": "sim/solo", "temperature": 1}, slug=slug)
    captured(gateway, {"model": "sim/solo", "temperature": 2}, slug=slug)
    gateway.call("POST", f"/presets/{slug}/versions/1/designate", {})
    body = {"model": "sim/solo", "temperature": 1, "system": "Be brief."}
    assert captured(gateway, body, "messages", slug)["receipt"]["diff"] == {
        "from": 1,
        "to": 3,
        "system_prompt": {"before": None, "after": "Be brief."},
        "config": [],
    }
    (change,) = captured(gateway, {"model": "sim/model", "temperature": 1.0}, slug=slug)["receipt"]["diff"]["config"]
    assert change == {"path": "/model", "op": "replace", "before": "sim/solo", "after": "sim/model"}


# --- what is warned of and what then becomes of it ------------------------------------------------------------


def test_a_model_that_does_not_exist_is_a_warning_and_an_error_when_it_is_used(gateway: Gateway) -> None:
    slug = fresh()
    (warning,) = captured(gateway, {"model": "nobody/gone"}, slug=slug)["receipt"]["warnings"]
    assert warning == {"code": "model_unknown", "path": "/model", "message": "nobody/gone is not a valid model ID"}
    refused = use(gateway, slug)
    assert refused.status == 400
    assert refused.json()["error"]["message"] == warning["message"]


def test_what_the_model_is_not_told_is_a_warning_and_named_when_it_is_used(gateway: Gateway) -> None:
    slug = fresh()
    tools = [{"type": "function", "function": {"name": "f"}}, DATETIME]
    body = {"model": "sim/solo", "tools": tools, "plugins": [{"id": "web"}]}
    told = captured(gateway, body, slug=slug)["receipt"]["warnings"]
    assert {(one["code"], one["path"]) for one in told} == {
        ("tool_unsupported", "/plugins/0"),
        ("tool_unsupported", "/tools/1"),
    }
    assert set((use(gateway, slug).header("x-setpoint-unsaid") or "").split(",")) == {one["path"] for one in told}
    assert warned(gateway, {"model": "tools/any", "tools": tools}) == []


def test_a_forced_tool_that_cannot_be_said_is_a_warning_and_an_error_when_it_is_used(gateway: Gateway) -> None:
    slug = fresh()
    body = {"model": "sim/solo", "tools": [DATETIME], "tool_choice": "required"}
    (warning,) = captured(gateway, body, slug=slug)["receipt"]["warnings"]
    assert (warning["code"], warning["path"]) == ("tool_unsupported", "/tool_choice")
    refused = use(gateway, slug)
    assert refused.status == 400
    assert refused.json()["error"]["message"] in warning["message"]


@pytest.mark.parametrize("skin", DIALECTS)
def test_a_warning_of_a_parameter_is_what_explain_says_of_the_preset(gateway: Gateway, skin: Dialect) -> None:
    slug = fresh()
    body = {
        "chat": {"temperature": 1, "top_k": 5, "stop": "END", "reasoning_effort": "low"},
        "messages": {"temperature": 1, "top_k": 5, "stop_sequences": ["END"], "thinking": {"type": "adaptive"}},
        "responses": {"temperature": 1, "top_k": 5, "text": {"verbosity": "low"}, "truncation": "auto"},
    }[skin]
    answer = captured(gateway, {"model": "few/model", **body}, ROUTES[skin].strip("/"), slug)
    told = {one["path"] for one in answer["receipt"]["warnings"] if one["code"] == "parameter_unsupported"}
    asked = gateway.call("POST", f"/explain{ROUTES[skin]}", least(skin, model=f"@preset/{slug}"))
    (unsaid,) = asked.json()["data"]["unsaid"].values()
    if skin == "chat":  # the preset has it under its own name, the body by the shorthand
        unsaid = ["/reasoning_effort" if at == "/reasoning" else at for at in unsaid]
    assert told == set(unsaid)
    assert "/top_k" in told


def test_a_bad_schema_a_duplicate_and_a_reference_are_warned_of(gateway: Gateway) -> None:
    slug = fresh()
    captured(gateway, {"model": "few/model", "min_p": 0.1}, slug=slug)
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "objct"}}}
    body = {"model": f"sim/solo@preset/{slug}", "tools": [tool, tool]}
    assert warned(gateway, body) == [
        ("preset_resolved", "/model"),
        ("tool_duplicate", "/tools/0"),
        ("tool_schema_invalid", "/tools/1/function/parameters/type"),
    ]
    body = {"preset": slug, "top_k": 5}
    assert warned(gateway, body) == [
        ("preset_resolved", "/preset"),
        ("parameter_unsupported", "/preset"),
        ("parameter_unsupported", "/top_k"),
    ]


def test_a_secret_in_a_prompt_is_warned_of_and_appears_in_no_log(gateway: Gateway) -> None:
    secret = "sk-proj-4f9a0c71d2e85b36aa90bc1244d0"
    body = {"messages": [{"role": "system", "content": f"Use {secret} to call."}]}
    (warning,) = captured(gateway, body)["receipt"]["warnings"]
    assert (warning["code"], warning["path"]) == ("looks_like_secret", "/messages")
    assert secret not in warning["message"]
    assert secret not in gateway.log_text()
