"""The official `openai` client, unchanged but for its address: chat whole and streamed, its helpers, errors, models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai import DefaultHttpxClient, OpenAI
from pydantic import BaseModel

from api.api_support import USER, create, fresh, new_key, sent
from simulator.answers import chunk, completion, data_frame
from simulator.script import body, cut, ok, sse, status, stream
from support.sdk import HOOKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

    from simulator.client import Simulator
    from support.processes import Gateway

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture
def client(shared_gateway: Gateway) -> Iterator[OpenAI]:
    held = DefaultHttpxClient(event_hooks=HOOKS)
    with OpenAI(api_key=shared_gateway.key, base_url=shared_gateway.url, max_retries=0, http_client=held) as made:
        yield made


# --- answers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["/api/v1", "/v1"])
def test_a_completion_under_either_base(shared_gateway: Gateway, simulator: Simulator, base: str) -> None:
    simulator.script(ok("Hello."))
    with OpenAI(api_key=shared_gateway.key, base_url=shared_gateway.origin + base) as client:
        answer = client.chat.completions.create(model="sim/solo", messages=MESSAGES, temperature=0, seed=7)
    assert (answer.model, answer.object, answer.choices[0].message.content) == ("sim/solo", "chat.completion", "Hello.")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (11, 5)
    assert sent(simulator) == {"messages": [USER], "model": "upstream-model", "seed": 7, "temperature": 0}


def test_a_preset_in_each_of_its_three_spellings(shared_gateway: Gateway, client: OpenAI, simulator: Simulator) -> None:
    create(shared_gateway, slug := fresh(), {"model": "sim/solo", "temperature": 0.5})
    completions = client.chat.completions.with_raw_response
    for answer in (
        completions.create(model=f"@preset/{slug}", messages=MESSAGES),
        completions.create(model=f"sim/solo@preset/{slug}", messages=MESSAGES),
        completions.create(model="sim/solo", messages=MESSAGES, extra_body={"preset": slug}),
    ):
        assert answer.headers["x-setpoint-preset"] == f"{slug}@1"
        assert answer.parse().model == "sim/solo"
    assert [received.json()["temperature"] for received in simulator.requests()] == [0.5, 0.5, 0.5]


def test_a_stream_of_chunks(client: OpenAI, simulator: Simulator) -> None:
    simulator.script(stream(["Hel", "lo", "."]))
    chunks = list(
        client.chat.completions.create(
            model="sim/solo", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(one.choices[0].delta.content or "" for one in chunks if one.choices) == "Hello."
    assert len({one.id for one in chunks}) == 1
    assert {one.model for one in chunks} == {"sim/solo"}
    assert [one.choices[0].finish_reason for one in chunks if one.choices][-1] == "stop"
    assert [one.usage.total_tokens for one in chunks if one.usage] == [16]


def test_its_stream_helper_puts_the_answer_together(
    shared_gateway: Gateway, client: OpenAI, simulator: Simulator
) -> None:
    create(shared_gateway, slug := fresh(), {"model": "sim/solo"})
    simulator.script(stream(["Hel", "lo", "."]))
    with client.chat.completions.stream(model=f"@preset/{slug}", messages=MESSAGES) as events:
        deltas = [event.delta for event in events if event.type == "content.delta"]
        final = events.get_final_completion()
    assert [delta for delta in deltas if delta] == ["Hel", "lo", "."]
    assert (final.choices[0].message.content, final.choices[0].finish_reason) == ("Hello.", "stop")
    assert final.model == "sim/solo"


def test_its_streaming_response_shows_headers_before_the_body(client: OpenAI, simulator: Simulator) -> None:
    simulator.script(stream(["a", "b"]))
    with client.chat.completions.with_streaming_response.create(
        model="sim/solo", messages=MESSAGES, stream=True
    ) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["x-generation-id"].startswith("gen-")
        lines = [line for line in answer.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    assert json.loads(lines[0][6:])["id"] == answer.headers["x-generation-id"]


# --- tools and formats ---------------------------------------------------------------------------------------


def test_a_tool_call_and_its_result(client: OpenAI, simulator: Simulator) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Bonn"}'}}
    simulator.script(body(completion(None, (9, 4), tool_calls=[call])), ok("Rain."))
    first = client.chat.completions.create(
        model="sim/solo", messages=MESSAGES, tools=[WEATHER], tool_choice="required", parallel_tool_calls=False
    )
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    assert message.tool_calls is not None
    (called,) = message.tool_calls
    assert called.type == "function"
    assert (called.id, called.function.name, called.function.arguments) == ("call_1", "weather", '{"city":"Bonn"}')
    result: ChatCompletionMessageParam = {"role": "tool", "tool_call_id": "call_1", "content": "rain"}
    said: Any = message.to_dict()
    second = client.chat.completions.create(model="sim/solo", messages=[*MESSAGES, said, result], tools=[WEATHER])
    assert second.choices[0].message.content == "Rain."
    asked, answered = simulator.requests()
    assert (asked.json()["tools"], asked.json()["tool_choice"]) == ([WEATHER], "required")
    assert asked.json()["parallel_tool_calls"] is False
    assert answered.json()["messages"][-1] == result


def test_streamed_tool_calls_come_together(client: OpenAI, simulator: Simulator) -> None:
    def piece(arguments: str, **more: Any) -> dict[str, Any]:
        return {"tool_calls": [{"index": 0, "function": {"arguments": arguments, **more.pop("f", {})}, **more}]}

    pieces = [piece("", id="call_1", type="function", f={"name": "weather"}), piece('{"ci'), piece('ty":"K\u00f6ln"}')]
    simulator.script(stream(pieces, finish="tool_calls"))
    with client.chat.completions.stream(model="sim/solo", messages=MESSAGES, tools=[WEATHER]) as events:
        final = events.get_final_completion()
    calls = final.choices[0].message.tool_calls
    assert calls is not None
    assert [(call.id, call.function.name, call.function.arguments) for call in calls] == [
        ("call_1", "weather", '{"city":"K\u00f6ln"}')
    ]
    assert final.choices[0].finish_reason == "tool_calls"


class Parcel(BaseModel):
    number: int
    wet: bool


def test_structured_output_passes_its_schema_and_is_parsed(client: OpenAI, simulator: Simulator) -> None:
    simulator.script(ok('{"number":17,"wet":true}'))
    answer = client.chat.completions.parse(model="sim/solo", messages=MESSAGES, response_format=Parcel)
    assert answer.choices[0].message.parsed == Parcel(number=17, wet=True)
    format_ = sent(simulator)["response_format"]
    assert (format_["type"], format_["json_schema"]["name"]) == ("json_schema", "Parcel")
    assert set(format_["json_schema"]["schema"]["required"]) == {"number", "wet"}


def test_log_probabilities_come_through_whole_and_streamed(client: OpenAI, simulator: Simulator) -> None:
    token = {"token": "Hi", "logprob": -0.25, "bytes": [72, 105], "top_logprobs": []}
    whole = completion("Hi", (1, 1))
    whole["choices"][0]["logprobs"] = {"content": [token], "refusal": None}
    first = chunk({"role": "assistant", "content": "Hi"})
    first["choices"][0]["logprobs"] = {"content": [token], "refusal": None}
    frames = [data_frame(one) for one in (first, chunk({}, "stop"))]
    simulator.script(body(whole), sse([*frames, b"data: [DONE]\n\n"]))

    answer = client.chat.completions.create(model="sim/solo", messages=MESSAGES, logprobs=True, top_logprobs=3)
    told = answer.choices[0].logprobs
    assert told is not None
    assert [one.logprob for one in told.content or []] == [-0.25]
    asked = simulator.requests()[0].json()
    assert (asked["logprobs"], asked["top_logprobs"]) == (True, 3)
    chunks = list(client.chat.completions.create(model="sim/solo", messages=MESSAGES, logprobs=True, stream=True))
    streamed = [one.choices[0].logprobs for one in chunks if one.choices and one.choices[0].logprobs]
    assert [content.token for told in streamed for content in told.content or []] == ["Hi"]


# --- errors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streaming", [False, True])
def test_errors_are_its_classes(shared_gateway: Gateway, client: OpenAI, simulator: Simulator, streaming: bool) -> None:
    def complain(kind: type[openai.APIStatusError], model: str, asking: OpenAI = client, **more: Any) -> Any:
        create_: Any = asking.chat.completions.create
        with pytest.raises(kind) as raised:
            create_(model=model, messages=MESSAGES, stream=streaming, **more)
        content: Any = raised.value.body
        assert content["code"] == raised.value.status_code
        assert content["message"]
        return content

    assert complain(openai.NotFoundError, "@preset/nobody")["message"] == "Preset not found: nobody"
    unknown = complain(openai.BadRequestError, "nobody/model")
    assert unknown["availability"]["code"] == "model_not_found"
    assert complain(openai.BadRequestError, "sim/solo", temperature=9)["message"].startswith("temperature: ")
    nobody = client.with_options(api_key="sk-nobody-at-all")
    assert complain(openai.AuthenticationError, "sim/solo", nobody)["message"] == "Invalid credentials"
    reader = client.with_options(api_key=new_key(shared_gateway, role="read_only")[0])
    assert "read_only" in complain(openai.PermissionDeniedError, "sim/solo", reader)["message"]
    simulator.script(status(429, headers={"Retry-After": "7"}))
    assert complain(openai.RateLimitError, "sim/solo")["metadata"]["provider_name"] == "sim"
    simulator.script(status(500))
    assert complain(openai.InternalServerError, "sim/solo")["metadata"]["error_type"] == "provider_unavailable"
    simulator.script(status(401))
    refused = complain(openai.InternalServerError, "sim/solo")
    assert refused["code"] == 502, "a provider that refuses our key is not the caller's fault"


def test_it_does_not_repeat_what_cannot_be_cured(shared_gateway: Gateway, simulator: Simulator) -> None:
    simulator.script(status(401))
    with (
        OpenAI(api_key=shared_gateway.key, base_url=shared_gateway.url, max_retries=3) as client,
        pytest.raises(openai.InternalServerError),
    ):
        client.chat.completions.create(model="sim/solo", messages=MESSAGES)
    assert len(simulator.requests()) == 1


def test_a_stream_that_breaks_raises(client: OpenAI, simulator: Simulator) -> None:
    simulator.script(cut(stream(["Hel", "lo"]), after=600))
    seen: list[str] = []

    def read() -> None:
        for one in client.chat.completions.create(model="sim/solo", messages=MESSAGES, stream=True):
            seen.extend(choice.delta.content or "" for choice in one.choices)

    with pytest.raises(openai.APIError) as raised:
        read()
    assert "".join(seen).startswith("Hel")
    assert raised.value.message


# --- models --------------------------------------------------------------------------------------------------


def test_models_are_listed(client: OpenAI) -> None:
    listed = client.models.list()
    assert [(model.id, model.object, model.owned_by) for model in listed] == [
        ("sim/model", "model", "sim"),
        ("sim/solo", "model", "sim"),
        ("other/solo", "model", "other"),
        ("setpoint/echo", "model", "setpoint"),
    ]
    assert listed.object == "list"
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="sk-nobody-at-all").models.list()
