"""The end of a server, however many signals say so and to whom: open streams keep their grace period."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from server.process.process_support import ended_behind, starting, successor
from simulator import script
from support.http import RawConnection, open_stream
from support.waiting import children, lives, until

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from simulator.client import Simulator
    from simulator.script import Script
    from support.http import Streaming
    from support.processes import Gateway, StartGateway

SETTINGS = {"log_format": "json", "shutdown_grace_s": 60}
ASK = {"model": "sim/solo", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
SLOW = script.stream(["piece "] * 24, pause_ms=50)
WAITING = 1_000
"""More than are taken in by the way, before the server comes to its end."""
BY_WORKERS = pytest.mark.parametrize("workers", ["1", "2"])


def streaming(gateway: Gateway, simulator: Simulator, answer: Script = SLOW) -> Streaming:
    """An answer of a second, or another, which has begun."""
    simulator.script(answer)
    return open_stream(f"{gateway.url}/chat/completions", ASK, key=gateway.key)


@contextmanager
def succeeded(gateway: Gateway, simulator: Simulator, found: Callable[[], int]) -> Generator[Streaming]:
    """An answer that is under way when a successor is asked for and found, which ends behind the block."""
    pids: list[int] = []
    with ended_behind(pids), streaming(gateway, simulator) as stream:
        gateway.process.send_signal(signal.SIGUSR2)
        pids.append(found())
        yield stream


def ending(stream: Streaming) -> list[str]:
    """The last two events of an answer."""
    return [frame.data or "" for frame in stream.frames()][-2:]


def ended_well(stream: Streaming) -> bool:
    """Whether the answer comes to its own end."""
    last, done = ending(stream)
    return done == "[DONE]" and '"usage"' in last and '"error"' not in last


def get(path: str) -> bytes:
    """A request without a key."""
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def asked(connection: RawConnection, path: str) -> int:
    """The status of a path, asked for on a connection that is there."""
    connection.send(get(path))
    return connection.read_answer().status


def test_a_signal_to_all_processes_of_a_server_is_one_wish(start_gateway: StartGateway, simulator: Simulator) -> None:
    gateway = start_gateway(arguments=["--workers", "2"], settings=SETTINGS)
    with streaming(gateway, simulator) as stream:
        os.killpg(gateway.pid, signal.SIGTERM)  # as a service manager does that ends a whole control group
        assert ended_well(stream)
        assert gateway.process.wait(30) == 0


def test_who_waits_at_the_door_when_the_server_ends_is_answered(start_gateway: StartGateway) -> None:
    gateway = start_gateway()
    os.kill(gateway.pid, signal.SIGSTOP)  # connections are made, and nobody takes them in
    with ExitStack() as stack:
        waiting = [stack.enter_context(RawConnection(gateway.origin)) for _ in range(WAITING)]
        for connection in waiting:
            connection.send(get("/health"))
        os.kill(gateway.pid, signal.SIGTERM)
        os.kill(gateway.pid, signal.SIGCONT)
        assert [connection.read_answer().status for connection in waiting] == [200] * WAITING
    assert gateway.process.wait(30) == 0


def test_a_request_that_has_come_is_answered_though_its_connection_was_to_be_closed(
    start_gateway: StartGateway,
) -> None:
    gateway = start_gateway()
    with RawConnection(gateway.origin) as resting, RawConnection(gateway.origin) as other:
        assert [asked(connection, "/ready") for connection in (resting, other)] == [200, 200]
        os.kill(gateway.pid, signal.SIGTERM)
        until(lambda: asked(other, "/ready") == 503)
        os.kill(gateway.pid, signal.SIGSTOP)
        time.sleep(1.2)  # when it goes on it is time to close what rests, and nothing is read yet
        resting.send(get("/health"))
        os.kill(gateway.pid, signal.SIGCONT)
        assert resting.read_answer().status == 200
    assert gateway.process.wait(30) == 0


def test_streams_outlive_a_supervisor_that_is_killed_while_it_ends(
    start_gateway: StartGateway, simulator: Simulator
) -> None:
    gateway = start_gateway(arguments=["--workers", "2"], settings=SETTINGS)
    orphans = children(gateway.pid)
    with streaming(gateway, simulator) as stream:
        gateway.process.send_signal(signal.SIGTERM)
        until(lambda: any(not lives(orphan) for orphan in orphans))  # the idle one has heard of it
        os.kill(gateway.pid, signal.SIGKILL)
        assert ended_well(stream)
        until(lambda: not any(map(lives, orphans)))


@BY_WORKERS
def test_a_signal_behind_a_handover_is_the_first(
    start_gateway: StartGateway, simulator: Simulator, workers: str
) -> None:
    gateway = start_gateway(arguments=["--workers", workers], settings=SETTINGS)
    with succeeded(gateway, simulator, lambda: successor(gateway, gateway.pid)) as stream:
        gateway.process.send_signal(signal.SIGTERM)
        assert ended_well(stream)
        assert gateway.process.wait(30) == 0, "in a hurry now: clients at rest are not waited for"
        assert gateway.call("GET", "/models").status == 200


@BY_WORKERS
def test_a_server_that_is_ended_before_its_successor_is_ready_leaves_the_socket_to_it(
    start_gateway: StartGateway, simulator: Simulator, workers: str
) -> None:
    gateway = start_gateway(arguments=["--workers", workers], settings=SETTINGS)
    with succeeded(gateway, simulator, lambda: starting(gateway)) as stream:
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.call("GET", "/models").status == 200, "it waits for the successor"
        assert ended_well(stream)
        assert gateway.process.wait(30) == 0
        assert gateway.call("GET", "/models").status == 200


@BY_WORKERS
def test_a_second_signal_ends_at_once_and_still_tells_the_client(
    start_gateway: StartGateway, simulator: Simulator, workers: str
) -> None:
    gateway = start_gateway(arguments=["--workers", workers], settings=SETTINGS)
    endless = script.stream(["a", "b"], finish=None, tokens=None, done=False, end="hang")
    with streaming(gateway, simulator, endless) as stream:
        gateway.process.send_signal(signal.SIGTERM)
        until(lambda: gateway.process.running and refused(gateway))
        gateway.process.send_signal(signal.SIGTERM)
        assert '"error"' in ending(stream)[0]
        assert gateway.process.wait(30) == 0


def refused(gateway: Gateway) -> bool:
    """Whether nobody listens any more."""
    try:
        gateway.call("GET", "/models")
    except OSError:
        return True
    return False
