"""Paging parameters and whole numbers in queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from setpoint.errors import FieldError
from setpoint.server.operation import Query

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_INTEGER = 2**63 - 1

OFFSET = Query("offset", Annotated[int, Meta(ge=0)], "How many are left out at the beginning; 0 unless said.")
PAGE = (OFFSET, Query("limit", Annotated[int, Meta(ge=1, le=100)], "How many a page has at most; 50 unless said."))
"""The parameters that `page` reads."""
Flag = Literal["true", "false", "1", "0"]
"""What `flag` reads."""


def integer(query: Mapping[str, str], name: str, *, default: int, least: int = 0, most: int = _MAX_INTEGER) -> int:
    """A whole number of the query. Raises: `FieldError` for what is none, or out of range: it is never clamped."""
    text = query.get(name)
    if text is None:
        return default
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20) or not least <= int(text) <= most:
        bound = f"from {least} to {most}" if most != _MAX_INTEGER else f"of at least {least}"
        raise FieldError(name, f"must be a whole number {bound}")
    return int(text)


def page(query: Mapping[str, str], *, most: int = 100, default: int = 50) -> tuple[int, int]:
    """Offset and limit. Raises: `FieldError`."""
    return integer(query, "offset", default=0), integer(query, "limit", default=default, least=1, most=most)


def flag(query: Mapping[str, str], name: str, *, default: bool) -> bool:
    """A yes or no of the query. Raises: `FieldError`."""
    match query.get(name):
        case None:
            return default
        case "true" | "1":
            return True
        case "false" | "0":
            return False
        case _:
            raise FieldError(name, "must be true or false")
