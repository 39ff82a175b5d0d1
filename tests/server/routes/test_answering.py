"""An exchange answered over HTTP: whatever goes wrong, what its upstream has served is booked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from gateway.test_relay import HI, streaming
from setpoint.gateway.aside import Aside
from setpoint.server.request import BodyLimits, Request
from setpoint.server.routes.answering import Answering, StreamTimes

if TYPE_CHECKING:
    from setpoint.gateway.admission import Place
    from setpoint.gateway.exchange import Exchange
    from setpoint.gateway.live import LiveStream
    from setpoint.gateway.pipeline import Pipeline
    from setpoint.server.connection.asgi import Message


class Ready:
    """A pipeline whose stream has begun."""

    def __init__(self, live: LiveStream) -> None:
        self._live = live

    async def answer(self, _exchange: Exchange, _place: Place) -> LiveStream:
        return self._live


async def receive() -> Message:
    raise AssertionError("the body was read before")


async def broken(message: Message) -> None:
    """A connection on which nothing can be sent, for a reason of ours."""
    raise RuntimeError(message["type"])


def test_a_stream_that_ends_with_a_fault_of_ours_is_booked_with_what_had_come() -> None:
    async def answer() -> Exchange:
        attempt = streaming(HI, HI)
        live = await attempt.live()
        scope: dict[str, Any] = {"type": "http", "method": "POST", "headers": [], "client": None}
        request = Request(scope, receive, broken, {}, BodyLimits(1, 1, 1), Aside())
        answering = Answering(
            cast("Pipeline", Ready(live)),
            StreamTimes(commit_s=10, keep_alive_s=10),
            new_id=str,
            show_upstream=False,
            refused=lambda _: None,
        )
        with pytest.raises(RuntimeError):
            await answering.answer(request, attempt.exchange, cast("Place", None))
        return attempt.exchange

    exchange = asyncio.run(answer())
    assert exchange.failed
    assert exchange.bill is not None
    assert exchange.bill.usage.estimated
    [tried] = exchange.attempts
    assert (tried.usage, tried.uncounted) == (exchange.bill.usage, False)
