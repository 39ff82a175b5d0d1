"""The shape of JSON: the same verdict as by looking at every character, wherever the blocks end."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from setpoint.wire.shape import misshapen, not_text

JSON = st.recursive(
    st.none() | st.integers() | st.text(alphabet='a\\"[]{},\n\u00e9', max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(alphabet='a\\"[,', max_size=3), inner),
    max_leaves=30,
)


def deepest_and_widest(data: bytes) -> tuple[int, int]:
    """Both, character by character."""
    depth = deepest = widest = 0
    counts: list[int] = []
    inside = escaped = False
    for byte in data:
        mark = chr(byte)
        if inside:
            inside = escaped or mark != '"'
            escaped = not escaped and mark == "\\"
        elif mark == '"':
            inside = True
        elif mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
            counts.append(1)
        elif mark in "]}":
            depth -= 1
            counts.pop()
        elif mark == ",":
            counts[-1] += 1
            widest = max(widest, counts[-1])
    return deepest, widest


@settings(max_examples=300)
@given(JSON, st.integers(2, 40), st.integers(1, 8) | st.integers(9, 40), st.integers(1, 8), st.booleans())
def test_the_verdict_is_that_of_every_character(
    content: object, block: int, depth: int, members: int, raw: bool
) -> None:
    data = json.dumps(content, ensure_ascii=not raw).encode()
    deepest, widest = deepest_and_widest(data)
    problem = misshapen(data, depth, members, block_bytes=block)
    assert (problem is not None) == (deepest > depth or widest > members)


@pytest.mark.parametrize("block", range(2, 12))
def test_an_escape_that_a_block_ends_in_stays_whole(block: int) -> None:
    for slashes in range(9):
        text = b"x" * 3 + b"\\\\" * slashes + b'\\"' + b"[" * 20
        assert misshapen(b'["' + text + b'",1,[1]]', 2, 3, block_bytes=block) is None
        assert misshapen(b'["' + text + b'",1,[[1]]]', 2, 3, block_bytes=block) == "nested deeper than 2 levels"


def test_members_are_counted_across_blocks() -> None:
    wide = b"[" + b",".join([b"[1,2]"] * 100) + b"]"
    assert misshapen(wide, 9, 100, block_bytes=16) is None
    assert misshapen(wide, 9, 99, block_bytes=16) == "more than 99 members in one object or array"


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":[' + b",".join([b"[]"] * 1_000_000) + b"]}",
        b'{"a":' + b"[" * 2_000_000 + b"]" * 2_000_000 + b"}",
        b'{"a":["' + b'","' * 3_000_000 + b'"]}',
        b'{"a":"' + b"\\\\" * 2_000_000 + b'","b":' + b"[" * 300 + b"]" * 300 + b"}",
    ],
    ids=["wide", "deep", "texts", "escapes"],
)
def test_what_it_costs_in_memory_does_not_grow_with_the_data(data: bytes) -> None:
    tracemalloc.start()
    try:
        assert misshapen(data, 256, 100_000) is not None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(data) / 2


@pytest.mark.parametrize("size", [1, 1_048_575, 1_048_576, 1_048_577, 2_500_000])
@pytest.mark.parametrize("character", ["a", "\u00e9", "\u6f22", "\U0001f600"])
def test_text_is_text_wherever_it_is_cut_and_the_first_byte_that_is_none_is_named(size: int, character: str) -> None:
    data = b"a" * (size % 7) + (character * (size // len(character.encode()))).encode()
    assert not_text(data) is None
    assert not_text(data + b"\xff" + data) == len(data)
    assert not_text(data + b"\x80\x80\x80\x80\x80") == len(data)
