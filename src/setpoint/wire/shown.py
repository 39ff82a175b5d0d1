"""Text of the caller's making, as it is shown and kept: readable, not long, not too many of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST = 128
_MOST = 100


def readable(text: str) -> str:
    """Text that every reader can take: half of a surrogate pair, which is no text, becomes its escape."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def brief(text: str) -> str:
    """The beginning of a text that is longer than names are: a caller can write one of any length."""
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def first_of(texts: Sequence[str]) -> Sequence[str]:
    """The texts; of more than a hundred the first ones, and how many more there are."""
    return texts if len(texts) <= _MOST else (*texts[:_MOST], f"and {len(texts) - _MOST} more")
