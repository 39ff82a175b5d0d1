"""The HTTP client by itself, against a real socket."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from setpoint.providers.client import HttpClient, UpstreamRequest
from simulator.answers import completion, head
from simulator.script import raw
from support.waiting import until

if TYPE_CHECKING:
    from simulator.client import Simulator


def request(url: str) -> UpstreamRequest:
    return UpstreamRequest(url=url, headers=[], body=b"{}", connect_s=5, total_s=5, max_bytes=1_000_000)


def test_a_connection_that_was_closed_while_the_loop_was_busy_is_not_used_again(simulator: Simulator) -> None:
    content = json.dumps(completion("Hi", (1, 1))).encode()
    lines = [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
    simulator.script(raw(head(200, lines) + content, then="close"))

    async def ask_twice() -> list[int]:
        client = HttpClient()
        try:
            first = await client.send(request(simulator.url("/v1")))
            # The loop is held up here, so it cannot hear of the end before the next request is under way.
            until(lambda: simulator.requests()[0].answered_ms is not None)
            second = await client.send(request(simulator.url("/v1")))
            return [first.status, second.status]
        finally:
            await client.close()

    assert asyncio.run(ask_twice()) == [200, 200]
    assert len({received.connection for received in simulator.requests()}) == 2


@pytest.mark.parametrize("heard", [True, False])
def test_what_an_upstream_says_unasked_is_the_answer_to_nobody(simulator: Simulator, heard: bool) -> None:
    def whole(text: str) -> bytes:
        content = json.dumps(completion(text, (1, 1))).encode()
        return head(200, [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]) + content

    mine, unasked = whole("mine"), whole("unasked")
    said = mine + unasked
    simulator.script(raw(mine, unasked, then=None, pause_ms=50))

    async def ask_twice() -> list[bool]:
        client = HttpClient()
        try:
            first = await client.send(request(simulator.url("/v1")))
            until(lambda: simulator.requests()[0].sent_bytes == len(said))  # which holds the loop up
            if heard:
                await asyncio.sleep(0.01)  # the loop turns, and what is there is read
            second = await client.send(request(simulator.url("/v1")))
            return [b"mine" in first.body, b"unasked" in second.body]
        finally:
            await client.close()

    assert asyncio.run(ask_twice()) == [True, False]
    assert len({received.connection for received in simulator.requests()}) == 2
