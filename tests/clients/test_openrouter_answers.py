"""The official `openrouter` client on chat and on responses, in front of an upstream of each dialect.

Its types are strict, of streams too: an answer that lacks one documented member raises inside the client.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from openrouter import OpenRouter
from openrouter.components import ChatResult, OpenResponsesResult

from clients.heard import tools_heard
from clients.said import Said, Tokens
from clients.scenes import (
    HEARD_FIRST,
    HEARD_SECOND,
    LOOKS,
    QUESTION,
    STOPS,
    SYSTEM,
    TELLS,
    THINKS,
    TOOL_DESCRIPTION,
    TOOL_NAME,
    TOOL_SCHEMA,
    Facts,
    cost,
    expected,
    run_tool,
)
from support.sdk import held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clients.pair import Pair
    from support.processes import Gateway

ASKED: list[Any] = [{"role": "user", "content": QUESTION}]
MESSAGES: list[Any] = [{"role": "system", "content": SYSTEM}, *ASKED]
FUNCTION: dict[str, Any] = {
    "name": TOOL_NAME,
    "description": TOOL_DESCRIPTION,
    "parameters": TOOL_SCHEMA,
    "strict": True,
}
EVERY_ANSWER = pytest.mark.parametrize("said", [THINKS, LOOKS, STOPS], ids=["thinks", "looks", "stops"])
BOTH_WAYS = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def client(pairs_gateway: Gateway) -> Iterator[OpenRouter]:
    # Without its retries: it would repeat every 5XX for an hour.
    with held(OpenRouter(api_key=pairs_gateway.key, server_url=pairs_gateway.url, retry_config=None)) as made:
        yield made


# --- chat ----------------------------------------------------------------------------------------------------


@EVERY_ANSWER
def test_openrouter_chat_sent(pair: Pair, client: OpenRouter, said: Said) -> None:
    pair.says(said)
    answer = client.chat.send(model=pair.model, messages=MESSAGES, stream=False)
    assert isinstance(answer, ChatResult)
    assert chat_facts(answer) == expected("chat", said)
    assert answer.model == pair.model
    assert answer.usage is not None
    assert answer.usage.cost == pytest.approx(cost(said.tokens))
    assert pair.heard() == [HEARD_FIRST]


@EVERY_ANSWER
def test_openrouter_chat_streamed(pair: Pair, client: OpenRouter, said: Said) -> None:
    pair.says(said, streamed=True)
    with client.chat.send(model=pair.model, messages=MESSAGES, stream=True) as events:
        chunks: list[Any] = list(events)
    assert len({(chunk.id, chunk.model) for chunk in chunks}) == 1
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices) == said.text
    thought = "".join(choice.delta.reasoning or "" for choice in choices)
    assert thought == (said.thought.text if said.thought else "")
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == [expected("chat", said).stop]
    assert [chat_tokens(chunk.usage) for chunk in chunks if chunk.usage] == [said.tokens]
    assert [chunk.error for chunk in chunks if chunk.error] == []


def test_openrouter_chat_tool_loop(pair: Pair, client: OpenRouter) -> None:
    pair.says(LOOKS, TELLS)
    tools: list[Any] = [{"type": "function", "function": FUNCTION}]
    messages = [*MESSAGES]
    first = client.chat.send(model=pair.model, messages=messages, tools=tools, stream=False)
    assert isinstance(first, ChatResult)
    messages.append(first.choices[0].message)
    messages += [
        {"role": "tool", "tool_call_id": call.id, "content": run_tool(call.function.arguments)}
        for call in first.choices[0].message.tool_calls or []
    ]
    second = client.chat.send(model=pair.model, messages=messages, tools=tools, stream=False)
    assert isinstance(second, ChatResult)
    assert chat_facts(second) == expected("chat", TELLS)
    assert pair.heard() == [HEARD_FIRST, HEARD_SECOND]
    for sent in pair.bodies():
        assert tools_heard(pair.dialect, sent) == {TOOL_NAME: TOOL_SCHEMA}


# --- responses -----------------------------------------------------------------------------------------------


@EVERY_ANSWER
def test_openrouter_response_sent(pair: Pair, client: OpenRouter, said: Said) -> None:
    pair.says(said)
    answer = client.responses.send(model=pair.model, input=ASKED, instructions=SYSTEM, stream=False)
    assert isinstance(answer, OpenResponsesResult)
    assert response_facts(answer) == expected("responses", said)
    assert answer.model == pair.model
    usage: Any = answer.usage
    assert usage.cost == pytest.approx(cost(said.tokens))
    assert pair.heard() == [HEARD_FIRST]


@EVERY_ANSWER
def test_openrouter_response_streamed(pair: Pair, client: OpenRouter, said: Said) -> None:
    pair.says(said, streamed=True)
    with client.responses.send(model=pair.model, input=ASKED, instructions=SYSTEM, stream=True) as stream:
        events: list[Any] = list(stream)
    known = {event.type for event in events}
    assert not known & {"UNKNOWN", "error", "response.failed"}
    assert response_facts(events[-1].response) == expected("responses", said)
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == said.text


@BOTH_WAYS
def test_openrouter_response_tool_loop(pair: Pair, client: OpenRouter, *, streamed: bool) -> None:
    pair.says(LOOKS, TELLS, streamed=streamed)
    conversation = [*ASKED]
    first = responded(pair, client, conversation, streamed=streamed)
    items: list[Any] = first.output
    # Its classes of output are not those of input: as plain values they are taken.
    conversation += [item.model_dump(mode="json", by_alias=True) for item in items]
    conversation += [
        {"type": "function_call_output", "call_id": item.call_id, "output": run_tool(item.arguments)}
        for item in items
        if item.type == "function_call"
    ]
    second = responded(pair, client, conversation, streamed=streamed)
    assert response_facts(second) == expected("responses", TELLS)
    assert pair.heard() == [HEARD_FIRST, HEARD_SECOND]


# --- reading -------------------------------------------------------------------------------------------------


def responded(pair: Pair, client: OpenRouter, conversation: list[Any], *, streamed: bool) -> OpenResponsesResult:
    send: Any = client.responses.send
    tools = [{"type": "function", **FUNCTION}]
    asking: Any = {"model": pair.model, "input": conversation, "instructions": SYSTEM, "tools": tools}
    if not streamed:
        return send(**asking, stream=False)
    with send(**asking, stream=True) as stream:
        return list(stream)[-1].response


def chat_facts(answer: ChatResult) -> Facts:
    (choice,) = answer.choices
    calls = choice.message.tool_calls or []
    return Facts(
        text=str(choice.message.content or ""),
        calls=tuple((call.id, call.function.name, compact(call.function.arguments)) for call in calls),
        stop=str(choice.finish_reason),
        tokens=chat_tokens(answer.usage),
    )


def chat_tokens(usage: Any) -> Tokens:
    return Tokens(
        usage.prompt_tokens,
        usage.prompt_tokens_details.cached_tokens,
        usage.completion_tokens,
        usage.completion_tokens_details.reasoning_tokens,
    )


def response_facts(answer: OpenResponsesResult) -> Facts:
    items: list[Any] = answer.output
    usage: Any = answer.usage
    return Facts(
        text="".join(part.text for item in items if item.type == "message" for part in item.content),
        calls=tuple(
            (item.call_id, item.name, compact(item.arguments)) for item in items if item.type == "function_call"
        ),
        stop=answer.status,
        tokens=Tokens(
            usage.input_tokens,
            usage.input_tokens_details.cached_tokens,
            usage.output_tokens,
            usage.output_tokens_details.reasoning_tokens,
        ),
    )


def compact(arguments: str) -> str:
    return json.dumps(json.loads(arguments), ensure_ascii=False, separators=(",", ":"))
