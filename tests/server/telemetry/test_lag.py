"""The watch on the event loop: a loop that stands still is said with the place where, and again when it turns."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING

from setpoint.gateway.lag import LoopLag
from setpoint.server.telemetry.lag import LoopWatch

if TYPE_CHECKING:
    import pytest

HANG_S = 60.0


def test_a_loop_that_stands_still_is_said_with_its_place_and_again_when_it_turns(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def hold_up(secret: str) -> None:
        until = time.monotonic() + HANG_S
        while not caplog.messages and time.monotonic() < until:
            time.sleep(0.01)
        assert secret

    async def run() -> None:
        turned = asyncio.Event()

        def observe(late_s: float) -> None:
            watch.observe(late_s)
            if caplog.messages:
                turned.set()

        lag = LoopLag(observe)
        watch = LoopWatch(lag)
        watching = asyncio.create_task(lag.watch())
        watch.start()
        await asyncio.sleep(0)
        hold_up("a value")
        async with asyncio.timeout(HANG_S):
            await turned.wait()
        watch.stop()
        watching.cancel()

    asyncio.run(run())
    stands, turns = caplog.messages
    assert re.match(r"the event loop stands still for \d+\.\d s: \S*hold_up \(telemetry/test_lag\.py:\d+\) < ", stands)
    assert re.fullmatch(r"the event loop turns again: it stood still for \d+\.\d s", turns)
    assert "a value" not in stands


def test_a_loop_that_turns_is_not_spoken_of(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        watch = LoopWatch(lag := LoopLag())
        watching = asyncio.create_task(lag.watch())
        watch.start()
        await asyncio.sleep(0.5)
        watch.stop()
        watching.cancel()

    asyncio.run(run())
    assert caplog.messages == []


def test_a_watch_that_never_started_can_be_stopped() -> None:
    LoopWatch(LoopLag()).stop()
