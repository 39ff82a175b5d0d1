"""A conversation that nobody needs any more goes in small steps, and all of it goes."""

from __future__ import annotations

import sys

import pytest
from msgspec import Raw

from setpoint.canonical.conversation import Turn, let_go
from setpoint.canonical.parts import Text


@pytest.mark.parametrize(("turns", "parts"), [(0, 0), (1, 0), (3, 1), (1, 2_500), (2_500, 2)])
def test_all_parts_of_all_turns_are_let_go(turns: int, parts: int) -> None:
    kept = Text(text=Raw(b'"kept by this test alone"'))
    before = sys.getrefcount(kept)
    conversation = [Turn(speaker="user", parts=tuple([kept] * parts)) for _ in range(turns)]
    assert sys.getrefcount(kept) == before + turns * parts
    let_go(conversation)
    assert conversation == []
    assert sys.getrefcount(kept) == before
