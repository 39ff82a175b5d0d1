"""Surrogate escapes covered and uncovered: what comes back is what came, and the parser takes all of it."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.wire.body import items, members
from setpoint.wire.surrogates import covered, uncovered, uncovered_text

PIECES = [
    *("\\ud800", "\\uD83d", "\\ude00", "\\udfFf", "\\ud7ff", "\\ue000", "\\uE800", "\\uefff", "\\u0001", "\\u0000"),
    *("\\\\", '\\"', "\\n", "u0001", "ud800", "ue000", "d800", "x", " ", "\ue000", "\uefff", "\U0001f600"),
]
STRINGS = st.lists(st.sampled_from(PIECES), max_size=12).map(lambda pieces: '"' + "".join(pieces) + '"')


@given(STRINGS)
def test_what_is_uncovered_is_what_came_byte_for_byte(string: str) -> None:
    data = string.encode()
    assert uncovered(covered(data)) == data


@given(STRINGS)
def test_the_parser_takes_what_is_covered_and_its_text_is_uncovered_too(string: str) -> None:
    text = msgspec.json.decode(covered(string.encode()), type=str)
    assert uncovered_text(text) == json.loads(string)


@given(st.lists(st.tuples(STRINGS, STRINGS), max_size=5), st.sampled_from(["", " ", "\n\t"]))
def test_members_and_entries_keep_every_byte_whatever_escapes_they_hold(
    pairs: list[tuple[str, str]], space: str
) -> None:
    spaced = [(name, f'[{space}{content}{space},"\\udead"]') for name, content in pairs]
    written = ",".join(f"{space}{name}{space}:{space}{content}{space}" for name, content in spaced)
    expected = {json.loads(name): content.encode() for name, content in spaced}
    assert {name: bytes(content) for name, content in members(f"{{{written}}}".encode()).items()} == expected
    array = f"[{','.join(space + content + space for _, content in spaced)}]"
    assert [bytes(entry) for entry in items(array.encode())] == [content.encode() for _, content in spaced]


@pytest.mark.parametrize("data", [b'{"a":"\\ud8"}', b'{"a":"\\ud8zz"}', b'{"a":"\\\\\\ud"}', b'{"a":"\\u0001\\ud"}'])
def test_half_an_escape_stays_malformed(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(covered(data))
