"""The system prompt of a responses body: its `instructions`, or the system items that its input begins with."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from setpoint.protocols.base import read_prompt, read_text
from setpoint.wire.body import NULL, is_array, is_string, items, members, value

if TYPE_CHECKING:
    from msgspec import Raw

    from setpoint.wire.body import Body

_SYSTEM_ROLES = frozenset({"system", "developer"})


def read_system(body: Body) -> Raw | None:
    """The text of `instructions`, else of the leading system and developer messages of `input`. None: no text."""
    if instructions := read_prompt([read_text(body.get("instructions"))]):
        return instructions
    conversation = body.get("input", NULL)
    if not is_array(conversation):
        return None
    leading = takewhile(_is_system, map(members, items(conversation)))
    return read_prompt([read_text(item.get("content")) for item in leading])


def _is_system(item: Body) -> bool:
    # Items of other kinds have roles too: `additional_tools` is no prompt.
    return _word(item, "type") in {"", "message"} and _word(item, "role") in _SYSTEM_ROLES


def _word(item: Body, name: str) -> str:
    content = item.get(name)
    return value(content) if content is not None and is_string(content) else ""
