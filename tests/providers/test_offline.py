"""The way to the offline model: a request is answered in the dialect of the path that it goes to."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from setpoint.providers.client import Answer, UpstreamRequest
from setpoint.providers.offline import EchoClient

MESSAGES: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}
ASKED: list[tuple[str, dict[str, Any], str]] = [
    ("/chat/completions", MESSAGES, "chat.completion"),
    ("/v1/messages", MESSAGES, "message"),
    ("/responses", {"input": "hi"}, "response"),
]

CHOICE: dict[str, Any] = {"type": "function", "function": {"name": "not-there"}}


def request(url: str, body: dict[str, Any]) -> UpstreamRequest:
    data = json.dumps({"model": "echo", **body}).encode()
    return UpstreamRequest(url=url, headers=[], body=data, connect_s=None, total_s=None, max_bytes=1_000_000)


def send(url: str, body: dict[str, Any]) -> Answer:
    return asyncio.run(EchoClient(0, now_s=lambda: 5.9).send(request(url, body)))


@pytest.mark.parametrize(("url", "body", "kind"), ASKED)
def test_a_whole_answer_is_of_the_dialect_of_its_path(url: str, body: dict[str, Any], kind: str) -> None:
    answer = send(url, body)
    told = json.loads(answer.body)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert (told.get("object") or told["type"]) == kind
    assert told.get("created", told.get("created_at", 5)) == 5


@pytest.mark.parametrize(("url", "body", "kind"), ASKED)
def test_a_stream_comes_piece_by_piece_and_ends(url: str, body: dict[str, Any], kind: str) -> None:
    async def pieces() -> list[bytes]:
        stream = await EchoClient(0.0001).stream(request(url, {**body, "stream": True}))
        assert (stream.status, stream.headers["content-type"]) == (200, "text/event-stream")
        found: list[bytes] = []
        while piece := await stream.read():
            found.append(piece)
        return found

    found = asyncio.run(pieces())
    assert len(found) > 3
    assert kind.encode() in found[0]
    assert all(piece.endswith(b"\n\n") for piece in found)


@pytest.mark.parametrize(("url", "body", "kind"), ASKED)
def test_a_refusal_is_whole_also_where_a_stream_was_asked_for(url: str, body: dict[str, Any], kind: str) -> None:
    async def refused() -> tuple[int, bytes]:
        stream = await EchoClient(0).stream(request(url, {**body, "stream": True, "tool_choice": CHOICE}))
        assert stream.headers["content-type"] == "application/json"
        return stream.status, await stream.read_all()

    status, told = asyncio.run(refused())
    assert (status, "error" in json.loads(told)) == (400, True), kind
