"""Upstream and load generator, in C and in Python: what is sent is counted, and what is not as ordered is seen."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from bench.requests import Request
from bench.tools import Order, Tools, compiler, native_tools, python_tools, run_load, running_upstream
from support.http import call, open_stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.tools import Upstream


@pytest.fixture(scope="module", params=["c", "python"])
def tools(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tools:
    if request.param == "python":
        return python_tools()
    if compiler() is None:
        pytest.skip("needs a C compiler: install one, or name it in CC")
    built = native_tools(tmp_path_factory.mktemp("native"))
    assert built is not None
    return built


@pytest.fixture(scope="module")
def upstream(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    with running_upstream(tools, tmp_path_factory.mktemp("upstream")) as running:
        yield running


def order(folder: Path, behaviour: str, *, status: int = 200, pieces: int = 1, cancel: int = 0) -> Order:
    file = Request(f"/{behaviour}/v1/chat/completions", {"a": 1}).write(folder, f"{behaviour}-{pieces}")
    return Order(file, status, pieces, cancel)


def test_upstream_sends_a_whole_answer(upstream: Upstream) -> None:
    answer = call("POST", f"http://127.0.0.1:{upstream.port}/whole-1/v1/chat/completions", {})
    assert answer.status == 200
    assert answer.json()["choices"][0]["message"]["content"].count("~") == 1
    assert answer.json()["usage"]["completion_tokens"] == 50


@pytest.mark.parametrize("behaviour", ["stream-70-0", "stream-3-1"])
def test_upstream_sends_so_many_pieces_and_a_proper_end(upstream: Upstream, behaviour: str) -> None:
    with open_stream(f"http://127.0.0.1:{upstream.port}/{behaviour}/v1/chat/completions", {}) as stream:
        events = [frame.data or "" for frame in stream.frames()]
    assert sum("~" in event for event in events) == int(behaviour.split("-")[1])
    assert '"role":"assistant"' in events[0]
    assert '"finish_reason":"stop"' in events[-3]
    assert '"total_tokens":169' in events[-2]
    assert events[-1] == "[DONE]"


def test_upstream_sends_the_status_that_is_asked_for(upstream: Upstream) -> None:
    assert call("POST", f"http://127.0.0.1:{upstream.port}/status-503/v1/chat/completions", {}).status == 503


def test_load_counts_answers_and_pieces_of_all_orders(tools: Tools, upstream: Upstream, tmp_path: Path) -> None:
    orders = [
        order(tmp_path, "whole-0"),
        order(tmp_path, "stream-50-0", pieces=50),
        order(tmp_path, "status-429", status=429, pieces=0),
    ]
    seen = run_load(tools, upstream.port, orders, connections=3, requests=300)
    assert (seen.answered, seen.failed, seen.first_failure) == (300, 0, "")
    # Each connection goes through the orders in turn, but they need not come equally far.
    assert 50 * 60 < seen.pieces < 51 * 240
    assert seen.connections == 3
    assert 0 < seen.p50_us <= seen.p99_us


def test_load_ends_after_its_seconds(tools: Tools, upstream: Upstream, tmp_path: Path) -> None:
    seen = run_load(tools, upstream.port, [order(tmp_path, "whole-1")], connections=2, seconds=0.2)
    assert seen.answered > 0
    assert seen.failed == 0
    assert 0.2 <= seen.seconds < 2


def test_first_piece_comes_before_the_whole(tools: Tools, upstream: Upstream, tmp_path: Path) -> None:
    seen = run_load(tools, upstream.port, [order(tmp_path, "stream-10-5", pieces=10)], connections=2, requests=8)
    assert seen.answered == 8
    assert seen.first_piece_p99_us < seen.p50_us


def test_load_hangs_up_where_it_is_told_to(tools: Tools, upstream: Upstream, tmp_path: Path) -> None:
    orders = [order(tmp_path, "stream-50-2", pieces=50, cancel=3)]
    seen = run_load(tools, upstream.port, orders, connections=4, requests=20)
    assert (seen.answered, seen.failed, seen.cancelled) == (0, 0, 20)
    assert seen.connections >= 20


@pytest.mark.parametrize(
    ("behaviour", "status", "pieces"),
    [("status-500", 200, 0), ("whole-0", 200, 2), ("stream-50-0", 200, 49)],
    ids=["another status", "a whole answer that lacks a piece", "one event too many"],
)
def test_answer_that_is_not_as_ordered_is_a_failure(
    tools: Tools, upstream: Upstream, tmp_path: Path, behaviour: str, status: int, pieces: int
) -> None:
    orders = [order(tmp_path, behaviour, status=status, pieces=pieces)]
    seen = run_load(tools, upstream.port, orders, connections=2, requests=10)
    assert (seen.answered, seen.failed) == (0, 10)
    assert "pieces" in seen.first_failure


def test_answer_that_breaks_off_is_a_failure(tools: Tools, tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def half_an_answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")

        thread = threading.Thread(target=half_an_answer)
        thread.start()
        port = listener.getsockname()[1]
        seen = run_load(tools, port, [order(tmp_path, "whole-0")], connections=1, requests=1)
        thread.join()
    assert (seen.answered, seen.failed) == (0, 1)
    assert "closed" in seen.first_failure
