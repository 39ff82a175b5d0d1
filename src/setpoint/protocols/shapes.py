"""Shapes: types that msgspec reads in one pass in C. They are made, not written, hence the casts."""

from __future__ import annotations

from typing import Annotated, Any, Union, cast

from msgspec import Meta


def limited(base: object, **limits: Any) -> object:
    """The shape of a base within those of these limits that are not None."""
    given = {name: limit for name, limit in limits.items() if limit is not None}
    return cast("Any", Annotated)[base, Meta(**given)] if given else base


def whole_text(pattern: str | None) -> str | None:
    """The pattern, so that it must match all of a text; None stays None."""
    return None if pattern is None else rf"\A(?:{pattern})\Z"


def union(shapes: list[object]) -> object | None:
    """The shape of what is of any of these shapes; None when there are none."""
    return cast("Any", Union)[tuple(shapes)] if shapes else None
