"""The system prompt of a messages body: its top-level `system`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.protocols.base import read_prompt, read_text
from setpoint.wire.body import NULL, is_array, items, join_strings, raw

if TYPE_CHECKING:
    from msgspec import Raw

    from setpoint.wire.body import Body


def read_system(body: Body) -> Raw | None:
    """The text of `system`, of several blocks with a blank line between them. None: no text.

    A system message inside `messages` belongs to the conversation.
    """
    return read_prompt([read_text(body.get("system"), between="\n\n")])


def has_system(body: Body) -> bool:
    """Whether `system` says something."""
    return read_system(body) is not None


def write_system(body: Body, prompt: Raw) -> Body:
    """The body with this prompt in `system`, in front of what that says: before a string, or as a block of its own."""
    own = body.get("system", NULL)
    if not has_system(body):
        return {**body, "system": prompt}
    if is_array(own):
        return {**body, "system": raw([{"type": "text", "text": prompt}, *items(own)])}
    return {**body, "system": join_strings([prompt, own], "\n\n")}
