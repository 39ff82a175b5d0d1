"""The system prompt of a messages body: its top-level `system`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.protocols.base import read_prompt, read_text

if TYPE_CHECKING:
    from msgspec import Raw

    from setpoint.wire.body import Body


def read_system(body: Body) -> Raw | None:
    """The text of `system`, of several blocks with a blank line between them. None: no text.

    A system message inside `messages` belongs to the conversation.
    """
    return read_prompt([read_text(body.get("system"), between="\n\n")])
