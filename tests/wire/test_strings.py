"""Raw JSON strings that come in pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from setpoint.wire.body import join_strings, raw, value
from setpoint.wire.strings import GrowingString

if TYPE_CHECKING:
    from msgspec import Raw

PIECES = st.lists(st.sampled_from(["", "x", '"', "\\", "\n", "é", "\ud83d", "\ude00", "😀"]).map(raw))


@given(PIECES)
def test_a_string_is_all_its_pieces_with_their_bytes(pieces: list[Raw]) -> None:
    grown = GrowingString(pieces)
    assert grown.whole() == join_strings(pieces)
    assert len(grown) == len(bytes(grown.whole())) - 2


def test_a_string_that_was_put_together_can_still_grow() -> None:
    grown = GrowingString([raw("a")])
    before = grown.whole()
    grown.add(raw('"b'))
    assert (value(before), value(grown.whole())) == ("a", 'a"b')
