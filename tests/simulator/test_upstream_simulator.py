"""The simulator itself: it records what came byte by byte, and every fault can be felt on a raw socket."""

from __future__ import annotations

import gzip
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from simulator.script import (
    body,
    cut,
    deaf,
    drop,
    endless_comments,
    flood,
    gzip_bomb,
    hang,
    in_pieces,
    long_line,
    ok,
    raw,
    reset,
    sse,
    status,
    stream,
)
from support.http import RawConnection, Streaming, call, open_stream, request_bytes

if TYPE_CHECKING:
    from simulator.client import Simulator
    from simulator.steps import Script

PATH = "/a/v1/chat/completions"
QUESTION: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def ask(simulator: Simulator, path: str = PATH) -> RawConnection:
    connection = RawConnection(simulator.url(path))
    connection.send(request_bytes("POST", simulator.url(path), b"{}"))
    return connection


def answered(simulator: Simulator, script: Script) -> bytes:
    """All bytes of an answer that ends with the connection."""
    simulator.script(script)
    with ask(simulator) as connection:
        return connection.read_all()


def chunks(answer: Streaming) -> list[Any]:
    *frames, last = answer.frames()
    assert last.data == "[DONE]"
    return [frame.json() for frame in frames]


# --- who is well ---------------------------------------------------------------------------------------------


def test_only_right_answers_leave_a_provider_well(simulator: Simulator) -> None:
    simulator.unwell = False
    for script in (ok(), ok("another", tokens=(1, 2), id_="x")):
        simulator.script(script)
    assert not simulator.unwell
    for script in (
        status(200),
        ok(delay_ms=1),
        ok(pause_ms=1),
        cut(),
        reset(),
        in_pieces(ok(), size=1),
        ok().at_gate(2),
    ):
        simulator.unwell = False
        simulator.cycle(ok(), script)
        simulator.clear()
        assert simulator.unwell, script


# --- what it records -----------------------------------------------------------------------------------------


def test_a_request_is_recorded_byte_by_byte(simulator: Simulator) -> None:
    sent = bytes(range(256)) + b'{"temperature": 0.20}'
    head = b"POST /a/v1/x?beta=true HTTP/1.1\r\nhost: x\r\nX-Two:  one \r\nx-two: two\r\nContent-Length: 277\r\n\r\n"
    with RawConnection(simulator.origin) as connection:
        connection.send(head + sent)
        assert connection.read_answer().status == 200
    (received,) = simulator.requests()
    assert received.head == head
    assert received.body == sent
    assert received.whole
    assert (received.method, received.path) == ("POST", "/a/v1/x?beta=true")
    assert received.headers == (("host", "x"), ("X-Two", "one"), ("x-two", "two"), ("Content-Length", "277"))
    assert received.header("X-TWO") == "one"
    assert received.header("x-three") is None


def test_a_chunked_request_is_recorded_without_its_coding(simulator: Simulator) -> None:
    with RawConnection(simulator.url(PATH)) as connection:
        connection.send(b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r")
        time.sleep(0.02)
        connection.send(b"\nA\r\n0123456789\r\n0\r\n\r\n")
        assert connection.read_answer().status == 200
        connection.send(request_bytes("POST", simulator.url("/next"), b""))
        assert connection.read_answer().status == 200
    assert [received.body for received in simulator.requests()] == [b"abc0123456789", b""]


def test_a_connection_is_used_again_and_says_so(simulator: Simulator) -> None:
    with RawConnection(simulator.url(PATH)) as connection:
        for _ in range(2):
            connection.send(request_bytes("POST", simulator.url(PATH), b"{}"))
            connection.read_answer()
    call("POST", simulator.url(PATH), {})
    first, second, third = (received.connection for received in simulator.requests())
    assert first == second != third


def test_a_peer_that_leaves_before_the_answer_is_noticed(simulator: Simulator) -> None:
    simulator.script(hang())
    connection = ask(simulator)
    simulator.wait_for_requests(1)
    time.sleep(0.05)
    connection.close()
    received = simulator.wait_for_disconnect()
    assert received.went_away
    assert received.answered_ms is None
    assert received.closed_ms is not None
    assert received.closed_ms >= 50


def test_a_peer_that_leaves_at_once_is_recorded_all_the_same(simulator: Simulator) -> None:
    ask(simulator).close()
    simulator.wait_for_requests(1)
    ask(simulator).reset()
    assert len(simulator.wait_for_requests(2)) == 2


def test_a_peer_that_leaves_inside_its_body_leaves_the_part_that_came(simulator: Simulator) -> None:
    connection = RawConnection(simulator.url(PATH))
    connection.send(b"POST /a HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf")
    simulator.wait_for_requests(1)
    connection.close()
    received = simulator.wait_for_disconnect()
    assert (received.body, received.whole, received.went_away) == (b"half", False, True)


def test_a_peer_that_leaves_after_the_answer_did_not_go_away(simulator: Simulator) -> None:
    call("POST", simulator.url(PATH), QUESTION)
    received = simulator.wait_for_disconnect()
    assert not received.went_away
    assert received.answered_ms is not None


def test_waiting_in_vain_says_so(simulator: Simulator) -> None:
    with pytest.raises(TimeoutError):
        simulator.wait_for_requests(1, timeout_s=0.01)
    with pytest.raises(TimeoutError):
        simulator.wait_for_disconnect(timeout_s=0.01)


# --- which script a request gets -----------------------------------------------------------------------------


def test_scripts_come_in_order_and_the_last_one_stays(simulator: Simulator) -> None:
    simulator.script(status(500), status(429), ok())
    assert [call("POST", simulator.url(PATH), {}).status for _ in range(4)] == [500, 429, 200, 200]


def test_scripts_come_again_from_the_first_one_on(simulator: Simulator) -> None:
    simulator.cycle(status(500), ok())
    assert [call("POST", simulator.url(PATH), {}).status for _ in range(5)] == [500, 200, 500, 200, 500]


def test_prefixes_make_one_process_several_providers(simulator: Simulator) -> None:
    simulator.script(status(500))
    simulator.script(status(503), prefix="/b")
    simulator.script(status(529), prefix="/b/v2")
    found = [call("POST", simulator.url(path), {}).status for path in ("/a/v1", "/b/v1", "/b/v2")]
    assert found == [500, 503, 529]
    assert [received.path for received in simulator.requests("/b")] == ["/b/v1", "/b/v2"]


def test_clear_makes_it_new_and_takes_running_scripts_away(simulator: Simulator) -> None:
    simulator.script(hang())
    with ask(simulator) as connection:
        simulator.wait_for_requests(1)
        simulator.clear()
        with pytest.raises(ConnectionResetError):
            connection.read_some()
    assert simulator.requests() == []
    assert call("POST", simulator.url(PATH), {}).status == 200


def test_forgetting_requests_keeps_the_scripts(simulator: Simulator) -> None:
    simulator.script(status(500))
    call("POST", simulator.url(PATH), {})
    simulator.forget_requests()
    assert simulator.requests() == []
    assert call("POST", simulator.url(PATH), {}).status == 500


def test_what_is_no_script_is_refused(simulator: Simulator) -> None:
    answer = call("PUT", simulator.url("/_sim/script"), {"scripts": [{"steps": [{"do": "dance"}]}]})
    assert answer.status == 400
    assert call("GET", simulator.url("/_sim/nothing")).status == 404


# --- right answers -------------------------------------------------------------------------------------------


def test_the_default_answer_is_a_chat_completion(simulator: Simulator) -> None:
    answer = call("POST", simulator.url(PATH), QUESTION)
    assert answer.header("content-type") == "application/json"
    said = answer.json()
    assert (said["object"], said["model"]) == ("chat.completion", "m")
    assert said["choices"][0]["message"]["content"] == "Hello from the simulator."
    assert said["usage"] == {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}


def test_the_default_answer_to_a_streaming_request_is_a_stream(simulator: Simulator) -> None:
    with open_stream(simulator.url(PATH), {**QUESTION, "stream": True}) as answer:
        assert answer.header("content-type") == "text/event-stream"
        said = chunks(answer)
    assert "".join(it["choices"][0]["delta"].get("content", "") for it in said) == "Hello from the simulator."
    assert said[-1]["choices"][0]["finish_reason"] == "stop"
    assert not any("usage" in it for it in said)


def test_usage_comes_last_in_a_stream_when_it_is_asked_for(simulator: Simulator) -> None:
    question = {**QUESTION, "stream": True, "stream_options": {"include_usage": True}}
    with open_stream(simulator.url(PATH), question) as answer:
        said = chunks(answer)
    assert said[-1]["choices"] == []
    assert said[-1]["usage"]["total_tokens"] == 16


def test_text_and_tokens_can_be_chosen(simulator: Simulator) -> None:
    simulator.script(ok("Grüße 😀", tokens=(7, 2)))
    said = call("POST", simulator.url(PATH), QUESTION).json()
    assert said["choices"][0]["message"]["content"] == "Grüße 😀"
    assert said["usage"] == {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}


def test_a_stream_is_made_of_text_and_deltas(simulator: Simulator) -> None:
    simulator.script(stream(["a", {"tool_calls": []}], finish="length", tokens=None, done=False))
    with open_stream(simulator.url(PATH), QUESTION) as answer:
        said = [frame.json()["choices"][0] for frame in answer.frames()]
    assert [it["delta"] for it in said] == [
        {"role": "assistant", "content": ""},
        {"content": "a"},
        {"tool_calls": []},
        {},
    ]
    assert said[-1]["finish_reason"] == "length"


def test_a_status_has_headers_and_a_body(simulator: Simulator) -> None:
    simulator.script(status(429, headers={"Retry-After": "2"}), status(302, "<html>", content_type="text/html"))
    answer = call("POST", simulator.url(PATH), {})
    assert (answer.status, answer.header("retry-after")) == (429, "2")
    assert answer.json()["error"]["message"] == "simulated 429"
    answer = call("POST", simulator.url(PATH), {})
    assert (answer.status, answer.header("content-type"), answer.body) == (302, "text/html", b"<html>")


def test_many_headers_of_one_name_can_be_sent(simulator: Simulator) -> None:
    simulator.script(body({}, headers=[("X-A", "1"), ("X-A", "2")], content_type=None, framing="chunked"))
    answer = call("POST", simulator.url(PATH), {})
    assert answer.headers == (("X-A", "1"), ("X-A", "2"), ("Transfer-Encoding", "chunked"))
    assert answer.json() == {}


# --- time ----------------------------------------------------------------------------------------------------


def test_delays_come_before_the_head_and_between_the_frames(simulator: Simulator) -> None:
    simulator.script(stream(["a", "b"], delay_ms=60, pause_ms=30))
    start = time.monotonic()
    with open_stream(simulator.url(PATH), QUESTION) as answer:
        assert time.monotonic() - start >= 0.06
        times = [frame.at_s for frame in answer.frames()]
    assert len(times) == 6
    assert times[-1] - start >= 0.06 + 5 * 0.03


@pytest.mark.parametrize("script", [hang(), hang(after=20), stream(end="hang"), stream(["a"], done=False, end="hang")])
def test_a_hanging_answer_stops_where_it_should_and_stays_open(simulator: Simulator, script: Script) -> None:
    simulator.script(script)
    with RawConnection(simulator.url(PATH), timeout_s=0.2) as connection:
        connection.send(request_bytes("POST", simulator.url(PATH), b"{}"))
        seen = bytearray()
        with pytest.raises(TimeoutError):
            while True:
                data = connection.read_some().data
                assert data, "closed"
                seen += data
    if script.stop_after is not None:
        assert len(seen) == script.stop_after
    else:
        assert seen.endswith(b"[DONE]\n\n\r\n" if b"[DONE]" in seen else b"\n\n\r\n")


# --- broken connections --------------------------------------------------------------------------------------


def test_a_cut_ends_the_answer_after_so_many_bytes(simulator: Simulator) -> None:
    assert answered(simulator, cut()) == b""
    assert answered(simulator, cut(after=12)) == b"HTTP/1.1 200"
    assert answered(simulator, cut(stream(["abc"]), after=150)).startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/ev")


@pytest.mark.parametrize("after", [0, 1, 100, 150])
def test_a_cut_counts_bytes_over_head_and_frames(simulator: Simulator, after: int) -> None:
    assert len(answered(simulator, cut(stream(["abc", "def"]), after=after))) == after


def test_a_reset_comes_after_so_many_bytes(simulator: Simulator) -> None:
    simulator.script(reset(after=12))
    with ask(simulator) as connection:
        assert connection.read_exactly(12) == b"HTTP/1.1 200"
        with pytest.raises(ConnectionResetError):
            connection.read_some()


@pytest.mark.parametrize("end", ["close", "reset"])
def test_a_stream_can_break_after_its_last_frame(simulator: Simulator, end: Any) -> None:
    simulator.script(stream(["a"], finish=None, tokens=None, done=False, end=end))
    seen: list[Any] = []
    with (
        open_stream(simulator.url(PATH), QUESTION) as answer,
        pytest.raises(EOFError if end == "close" else ConnectionResetError),
    ):
        seen.extend(frame.json()["choices"][0]["delta"] for frame in answer.frames())
    assert seen[-1] == {"content": "a"}
    assert simulator.requests()[0].closed_ms is None, "it was the script that closed"


def test_a_stream_may_end_with_its_connection(simulator: Simulator) -> None:
    seen = answered(simulator, stream(["a"], framing="close"))
    assert b"chunked" not in seen
    assert seen.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_request_may_be_dropped_with_its_body_unread(simulator: Simulator, how: Any) -> None:
    simulator.script(drop(how))
    with RawConnection(simulator.url(PATH)) as connection:
        connection.send(b"POST /a HTTP/1.1\r\nContent-Length: 100\r\n\r\n")
        if how == "close":
            assert connection.read_all() == b""
        else:
            with pytest.raises(ConnectionResetError):
                connection.read_all()
    assert simulator.requests()[0].whole is False


def test_the_closing_port_closes_whoever_connects(simulator: Simulator) -> None:
    with RawConnection(simulator.closing_origin) as connection:
        assert connection.read_all() == b""


def test_a_deaf_upstream_stops_the_sender(simulator: Simulator) -> None:
    simulator.script(deaf())
    size = 50_000_000
    with RawConnection(simulator.url(PATH), timeout_s=0.3) as connection:
        connection.send(b"POST /a HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size)
        with pytest.raises(TimeoutError):
            connection.send(b"x" * size)


def test_a_deaf_upstream_can_answer_all_the_same(simulator: Simulator) -> None:
    simulator.script(deaf(status(413)))
    with RawConnection(simulator.url(PATH)) as connection:
        connection.send(b"POST /a HTTP/1.1\r\nContent-Length: 100\r\n\r\n")
        assert connection.read_answer().status == 413


# --- wrong answers -------------------------------------------------------------------------------------------


def test_raw_bytes_go_out_as_they_are(simulator: Simulator) -> None:
    assert answered(simulator, raw(b"HTTP/9 \xff\r\n", b"X: \n\n", pause_ms=5)) == b"HTTP/9 \xff\r\nX: \n\n"


@pytest.mark.parametrize("length", [1, 100])
def test_a_content_length_may_lie(simulator: Simulator, length: int) -> None:
    seen = answered(simulator, body({"a": 1}, content_length=length))
    assert f"Content-Length: {length}\r\n".encode() in seen
    assert seen.endswith(b'\r\n\r\n{"a":1}')


def test_pieces_of_one_byte_are_the_same_answer(simulator: Simulator) -> None:
    simulator.script(in_pieces(stream(["a", "b"]), size=1))
    with open_stream(simulator.url(PATH), QUESTION) as answer:
        assert len(chunks(answer)) == 5


@pytest.mark.parametrize(
    ("script", "pieces"),
    [
        (in_pieces(raw(b"0123456789"), at=[4, 3], pause_ms=60), [b"012", b"3", b"456789"]),
        (in_pieces(raw(b"012345", b"6789"), at=[8], pause_ms=60), [b"012345", b"67", b"89"]),
        (in_pieces(raw(b"012345", b"6789"), size=4, pause_ms=60), [b"0123", b"45", b"67", b"89"]),
    ],
)
def test_an_answer_can_be_cut_at_any_byte(simulator: Simulator, script: Script, pieces: list[bytes]) -> None:
    simulator.script(script)
    with ask(simulator) as connection:
        assert [connection.read_some().data for _ in pieces] == pieces


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_events_may_end_their_lines_in_three_ways(simulator: Simulator, ending: Any) -> None:
    seen = answered(simulator, sse(["event: a\ndata: b", b": raw\n\n"], ending=ending, framing="close"))
    assert seen.endswith(f"\r\n\r\nevent: a{ending}data: b{ending}{ending}: raw\n\n".encode())


def test_comments_go_on_for_as_long_as_somebody_listens(simulator: Simulator) -> None:
    simulator.script(endless_comments("wait", pause_ms=1))
    with open_stream(simulator.url(PATH), QUESTION) as answer:
        frames = answer.frames()
        assert {next(frames).comments for _ in range(20)} == {("wait",)}
    assert simulator.wait_for_disconnect().went_away


def test_a_line_of_many_megabytes_never_ends(simulator: Simulator) -> None:
    size = 20 * 1_048_576
    simulator.script(long_line(size))
    with open_stream(simulator.url(PATH), QUESTION) as answer:
        seen = 0
        for piece in answer.pieces():
            assert b"\n" not in piece.data
            seen += len(piece.data)
            if seen >= size:
                break
    assert simulator.wait_for_disconnect().sent_bytes > size


def test_a_flood_waits_for_its_reader(simulator: Simulator) -> None:
    simulator.script(flood(20_000))
    with RawConnection(simulator.url(PATH), receive_buffer=65_536) as connection:
        connection.send(request_bytes("POST", simulator.url(PATH), b"{}"))
        assert connection.read_head()[0] == 200
        time.sleep(0.5)
        (received,) = simulator.requests()
        assert received.answered_ms is None
        assert 0 < received.sent_bytes < 10_000_000, "of 24 MB"


def test_a_flood_that_is_read_ends_as_a_stream_should(simulator: Simulator) -> None:
    simulator.script(flood(1_000))
    with open_stream(simulator.url(PATH), QUESTION) as answer:
        said = chunks(answer)
    assert len(said) == 1_003
    assert said[-1]["usage"]["total_tokens"] == 16


def test_a_gzip_bomb_is_small_and_right(simulator: Simulator) -> None:
    simulator.script(gzip_bomb(8))
    answer = call("POST", simulator.url(PATH), {})
    assert answer.header("content-encoding") == "gzip"
    assert len(answer.body) < 8 * 1_048_576 / 500
    assert json.loads(gzip.decompress(answer.body)) == " " * (8 * 1_048_576)
