"""Work beside the event loop: what is small is done at once, what is big elsewhere, without the collector."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import TYPE_CHECKING

import pytest

from setpoint.gateway.aside import BIG_BYTES, Aside

if TYPE_CHECKING:
    from collections.abc import Iterator

HANG_S = 20.0


@pytest.fixture
def aside() -> Iterator[Aside]:
    aside = Aside()
    yield aside
    aside.close()


@pytest.mark.parametrize(("size", "here"), [(0, True), (BIG_BYTES, True), (BIG_BYTES + 1, False)])
def test_what_is_big_is_done_elsewhere(aside: Aside, size: int, here: bool) -> None:
    thread = asyncio.run(aside.run(size, threading.get_ident))
    assert (thread == threading.get_ident()) is here


def test_cycles_are_not_collected_until_the_last_work_is_done(aside: Aside) -> None:
    begun, ended = threading.Event(), threading.Event()

    def long() -> bool:
        begun.set()
        return ended.wait(HANG_S) and not gc.isenabled()

    async def both() -> None:
        first = asyncio.create_task(aside.run(BIG_BYTES + 1, long))
        assert await asyncio.to_thread(begun.wait, HANG_S)
        assert not await aside.run(BIG_BYTES + 1, gc.isenabled)
        assert not gc.isenabled()
        ended.set()
        assert await first

    asyncio.run(both())
    assert gc.isenabled()


class Knot:
    """Something that only a collector frees."""

    def __init__(self) -> None:
        self.me = self


@pytest.mark.parametrize(("passed_s", "collected"), [(1.0, False), (6.0, True)])
def test_where_work_never_ends_cycles_are_collected_after_a_while(passed_s: float, collected: bool) -> None:
    now_s = [0.0]
    begun, ended = threading.Event(), threading.Event()
    aside = Aside(lambda: now_s[0])

    def long() -> bool:
        begun.set()
        return ended.wait(HANG_S)

    async def both() -> bool:
        first = asyncio.create_task(aside.run(BIG_BYTES + 1, long))
        assert await asyncio.to_thread(begun.wait, HANG_S)
        now_s[0] += passed_s
        knot = await aside.run(BIG_BYTES + 1, lambda: weakref.ref(Knot()))
        gone = knot() is None
        ended.set()
        assert await first
        return gone

    assert asyncio.run(both()) is collected
    aside.close()


def test_what_the_work_raises_is_raised_and_leaves_nothing_behind(aside: Aside) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(aside.run(BIG_BYTES + 1, fail))
    assert gc.isenabled()


def test_the_loop_turns_while_work_is_done(aside: Aside) -> None:
    ended = threading.Event()

    async def turning() -> bool:
        task = asyncio.create_task(aside.run(BIG_BYTES + 1, lambda: ended.wait(HANG_S)))
        await asyncio.sleep(0)
        ended.set()  # only a loop that turns comes here before the work is over
        return await task

    assert asyncio.run(turning())


def test_who_is_cancelled_leaves_no_work_in_its_midst(aside: Aside) -> None:
    begun, ended = threading.Event(), threading.Event()
    done: list[str] = []

    def long() -> None:
        begun.set()
        ended.wait(HANG_S)
        done.append("long")

    async def cancelled() -> None:
        first = asyncio.create_task(aside.run(BIG_BYTES + 1, long))
        assert await asyncio.to_thread(begun.wait, HANG_S)
        first.cancel()
        await asyncio.sleep(0)
        assert not first.done()
        ended.set()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert done == ["long"]

    asyncio.run(cancelled())


def test_work_that_has_not_begun_is_cancelled_at_once(aside: Aside) -> None:
    ended = threading.Event()
    done: list[str] = []

    async def cancelled() -> None:
        busy = [asyncio.create_task(aside.run(BIG_BYTES + 1, lambda: ended.wait(HANG_S))) for _ in range(2)]
        waiting = asyncio.create_task(aside.run(BIG_BYTES + 1, lambda: done.append("waiting")))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        ended.set()
        assert await asyncio.gather(*busy) == [True, True]

    asyncio.run(cancelled())
    assert done == []
