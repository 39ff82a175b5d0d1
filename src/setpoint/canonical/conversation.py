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


_LET_GO_AT_ONCE = 1_000


def let_go(turns: list[Turn]) -> None:
    """Empty a list of turns that nothing else holds: one after the other, and their parts a thousand at a time.

    What is freed together is freed in one step, which no other thread can come between: of a hundred thousand parts
    that takes 20 ms.
    """
    while turns:
        parts = list(turns.pop().parts)
        while parts:
            del parts[-_LET_GO_AT_ONCE:]


def split_system(conversation: Conversation) -> tuple[Conversation, Conversation]:
    """The leading system and developer turns, and the rest."""
    for position, turn in enumerate(conversation):
        if turn.speaker not in ("system", "developer"):
            return conversation[:position], conversation[position:]
    return conversation, ()
