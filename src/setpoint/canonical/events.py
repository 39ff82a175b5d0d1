"""The typed steps of a streamed answer: a closed set.

A part begins, grows and ends; parts are numbered from 0 in the order in which they begin, and several may be open at
once (parallel tool calls of the chat protocol). A reader gives every part an end before `Finished`.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import Raw, Struct

from setpoint.canonical.parts import Citation, Media, Reasoning, Refusal, Text, ToolCall
from setpoint.canonical.result import Finish
from setpoint.canonical.usage import Usage


class Began(Struct, frozen=True):
    """The upstream's answer begins; nothing is said yet. None: the upstream does not say."""

    upstream_id: str | None = None
    service_tier: str | None = None


class PartBegan(Struct, frozen=True):
    """A part opens. `head` is what is known of it at once: a tool call's id and name, all text of it still empty.

    A `Media` part is whole in its head.
    """

    part: int
    head: Text | Refusal | Reasoning | ToolCall | Media


class Grew(Struct, frozen=True):
    """More of a part's text, or of a tool call's arguments: a raw JSON string."""

    part: int
    text: Raw


class Cited(Struct, frozen=True):
    """The source of an open text part, or of a piece of it."""

    part: int
    citation: Citation


class Sealed(Struct, frozen=True):
    """The opaque value of a reasoning part: the whole of it, or what joins on to what came before."""

    part: int
    seal: Raw


class PartEnded(Struct, frozen=True):
    """A part is complete."""

    part: int


class Scored(Struct, frozen=True):
    """Log probabilities of the text that came: the raw entries of the chat protocol's `logprobs.content`."""

    entries: Raw


class Counted(Struct, frozen=True):
    """The usage so far; the last one counts. `final` is false while the upstream is still to count the output."""

    usage: Usage
    provider_cost: Decimal | None = None
    final: bool = True


class Unsaid(Struct, frozen=True):
    """Something of the answer that there is no canonical word for, by the name of its kind."""

    name: str


class Finished(Struct, frozen=True):
    """The answer is complete, but for a usage that may still come."""

    finish: Finish


Event = Began | PartBegan | Grew | Cited | Sealed | PartEnded | Scored | Counted | Unsaid | Finished
