"""Streams as odd as the standard allows, and odder: the same events come out, or an error, and never more memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from faults.faults_support import (
    Front,
    chunks,
    cpu_seconds,
    error_of,
    front_of_gateway,
    generation_id,
    peak_memory,
    said,
    serving,
    stream_error,
)
from simulator.answers import LAST_CHUNK, chunk, chunked, data_frame, dumps, usage_chunk
from simulator.script import in_pieces, long_line, sse, stream
from simulator.steps import End, Repeat, Script, Send

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulator.client import Simulator
    from support.http import Answer
    from support.processes import Gateway

MEBIBYTE = 1_048_576
TEXT = ["Grüße ", "🎉 日本", "\n", '"\\']
WHOLE = "".join(TEXT)


@pytest.fixture(scope="module")
def gateway(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = {"max_event_bytes": 2 * MEBIBYTE, "first_token_timeout_s": 20, "stream_commit_s": 20}
    with serving(tmp_path_factory, simulator_process, settings=settings) as gateway:
        yield gateway


front = front_of_gateway


def lines(*more: str) -> list[str]:
    """The events of a whole answer, each as its lines, with more lines before the data of each."""
    contents = [*(chunk({"content": it}) for it in TEXT), chunk({}, "stop"), usage_chunk((7, 3))]
    return ["\n".join([*more, f"data: {dumps(it).decode()}"]) for it in contents] + ["data: [DONE]"]


def told(answer: Answer) -> list[Any]:
    """What a stream says, but for the id of its answer."""
    return [{name: content for name, content in one.items() if name != "id"} for one in chunks(answer)]


def relayed(front: Front, script: Script) -> list[Any]:
    """What the client is told of this stream."""
    front.simulator.script(script)
    return told(front.stream())


# --- the same events, written otherwise ----------------------------------------------------------------------

PLAIN = lines()
UNSPACED = [event.replace("data: ", "data:") for event in PLAIN]
TWO_LINES = [event.replace(',"object"', ',\ndata:"object"') for event in PLAIN]
MIXED = [
    event.encode() + end
    for event, end in zip(PLAIN, [b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n", b"\r\n\n"] * 2, strict=False)
]
WRITTEN: dict[str, Script] = {
    "crlf": sse(PLAIN, ending="\r\n"),
    "cr": sse(PLAIN, ending="\r"),
    "mixed": sse(MIXED),
    "byte-order-mark": sse([b"\xef\xbb\xbf", *PLAIN]),
    "byte-order-mark-at-the-first-event": sse([b"\xef\xbb\xbf" + f"{PLAIN[0]}\n\n".encode(), *PLAIN[1:]]),
    "no-space": sse(UNSPACED),
    "data-on-two-lines": sse(TWO_LINES),
    "data-on-two-lines-crlf": sse(TWO_LINES, ending="\r\n"),
    "ids-retries-and-names": sse(lines("id: 7", "retry: 10", "event: message", "unknown: x", "no-colon")),
    "comments-inside-events": sse(lines(": OPENROUTER PROCESSING", ":", ":data: {]")),
    "blank-lines-between": sse(["\n\n" + event for event in PLAIN]),
    "a-name-without-data": sse([b"event: ping\n\n", *PLAIN]),
    "until-the-connection-ends": sse(PLAIN, framing="close"),
    "all-at-once": sse(["\n\n".join(PLAIN)]),
}


@pytest.mark.parametrize("script", WRITTEN.values(), ids=WRITTEN)
def test_the_same_events_come_out_however_they_are_written(front: Front, script: Script) -> None:
    expected = relayed(front, sse(PLAIN))
    assert relayed(front, script) == expected
    assert "".join(one["choices"][0]["delta"].get("content", "") for one in expected[:-1]) == WHOLE


@pytest.mark.parametrize("name", ["crlf", "mixed", "byte-order-mark-at-the-first-event", "data-on-two-lines-crlf"])
def test_the_same_events_come_out_byte_by_byte(front: Front, name: str) -> None:
    expected = relayed(front, sse(PLAIN))
    assert relayed(front, in_pieces(WRITTEN[name], size=1)) == expected


def test_a_byte_at_a_time_costs_about_as_much_as_an_event_at_a_time(front: Front) -> None:
    def cpu_s(script: Script) -> float:
        front.simulator.script(script)
        before = cpu_seconds(front.gateway)
        assert front.stream().status == 200
        return cpu_seconds(front.gateway) - before

    texts = ["x"] * 30
    size = sum(len(step.data) for step in stream(texts).steps if isinstance(step, Send))
    control = cpu_s(in_pieces(stream(["x"] * size), size=400))
    bytewise = cpu_s(in_pieces(stream(texts), size=1))
    print(f"{size} bytes one by one: {bytewise:.2f} s of CPU, {size} events: {control:.2f} s")
    assert bytewise < 3 * control


def test_a_character_is_never_cut(front: Front) -> None:
    for size in (1, 2, 3, 5):
        front.simulator.script(in_pieces(stream(TEXT), size=size))
        answer = front.stream()
        assert said(answer) == WHOLE
        assert "\ufffd" not in answer.body.decode()


# --- comments ------------------------------------------------------------------------------------------------


def test_comments_by_the_thousand_are_nothing(front: Front) -> None:
    comments = ": OPENROUTER PROCESSING\n\n: another\n:\n\n" * 5_000
    front.simulator.script(sse([comments.encode(), *PLAIN[:2], comments.encode(), *PLAIN[2:]]))
    answer = front.stream()
    assert said(answer) == WHOLE
    assert b"another" not in answer.body
    assert not [frame for frame in answer.frames() if frame.data is None]


def test_comments_by_the_thousand_commit_nothing(front: Front) -> None:
    comments = (": OPENROUTER PROCESSING\n\n" * 5_000).encode()
    failing = b'data: {"error":{"message":"no","code":500}}\n\n'
    front.simulator.script(sse([comments, failing]), prefix="/a")
    assert {one["provider"] for one in chunks(front.stream("pair/model"))} == {"Beta"}
    assert error_of(front.stream())["code"] == 502


# --- sizes ---------------------------------------------------------------------------------------------------


def endless(piece: bytes, *, times: int, before: Sequence[bytes] = ()) -> Script:
    """A stream that begins so, and goes on with the same piece."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    begin = b"".join(map(chunked, before))
    return Script((Send(head + begin), Repeat(chunked(piece), times=times), Send(LAST_CHUNK), End("hang")))


BEGUN = data_frame(chunk({"content": "Once"}))
ROLE = data_frame(chunk({"role": "assistant", "content": ""}))
TOO_MUCH: dict[str, Script] = {
    "one-line": long_line(),
    "one-event-of-many-lines": endless(b"data: 1,\n" * 10_000, times=600),
    "one-comment": endless(b":" + b"x" * 65_535, times=800),
    "one-name": endless(b"event" * 13_000, times=800),
    "many-roles": endless(ROLE * 300, times=1_000),
}


@pytest.mark.parametrize("script", TOO_MUCH.values(), ids=TOO_MUCH)
def test_what_does_not_fit_is_given_up_with_little_memory(front: Front, script: Script) -> None:
    front.ask()
    before = peak_memory(front.gateway)
    front.simulator.script(script, prefix="/a")
    answer = front.stream("pair/model")
    assert {one["provider"] for one in chunks(answer)} == {"Beta"}
    assert front.simulator.wait_for_disconnect(1).sent_bytes < 40 * MEBIBYTE, "its connection is closed at once"
    assert peak_memory(front.gateway) - before < 64 * MEBIBYTE


def test_an_event_that_does_not_fit_is_an_error_behind_what_was_said(front: Front) -> None:
    before = peak_memory(front.gateway)
    front.simulator.script(endless(b"x" * 65_536, times=800, before=[BEGUN, b'data: {"x":"']))
    answer = front.stream()
    assert said(answer) == "Once"
    assert stream_error(answer)["metadata"]["error_type"] == "provider_unavailable"
    assert front.record(answer)["status"] == "failed"
    assert peak_memory(front.gateway) - before < 64 * MEBIBYTE


def test_an_event_that_just_fits_is_passed_on(front: Front) -> None:
    picture = "data:image/png;base64," + "A" * (2 * MEBIBYTE - 1_000)
    images = [{"type": "image_url", "image_url": {"url": picture}}]
    front.simulator.script(stream([{"images": images}]))
    assert chunks(front.stream())[1]["choices"][0]["delta"]["images"] == images


# --- what JSON allows, and what it does not ------------------------------------------------------------------

FINISH = ['data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}', "data: [DONE]"]
KEPT = [
    '"x_number":1.50',
    '"x_large":12345678901234567890123',
    f'"x_huge":1{"0" * 400}',
    '"x_infinite":1e400',
    '"x_small":1E-400',
    '"x_half":"\\ud83d"',
    '"x_escaped":"\\u0041\\/\\n"',
    '"x_nested":{"b":1,"a":[{"c":2.0,"c":3}]}',
    '"x_null":null',
]


@pytest.mark.parametrize("member", KEPT)
def test_what_is_not_known_keeps_its_bytes_at_every_level(front: Front, member: str) -> None:
    event = (
        f'data: {{{member},"choices":[{{{member},"index":0,"delta":{{{member},"content":"Hi",'
        f'"tool_calls":[{{"index":0,"id":"c","type":"function",{member},"function":{{"name":"f","arguments":"",{member}}}}}]'
        "}}]}"
    )
    front.simulator.script(sse([event, *FINISH]))
    answer = front.stream()
    assert answer.body.count(member.encode()) == 5
    assert said(answer) == "Hi"


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "01", "1.", "'x'", "tru", '"\\x"', '"\t"'])
@pytest.mark.parametrize("place", ["top", "choice", "delta"])
def test_what_is_no_json_is_a_malformed_event_wherever_it_stands(front: Front, place: str, word: str) -> None:
    members = {it: f'"x":{word},' if it == place else "" for it in ("top", "choice", "delta")}
    event = (
        f'data: {{{members["top"]}"choices":[{{{members["choice"]}"index":0,'
        f'"delta":{{{members["delta"]}"content":"Hi"}}}}]}}'
    )
    front.simulator.script(sse([event, *FINISH]), prefix="/a")
    assert {one["provider"] for one in chunks(front.stream("pair/model"))} == {"Beta"}
    front.simulator.script(sse([BEGUN, event, *FINISH]), prefix="/a")
    answer = front.stream()
    assert said(answer) == "Once"
    assert stream_error(answer)["code"] == 502


def test_of_equal_members_the_last_counts(front: Front) -> None:
    choices = (
        '"choices":[{"index":0,"delta":{"content":"no"}}],"choices":[{"index":0,"delta":{"content":"a","content":"b"}}]'
    )
    counts = '"usage":{"prompt_tokens":1,"completion_tokens":1},"usage":{"prompt_tokens":5,"prompt_tokens":7}'
    front.simulator.script(sse([f"data: {{{choices},{counts}}}", *FINISH]))
    answer = front.stream()
    assert said(answer) == "b"
    assert chunks(answer)[-1]["usage"]["prompt_tokens"] == 7
    assert front.record(answer)["tokens_prompt"] == 7
    assert answer.body.count(b'"content"') == 1, "no reader of the answer can see another"


def test_halves_of_a_pair_in_two_events_make_a_whole(front: Front) -> None:
    halves = ['"\\ud83c"', '"\\udf89"']
    events = [f'data: {{"choices":[{{"index":0,"delta":{{"content":{half}}}}}]}}' for half in halves]
    front.simulator.script(sse([*events, *FINISH]))
    pieces = [one["choices"][0]["delta"]["content"] for one in chunks(front.stream())[:2]]
    assert "".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16") == "🎉"


def test_halves_of_a_pair_in_arguments_keep_their_bytes(front: Front) -> None:
    arguments = json.dumps({"city": "Z\u00fcrich 🎉", "path": "C:\\x"})
    for size in (1, 3, 7):
        pieces = [arguments[at : at + size] for at in range(0, len(arguments), size)]
        first = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}
        more = [{"index": 0, "function": {"arguments": piece}} for piece in pieces]
        front.simulator.script(stream([{"tool_calls": [call]} for call in (first, *more)], finish="tool_calls"))
        calls = [
            call
            for one in chunks(front.stream())
            for choice in one["choices"]
            for call in choice["delta"].get("tool_calls", [])
        ]
        assert "".join(call["function"]["arguments"] for call in calls) == arguments


@pytest.mark.parametrize("member", ["id", "service_tier", "system_fingerprint", "model"])
def test_half_a_pair_in_what_is_recorded_spoils_no_record(front: Front, member: str) -> None:
    event = f'data: {{"{member}":"x\\ud800","choices":[{{"index":0,"delta":{{"content":"Hi"}}}}]}}'
    finish = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"\\ud800"}]}'
    front.simulator.script(sse([event, finish, "data: [DONE]"]))
    answer = front.stream()
    assert said(answer) == "Hi"
    record = front.record(answer)
    assert (record["status"], record["finish_reason"]) == ("completed", "stop")


def test_half_a_pair_in_an_error_is_an_error_like_any_other(front: Front) -> None:
    failing = 'data: {"error":{"message":"bad \\ud800 thing","code":400}}'
    front.simulator.script(sse([failing]))
    assert error_of(front.stream())["message"].startswith("Alpha: bad ")
    front.simulator.script(sse([BEGUN, failing]))
    answer = front.stream()
    assert stream_error(answer)["message"].startswith("Alpha: bad ")
    assert front.record(generation_id(answer))["status"] == "failed"
