"""The lateness of the event loop: it rises with what holds the loop up, and falls when the loop is free again."""

from __future__ import annotations

import asyncio
import time

from setpoint.gateway.lag import LoopLag, Turn

BLOCK_S = 0.6
HANG_S = 30.0


def test_lag_rises_with_a_blocked_loop_and_falls_again() -> None:
    async def blocked() -> None:
        ticks: asyncio.Queue[float] = asyncio.Queue()
        lag = LoopLag(ticks.put_nowait)
        watching = asyncio.create_task(lag.watch())
        async with asyncio.timeout(HANG_S):
            await ticks.get()
            time.sleep(BLOCK_S)  # noqa: ASYNC251 the block is what is measured
            assert await ticks.get() > BLOCK_S / 2
            assert lag.lag_s > BLOCK_S / 4
            while lag.lag_s > BLOCK_S / 8:
                await ticks.get()
        watching.cancel()

    asyncio.run(blocked())


def test_a_turn_is_as_long_as_it_has_been_going_on_since_it_was_asked_first() -> None:
    async def turns() -> None:
        turn = Turn()
        assert turn() == 0
        time.sleep(0.02)  # noqa: ASYNC251 the turn is what is measured
        asyncio.get_running_loop().call_later(60, print).cancel()
        assert turn() >= 0.02
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert turn() == 0

    asyncio.run(turns())
