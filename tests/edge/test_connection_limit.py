"""Thousands of connections: bounded in number and memory, and a health probe is answered whatever the others do."""

from __future__ import annotations

import resource
import sys
import time
from typing import TYPE_CHECKING

import pytest

from edge.edge_support import (
    HEALTH,
    chat,
    cpu_s,
    crowd,
    ended,
    memory_bytes,
    open_connections,
    refused,
    serving,
)
from simulator.script import flood, ok, stream
from support.http import RawConnection, call
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator
    from support.processes import Gateway, StartGateway

PLACES = 20
LEAST_RESERVE = 16


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serving(tmp_path_factory, simulator_process, {"max_connections": PLACES}) as gateway:
        yield gateway


def is_healthy(gateway: Gateway) -> bool:
    return call("GET", f"{gateway.origin}/health").body == b'{"status":"ok"}'


def test_beyond_the_limit_there_is_only_health(gateway: Gateway, simulator: Simulator) -> None:
    simulator.script(stream(["a", "b"], pause_ms=300), ok())
    with crowd(gateway, PLACES) as taken:
        taken[0].send(chat(gateway, stream=True))
        for _ in range(2 * LEAST_RESERVE):
            with RawConnection(gateway.origin) as connection:
                connection.send(chat(gateway))
                answer = connection.read_answer()
                refused(answer, 503, "unavailable")
                assert answer.header("retry-after") == "1"
                assert ended(connection)
            with RawConnection(gateway.origin) as connection:
                connection.send(HEALTH + chat(gateway))
                answer = connection.read_answer()
                assert (answer.status, answer.header("connection")) == (200, "close")
                assert ended(connection)
        assert taken[0].read_answer().frames()[-1].data == "[DONE]", "who has a place keeps it"
        taken[1].send(chat(gateway))
        assert taken[1].read_answer().status == 200
    until(lambda: gateway.call("GET", "/models").status == 200)


@pytest.mark.usefixtures("simulator")
def test_a_flood_that_says_nothing_does_not_keep_a_probe_out(gateway: Gateway) -> None:
    with crowd(gateway, PLACES) as places, crowd(gateway, 200) as flood_:
        for _ in range(5):
            assert is_healthy(gateway)
        until(lambda: open_connections(gateway) <= PLACES + LEAST_RESERVE)
        assert all(ended(one) for one in flood_[-LEAST_RESERVE // 2 :]), "nobody waits here for long"
        places[0].send(chat(gateway))
        assert places[0].read_answer().status == 200
    until(lambda: gateway.call("GET", "/models").status == 200)


@pytest.mark.usefixtures("simulator")
def test_resting_connections_cost_little_each(start_gateway: StartGateway) -> None:
    gateway = start_gateway()
    count = 1_500
    with crowd(gateway, 100) as first:  # what the first of them bring with them is not theirs
        for one in first:
            one.send(chat(gateway))
            assert one.read_answer().status == 200
        before = memory_bytes(gateway)
        with crowd(gateway, count) as resting:
            for one in resting:
                one.send(HEALTH)
            for one in resting:
                assert one.read_answer().status == 200
            each = (memory_bytes(gateway) - before) / count
            used = cpu_s(gateway)
            assert is_healthy(gateway)
            time.sleep(1)
            print(f"\n{each / 1024:.1f} KiB for a connection that rests, {cpu_s(gateway) - used:.2f} s of 1 s")
            assert each < 24 * 1_024
            assert cpu_s(gateway) - used < 0.5
    until(lambda: open_connections(gateway) == 0)


def with_open_files(most: int) -> list[str]:
    """The command of a gateway that may open so many files and no more."""
    limited = f"import resource, runpy; resource.setrlimit(resource.RLIMIT_NOFILE, ({most}, {most}))"
    return [sys.executable, "-c", f"{limited}; runpy.run_module('setpoint', run_name='__main__', alter_sys=True)"]


@pytest.mark.usefixtures("simulator")
@pytest.mark.skipif(resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 1_024, reason="needs `ulimit -n 1024` here")
def test_a_server_that_may_open_few_files_refuses_and_lives(start_gateway: StartGateway) -> None:
    gateway = start_gateway(command=with_open_files(160))
    until(lambda: "at most 72 connections, not 10000" in gateway.log_text())
    with crowd(gateway, 400) as connections:
        for one in connections[:10]:
            one.send(chat(gateway))
            assert one.read_answer().status == 200
        for _ in range(3):
            assert is_healthy(gateway)
        used = cpu_s(gateway)
        time.sleep(0.5)
        assert cpu_s(gateway) - used < 0.25, "it waits, and does not spin"
    until(lambda: gateway.call("GET", "/models").status == 200)
    assert "Traceback" not in gateway.log_text()


def test_a_client_that_reads_slowly_holds_the_provider_back(start_gateway: StartGateway, simulator: Simulator) -> None:
    simulator.script(ok(), flood(100_000))  # 100 MB
    gateway = start_gateway()
    with RawConnection(gateway.origin, receive_buffer=2_048) as warm:
        warm.send(chat(gateway))
        warm.read_answer()
    before = memory_bytes(gateway)
    with RawConnection(gateway.origin, receive_buffer=2_048) as connection:
        connection.send(chat(gateway, stream=True))
        most = 0
        for _ in range(20):
            assert connection.read_some(1_000).data
            time.sleep(0.05)
            most = max(most, memory_bytes(gateway))
            assert is_healthy(gateway)
        assert simulator.requests()[-1].closed_ms is None, "the provider waits with the rest"
        print(f"\n{(most - before) / 1_048_576:.1f} MiB for a stream of 100 MB that is read slowly")
        assert most - before < 16 * 1_048_576
    assert simulator.wait_for_disconnect().went_away
