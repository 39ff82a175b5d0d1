"""The writer of event streams, under a clock that jumps to the next thing to do."""

from __future__ import annotations

import asyncio
import gc
import selectors
import weakref
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from setpoint.server.respond import EventStream
from setpoint.wire.sse import KEEP_ALIVE

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

T = TypeVar("T")

COMMIT_S, KEEP_ALIVE_S = 10.0, 15.0


class _NoWait(selectors.SelectSelector):
    """Waits for nothing: the time it was asked to wait has passed at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[Any]:
        self.now += timeout or 0
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._no_wait = _NoWait()
        super().__init__(self._no_wait)

    def time(self) -> float:
        return self._no_wait.now


class Client:
    """What a client receives, each message with the seconds since the stream was made."""

    def __init__(self, headers: Mapping[str, str] | None = None, keep_alive: bytes = KEEP_ALIVE) -> None:
        self.received: list[tuple[float, Any]] = []
        self.headers = dict(headers or {})
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self.blocked: asyncio.Event | None = None
        self.stream = EventStream(
            self.send, lambda: self.headers, commit_s=COMMIT_S, keep_alive_s=KEEP_ALIVE_S, keep_alive=keep_alive
        )

    async def send(self, message: Mapping[str, Any]) -> None:
        if self.blocked is not None:
            await self.blocked.wait()
        what = message["status"] if message["type"] == "http.response.start" else bytes(message["body"])
        self.received.append((round(self._loop.time() - self._began, 3), what))
        if message["type"] == "http.response.start":
            self.sent_headers = dict(message["headers"])
        elif not message["more_body"]:
            self.received.append((self.received[-1][0], "end"))


def run(story: Callable[[], Coroutine[Any, Any, T]]) -> T:
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(story())


def test_the_status_goes_out_with_the_first_event() -> None:
    async def story() -> Client:
        client = Client()
        await asyncio.sleep(3)
        assert not client.stream.started
        await client.stream.write(b"data: 1\n\n")
        await client.stream.write(b"data: 2\n\n")
        await client.stream.end(b"data: [DONE]\n\n")
        return client

    assert run(story).received == [
        (3, 200),
        (3, b"data: 1\n\n"),
        (3, b"data: 2\n\n"),
        (3, b"data: [DONE]\n\n"),
        (3, "end"),
    ]


def test_headers_are_those_of_the_moment_when_the_status_goes_out() -> None:
    async def story() -> Client:
        client = Client({"X-Generation-Id": "gen-1"})
        client.headers["X-Setpoint-Preset"] = "trïage\r\nX-Evil: 1"
        await client.stream.write(b"data: 1\n\n")
        client.headers["X-Late"] = "1"
        await client.stream.end()
        return client

    assert run(story).sent_headers == {
        b"content-type": b"text/event-stream",
        b"cache-control": b"no-cache",
        b"x-accel-buffering": b"no",
        b"x-generation-id": b"gen-1",
        b"x-setpoint-preset": b"tr%C3%AFage%0D%0AX-Evil: 1",
    }


def test_without_an_event_the_status_goes_out_in_time_with_a_comment_and_one_more_after_each_silence() -> None:
    async def story() -> Client:
        client = Client()
        await asyncio.sleep(60)
        client.stream.stop()
        return client

    assert run(story).received == [
        (10, 200),
        (10, KEEP_ALIVE),
        (25, KEEP_ALIVE),
        (40, KEEP_ALIVE),
        (55, KEEP_ALIVE),
    ]


def test_while_events_flow_there_is_no_comment() -> None:
    async def story() -> Client:
        client = Client()
        for _ in range(20):
            await client.stream.write(b"data: x\n\n")
            await asyncio.sleep(14)
        await client.stream.end()
        return client

    assert KEEP_ALIVE not in [what for _, what in run(story).received]


@pytest.mark.parametrize("first", [1, 9])
def test_a_silence_counts_from_the_last_event(first: int) -> None:
    async def story() -> Client:
        client = Client()
        await asyncio.sleep(first)
        await client.stream.write(b"data: 1\n\n")
        await asyncio.sleep(10)
        await client.stream.write(b"data: 2\n\n")
        await asyncio.sleep(31)
        client.stream.stop()
        return client

    comments = [at for at, what in run(story).received if what == KEEP_ALIVE]
    assert comments == [first + 25, first + 40]


def test_a_stream_that_has_ended_leaves_nothing_behind() -> None:
    async def story() -> bool:
        client = Client()
        await client.stream.write(b"data: 1\n\n")
        await client.stream.end()
        stream = weakref.ref(client.stream)
        del client
        gc.collect()
        return stream() is None

    assert run(story)


@pytest.mark.parametrize("started", [True, False])
def test_nothing_follows_the_end(started: bool) -> None:
    async def story() -> Client:
        client = Client()
        if started:
            await client.stream.write(b"data: 1\n\n")
        await client.stream.end(b"data: 2\n\n")
        await asyncio.sleep(100)
        return client

    received = [what for _, what in run(story).received]
    assert received == [200, *([b"data: 1\n\n"] if started else []), b"data: 2\n\n", "end"]


def test_a_stream_that_is_stopped_before_its_status_sends_none() -> None:
    async def story() -> Client:
        client = Client()
        client.stream.stop()
        await asyncio.sleep(100)
        return client

    client = run(story)
    assert (client.received, client.stream.started) == ([], False)


def test_the_status_comes_first_also_when_the_client_is_slow_to_take_it() -> None:
    async def story() -> Client:
        client = Client()
        client.blocked = asyncio.Event()
        await asyncio.sleep(COMMIT_S + 1)  # the comment waits for the client
        event = asyncio.create_task(client.stream.write(b"data: 1\n\n"))
        await asyncio.sleep(1)
        client.blocked.set()
        await event
        await client.stream.end()
        return client

    received = [what for _, what in run(story).received]
    assert received[0] == 200
    assert received.count(200) == 1
    assert b"data: 1\n\n" in received
    assert received[-1] == "end"


def test_once_there_were_events_a_skin_says_in_its_own_words_that_the_stream_is_alive() -> None:
    async def story() -> Client:
        client = Client(keep_alive=b"ping")
        await asyncio.sleep(COMMIT_S + 1)
        await client.stream.write(b"1")
        await asyncio.sleep(KEEP_ALIVE_S + 1)
        await client.stream.end()
        return client

    client = run(story)
    assert [what for _, what in client.received] == [200, KEEP_ALIVE, b"1", b"ping", b"", "end"]
