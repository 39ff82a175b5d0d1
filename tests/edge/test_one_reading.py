"""Bytes that two servers might take apart in two ways: refused, and nothing behind them on the connection is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.edge_support import HEALTH, chat, ended, post, refused, serving
from support.http import RawConnection, call
from support.processes import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator
    from support.http import Answer
    from support.processes import Gateway


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serving(tmp_path_factory, simulator_process, {"max_header_bytes": 8_192}) as gateway:
        yield gateway


def begin(*headers: str, path: str = "/api/v1/presets/outer/messages", version: str = "1.1") -> bytes:
    """The head of a POST whose body is what the headers make of the bytes behind it."""
    lines = [f"POST {path} HTTP/{version}", "Host: x", f"Authorization: Bearer {KEY}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


CHUNKED = "Transfer-Encoding: chunked"

HEADS = {
    "both lengths": begin("Content-Length: 4", CHUNKED) + b"2\r\n{}\r\n0\r\n\r\n",
    "both lengths, the other way round": begin(CHUNKED, "Content-Length: 4") + b"2\r\n{}\r\n0\r\n\r\n",
    "two lengths": begin("Content-Length: 2", "Content-Length: 40") + b"{}",
    "two equal lengths": begin("Content-Length: 2", "Content-Length: 2") + b"{}",
    "two lengths in one": begin("Content-Length: 2, 2") + b"{}",
    "a length with a sign": begin("Content-Length: +2") + b"{}",
    "a length in hexadecimal": begin("Content-Length: 0x2") + b"{}",
    "a length of another world": begin("Content-Length: 184467440737095516162") + b"{}",
    "no length after all": begin("Content-Length:") + b"{}",
    "another coding": begin("Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
    "a coding that is none": begin("Transfer-Encoding: xchunked") + b"0\r\n\r\n",
    "identity": begin("Transfer-Encoding: identity") + b"{}",
    "chunked twice": begin(CHUNKED, CHUNKED) + b"0\r\n\r\n",
    "chunked behind a vertical tab": begin("Transfer-Encoding:\x0bchunked") + b"0\r\n\r\n",
    "chunks in HTTP/1.0": begin(CHUNKED, version="1.0") + b"2\r\n{}\r\n0\r\n\r\n",
    "a folded line": begin("X: a", " b", "Content-Length: 2") + b"{}",
    "a space before the colon": begin("Content-Length : 2") + b"{}",
    "a lone CR": begin("X: a\rContent-Length: 40") + b"{}",
    "a lone LF": begin("X: a\nContent-Length: 40") + b"{}",
    "LF alone": begin("Content-Length: 2").replace(b"\r\n", b"\n") + b"{}",
    "NUL": begin("X: a\0b", "Content-Length: 2") + b"{}",
    "a name that is none": begin("X\xe9: a", "Content-Length: 2") + b"{}",
    "no name": begin(": a", "Content-Length: 2") + b"{}",
    "HTTP/0.9": b"POST /api/v1/presets/outer/messages\r\n\r\n",
    "two hosts": begin("Host: y", "Content-Length: 2") + b"{}",
}

CHUNKS = {
    "no size": b"\r\n{}\r\n0\r\n\r\n",
    "a size with a sign": b"-2\r\n{}\r\n0\r\n\r\n",
    "a size with 0x": b"0x2\r\n{}\r\n0\r\n\r\n",
    "a size behind a space": b" 2\r\n{}\r\n0\r\n\r\n",
    "a size before a space": b"2 \r\n{}\r\n0\r\n\r\n",
    "a size of another world": b"fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "a size and LF": b"2\n{}\r\n0\r\n\r\n",
    "data without an end": b"2\r\n{}0\r\n\r\n",
    "data that is longer": b"2\r\n{}  \r\n0\r\n\r\n",
    "data and LF": b"2\r\n{}\n0\r\n\r\n",
    "an extension with LF": b"2;a\nb\r\n{}\r\n0\r\n\r\n",
    "a length among the trailers": b"2\r\n{}\r\n0\r\nContent-Length: 2\r\n\r\n",
    "an extension without end": b"2;" + b"a" * 40_000 + b"\r\n{}\r\n0\r\n\r\n",
    "many extensions": b"1;%s\r\n \r\n" % (b"b" * 200) * 200 + b"2\r\n{}\r\n0\r\n\r\n",
    "zeros before a size": b"0" * 40_000 + b"2\r\n{}\r\n0\r\n\r\n",
    "trailers without end": b"2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 3_000 + b"\r\n",
}


def answers(connection: RawConnection) -> list[Answer]:
    """All answers on a connection, until it ends."""
    found: list[Answer] = []
    while True:
        try:
            found.append(connection.read_answer())
        except EOFError:
            return found


def hidden(gateway: Gateway, name: str) -> bytes:
    """A request that must not be done when it follows on one that is refused."""
    return post(gateway, f"/presets/{name}/messages", {"model": "sim/solo"}, ("X-Padding", "a" * 80))


@pytest.mark.parametrize("attack", HEADS.values(), ids=HEADS)
def test_a_head_that_can_be_read_in_two_ways_is_refused(gateway: Gateway, attack: bytes) -> None:
    with RawConnection(gateway.origin) as connection:
        connection.send(attack + hidden(gateway, "behind-head"))
        (answer,) = answers(connection)
        refused(answer, 400, "invalid_request")
    assert gateway.call("GET", "/presets/behind-head").status == 404


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("attack", CHUNKS.values(), ids=CHUNKS)
def test_chunks_that_can_be_read_in_two_ways_are_refused(gateway: Gateway, attack: bytes, at_once: bool) -> None:
    with RawConnection(gateway.origin) as connection:
        if at_once:
            connection.send(begin(CHUNKED) + attack + hidden(gateway, "behind-chunks"))
        else:
            connection.send(begin(CHUNKED, "Expect: 100-continue"))
            assert connection.read_head() == (100, ()), "the body is being waited for"
            connection.send(attack + hidden(gateway, "behind-chunks"))
        (answer,) = answers(connection)
        assert answer.status in (400, 431)
        assert answer.header("connection") == "close"
    assert gateway.call("GET", "/presets/behind-chunks").status == 404


def test_chunks_are_taken_as_they_may_be(gateway: Gateway) -> None:
    body = b'{"model":"sim/solo"}'
    for chunks in (
        b"".join(b"1\r\n%c\r\n" % byte for byte in body),
        b'00014;name=value;other="a b"\r\n%s\r\n' % body,
    ):
        with RawConnection(gateway.origin) as connection:
            connection.send(begin(CHUNKED) + chunks + b"0\r\nX-Trailer: y\r\n\r\n" + HEALTH)
            assert connection.read_answer().status == 200
            assert connection.read_answer().body == b'{"status":"ok"}'


def test_what_follows_a_body_is_no_header(gateway: Gateway) -> None:
    for name in ("Authorization: Bearer", "X-API-Key:"):
        head = b"POST /api/v1/presets/trailed/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        with RawConnection(gateway.origin) as connection:
            connection.send(head + f"2\r\n{{}}\r\n0\r\n{name} {KEY}\r\n\r\n".encode())
            assert connection.read_answer().status == 401


def test_nothing_is_done_behind_the_last_request(gateway: Gateway) -> None:
    for last in (
        b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /health HTTP/1.0\r\n\r\n",
        b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    ):
        with RawConnection(gateway.origin) as connection:
            connection.send(last + hidden(gateway, "behind-last"))
            assert len(answers(connection)) == 1
    assert gateway.call("GET", "/presets/behind-last").status == 404


@pytest.mark.usefixtures("simulator")
def test_a_refusal_waits_for_the_answers_before_it(gateway: Gateway) -> None:
    good, bad = chat(gateway, stream=True), HEADS["both lengths"]
    with RawConnection(gateway.origin) as connection:
        connection.send(HEALTH + good + bad + hidden(gateway, "behind-bad"))
        first, second, third = answers(connection)
        assert (first.body, second.status) == (b'{"status":"ok"}', 200)
        assert second.frames()[-1].data == "[DONE]", "the answer in between is whole"
        refused(third, 400, "invalid_request")
    assert gateway.call("GET", "/presets/behind-bad").status == 404


def test_a_request_is_the_same_cut_at_every_byte(gateway: Gateway) -> None:
    data = begin(CHUNKED) + b"2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n" + HEALTH
    with RawConnection(gateway.origin) as connection:
        for byte in data:
            connection.send(bytes((byte,)))
        assert connection.read_answer().status == 200
        assert connection.read_answer().body == b'{"status":"ok"}'


@pytest.mark.parametrize(
    ("hello", "status"),
    [
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0\0\0\0\0", 505),
        (b"GET /health HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"\r\n" * 10_000, 431),
    ],
)
def test_who_speaks_something_else_is_told_so(gateway: Gateway, hello: bytes, status: int) -> None:
    with RawConnection(gateway.origin) as connection:
        connection.send(hello)
        answer = connection.read_answer()
        assert (answer.status, answer.header("connection")) == (status, "close")
        assert ended(connection)
    assert call("GET", f"{gateway.origin}/health").status == 200
