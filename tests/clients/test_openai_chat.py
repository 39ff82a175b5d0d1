"""The official `openai` client on chat completions, in front of an upstream of each dialect."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from openai import APIError, DefaultHttpxClient, OpenAI, RateLimitError
from pydantic import BaseModel

from clients.heard import schema_heard, tools_heard
from clients.said import Said, Tokens
from clients.scenes import (
    HEARD_FIRST,
    HEARD_SECOND,
    LOOKS,
    PARCEL,
    QUESTION,
    STOPS,
    SYSTEM,
    TELLS,
    THINKS,
    THOUGHT,
    TOOL_DESCRIPTION,
    TOOL_NAME,
    TOOL_SCHEMA,
    Facts,
    cost,
    expected,
    run_tool,
    without_thoughts,
)
from support.sdk import HOOKS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from openai.types import CompletionUsage
    from openai.types.chat import ChatCompletion, ChatCompletionChunk

    from clients.pair import Pair
    from support.processes import Gateway

MESSAGES: list[Any] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {"name": TOOL_NAME, "description": TOOL_DESCRIPTION, "parameters": TOOL_SCHEMA, "strict": True},
    }
]


class Parcel(BaseModel):
    number: int
    wet: bool


@pytest.fixture(scope="module")
def client(pairs_gateway: Gateway) -> Iterator[OpenAI]:
    # Its own check of every answer against its own types is off by default, and is why it is a referee here.
    with OpenAI(
        api_key=pairs_gateway.key,
        base_url=pairs_gateway.url,
        max_retries=0,
        http_client=DefaultHttpxClient(event_hooks=HOOKS),
        _strict_response_validation=True,
    ) as made:
        yield made


@pytest.mark.parametrize("said", [THINKS, LOOKS, STOPS], ids=["thinks", "looks", "stops"])
def test_chat_completion_created(pair: Pair, client: OpenAI, said: Said) -> None:
    pair.says(said)
    answer = client.chat.completions.create(model=pair.model, messages=MESSAGES, max_completion_tokens=512)
    assert facts(answer) == expected("chat", said)
    assert answer.model == pair.model
    assert thought_of(answer) == (said.thought.text if said.thought else None)
    assert answer.usage is not None
    assert answer.usage.model_extra is not None
    assert answer.usage.model_extra["cost"] == pytest.approx(cost(said.tokens))
    assert pair.heard() == [HEARD_FIRST]


@pytest.mark.parametrize("said", [THINKS, LOOKS, STOPS], ids=["thinks", "looks", "stops"])
def test_chat_completion_streamed(pair: Pair, client: OpenAI, said: Said) -> None:
    pair.says(said, streamed=True)
    chunks = list(client.chat.completions.create(model=pair.model, messages=MESSAGES, stream=True))
    assert streamed_facts(chunks) == expected("chat", said)
    assert len({(chunk.id, chunk.model, chunk.created) for chunk in chunks}) == 1
    thought = "".join(delta.get("reasoning") or "" for delta in deltas(chunks))
    assert thought == (said.thought.text if said.thought else "")
    details: list[Any] = [detail for delta in deltas(chunks) for detail in delta.get("reasoning_details", [])]
    seals = [detail.get("signature") or detail.get("data") for detail in details]
    assert [seal for seal in seals if seal] == ([said.thought.seal] if said.thought else [])


@pytest.mark.parametrize("said", [THINKS, LOOKS], ids=["thinks", "looks"])
def test_chat_stream_helper(pair: Pair, client: OpenAI, said: Said) -> None:
    pair.says(said, streamed=True)
    with client.chat.completions.stream(
        model=pair.model, messages=MESSAGES, tools=TOOLS, stream_options={"include_usage": True}
    ) as events:
        told = [event.type for event in events]
        final = events.get_final_completion()
    assert facts(final) == expected("chat", said)
    assert told.count("content.done") == 1
    assert told.count("tool_calls.function.arguments.done") == len(said.calls)


def test_chat_parsed_into_a_class(pair: Pair, client: OpenAI) -> None:
    pair.says(PARCEL)
    answer = client.chat.completions.parse(model=pair.model, messages=MESSAGES, response_format=Parcel)
    assert answer.choices[0].message.parsed == Parcel(number=17, wet=True)
    (sent,) = pair.bodies()
    assert set(schema_heard(pair.dialect, sent)["required"]) == {"number", "wet"}


def test_chat_tool_loop(pair: Pair, client: OpenAI) -> None:
    pair.says(LOOKS, TELLS)
    messages = [*MESSAGES]
    first = client.chat.completions.create(model=pair.model, messages=messages, tools=TOOLS, tool_choice="required")
    messages += [first.choices[0].message.to_dict(), *results_of(first)]
    second = client.chat.completions.create(model=pair.model, messages=messages, tools=TOOLS)
    assert facts(second) == expected("chat", TELLS)
    assert pair.heard() == [HEARD_FIRST, HEARD_SECOND]
    for sent in pair.bodies():
        assert tools_heard(pair.dialect, sent) == {TOOL_NAME: TOOL_SCHEMA}


def test_chat_reasoning_stays_with_its_maker(pair: Pair, client: OpenAI, others: list[Pair]) -> None:
    pair.says(LOOKS)
    first = client.chat.completions.create(model=pair.model, messages=MESSAGES, tools=TOOLS)
    history: list[Any] = [*MESSAGES, first.choices[0].message.to_dict(), *results_of(first)]
    for other in others:
        if other.dialect == "chat":
            continue  # within one protocol nothing is taken out: the format in each detail says whose it is
        other.says(TELLS)
        second = client.chat.completions.create(model=other.model, messages=history, tools=TOOLS)
        assert facts(second) == expected("chat", TELLS)
        assert other.heard() == [without_thoughts(HEARD_SECOND)]


def test_chat_stream_that_breaks_raises(pair: Pair, client: OpenAI) -> None:
    pair.breaks(LOOKS)
    with pytest.raises(APIError):
        list(client.chat.completions.create(model=pair.model, messages=MESSAGES, tools=TOOLS, stream=True))


def test_chat_error_is_its_class(pair: Pair, client: OpenAI) -> None:
    pair.refuses(429, "rate_limit_error")
    with pytest.raises(RateLimitError) as raised:
        client.chat.completions.create(model=pair.model, messages=MESSAGES)
    content: Any = raised.value.body
    assert content["code"] == 429
    assert content["message"]


def test_chat_usage_is_told_once(pair: Pair, client: OpenAI) -> None:
    pair.says(LOOKS, streamed=True)
    chunks = list(
        client.chat.completions.create(
            model=pair.model, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
    )
    (last,) = [chunk for chunk in chunks if chunk.usage is not None]
    assert last is chunks[-1]
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.model_extra is not None
    assert last.usage.model_extra["cost"] == pytest.approx(cost(LOOKS.tokens))


# --- reading -------------------------------------------------------------------------------------------------


def facts(answer: ChatCompletion) -> Facts:
    (choice,) = answer.choices
    calls = [call for call in choice.message.tool_calls or [] if call.type == "function"]
    return Facts(
        text=choice.message.content or "",
        calls=tuple((call.id, call.function.name, compact(call.function.arguments)) for call in calls),
        stop=choice.finish_reason,
        tokens=tokens_of(answer.usage),
    )


def results_of(answer: ChatCompletion) -> list[dict[str, Any]]:
    """What the tools say to the calls of an answer."""
    calls = [call for call in answer.choices[0].message.tool_calls or [] if call.type == "function"]
    return [{"role": "tool", "tool_call_id": call.id, "content": run_tool(call.function.arguments)} for call in calls]


def streamed_facts(chunks: Sequence[ChatCompletionChunk]) -> Facts:
    (usage,) = [chunk.usage for chunk in chunks if chunk.usage]
    (stop,) = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    calls: dict[int, list[str]] = {}
    for chunk in chunks:
        for piece in [piece for choice in chunk.choices for piece in choice.delta.tool_calls or []]:
            assert piece.function is not None
            if piece.index not in calls:
                assert piece.id is not None
                assert piece.function.name is not None
                calls[piece.index] = [piece.id, piece.function.name, ""]
            calls[piece.index][2] += piece.function.arguments or ""
    assert list(calls) == list(range(len(calls)))
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    told = tuple((id_, name, compact(arguments)) for id_, name, arguments in calls.values())
    return Facts(text, told, stop, tokens_of(usage))


def deltas(chunks: Sequence[ChatCompletionChunk]) -> list[dict[str, Any]]:
    """What the client's types do not know in each delta, and what they do."""
    return [choice.delta.to_dict() for chunk in chunks for choice in chunk.choices]


def thought_of(answer: ChatCompletion) -> Any:
    message: Any = answer.choices[0].message
    assert (message.reasoning is None) == (not getattr(message, "reasoning_details", None))
    if message.reasoning is not None:
        sealed = [detail.get("signature") or detail.get("data") for detail in message.reasoning_details]
        assert [seal for seal in sealed if seal] == [THOUGHT.seal]
    return message.reasoning


def tokens_of(usage: CompletionUsage | None) -> Tokens:
    assert usage is not None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else None
    reasoning = usage.completion_tokens_details.reasoning_tokens if usage.completion_tokens_details else None
    return Tokens(usage.prompt_tokens, cached or 0, usage.completion_tokens, reasoning or 0)


def compact(arguments: str) -> str:
    return json.dumps(json.loads(arguments), ensure_ascii=False, separators=(",", ":"))
