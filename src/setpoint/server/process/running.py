"""How a worker is led: alone, by signals and its file; as one of several, by its supervisor."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import TYPE_CHECKING

from setpoint.errors import GatewayError
from setpoint.server.process.channel import Order, Word
from setpoint.server.process.handover import Succession, notify
from setpoint.server.process.reload import LOOK_S, in_place
from setpoint.server.process.worker import Worker
from setpoint.settings import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.server.configuration import Configuration, Source
    from setpoint.server.process.channel import Channel
    from setpoint.server.process.handover import Successor
    from setpoint.server.process.reload import Change, Reloader
    from setpoint.server.process.worker import Plan

_log = logging.getLogger("setpoint.worker")


async def serve_alone(plan: Plan, reloader: Reloader, ready: Callable[[], None]) -> None:
    """Be the only process of a server, until SIGTERM or SIGINT; the second of them ends it at once.

    SIGHUP has the configuration read again, SIGUSR2 has a successor take over.
    """
    worker = Worker(plan, 0)
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        notify("STOPPING=1")
        worker.stop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, worker.cut)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    loop.add_signal_handler(signal.SIGHUP, asked.set)
    succession = Succession(plan.listener)

    def hand_over() -> None:
        successor = succession.begin()
        if successor is not None:
            loop.add_reader(successor, settle, successor)

    def settle(successor: Successor) -> None:
        loop.remove_reader(successor)
        if succession.settle(successor):
            worker.leave()

    loop.add_signal_handler(signal.SIGUSR2, hand_over)
    following = asyncio.create_task(_follow_file(worker, reloader, asked))
    try:
        await worker.run(ready)
    finally:
        following.cancel()


async def _follow_file(worker: Worker, reloader: Reloader, asked: asyncio.Event) -> None:
    """Apply what the file says whenever it changes, and when asked to, until cancelled."""
    while True:
        change: Change | None
        try:
            await asyncio.wait_for(asked.wait(), LOOK_S)
        except TimeoutError:
            change = await asyncio.to_thread(reloader.look)
        else:
            asked.clear()
            change = await asyncio.to_thread(reloader.read)
        if change is not None:
            try:
                await worker.apply(change.found)
            except GatewayError as error:
                _log.error("the new configuration is refused, the old one stays: %s", error)


async def serve_under(plan: Plan, source: Source, index: int, channel: Channel) -> None:
    """Be one worker of several, until the supervisor says so, ends, or this process is sent SIGTERM."""
    worker = Worker(plan, index)
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, worker.stop)

    def obey() -> None:
        for order in channel.received():
            match order:
                case Order.STOP:
                    worker.stop()
                case Order.LEAVE:
                    worker.leave()
                case Order.CUT:
                    worker.cut()
                case Order.RELOAD:
                    asked.set()
                case _:
                    _log.error("an order that is not known: %d", order)
        if channel.ended:  # nobody is left who could replace this worker: what runs ends well, nothing new begins
            loop.remove_reader(channel)
            worker.stop()

    loop.add_reader(channel, obey)
    following = asyncio.create_task(_follow_board(worker, plan, source, asked))
    try:
        await worker.run(lambda: channel.send(Word.READY))
    finally:
        following.cancel()


async def _follow_board(worker: Worker, plan: Plan, source: Source, asked: asyncio.Event) -> None:
    """Apply what stands on the board whenever asked to, until cancelled."""

    def read() -> Configuration:
        return in_place(plan.found, source.read(plan.board.configuration.read()))

    while True:
        await asked.wait()
        asked.clear()
        try:
            await worker.apply(await asyncio.to_thread(read))
        except (ConfigError, GatewayError) as error:  # the supervisor has read the same without a fault
            _log.error("the new configuration is refused, the old one stays: %s", type(error).__name__)
