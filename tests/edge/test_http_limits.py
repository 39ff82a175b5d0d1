"""How much of a request is taken: heads, bodies, JSON; what is too much is refused early and costs nobody else."""

from __future__ import annotations

import gzip
import json
import os
import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from faults.faults_support import peak_memory
from support.http import RawConnection
from support.processes import Gateway, config_file, simulated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simulator.client import Simulator
    from support.http import Answer
    from support.processes import StartGateway

MOST = 300_000
"""The largest body that the gateway of these tests takes, in bytes."""

ROUTES = ["/presets/limits/chat/completions", "/presets/limits/messages", "/chat/completions", "/keys"]


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("limits")
    config = config_file(folder, **simulated(simulator_process), settings={"max_body_bytes": MOST})
    started = Gateway(folder, config=config)
    yield started
    assert started.call("GET", "/presets").status == 200, "whatever came before, it still answers"
    assert started.stop() == 0, started.log_text()


def post(gateway: Gateway, path: str, *headers: str, key: str | None = None) -> bytes:
    """The head of a POST with the admin key, or another."""
    lines = [f"POST /api/v1{path} HTTP/1.1", "Host: x", f"Authorization: Bearer {key or gateway.key}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def refused(answer: Answer, status: int, type_: str) -> str:
    assert answer.status == status, (answer.status, answer.body)
    error = answer.json()["error"]
    assert (error["code"], error["metadata"]["error_type"]) == (status, type_)
    return error["message"]


def memory_mb(pid: int) -> float:
    """The resident memory of a process, in MiB."""
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    assert found is not None
    return int(found[1]) / 1_024


# --- heads ---------------------------------------------------------------------------------------------------


def head_of(*, headers: int = 0, bytes_: int = 0) -> bytes:
    """A request with so many more headers, one of which has so many bytes."""
    lines = [f"X-{number}: {'a' * bytes_ if number == 0 else 1}" for number in range(max(headers, int(bytes_ > 0)))]
    return "\r\n".join(["GET /health HTTP/1.1", "Host: x", *lines, "", ""]).encode()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (head_of(headers=99), 200),
        (head_of(headers=100), 431),
        (head_of(headers=10_000), 431),
        (head_of(bytes_=65_400), 200),
        (head_of(bytes_=65_600), 431),
        (b"GET /" + b"a" * 65_600 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        (b"GET /health?" + b"a" * 65_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 200),
    ],
    ids=["100 headers", "101 headers", "10,002 headers", "64 KB", "more than 64 KB", "a long path", "a long query"],
)
def test_a_head_that_is_too_large_is_refused(gateway: Gateway, head: bytes, status: int) -> None:
    with RawConnection(gateway.origin) as connection:
        connection.send(head)
        answer = connection.read_answer()
        if status == 431:
            refused(answer, 431, "headers_too_large")
            assert answer.header("connection") == "close"
            assert connection.read_all() == b""
        else:
            assert answer.status == status


def test_a_head_without_end_is_refused_before_it_ends(gateway: Gateway) -> None:
    before = memory_mb(gateway.pid)
    for begin in (b"GET /health HTTP/1.1\r\nX: ", b"GET /", b"GET /health HTTP/1.1\r\n" + b"X: y\r\n" * 90 + b"Z"):
        with RawConnection(gateway.origin) as connection:
            connection.send(begin + b"a" * 66_000)
            refused(connection.read_answer(), 431, "headers_too_large")
    assert memory_mb(gateway.pid) < before + 30


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nX: y\r\nhOST: b\r\n\r\n",
        b"GET http://a/health HTTP/1.1\r\n\r\n",
    ],
)
def test_a_request_says_exactly_once_whom_it_is_for(gateway: Gateway, head: bytes) -> None:
    with RawConnection(gateway.origin) as connection:
        connection.send(head)
        assert "Host" in refused(connection.read_answer(), 400, "invalid_request")
        assert connection.read_all() == b""


def test_http_1_0_needs_no_host(gateway: Gateway) -> None:
    with RawConnection(gateway.origin) as connection:
        connection.send(b"GET /health HTTP/1.0\r\n\r\n")
        assert connection.read_answer().body == b'{"status":"ok"}'
        assert connection.read_all() == b""


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nA: b\x1b[31m\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nA\r\n\r\n",
        b"GET /health HTTP/3.7\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"{}\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_and_the_connection_closed(gateway: Gateway, head: bytes) -> None:
    with RawConnection(gateway.origin) as connection:
        connection.send(head)
        refused(connection.read_answer(), 400, "invalid_request")
        assert connection.read_all() == b""


# --- bodies --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ROUTES)
def test_a_body_that_says_that_it_is_too_large_is_refused_unread(gateway: Gateway, path: str) -> None:
    for length in (MOST + 1, 10**10, 2**63 - 1):
        for expects in ((), ("Expect: 100-continue",)):
            with RawConnection(gateway.origin) as connection:
                connection.send(post(gateway, path, f"Content-Length: {length}", *expects))
                refused(connection.read_answer(), 413, "payload_too_large")  # no 100 came before it
                assert connection.read_all() == b""


@pytest.mark.parametrize("path", ROUTES)
def test_a_body_in_chunks_is_refused_as_soon_as_it_is_too_large(gateway: Gateway, path: str) -> None:
    with RawConnection(gateway.origin) as connection:
        connection.send(post(gateway, path, "Transfer-Encoding: chunked"))
        for _ in range(MOST // 50_000):
            connection.send(b"c350\r\n" + b" " * 50_000 + b"\r\n")
        connection.send(b"1\r\n \r\n")
        refused(connection.read_answer(), 413, "payload_too_large")  # the body has not ended


def test_a_body_of_exactly_the_limit_is_taken(gateway: Gateway) -> None:
    body = json.dumps({"x": ""}).encode()
    body = body[:-2] + b"a" * (MOST - len(body)) + body[-2:]
    assert len(body) == MOST
    assert gateway.call("POST", "/presets/limits/messages", body=body).status == 200
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (MOST, body)
    with RawConnection(gateway.origin) as connection:
        connection.send(post(gateway, "/presets/limits/messages", "Transfer-Encoding: chunked") + chunks)
        assert connection.read_answer().status == 200
    assert gateway.call("POST", "/presets/limits/messages", body=body + b" ").status == 413


def test_an_endless_body_costs_no_memory(gateway: Gateway) -> None:
    before = memory_mb(gateway.pid)
    for _ in range(5):
        with RawConnection(gateway.origin) as connection:
            connection.send(post(gateway, "/presets/limits/messages", "Transfer-Encoding: chunked"))
            try:
                for _ in range(300):
                    connection.send(b"10000\r\n" + b" " * 65_536 + b"\r\n")
            except (BrokenPipeError, ConnectionResetError):
                continue  # the answer came and the connection went, in the middle of our sending
            refused(connection.read_answer(), 413, "payload_too_large")
    assert memory_mb(gateway.pid) < before + 60


@pytest.mark.parametrize("framing", [f"Content-Length: {MOST + 1}", "Content-Length: 50", "Transfer-Encoding: chunked"])
def test_whoever_has_no_key_is_told_so_before_the_body(gateway: Gateway, framing: str) -> None:
    for path in ROUTES:
        with RawConnection(gateway.origin) as connection:
            connection.send(post(gateway, path, framing, key="nobody"))
            refused(connection.read_answer(), 401, "authentication")


@pytest.mark.parametrize(
    "framing",
    [
        ("Content-Length: 2", "Transfer-Encoding: chunked"),
        ("Content-Length: 2", "Content-Length: 3"),
        ("Content-Length: -1",),
        ("Content-Length: 2x",),
        ("Content-Length: 99999999999999999999999",),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding: gzip, chunked, chunked",),
    ],
)
def test_a_body_whose_end_can_be_read_in_two_ways_is_refused(gateway: Gateway, framing: tuple[str, ...]) -> None:
    with RawConnection(gateway.origin) as connection:
        connection.send(post(gateway, "/presets/limits/messages", *framing) + b"2\r\n{}\r\n0\r\n\r\n")
        refused(connection.read_answer(), 400, "invalid_request")
        assert connection.read_all() == b""


# --- JSON ----------------------------------------------------------------------------------------------------


def nested(depth: int, mark: str = "[]") -> bytes:
    """A body with an unknown field that makes it so many levels deep."""
    opening, closing = (b"[", b"]") if mark == "[]" else (b'{"a":', b"}")
    inner = b"" if mark == "[]" else b"0"
    return b'{"model":"sim/solo","x":' + opening * (depth - 1) + inner + closing * (depth - 1) + b"}"


@pytest.mark.parametrize("path", ROUTES[:2])
@pytest.mark.parametrize("mark", ["[]", "{}"])
def test_json_may_be_so_deep_and_no_deeper(gateway: Gateway, path: str, mark: str) -> None:
    assert gateway.call("POST", path, body=nested(256, mark)).status == 200
    for depth in (257, 1_000, 40_000):
        refused(gateway.call("POST", path, body=nested(depth, mark)), 400, "invalid_request")
    refused(gateway.call("POST", path, body=b'{"x":' + b"[" * 100_000), 400, "invalid_request")


@pytest.mark.parametrize("path", ROUTES[:3])
def test_json_may_have_so_many_members_and_no_more(gateway: Gateway, path: str) -> None:
    def body(content: str) -> bytes:
        return f'{{"model":"sim/solo","messages":[{{"role":"user","content":"x"}}],"x":{content}}}'.encode()

    assert gateway.call("POST", path, body=body("[" + "0," * 99_999 + "0]")).status == 200
    refused(gateway.call("POST", path, body=body("[" + "0," * 100_000 + "0]")), 400, "invalid_request")


def test_members_of_one_object_are_counted_too(start_gateway: StartGateway) -> None:
    gateway = start_gateway(settings={"max_json_members": 10, "max_json_depth": 4})
    ten = {f"m{number}": 0 for number in range(10)}
    for path in ("/presets/limits/messages", "/presets/limits/responses"):
        assert gateway.call("POST", path, ten).status == 200
        refused(gateway.call("POST", path, {**ten, "more": 0}), 400, "invalid_request")
        refused(gateway.call("POST", path, {"x": {**ten, "more": 0}}), 400, "invalid_request")
        assert gateway.call("POST", path, {"x": [[[]]]}).status == 200
        refused(gateway.call("POST", path, {"x": [[[[]]]]}), 400, "invalid_request")


@pytest.mark.parametrize(
    "number", ["1e400", "-1e400", "NaN", "Infinity", "9" * 400, "1" + "0" * 5_000, "0x10", "01", "1.", ".5", "+1"]
)
def test_a_number_out_of_this_world_is_refused(gateway: Gateway, number: str) -> None:
    for field in ("temperature", "max_tokens"):
        body = f'{{"model":"sim/solo","{field}":{number}}}'.encode()
        refused(gateway.call("POST", "/presets/limits/chat/completions", body=body), 400, "invalid_request")


def test_of_two_members_of_one_name_the_last_counts_here_and_upstream(gateway: Gateway, simulator: Simulator) -> None:
    messages = '"messages":[{"role":"user","content":"hi"}]'
    twice = f'{{"model":"nobody/x","temperature":9,{messages},"temperature":1,"model":"sim/solo"}}'
    answer = gateway.call("POST", "/chat/completions", body=twice.encode())
    assert answer.status == 200
    (received,) = simulator.requests()
    assert received.body.count(b'"temperature"') == received.body.count(b'"model"') == 1
    assert received.json()["temperature"] == 1


def packed(gateway: Gateway, data: bytes, encoding: str) -> Answer:
    return gateway.call("POST", "/presets/packed/messages", body=data, headers={"Content-Encoding": encoding})


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_body_is_unpacked(gateway: Gateway, encoding: str, pack: Callable[[bytes], bytes]) -> None:
    made = packed(gateway, pack(b'{"model":"sim/solo","temperature":0.20}'), encoding)
    assert made.status == 200
    assert b'"config":{"model":"sim/solo","temperature":0.20}' in made.body


def test_a_small_body_that_unpacks_to_a_large_one_is_refused(gateway: Gateway) -> None:
    before = peak_memory(gateway)
    bomb = gzip.compress(b'{"x":"' + b"0" * 100_000_000 + b'"}')
    assert len(bomb) < MOST
    refused(packed(gateway, bomb, "gzip"), 413, "payload_too_large")
    assert peak_memory(gateway) - before < 50_000_000


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b'{"model":"m"}', "gzip"),
        (gzip.compress(b'{"model":"m"}')[:-9], "gzip"),
        (os.urandom(64), "deflate"),
        (gzip.compress(b'{"model":"m"}') + b"x", "gzip"),
        (gzip.compress(b'{"model":"m"}') * 2, "gzip"),
    ],
    ids=["plain", "cut", "noise", "more behind it", "twice"],
)
def test_what_cannot_be_unpacked_is_refused(gateway: Gateway, data: bytes, encoding: str) -> None:
    refused(packed(gateway, data, encoding), 400, "invalid_request")


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "gzip,deflate,gzip", "identity, gzip", "x"])
def test_a_coding_that_is_not_known_or_not_alone_is_refused(gateway: Gateway, coding: str) -> None:
    answer = packed(gateway, gzip.compress(gzip.compress(b'{"model":"m"}')), coding)
    refused(answer, 415, "unsupported_encoding")
    assert answer.header("accept-encoding") == "gzip, deflate"


def test_a_body_that_is_unpacked_in_several_steps_is_whole_and_bounded(start_gateway: StartGateway) -> None:
    gateway = start_gateway(settings={"max_body_bytes": 4_000_000})
    begin, end = b'{"model":"sim/solo","temperature":0.5,"x":"', b'","top_k":7}'
    for spare in (0, 1):
        whole = begin + b"0" * (4_000_000 - len(begin) - len(end) + spare) + end
        answer = packed(gateway, gzip.compress(whole), "gzip")
        if spare:
            refused(answer, 413, "payload_too_large")
        else:
            assert answer.status == 200
            assert b'"temperature":0.5' in answer.body
            assert b'"top_k":7' in answer.body
    refused(packed(gateway, gzip.compress(whole)[:-30], "gzip"), 400, "invalid_request")
