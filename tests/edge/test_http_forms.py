"""HTTP as different clients speak it: old, eager, hesitant, half of it, or another protocol altogether."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from edge.edge_support import HEALTH, chat, ended, memory_bytes, post, refused, serving
from simulator.script import stream
from support.http import RawConnection, call, read_sse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator
    from support.processes import Gateway

MOST = 1_000_000
"""The largest body that the gateway of these tests takes, in bytes."""


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serving(tmp_path_factory, simulator_process, {"max_body_bytes": MOST, "keep_alive_s": 0.5}) as gateway:
        yield gateway


# --- HTTP/1.0 -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("simulator")
def test_a_stream_for_http_1_0_is_plain_and_ends_with_its_connection(gateway: Gateway) -> None:
    for headers in ((), (("Connection", "keep-alive"),)):
        with RawConnection(gateway.origin) as connection:
            connection.send(chat(gateway, *headers, version="1.0", stream=True))
            status, found = connection.read_head()
            named = {name.lower(): content for name, content in found}
            assert (status, named["connection"]) == (200, "close")
            assert "transfer-encoding" not in named
            assert read_sse(connection.read_all())[-1].data == "[DONE]"


@pytest.mark.usefixtures("simulator")
def test_http_1_0_may_stay_when_it_asks_to(gateway: Gateway) -> None:
    with RawConnection(gateway.origin) as connection:
        for _ in range(3):
            connection.send(chat(gateway, ("Connection", "Keep-Alive"), version="1.0"))
            answer = connection.read_answer()
            assert (answer.status, answer.header("connection")) == (200, "keep-alive")
        connection.send(b"GET /health HTTP/1.0\r\nExpect: 100-continue\r\n\r\n")
        assert connection.read_answer().header("connection") == "close"
        assert ended(connection)


# --- pipelining -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("simulator")
def test_requests_in_one_go_are_answered_one_by_one_in_order(gateway: Gateway) -> None:
    paths = [f"/api/v1/nothing-{number}" for number in range(300)]
    requests = b"".join(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() + HEALTH for path in paths)
    with RawConnection(gateway.origin) as connection:
        connection.send(chat(gateway, stream=True) + requests + chat(gateway))
        assert connection.read_answer().frames()[-1].data == "[DONE]"
        for _ in paths:
            assert connection.read_answer().status == 404
            assert connection.read_answer().body == b'{"status":"ok"}'
        answer = connection.read_answer()
        assert answer.json().get("object") == "chat.completion", answer


def test_requests_that_pile_up_behind_a_slow_one_cost_little(gateway: Gateway, simulator: Simulator) -> None:
    simulator.script(stream(["a"], finish=None, tokens=None, done=False, end="hang"))
    gateway.call("GET", "/presets")
    before = memory_bytes(gateway)
    with RawConnection(gateway.origin, timeout_s=1) as connection:
        connection.send(chat(gateway, stream=True))
        simulator.wait_for_requests()
        with pytest.raises(TimeoutError):  # nobody reads them: the system's buffers are full in the end
            for _ in range(400):
                connection.send(HEALTH * 1_000)
        assert call("GET", f"{gateway.origin}/health").status == 200
        grown = memory_bytes(gateway) - before
        print(f"\n{grown / 1024:.0f} KiB for a connection full of requests")
        assert grown < 4_000_000
    assert simulator.wait_for_disconnect().went_away


def test_a_client_that_leaves_takes_all_its_requests_with_it(gateway: Gateway, simulator: Simulator) -> None:
    simulator.script(stream(["a"], finish=None, tokens=None, done=False, end="hang"))
    with RawConnection(gateway.origin) as connection:
        connection.send(chat(gateway, stream=True) + chat(gateway) + chat(gateway))
        simulator.wait_for_requests()
    assert simulator.wait_for_disconnect().went_away
    assert len(simulator.requests()) == 1


# --- methods and headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/health", "/ready", "/api/v1/models", "/api/v1/presets/none"])
def test_a_head_answers_as_a_get_without_its_body(gateway: Gateway, path: str) -> None:
    headers = {"Authorization": f"Bearer {gateway.key}"}
    whole = call("GET", gateway.origin + path, headers=headers)
    with RawConnection(gateway.origin) as connection:
        lines = f"HEAD {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.key}\r\n\r\n".encode()
        connection.send(lines + lines)
        for _ in range(2):
            status, found = connection.read_head()
            assert status == whole.status
            assert [name for name, _ in found] == [name for name, _ in whole.headers]
            assert dict(found)["content-length"] == str(len(whole.body))


def test_a_range_is_not_taken_up(gateway: Gateway) -> None:
    for asked in ("bytes=0-3", "bytes=0-0," * 500 + "0-1", "bytes=-99999999999999999999", "lines=1"):
        answer = call("GET", f"{gateway.origin}/health", headers={"Range": asked, "If-Range": '"x"'})
        assert (answer.status, answer.body) == (200, b'{"status":"ok"}')
        assert answer.header("content-range") is None


@pytest.mark.parametrize("upgrade", ["h2c", "websocket", "TLS/1.0"])
def test_an_upgrade_is_not_taken_up(gateway: Gateway, simulator: Simulator, upgrade: str) -> None:
    asks = (("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", upgrade), ("HTTP2-Settings", "AAMAAABkAAQAoAAA"))
    whole = chat(gateway, *asks)
    head, _, body = whole.partition(b"\r\n\r\n")
    chunked = re.sub(rb"Content-Length: \d+", b"Transfer-Encoding: chunked", head) + b"\r\n\r\n"
    chunked += b"%x\r\n%s\r\n0\r\nX-Trailer: y\r\n\r\n" % (len(body), body)
    asking = HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
    data = whole + asking + chunked + HEALTH + whole
    for size in (len(data), 7):
        with RawConnection(gateway.origin) as connection:
            for at in range(0, len(data), size):
                connection.send(data[at : at + size])
            for expected in (b"chat.completion", b"ok", b"chat.completion", b"ok", b"chat.completion"):
                assert expected in connection.read_answer().body, "it stays what it was"
    assert len(simulator.requests()) == 6


def test_a_body_behind_an_upgrade_is_no_request(gateway: Gateway) -> None:
    inner = post(gateway, "/presets/in-a-body/messages", {"model": "sim/solo"})
    asks = (("Connection", "Upgrade"), ("Upgrade", "h2c"), ("Content-Length", str(len(inner))))
    with RawConnection(gateway.origin) as connection:
        connection.send(post(gateway, "/presets/around-it/messages", None, *asks) + inner + HEALTH)
        assert connection.read_answer().status == 400
        assert connection.read_answer().body == b'{"status":"ok"}'
    assert gateway.call("GET", "/presets/in-a-body").status == 404


@pytest.mark.parametrize(("target", "method", "status"), [("*", "OPTIONS", 404), ("x:443", "CONNECT", 400)])
def test_a_target_that_is_no_path_leads_nowhere(gateway: Gateway, target: str, method: str, status: int) -> None:
    with RawConnection(gateway.origin) as connection:
        connection.send(
            f"{method} {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.key}\r\n\r\n".encode()
        )
        assert connection.read_answer().status == status


# --- Expect ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("simulator")
def test_a_client_that_asks_first_is_told_to_go_on(gateway: Gateway) -> None:
    head, _, body = chat(gateway, ("Expect", "100-Continue")).partition(b"\r\n\r\n")
    with RawConnection(gateway.origin) as connection:
        for _ in range(2):
            connection.send(head + b"\r\n\r\n")
            assert connection.read_head() == (100, ())
            connection.send(body)
            assert connection.read_answer().status == 200
        connection.send(head + b"\r\n\r\n" + body)
        assert connection.read_answer().status == 200, "who does not wait is not told"


@pytest.mark.parametrize(
    ("status", "path", "key", "headers"),
    [
        (401, "/chat/completions", "nobody", [("Content-Length", "20")]),
        (413, "/messages", None, [("Content-Length", str(MOST + 1))]),
        (404, "/nowhere", None, [("Content-Length", "20")]),
        (405, "/models", None, [("Content-Length", "20")]),
    ],
)
def test_a_client_that_asks_first_and_is_refused_sends_no_body(
    gateway: Gateway, status: int, path: str, key: str | None, headers: list[tuple[str, str]]
) -> None:
    with RawConnection(gateway.origin) as connection:
        connection.send(post(gateway, path, None, *headers, ("Expect", "100-continue"), key=key or gateway.key))
        answer = connection.read_answer()
        assert (answer.status, answer.header("connection")) == (status, "close")
        assert ended(connection)


def test_anything_else_that_is_expected_is_refused(gateway: Gateway) -> None:
    for expected in ("200-ok", "100-continue, more", ""):
        with RawConnection(gateway.origin) as connection:
            connection.send(chat(gateway, ("Expect", expected)))
            refused(connection.read_answer(), 417, "expectation_failed")
            assert ended(connection)


# --- answers to clients that are still sending ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "key", "framing"),
    [
        (413, None, ("Content-Length", "900000000")),
        (413, None, ("Transfer-Encoding", "chunked")),
        (401, "nobody", ("Content-Length", "900000000")),
        (400, None, ("Content-Length", "9x")),
    ],
)
def test_a_client_that_sends_on_can_read_why_it_was_refused(
    gateway: Gateway, status: int, key: str | None, framing: tuple[str, str]
) -> None:
    with RawConnection(gateway.origin) as connection:
        connection.send(post(gateway, "/chat/completions", None, framing, key=key or gateway.key))
        for _ in range(50 if "chunked" in framing else 25):  # beyond the limit, and not as much again
            connection.send(b"8000\r\n" + b" " * 32_768 + b"\r\n")
        answer = connection.read_answer()
        assert (answer.status, answer.header("connection")) == (status, "close")
        assert ended(connection)


def test_a_client_that_does_not_end_is_not_listened_to_for_ever(gateway: Gateway) -> None:
    before = memory_bytes(gateway)
    with RawConnection(gateway.origin) as connection:
        connection.send(post(gateway, "/chat/completions", None, ("Transfer-Encoding", "chunked")))
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(1_000_000_000 // 65_536):
                connection.send(b"10000\r\n" + b" " * 65_536 + b"\r\n")
    assert memory_bytes(gateway) - before < 20_000_000
