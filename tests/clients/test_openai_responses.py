"""The official `openai` client on responses, in front of an upstream of each dialect."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from openai import DefaultHttpxClient, OpenAI, RateLimitError
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

    from openai.types.responses import Response

    from clients.pair import Pair
    from support.processes import Gateway

ASKED: list[Any] = [{"role": "user", "content": QUESTION}]
TOOLS: list[Any] = [
    {
        "type": "function",
        "name": TOOL_NAME,
        "description": TOOL_DESCRIPTION,
        "parameters": TOOL_SCHEMA,
        "strict": True,
    }
]
EVERY_ANSWER = pytest.mark.parametrize("said", [THINKS, LOOKS, STOPS], ids=["thinks", "looks", "stops"])
TERMINAL = {"response.completed", "response.incomplete", "response.failed", "error"}


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


@EVERY_ANSWER
def test_response_created(pair: Pair, client: OpenAI, said: Said) -> None:
    pair.says(said)
    answer = client.responses.create(
        model=pair.model, input=ASKED, instructions=SYSTEM, tools=TOOLS, store=False, max_output_tokens=512
    )
    assert facts(answer) == expected("responses", said)
    assert answer.model == pair.model
    assert answer.output_text == said.text
    assert thought_of(answer) == (said.thought.text if said.thought else "")
    assert answer.usage is not None
    assert answer.usage.model_extra is not None
    assert answer.usage.model_extra["cost"] == pytest.approx(cost(said.tokens))
    assert pair.heard() == [HEARD_FIRST]
    (sent,) = pair.bodies()
    assert tools_heard(pair.dialect, sent) == {TOOL_NAME: TOOL_SCHEMA}


@EVERY_ANSWER
def test_response_streamed(pair: Pair, client: OpenAI, said: Said) -> None:
    pair.says(said, streamed=True)
    events: list[Any] = list(
        client.responses.create(model=pair.model, input=ASKED, instructions=SYSTEM, stream=True, store=False)
    )
    assert facts(events[-1].response) == expected("responses", said)
    assert [event.type for event in events if event.type in TERMINAL] == [events[-1].type]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert len({event.response.id for event in events if hasattr(event, "response")}) == 1
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == said.text
    added = [event.item.id for event in events if event.type == "response.output_item.added"]
    done = [event.item for event in events if event.type == "response.output_item.done"]
    assert [item.id for item in done] == added
    assert [item.to_dict() for item in done] == [item.to_dict() for item in events[-1].response.output]


# An incomplete response is left out: this helper has no final response for it, whoever sent it.
@pytest.mark.parametrize("said", [THINKS, LOOKS], ids=["thinks", "looks"])
def test_response_stream_helper(pair: Pair, client: OpenAI, said: Said) -> None:
    pair.says(said, streamed=True)
    with client.responses.stream(model=pair.model, input=ASKED, instructions=SYSTEM, tools=TOOLS) as events:
        told = [event.type for event in events]
        final = events.get_final_response()
    assert facts(final) == expected("responses", said)
    assert thought_of(final) == (said.thought.text if said.thought else "")
    assert told.count("response.function_call_arguments.done") == len(said.calls)
    assert told[:2] == ["response.created", "response.in_progress"]


def test_response_parsed_into_a_class(pair: Pair, client: OpenAI) -> None:
    pair.says(PARCEL)
    answer = client.responses.parse(model=pair.model, input=ASKED, text_format=Parcel)
    assert answer.output_parsed == Parcel(number=17, wet=True)
    (sent,) = pair.bodies()
    assert set(schema_heard(pair.dialect, sent)["required"]) == {"number", "wet"}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_response_tool_loop_with_reasoning_replayed(pair: Pair, client: OpenAI, *, streamed: bool) -> None:
    pair.says(LOOKS, TELLS, streamed=streamed)
    conversation = [*ASKED]
    asking: Any = {"model": pair.model, "instructions": SYSTEM, "tools": TOOLS, "tool_choice": "required"}
    first = asked(client, streamed=streamed, input=conversation, include=["reasoning.encrypted_content"], **asking)
    assert thought_of(first) == (LOOKS.thought.text if LOOKS.thought else "")
    conversation += first.output
    conversation += results_of(first)
    second = asked(client, streamed=streamed, input=conversation, **asking)
    assert facts(second) == expected("responses", TELLS)
    assert pair.heard() == [HEARD_FIRST, HEARD_SECOND]


def test_response_reasoning_stays_with_its_maker(pair: Pair, client: OpenAI, others: list[Pair]) -> None:
    pair.says(LOOKS)
    asking: Any = {"instructions": SYSTEM, "tools": TOOLS}
    first = asked(client, streamed=False, model=pair.model, input=ASKED, **asking)
    history = [*ASKED, *first.output, *results_of(first)]
    for other in others:
        other.says(TELLS)
        second = asked(client, streamed=False, model=other.model, input=history, **asking)
        assert facts(second) == expected("responses", TELLS)
        assert other.heard() == [without_thoughts(HEARD_SECOND)]


def test_response_stream_that_breaks_fails(pair: Pair, client: OpenAI) -> None:
    pair.breaks(LOOKS)
    events: list[Any] = list(client.responses.create(model=pair.model, input=ASKED, tools=TOOLS, stream=True))
    assert [event.type for event in events if event.type in TERMINAL] == ["response.failed"]
    failed = events[-1].response
    assert (failed.status, failed.error.code) == ("failed", "server_error")
    assert failed.id == events[0].response.id


def test_response_error_is_its_class(pair: Pair, client: OpenAI) -> None:
    pair.refuses(429, "rate_limit_error")
    with pytest.raises(RateLimitError) as raised:
        client.responses.create(model=pair.model, input=ASKED)
    content: Any = raised.value.body
    assert content["code"] == 429
    assert content["message"]


# --- reading -------------------------------------------------------------------------------------------------


def asked(client: OpenAI, *, streamed: bool, **asking: Any) -> Response:
    if not streamed:
        create: Any = client.responses.create
        return create(store=False, **asking)
    with client.responses.stream(store=False, **asking) as events:
        return events.get_final_response()


def results_of(answer: Response) -> list[dict[str, Any]]:
    """What the tools say to the calls of an answer."""
    return [
        {"type": "function_call_output", "call_id": item.call_id, "output": run_tool(item.arguments)}
        for item in answer.output
        if item.type == "function_call"
    ]


def facts(answer: Response) -> Facts:
    calls = [item for item in answer.output if item.type == "function_call"]
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    if answer.status == "incomplete":
        assert answer.incomplete_details is not None
        assert answer.incomplete_details.reason == "max_output_tokens"
    return Facts(
        text=answer.output_text,
        calls=tuple((call.call_id, call.name, compact(call.arguments)) for call in calls),
        stop=answer.status or "",
        tokens=Tokens(
            answer.usage.input_tokens,
            answer.usage.input_tokens_details.cached_tokens,
            answer.usage.output_tokens,
            answer.usage.output_tokens_details.reasoning_tokens,
        ),
    )


def thought_of(answer: Response) -> str:
    """The reasoning that may be seen, which always comes with what its maker wants back."""
    items = [item for item in answer.output if item.type == "reasoning"]
    assert all(item.encrypted_content for item in items)
    summaries = [part.text for item in items for part in item.summary]
    return "".join(summaries) or "".join(part.text for item in items for part in item.content or [])


def compact(arguments: str) -> str:
    return json.dumps(json.loads(arguments), ensure_ascii=False, separators=(",", ":"))
