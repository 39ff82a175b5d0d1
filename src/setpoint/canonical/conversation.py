"""A request's conversation, in no protocol's dialect."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from setpoint.canonical.parts import Part

Speaker = Literal["system", "developer", "user", "assistant"]


class Turn(Struct, frozen=True, kw_only=True):
    """What one side says without interruption. Tool results stand in turns of the user.

    The system prompt is the leading run of system and developer turns, wherever the protocol keeps it (`system`,
    `instructions`, messages or items). `name` is the speaker's, where the protocol has such a thing; `phase` the
    responses protocol's word for an assistant's message, None without one.
    """

    speaker: Speaker
    parts: tuple[Part, ...]
    name: str | None = None
    phase: str | None = None
    path: str = ""


Conversation = tuple[Turn, ...]


def split_system(conversation: Conversation) -> tuple[Conversation, Conversation]:
    """The leading system and developer turns, and the rest."""
    for position, turn in enumerate(conversation):
        if turn.speaker not in ("system", "developer"):
            return conversation[:position], conversation[position:]
    return conversation, ()
