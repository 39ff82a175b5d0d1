"""The system prompt of a responses body: its `instructions`, or the system items that its input begins with."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from setpoint.protocols.base import read_prompt, read_text
from setpoint.wire.body import NULL, as_text, is_array, items, join_strings, members

if TYPE_CHECKING:
    from msgspec import Raw

    from setpoint.wire.body import Body

SYSTEM_ROLES = ("system", "developer")


def read_system(body: Body) -> Raw | None:
    """The text of `instructions`, else of the leading system and developer messages of `input`. None: no text."""
    if instructions := _instructions(body):
        return instructions
    leading = takewhile(_is_system, map(members, _input(body)))
    return read_prompt([read_text(item.get("content")) for item in leading])


def has_system(body: Body) -> bool:
    """Whether a checked body has instructions, or an input that begins with a system or developer message."""
    if _instructions(body) is not None:
        return True
    entries = _input(body)
    return bool(entries) and _is_system(members(entries[0]))


def write_system(body: Body, prompt: Raw) -> Body:
    """The body with this prompt as its instructions, in front of those that it has.

    System messages of the input stay where they are: the instructions come before all of it.
    """
    own = _instructions(body)
    return {**body, "instructions": prompt if own is None else join_strings([prompt, own], "\n\n")}


def _instructions(body: Body) -> Raw | None:
    return read_prompt([read_text(body.get("instructions"))])


def _input(body: Body) -> list[Raw]:
    conversation = body.get("input", NULL)
    return items(conversation) if is_array(conversation) else []


def _is_system(item: Body) -> bool:
    # Items of other kinds have roles too: `additional_tools` is no prompt.
    return (as_text(item.get("type")) or "message") == "message" and as_text(item.get("role")) in SYSTEM_ROLES
