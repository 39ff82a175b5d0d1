"""The official `anthropic` client on messages, in front of an upstream of each dialect."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from anthropic import Anthropic, APIError, DefaultHttpxClient, RateLimitError, beta_tool
from pydantic import BaseModel

from clients.heard import schema_heard, tools_heard
from clients.pair import anthropic_url
from clients.said import Said, Tokens
from clients.scenes import (
    HEARD_FIRST,
    HEARD_SECOND,
    LOOKS,
    PARCEL,
    QUESTION,
    RESULTS,
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
    from collections.abc import Iterator

    from anthropic.types import Message

    from clients.pair import Pair
    from support.processes import Gateway

ASKED: list[Any] = [{"role": "user", "content": QUESTION}]
TOOLS: list[Any] = [{"name": TOOL_NAME, "description": TOOL_DESCRIPTION, "input_schema": TOOL_SCHEMA}]
EVERY_ANSWER = pytest.mark.parametrize("said", [THINKS, LOOKS, STOPS], ids=["thinks", "looks", "stops"])


class Parcel(BaseModel):
    number: int
    wet: bool


@pytest.fixture(scope="module")
def client(pairs_gateway: Gateway) -> Iterator[Anthropic]:
    # Its own check of every answer against its own types is off by default, and is why it is a referee here.
    with Anthropic(
        api_key=pairs_gateway.key,
        base_url=anthropic_url(pairs_gateway),
        max_retries=0,
        http_client=DefaultHttpxClient(event_hooks=HOOKS),
        _strict_response_validation=True,
    ) as made:
        yield made


@EVERY_ANSWER
def test_message_created(pair: Pair, client: Anthropic, said: Said) -> None:
    pair.says(said)
    answer = client.messages.create(model=pair.model, max_tokens=512, system=SYSTEM, messages=ASKED, tools=TOOLS)
    assert facts(answer) == expected("messages", said)
    assert answer.model == pair.model
    assert thought_of(answer) == (said.thought.text if said.thought else "")
    assert answer.usage.model_extra is not None
    assert answer.usage.model_extra["cost"] == pytest.approx(cost(said.tokens))
    assert pair.heard() == [HEARD_FIRST]
    (sent,) = pair.bodies()
    assert tools_heard(pair.dialect, sent) == {TOOL_NAME: TOOL_SCHEMA}


@EVERY_ANSWER
def test_message_streamed(pair: Pair, client: Anthropic, said: Said) -> None:
    pair.says(said, streamed=True)
    with client.messages.create(model=pair.model, max_tokens=512, messages=ASKED, stream=True) as stream:
        events: list[Any] = list(stream)
    types = [event.type for event in events]
    assert (types[0], types[-2:]) == ("message_start", ["message_delta", "message_stop"])
    assert [types.count(one) for one in ("message_start", "message_delta", "message_stop")] == [1, 1, 1]
    assert open_blocks(events) == list(range(types.count("content_block_start")))
    assert events[-2].usage.model_extra["cost"] == pytest.approx(cost(said.tokens))


@EVERY_ANSWER
def test_message_stream_helper(pair: Pair, client: Anthropic, said: Said) -> None:
    pair.says(said, streamed=True)
    with client.messages.stream(model=pair.model, max_tokens=512, system=SYSTEM, messages=ASKED, tools=TOOLS) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == said.text
    assert facts(final) == expected("messages", said)
    assert thought_of(final) == (said.thought.text if said.thought else "")
    assert pair.heard() == [HEARD_FIRST]


def test_message_parsed_into_a_class(pair: Pair, client: Anthropic) -> None:
    pair.says(PARCEL)
    answer = client.messages.parse(model=pair.model, max_tokens=512, messages=ASKED, output_format=Parcel)
    assert answer.parsed_output == Parcel(number=17, wet=True)
    (sent,) = pair.bodies()
    assert set(schema_heard(pair.dialect, sent)["required"]) == {"number", "wet"}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_message_tool_loop_with_thinking_replayed(pair: Pair, client: Anthropic, *, streamed: bool) -> None:
    pair.says(LOOKS, TELLS, streamed=streamed)
    conversation = [*ASKED]
    asking: Any = {"model": pair.model, "max_tokens": 512, "system": SYSTEM, "tools": TOOLS}
    first = asked(client, streamed=streamed, messages=conversation, tool_choice={"type": "any"}, **asking)
    conversation += [{"role": "assistant", "content": first.content}, {"role": "user", "content": results_of(first)}]
    second = asked(client, streamed=streamed, messages=conversation, **asking)
    assert facts(second) == expected("messages", TELLS)
    assert pair.heard() == [HEARD_FIRST, HEARD_SECOND]


def test_thinking_stays_with_its_maker(pair: Pair, client: Anthropic, others: list[Pair]) -> None:
    pair.says(LOOKS)
    asking: Any = {"max_tokens": 512, "system": SYSTEM, "tools": TOOLS}
    first = asked(client, streamed=False, model=pair.model, messages=ASKED, **asking)
    history = [*ASKED, {"role": "assistant", "content": first.content}, {"role": "user", "content": results_of(first)}]
    for other in others:
        other.says(TELLS)
        second = asked(client, streamed=False, model=other.model, messages=history, **asking)
        assert facts(second) == expected("messages", TELLS)
        assert other.heard() == [without_thoughts(HEARD_SECOND)]


def test_message_stream_that_breaks_raises(pair: Pair, client: Anthropic) -> None:
    pair.breaks(LOOKS)
    with (
        pytest.raises(APIError),
        client.messages.stream(model=pair.model, max_tokens=512, messages=ASKED, tools=TOOLS) as stream,
    ):
        stream.until_done()


def test_message_error_is_its_class(pair: Pair, client: Anthropic) -> None:
    pair.refuses(429, "rate_limit_error")
    with pytest.raises(RateLimitError) as raised:
        client.messages.create(model=pair.model, max_tokens=512, messages=ASKED)
    content: Any = raised.value.body
    assert (content["type"], content["error"]["type"]) == ("error", "rate_limit_error")
    assert content["error"]["message"]


def test_message_tool_runner(pair: Pair, client: Anthropic) -> None:
    pair.says(LOOKS, TELLS)
    asked_for: list[str] = []

    @beta_tool
    def weather(city: str) -> str:
        """The weather in a city."""
        asked_for.append(city)
        return RESULTS[city]

    runner = client.beta.messages.tool_runner(
        model=pair.model, max_tokens=512, system=SYSTEM, messages=ASKED, tools=[weather]
    )
    final = runner.until_done()
    assert asked_for == list(RESULTS)
    assert (final.stop_reason, final.content[-1].type) == ("end_turn", "text")
    assert pair.heard() == [HEARD_FIRST, HEARD_SECOND]


def test_tokens_counted(pair: Pair, client: Anthropic) -> None:
    def count(text: str) -> int:
        return client.messages.count_tokens(
            model=pair.model, system=SYSTEM, messages=[{"role": "user", "content": text}], tools=TOOLS
        ).input_tokens

    if pair.dialect == "messages":  # the only protocol with a word for it
        pair.counts(4_711)
        assert count(QUESTION) == 4_711
        assert pair.received()[0].path.endswith("/v1/messages/count_tokens")
        assert pair.heard() == [HEARD_FIRST]
    else:
        assert 0 < count(QUESTION) < count(QUESTION * 50)


# --- reading -------------------------------------------------------------------------------------------------


def asked(client: Anthropic, *, streamed: bool, **asking: Any) -> Message:
    if not streamed:
        create: Any = client.messages.create
        return create(**asking)
    with client.messages.stream(**asking) as stream:
        return stream.get_final_message()


def results_of(answer: Message) -> list[dict[str, Any]]:
    """What the tools say to the calls of an answer."""
    return [
        {"type": "tool_result", "tool_use_id": block.id, "content": run_tool(json.dumps(block.input))}
        for block in answer.content
        if block.type == "tool_use"
    ]


def open_blocks(events: list[Any]) -> list[int]:
    """The index of each block in turn; each is opened, filled and closed before the next."""
    indexes: list[int] = []
    current: int | None = None
    for event in events:
        match event.type:
            case "content_block_start":
                assert current is None, "two blocks are open"
                current = event.index
                indexes.append(event.index)
            case "content_block_delta":
                assert event.index == current
            case "content_block_stop":
                assert event.index == current
                current = None
            case _:
                assert current is None, f"{event.type} inside a block"
    return indexes


def facts(answer: Message) -> Facts:
    usage = answer.usage
    cached, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    thinking = usage.output_tokens_details.thinking_tokens if usage.output_tokens_details else 0
    return Facts(
        text="".join(block.text for block in answer.content if block.type == "text"),
        calls=tuple(
            (block.id, block.name, json.dumps(block.input, ensure_ascii=False, separators=(",", ":")))
            for block in answer.content
            if block.type == "tool_use"
        ),
        stop=answer.stop_reason or "",
        tokens=Tokens(usage.input_tokens + cached + written, cached, usage.output_tokens, thinking),
    )


def thought_of(answer: Message) -> str:
    """The thinking that may be seen; its maker wants its own value back, which is in every signature."""
    blocks = [block for block in answer.content if block.type == "thinking"]
    sealed = [block for block in answer.content if block.type == "redacted_thinking"]
    assert (THOUGHT.text in "".join(block.thinking for block in blocks)) == bool(blocks)
    assert bool(blocks) == bool([block.signature for block in blocks if block.signature] or sealed)
    return "".join(block.thinking for block in blocks)
