"""`setpoint echo` as an upstream: a process that answers like a provider and shows what it was sent."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from api.api_support import USER, ask, create, data_of, fresh
from support.http import call, open_stream
from support.processes import Gateway, Process, clean_environment, config_file

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The origin of a running echo model."""
    folder = tmp_path_factory.mktemp("echo")
    words = [sys.executable, "-m", "setpoint", "echo", "--port", "0"]
    process = Process(words, folder=folder, environment=clean_environment(folder))
    yield process.wait_for_output(r"^Echo model on (http://\S+)$")[1]
    assert process.stop() == 0
    assert process.stderr_text() == ""


@pytest.fixture(scope="module")
def echoing(echo: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway in front of it."""
    folder = tmp_path_factory.mktemp("gateway")
    upstream = {"base_url": f"{echo}/v1", "api_key": "sk-for-the-echo-model"}
    config = config_file(
        folder,
        providers={
            "up": {"dialect": "chat", **upstream},
            "up-messages": {"dialect": "messages", **upstream},
            "up-responses": {"dialect": "responses", **upstream},
        },
        models={
            "up/model": {"endpoints": [{"provider": "up", "model": "echo", "pricing": {"prompt": "0.000001"}}]},
            "up/messages": {"endpoints": [{"provider": "up-messages", "model": "echo"}]},
            "up/responses": {"endpoints": [{"provider": "up-responses", "model": "echo"}]},
        },
    )
    gateway = Gateway(folder, config=config)
    yield gateway
    assert gateway.stop() == 0


def received(echo: str) -> list[dict[str, Any]]:
    return data_of(call("GET", f"{echo}/requests"))


def test_it_shows_the_bodies_that_it_was_sent(echo: str) -> None:
    body = b'{"model":"x",  "temperature":0.10,"messages":[{"role":"user","content":"hi"}]}'
    answer = call("POST", f"{echo}/any/base/path/v1/chat/completions", body=body)
    assert answer.status == 200
    assert answer.json()["usage"]["total_tokens"] > 0
    shown = call("GET", f"{echo}/requests")
    assert b'"body":' + body in shown.body, "as the bytes that came"
    last = shown.json()["data"][-1]
    assert (last["method"], last["path"]) == ("POST", "/any/base/path/v1/chat/completions")


def test_it_keeps_the_last_hundred(echo: str) -> None:
    for number in range(103):
        call("POST", f"{echo}/v1/chat/completions", {"model": "x", "messages": [USER], "seed": number})
    assert [one["body"]["seed"] for one in received(echo)] == list(range(3, 103))


def test_it_answers_wrong_bodies_as_a_provider_would_and_shows_them(echo: str) -> None:
    for body in (b"{", b"[]", b'{"model":7}'):
        answer = call("POST", f"{echo}/v1/chat/completions", body=body)
        assert answer.status == 400
        assert answer.json()["error"]["message"]
    assert [one["body"] for one in received(echo)[-3:]] == ["{", "[]", {"model": 7}]
    assert call("GET", f"{echo}/v1/models").status == 404
    assert call("GET", f"{echo}/health").status == 200


def test_it_speaks_the_dialect_of_the_path(echo: str) -> None:
    message = call("POST", f"{echo}/v1/messages", {"model": "x", "max_tokens": 9, "messages": [USER]}).json()
    assert (message["type"], message["content"][0]["text"]) == ("message", "max_tokens: 9\nuser: hi")
    response = call("POST", f"{echo}/v1/responses", {"model": "x", "input": "hi"}).json()
    assert (response["object"], response["output"][0]["content"][0]["text"]) == ("response", "user: hi")
    assert [one["path"] for one in received(echo)[-2:]] == ["/v1/messages", "/v1/responses"]


@pytest.mark.parametrize(
    ("path", "asked", "last"),
    [("messages", {"messages": [USER]}, "message_stop"), ("responses", {"input": "hi"}, "response.completed")],
)
def test_it_streams_in_the_dialect_of_the_path(echo: str, path: str, asked: dict[str, Any], last: str) -> None:
    answer = call("POST", f"{echo}/v1/{path}", {"model": "x", "stream": True, **asked})
    assert answer.header("content-type") == "text/event-stream"
    assert [frame.event for frame in answer.frames() if frame.event][-1] == last


def test_it_counts_the_tokens_of_messages(echo: str) -> None:
    asked = {"model": "x", "messages": [{"role": "user", "content": "twenty bytes of text"}]}
    assert call("POST", f"{echo}/v1/messages/count_tokens", asked).json() == {"input_tokens": 5}
    assert received(echo)[-1]["body"] == asked


def test_it_refuses_in_the_dialect_of_the_path(echo: str) -> None:
    answer = call("POST", f"{echo}/v1/messages", {"messages": []})
    assert (answer.status, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    answer = call("POST", f"{echo}/v1/responses", {"input": 7})
    assert (answer.status, answer.json()["error"]["param"]) == (400, "input")


def test_behind_the_gateway_it_is_sent_what_the_preset_says(echo: str, echoing: Gateway) -> None:
    create(
        echoing,
        slug := fresh(),
        {"model": "up/model", "temperature": 0.2, "messages": [{"role": "system", "content": "Be short."}]},
    )
    answer = ask(echoing, {"model": f"@preset/{slug}"})
    assert answer.status == 200
    assert "hi" in answer.json()["choices"][0]["message"]["content"]
    assert received(echo)[-1]["body"] == {
        "model": "echo",
        "temperature": 0.2,
        "messages": [{"role": "system", "content": "Be short."}, USER],
    }
    record = data_of(echoing.call("GET", f"/generation?id={answer.json()['id']}"))
    assert (record["provider_name"], record["status"], record["preset_slug"]) == ("up", "completed", slug)


def test_behind_the_gateway_it_streams(echo: str, echoing: Gateway) -> None:
    asked = {"model": "up/model", "stream": True, "messages": [USER]}
    with open_stream(f"{echoing.url}/chat/completions", asked, key=echoing.key) as answer:
        *chunks, done = [frame.data or "" for frame in answer.frames()]
    assert done == "[DONE]"
    assert len(chunks) > 2
    assert received(echo)[-1]["body"]["stream"] is True


@pytest.mark.parametrize(
    ("dialect", "sent"),
    [
        ("messages", {"messages": [{"role": "user", "content": "hi"}], "system": "Be short."}),
        ("responses", {"instructions": "Be short.", "store": False}),
    ],
)
def test_behind_the_gateway_it_is_asked_in_its_own_dialect(
    echo: str, echoing: Gateway, dialect: str, sent: dict[str, Any]
) -> None:
    messages = [{"role": "system", "content": "Be short."}, USER]
    answer = ask(echoing, {"model": f"up/{dialect}", "temperature": 0.5, "messages": messages})
    assert answer.status == 200, answer.body
    text = answer.json()["choices"][0]["message"]["content"]
    assert text.startswith("system: Be short.\n")
    assert text.endswith("temperature: 0.5\nuser: hi")
    last = received(echo)[-1]
    assert last["path"] == f"/v1/{dialect}"
    assert {name: last["body"][name] for name in sent} == sent


@pytest.mark.parametrize(
    ("skin", "asked"), [("messages", {"max_tokens": 99, "messages": [USER]}), ("responses", {"input": "hi"})]
)
def test_the_model_that_is_built_in_speaks_every_skin_itself(
    echoing: Gateway, skin: str, asked: dict[str, Any]
) -> None:
    answer = echoing.call("POST", f"/{skin}", {"model": "setpoint/echo", "temperature": 0.5, **asked})
    assert answer.status == 200, answer.body
    assert "temperature: 0.5\n" in json.dumps(answer.json(), ensure_ascii=False).replace("\\n", "\n")
    assert answer.header("x-setpoint-unsaid") is None


def test_it_is_never_sent_the_callers_key(echo: str, echoing: Gateway) -> None:
    assert ask(echoing, {"model": "up/model", "user": "someone"}).status == 200
    text = call("GET", f"{echo}/requests").body
    assert echoing.key.encode() not in text
    assert b"sk-for-the-echo-model" not in text, "nor does it show what it was sent as a key"


@pytest.mark.parametrize("dialect", ["messages", "responses"])
def test_its_reasoning_comes_back_unchanged_through_another_skin(echoing: Gateway, dialect: str) -> None:
    asked = {"model": f"up/{dialect}", "reasoning": {"effort": "low"}, "max_tokens": 4000}
    first = ask(echoing, asked).json()["choices"][0]["message"]
    assert first["reasoning"] == "I show what reached me."
    turn = {name: first[name] for name in ("role", "content", "reasoning_details")}
    second = ask(echoing, {**asked, "messages": [USER, turn, USER]})
    assert second.status == 200, second.body
    assert "replayed: as it was given\n" in second.json()["choices"][0]["message"]["content"]
