"""The kinds of value that the answers of several routes have in common, and what they are wrapped in."""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypedDict, TypeVar

from msgspec import Meta, Raw

T = TypeVar("T")

Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""A time in UTC."""
Dollars = Annotated[Raw, Meta(extra_json_schema={"type": "number"})]
"""US dollars with all of their digits."""
MaybeDollars = Annotated[Raw, Meta(extra_json_schema={"type": ["number", "null"]})]
"""US dollars with all of their digits; null when there is no amount, or none that is known."""
Anything = Annotated[Raw, Meta(description="Any JSON.")]
"""JSON that somebody else has written."""


class One(TypedDict, Generic[T]):
    """One of them."""

    data: T


class Several(TypedDict, Generic[T]):
    """All of them, or a page of them."""

    data: list[T]


class Page(TypedDict, Generic[T]):
    """A page of them, and how many there are on all pages."""

    data: list[T]
    total_count: int


class Deleted(TypedDict):
    """It is gone."""

    deleted: Literal[True]
