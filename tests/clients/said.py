"""What an upstream says, as a meaning; `said_in_….py` have the words for it, one file a dialect, as vendors write them.

Independent of the product on purpose: nothing in these files reads or writes with its code.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from simulator.answers import data_frame, words

MODEL = "upstream-model"
"""What the upstream calls the model of every endpoint."""


@dataclass(frozen=True)
class Call:
    """One tool call. `arguments` is JSON text, or the free text of a call that is `custom`."""

    id: str
    name: str
    arguments: str
    custom: bool = False
    namespace: str | None = None


@dataclass(frozen=True)
class Thought:
    """Reasoning that may be seen, and the opaque value that its maker wants back with it."""

    text: str
    seal: str


@dataclass(frozen=True)
class Tokens:
    """What was counted: `input` with `cached`, `output` with `reasoning`."""

    input: int = 120
    cached: int = 80
    output: int = 45
    reasoning: int = 0


@dataclass(frozen=True)
class Said:
    """One answer. `cut_short`: it reached the output limit."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    thought: Thought | None = None
    tokens: Tokens = Tokens()
    cut_short: bool = False


# --- what all dialects need ----------------------------------------------------------------------------------


def as_function(call: Call) -> Call:
    """The call as a dialect without free text and namespaces has it: of a function."""
    name = f"{call.namespace}__{call.name}" if call.namespace else call.name
    return Call(call.id, name, compact({"input": call.arguments}) if call.custom else call.arguments)


def named_frame(event: dict[str, Any]) -> bytes:
    """One server-sent event that says its type in a line of its own."""
    return f"event: {event['type']}\n".encode() + data_frame(event)


def pieces(text: str) -> list[str]:
    """The text in words; nothing of no text."""
    return words(text) if text else []


def halves(text: str) -> list[str]:
    """The text cut in the middle."""
    middle = len(text) // 2
    return [text[:middle], text[middle:]]


def compact(content: Any) -> str:
    """JSON text without white space."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
