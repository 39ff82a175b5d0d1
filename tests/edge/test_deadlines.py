"""Clients that are slow, or gone without a word: each has its time, and nobody else waits for them."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from edge.edge_support import (
    HEALTH,
    answers_at_once,
    chat,
    crowd,
    ended,
    open_connections,
    post,
    refused,
    serving,
)
from simulator.script import flood, ok, stream
from support.http import RawConnection
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator
    from support.processes import Gateway

PATIENCE_S = 0.8
SMALL_BUFFER = 2_048


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = {
        "header_timeout_s": PATIENCE_S,
        "body_timeout_s": PATIENCE_S,
        "write_timeout_s": PATIENCE_S,
        "keep_alive_timeout_s": PATIENCE_S,
        "log_format": "json",
    }
    with serving(tmp_path_factory, simulator_process, settings) as gateway:
        yield gateway


def test_heads_that_do_not_come_are_not_waited_for(gateway: Gateway) -> None:
    with crowd(gateway, 60) as connections:
        silent, begun, dribbling = connections[:20], connections[20:40], connections[40:]
        for connection in begun:
            connection.send(HEALTH[:-2])
        at = 0
        while not all(answers_at_once(one) for one in connections):  # one byte at a time, faster than any deadline
            at += 1
            for one in dribbling:
                if not answers_at_once(one):
                    one.send(HEALTH[:5] if at == 1 else b"a")
            assert gateway.call("GET", "/models").status == 200, "everybody else is served"
            assert at < 2_000
            time.sleep(0.02)
        assert all(ended(one) for one in silent), "who has asked nothing is told nothing"
        for one in (*begun, *dribbling):
            refused(one.read_answer(), 408, "request_timeout")
            assert ended(one)


def test_a_connection_that_rests_for_too_long_is_closed_without_a_word(gateway: Gateway) -> None:
    with RawConnection(gateway.origin) as connection:
        connection.send(HEALTH)
        assert connection.read_answer().status == 200
        assert ended(connection)


@pytest.mark.parametrize(
    ("path", "framing", "begin"),
    [
        ("/chat/completions", ("Content-Length", "500"), b""),
        ("/responses", ("Content-Length", "500"), b'{"model":'),
        ("/keys", ("Transfer-Encoding", "chunked"), b"5\r\n{\r\n"),
    ],
)
def test_a_body_that_stops_is_told_so(gateway: Gateway, path: str, framing: tuple[str, str], begin: bytes) -> None:
    with RawConnection(gateway.origin) as connection:
        connection.send(post(gateway, path, None, framing) + begin)
        refused(connection.read_answer(), 408, "request_timeout")
        assert ended(connection)


def test_a_body_that_stops_is_told_so_in_the_skin_of_its_route(gateway: Gateway) -> None:
    with RawConnection(gateway.origin) as connection:
        connection.send(post(gateway, "/messages", None, ("Content-Length", "9")))
        answer = connection.read_answer()
        said = answer.json()
        assert (answer.status, said["type"], said["error"]["type"]) == (408, "error", "invalid_request_error")
        assert said["error"]["error_type"] == "request_timeout"
        assert ended(connection)


def test_a_body_that_goes_on_is_waited_for(gateway: Gateway) -> None:
    head, _, body = post(gateway, "/presets/slow/messages", {"model": "sim/solo", "top_k": 3}).partition(b"\r\n\r\n")
    with RawConnection(gateway.origin) as connection:
        connection.send(head + b"\r\n\r\n")
        for at in range(0, len(body), 5):  # longer than the deadline in all, never between two
            time.sleep(PATIENCE_S / 4)
            connection.send(body[at : at + 5])
        assert connection.read_answer().status == 200


def test_an_answer_that_takes_long_is_no_fault_of_the_client(gateway: Gateway, simulator: Simulator) -> None:
    simulator.script(ok("late", delay_ms=PATIENCE_S * 1_800))
    with RawConnection(gateway.origin) as connection:
        connection.send(chat(gateway))
        assert b"late" in connection.read_answer().body


# --- clients that take nothing --------------------------------------------------------------------------------


def stalled(gateway: Gateway, data: bytes) -> RawConnection:
    """A client that has asked, and whose system takes next to nothing for it."""
    connection = RawConnection(gateway.origin, receive_buffer=SMALL_BUFFER)
    connection.send(data)
    return connection


def test_a_client_that_takes_nothing_of_a_stream_is_given_up(gateway: Gateway, simulator: Simulator) -> None:
    simulator.script(flood(1_000_000))
    with stalled(gateway, chat(gateway, stream=True)):
        assert simulator.wait_for_disconnect().went_away
        until(lambda: open_connections(gateway) == 0)
        until(lambda: '"cancelled"' in gateway.log_text())


def test_what_the_system_holds_for_a_client_counts_as_not_taken(gateway: Gateway, simulator: Simulator) -> None:
    # 60 KB in all: it would wait in the system's buffers for ever, and nothing here would ever be full.
    simulator.script(stream(["x" * 2_000] * 30, finish=None, tokens=None, done=False, end="hang"))
    with stalled(gateway, chat(gateway, stream=True)):
        assert simulator.wait_for_disconnect().went_away


@pytest.mark.parametrize("last", [True, False])
def test_a_client_that_takes_little_but_goes_on_is_served_to_the_end(
    gateway: Gateway, simulator: Simulator, last: bool
) -> None:
    simulator.script(stream(["x" * 1_000] * 25))
    closing = [("Connection", "close")] if last else []
    with stalled(gateway, chat(gateway, *closing, stream=True)) as connection:
        taken = b""
        while data := connection.read_some(1_000).data:
            taken += data
            time.sleep(PATIENCE_S / 20)
        assert taken.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


@pytest.mark.parametrize("last", [True, False])
def test_an_answer_that_is_not_fetched_does_not_keep_its_connection(
    gateway: Gateway, simulator: Simulator, last: bool
) -> None:
    simulator.script(ok("x" * 8_000_000))
    closing = [("Connection", "close")] if last else []
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(stalled(gateway, chat(gateway, *closing)))
        simulator.wait_for_requests(3)
        until(lambda: open_connections(gateway) == 0)
