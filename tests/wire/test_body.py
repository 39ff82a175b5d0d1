"""Bodies: taken apart and joined without a byte lost, within bounds, whatever is inside."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from setpoint.wire.body import MalformedError, items, join, join_strings, members, raw, split, value

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def written(content: Any) -> bytes:
    """JSON whose lone surrogates are escapes, as they travel."""
    return json.dumps(content).encode()


@given(st.dictionaries(st.text(st.characters(codec=None)), JSON, max_size=6))
def test_every_member_keeps_its_bytes_and_joins_to_the_same_values(content: dict[str, Any]) -> None:
    body = split(written(content))
    assert {name: bytes(data) for name, data in body.items()} == {name: written(said) for name, said in content.items()}
    assert json.loads(join(body)) == content


@given(st.lists(JSON, max_size=6))
def test_entries_of_an_array_keep_their_bytes(content: list[Any]) -> None:
    assert [bytes(entry) for entry in items(written(content))] == [written(said) for said in content]


@given(JSON)
def test_a_value_is_read_and_written_back_also_with_lone_surrogates(content: Any) -> None:
    assert value(raw(content)) == content


def test_numbers_and_spacing_inside_a_value_stay_as_they_came() -> None:
    body = split(b' {"a" : 1.50 , "b":[ 1, 2 ], "big":123456789012345678901234567890,"e":1e400 } ')
    assert join(body) == b'{"a":1.50,"b":[ 1, 2 ],"big":123456789012345678901234567890,"e":1e400}'


def test_a_lone_surrogate_keeps_its_escape_in_values_and_names() -> None:
    body = split(b'{"a":"\\ud800","\\udfff":{"x":[1,"\\ud800\\u0041"]},"z":2.0}')
    assert bytes(body["a"]) == b'"\\ud800"'
    assert join(body) == b'{"a":"\\ud800","\\udfff":{"x":[1,"\\ud800\\u0041"]},"z":2.0}'


def test_of_equal_names_the_last_one_counts_on_both_paths() -> None:
    assert bytes(split(b'{"a":1,"a":2}')["a"]) == b"2"
    assert bytes(split(b'{"a":1,"s":"\\ud800","a":2}')["a"]) == b"2"


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"[]", b"7", b'"x"', b"null", b"{", b"}", b'{"a"}', b'{"a":}', b'{"a":1,}', b"{'a':1}", b'{"a":1}}'),
        *(b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":01}', b'{"a":1.}', b'{"a":tru}', b'{"a":"\x01"}'),
        *(b'{"a":"\\x"}', b'{"a":1} x', b'{"a":"\xff"}', b'{"\xff":1}', b"\xef\xbb\xbf{}", b'{"a":"\xed\xa0\x80"}'),
        # The slow path refuses the same: a lone surrogate beside each fault leads there.
        *(b'{"s":"\\ud800","a":NaN}', b'{"s":"\\ud800","a":1,}', b'{"s":"\\ud800"}}', b'{"s":"\\ud800" "a":1}'),
        *(b'["\\ud800"]', b'{"s":"\\ud800","a":-Infinity}', b'{"s":"\\ud800","a"}', b'{"s":"\\ud800",'),
        *(b'{"s":"\\ud800",7:1}', b'{"s":"\\ud800","a":"\x01"}'),
    ],
)
def test_what_is_no_json_object_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        split(data)


def nested(levels: int) -> bytes:
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def test_nesting_is_bounded_and_never_a_recursion_error() -> None:
    assert split(nested(256), max_depth=256)
    for levels in (257, 1_000, 100_000):
        with pytest.raises(MalformedError, match="nested deeper than 256"):
            split(nested(levels), max_depth=256)


def test_brackets_inside_strings_are_no_nesting() -> None:
    text = b"[{" * 500 + b'\\"[[\\\\'
    assert split(b'{"a":"' + text + b'","b":[1]}', max_depth=4)


def test_brackets_that_only_look_quoted_are_counted() -> None:
    with pytest.raises(MalformedError, match="nested deeper"):
        split(b'{"a":"\\\\","b":' + b"[" * 10 + b'"]]]]"' + b"]" * 10 + b"}", max_depth=8)


def test_members_of_one_object_or_array_are_bounded() -> None:
    assert split(b'{"a":[' + b",".join([b"1"] * 100) + b"]}", max_members=100)
    assert split(b'{"a":[[1,1,1],[1,1,1],[1,1,1]],"b":"' + b"," * 50 + b'"}', max_members=4)
    with pytest.raises(MalformedError, match="more than 99 members"):
        split(b'{"a":[' + b",".join([b"1"] * 100) + b"]}", max_members=99)
    with pytest.raises(MalformedError, match="more than 3 members"):
        split(b'{"a":1,"b":2,"c":{"x":[1,2]},"d":4}', max_members=3)


@given(st.lists(st.text(st.characters(codec=None)), max_size=5), st.sampled_from(["", "\n\n", " "]))
def test_raw_strings_join_without_being_decoded(parts: list[str], separator: str) -> None:
    joined = join_strings([Raw(written(part)) for part in parts], separator)
    assert bytes(joined) == written(separator.join(parts))


def test_raw_values_keep_their_bytes_beside_a_lone_surrogate() -> None:
    kept = Raw(b'{"n":1.50, "s":"\\ud800"}')
    written = raw({"a": ["\ud83d", kept, (kept,)], "\udc00": True})
    assert bytes(written) == b'{"a":["\\ud83d",%b,[%b]],"\\udc00":true}' % (kept, kept)


def test_members_of_an_inner_value_survive_a_lone_surrogate() -> None:
    assert {name: bytes(data) for name, data in members(b'{"a":"\\ud800","b":1.0}').items()} == {
        "a": b'"\\ud800"',
        "b": b"1.0",
    }
