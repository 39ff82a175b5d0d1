"""The schemas of a document, and what a handler says of itself."""

from __future__ import annotations

from typing import Generic, TypedDict, TypeVar

import pytest

from setpoint.server.openapi.contents import Contents
from setpoint.server.operation import Named, described, operation_of

T = TypeVar("T")
LONG = {"type": "string", "description": "x" * 400}


class Thing(TypedDict):
    """A thing."""

    name: str


class Wrapped(TypedDict, Generic[T]):
    """What is wrapped.

    As it was.
    """

    data: list[T]


def test_a_type_stands_once_and_under_a_name_that_can_be_read() -> None:
    wrapped = Wrapped[Thing]
    contents = Contents([wrapped, Thing])
    assert contents.of(wrapped) == {"$ref": "#/components/schemas/WrappedOfThing"}
    assert set(contents.components) == {"WrappedOfThing", "Thing"}
    wrapper = contents.components["WrappedOfThing"]
    assert wrapper["properties"]["data"]["items"] == contents.of(Thing)
    assert wrapper["description"] == "What is wrapped.\n\nAs it was."


def test_a_large_member_that_several_bodies_share_stands_once() -> None:
    first, second = (Named(name, {"type": "object", "properties": {"big_one": LONG}}) for name in ("A", "B"))
    contents = Contents([first, second])
    assert contents.components["BigOne"] == LONG
    assert contents.components["A"] == contents.components["B"]
    assert contents.components["A"]["properties"] == {"big_one": {"$ref": "#/components/schemas/BigOne"}}


def test_large_members_of_one_name_that_differ_have_two_names() -> None:
    other = {**LONG, "maxLength": 3}
    contents = Contents(
        Named(name, {"type": "object", "properties": {"big": member}}) for name, member in (("A", LONG), ("B", other))
    )
    assert (contents.components["Big"], contents.components["Big2"]) == (LONG, other)


def test_a_handler_that_says_nothing_of_itself_is_refused() -> None:
    async def handle() -> None: ...

    with pytest.raises(ValueError, match="is not described"):
        operation_of(handle)
    assert operation_of(described("A thing", group="Things", answer=Thing)(handle)).summary == "A thing"
