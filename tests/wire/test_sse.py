"""The frame reader: every way of writing a stream, cut anywhere, gives the same events."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.wire.sse import Frame, FrameReader, FrameTooLargeError, data_frame
from support.cost import TIMES, is_in_proportion

STREAMS: dict[str, tuple[bytes, list[Frame]]] = {
    "one line each": (b'data: {"a":1}\n\ndata: {"b":2}\n\n', [Frame(None, b'{"a":1}'), Frame(None, b'{"b":2}')]),
    "no space": (b"data:x\n\n", [Frame(None, b"x")]),
    "two spaces": (b"data:  x\n\n", [Frame(None, b" x")]),
    "several lines": (b"data: a\ndata: b\n\n", [Frame(None, b"a\nb")]),
    "named": (b"event: ping\ndata: {}\n\n", [Frame(b"ping", b"{}")]),
    "name after data": (b"data: {}\nevent: ping\n\n", [Frame(b"ping", b"{}")]),
    "id and retry and unknown": (b"id: 7\nretry: 10\nfoo: bar\nfoo\ndata: x\n\n", [Frame(None, b"x")]),
    "comments": (b": OPENROUTER PROCESSING\n\n:\n: x\ndata: y\n: z\n\n", [Frame(None, b"y")]),
    "byte order mark": (b"\xef\xbb\xbfdata: x\n\n", [Frame(None, b"x")]),
    "mark only at the start": (b"data: a\n\n\xef\xbb\xbfdata: x\n\n", [Frame(None, b"a")]),
    "utf-8": ("data: é€𝄞\n\n".encode(), [Frame(None, "é€𝄞".encode())]),
    "empty data": (b"data\n\ndata: \n\n", [Frame(None, b""), Frame(None, b"")]),
    "blank lines": (b"\n\n\ndata: x\n\n\n\n", [Frame(None, b"x")]),
    "name without data": (b"event: x\n\ndata: y\n\n", [Frame(None, b"y")]),
    "no end": (b"data: x\n\ndata: lost\n", [Frame(None, b"x")]),
}


def read(*chunks: bytes) -> list[Frame]:
    reader = FrameReader()
    return [frame for chunk in chunks for frame in reader.feed(chunk)]


def with_endings(stream: bytes) -> list[bytes]:
    return [stream, stream.replace(b"\n", b"\r\n"), stream.replace(b"\n", b"\r")]


@pytest.mark.parametrize("name", STREAMS)
def test_every_stream_cut_at_every_byte_in_every_line_ending_gives_the_same_frames(name: str) -> None:
    stream, frames = STREAMS[name]
    for written in with_endings(stream):
        assert read(written) == frames
        assert read(*(written[i : i + 1] for i in range(len(written)))) == frames
        for cut in range(len(written) + 1):
            assert read(written[:cut], written[cut:]) == frames


@given(
    st.lists(st.tuples(st.sampled_from([b"\n", b"\r\n", b"\r"]), st.text(max_size=8).map(str.encode)), max_size=6),
    st.lists(st.integers(0, 200), max_size=12),
)
def test_mixed_line_endings_and_any_cuts_change_nothing(lines: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    clean = [(end, text.replace(b"\r", b"").replace(b"\n", b"")) for end, text in lines]
    stream = b"data: first\n\n" + b"".join(b"data: " + text + end + end for end, text in clean)
    expected = [Frame(None, b"first"), *(Frame(None, text) for _, text in clean)]
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    assert read(*(stream[a:b] for a, b in pairwise(edges))) == expected


def test_a_frame_is_handed_out_with_its_blank_line_also_after_a_lone_carriage_return() -> None:
    reader = FrameReader()
    assert reader.feed(b"data: a\r\r") == [Frame(None, b"a")]
    assert reader.feed(b"\ndata: b\n\n") == [Frame(None, b"b")]


def test_a_line_that_never_ends_is_refused_at_the_bound_without_being_kept_longer() -> None:
    reader = FrameReader(max_event_bytes=1000)
    reader.feed(b"data: ")
    with pytest.raises(FrameTooLargeError):
        for _ in range(11):
            reader.feed(b"x" * 100)


@pytest.mark.parametrize("stream", [b"data: " + b"x" * 101 + b"\n\n", b"data: x\n" * 60 + b"\n"])
def test_an_event_above_the_bound_is_refused_in_one_line_or_many(stream: bytes) -> None:
    reader = FrameReader(max_event_bytes=100)
    assert reader.feed(b"data: ok\n\n") == [Frame(None, b"ok")]
    with pytest.raises(FrameTooLargeError):
        reader.feed(stream)


def test_thousands_of_comments_are_no_frames_and_cost_no_memory() -> None:
    reader = FrameReader(max_event_bytes=1000)
    for _ in range(5000):
        assert reader.feed(b": OPENROUTER PROCESSING\n\n") == []
    assert reader.feed(b"data: x\n\n") == [Frame(None, b"x")]


def test_what_is_written_is_read_back() -> None:
    assert read(data_frame(b'{"a":1}')) == [Frame(None, b'{"a":1}')]


@pytest.mark.parametrize("size", [1, 7])
@pytest.mark.parametrize("shape", ["one long line", "one event of many lines", "many events", "comments"])
def test_a_stream_in_small_pieces_costs_no_more_than_its_length(shape: str, size: int) -> None:
    def read(count: int) -> int:
        data = {
            "one long line": b"data: " + b"x" * count + b"\n\n",
            "one event of many lines": b"data: x\n" * (count // 8) + b"\n",
            "many events": b"data: x\r\n\r\n" * (count // 11),
            "comments": b": x\n" * (count // 4),
        }[shape]
        reader = FrameReader()
        return sum(len(reader.feed(data[at : at + size])) for at in range(0, len(data), size))

    assert is_in_proportion(lambda: read(10_000), lambda: read(10_000 * TIMES))


def test_what_is_held_of_an_event_takes_as_much_memory_as_it_is_long() -> None:
    held = 200_000
    reader = FrameReader()
    reader.feed(b"data: ")
    tracemalloc.start()
    for number in range(held // 5):
        reader.feed(b"%05d" % (number % 100_000))
    bytes_taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reader.held_bytes == held + len(b"data: ")
    assert bytes_taken < 2 * held
