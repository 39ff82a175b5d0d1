"""Tools and plugins that an endpoint cannot be told of: left out and named, sent elsewhere, or refused when forced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from faults.faults_support import Front, endpoint, error_of, front_of_gateway, in_line, provider, serving
from faults.forwarding_support import PLAIN, sent, unsaid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator
    from support.processes import Gateway

FUNCTION: dict[str, Any] = {
    "type": "function",
    "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}},
}
SEARCH = {"type": "openrouter:web_search"}
NAMED = {"type": "function", "function": {"name": "look_up"}}


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    served = {"provider": "serving", "model": "m"}
    more = {
        "plain/then-serving": {"endpoints": in_line(endpoint("alpha"), served)},
        "serving/model": {"endpoints": [served]},
    }
    told = {"serving": provider(simulator_process.origin, "gamma", server_tools=True)}
    with serving(tmp_path_factory, simulator_process, more_providers=told, more_models=more) as gateway:
        yield gateway


front = front_of_gateway


def test_a_tool_that_cannot_be_said_is_left_out_and_named_by_its_place(front: Front) -> None:
    tools = [SEARCH, FUNCTION, {"type": "openrouter:datetime"}]
    assert sent(front, tools=tools, tool_choice="auto") == {**PLAIN, "tools": [FUNCTION], "tool_choice": "auto"}
    assert unsaid(front, "solo/alpha", tools=tools) == ["/tools/0", "/tools/2"]
    assert sent(front, tools=tools, tool_choice="required")["tools"] == [FUNCTION]


@pytest.mark.parametrize("choice", ["auto", "none", None])
def test_when_no_tool_is_left_the_choice_goes_too(front: Front, choice: str | None) -> None:
    assert sent(front, tools=[SEARCH], tool_choice=choice) == PLAIN
    assert unsaid(front, "solo/alpha", tools=[SEARCH], tool_choice=choice) == ["/tools/0"]


FORCED: dict[str, tuple[list[dict[str, Any]], Any]] = {
    "the-only-one": ([SEARCH], "required"),
    "the-only-ones": ([SEARCH, {"type": "openrouter:datetime"}], "required"),
    "by-its-type": ([SEARCH], {"type": "openrouter:web_search"}),
    "by-its-type-beside-others": ([FUNCTION, SEARCH], {"type": "openrouter:web_search"}),
    "by-its-short-name": ([{"type": "web_search"}], {"type": "openrouter:web_search"}),
    "of-a-type-that-chat-lacks": ([{"type": "mcp", "server_label": "s"}], "required"),
}


@pytest.mark.parametrize(("tools", "choice"), FORCED.values(), ids=FORCED)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_tool_that_must_be_called_and_cannot_be_said_is_refused(
    front: Front, tools: list[dict[str, Any]], choice: Any, streamed: bool
) -> None:
    answer = front.ask(tools=tools, tool_choice=choice, stream=streamed, recorded=False)
    error = error_of(answer)
    assert answer.status == 400
    assert (error["metadata"]["error_type"], error["metadata"]["reason"]) == ("invalid_request", "unsupported")
    assert [tool["type"] for tool in tools if tool["type"] in error["message"]]
    assert front.simulator.requests() == []


def test_a_forced_tool_goes_to_the_endpoint_that_can_be_told(front: Front) -> None:
    body = sent(front, "plain/then-serving", tools=[SEARCH], tool_choice="required")
    assert (body["tools"], body["tool_choice"]) == ([SEARCH], "required")
    assert front.reached() == ["gamma"]


def test_a_provider_that_takes_server_tools_gets_them_as_they_are(front: Front) -> None:
    tools = [{**SEARCH, "parameters": {"max_results": 3}}, FUNCTION]
    assert sent(front, "serving/model", tools=tools)["tools"] == tools
    assert unsaid(front, "serving/model", tools=tools) == []


def test_a_function_that_is_named_keeps_its_choice_beside_one_that_cannot_be_said(front: Front) -> None:
    body = sent(front, tools=[SEARCH, FUNCTION], tool_choice=NAMED)
    assert (body["tools"], body["tool_choice"]) == ([FUNCTION], NAMED)


def test_a_plugin_that_is_not_run_is_named_by_its_place(front: Front) -> None:
    plugins = [{"id": "web"}, {"id": "response-healing", "enabled": False}, {"id": "file-parser"}]
    assert unsaid(front, "solo/alpha", plugins=plugins) == ["/plugins/0", "/plugins/2"]
    assert sent(front, plugins=plugins) == PLAIN


@pytest.mark.parametrize("field", [{"tools": [{"type": "openrouter:nothing"}]}, {"plugins": [{"id": "nothing"}]}])
def test_a_tool_or_plugin_that_nobody_knows_is_refused(front: Front, field: dict[str, Any]) -> None:
    assert front.ask(recorded=False, **field).status == 400
    assert front.simulator.requests() == []
