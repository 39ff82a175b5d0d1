"""What the offline model says, whichever protocol it is asked in: lines that show what reached it, or a tool's call."""

from __future__ import annotations

import hashlib
import re
from itertools import islice
from typing import TYPE_CHECKING, Literal

from msgspec import Raw, Struct

from setpoint.canonical.parts import CallKind
from setpoint.canonical.result import FinishReason
from setpoint.canonical.usage import estimated_tokens
from setpoint.errors import FieldError
from setpoint.providers.least import ANY_OBJECT, least
from setpoint.wire.body import (
    Body,
    as_object,
    as_text,
    is_array,
    is_null,
    items,
    raw,
    value,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

MAX_PIECES = 8_192
MAX_LINE_CHARS = 2_000
MAX_LINES = 64

THOUGHT = "I show what reached me."
"""What the model thinks, whenever it is asked to."""

_PIECE = re.compile(r"\s{0,16}\S{1,16}|\s{1,16}")
_FREE_TEXT = "string"
_NONCE_CHARS = 16


class Said(Struct, frozen=True):
    """One message: who speaks (`system`, `user`, `assistant`, `tool`), and its text."""

    role: str
    text: str


class Tool(Struct, frozen=True, kw_only=True):
    """A tool by its name; `schema` is that of what it takes, None where the model cannot call it."""

    name: str
    schema: Raw | None = None
    kind: CallKind = "function"
    namespace: str | None = None


class Asked(Struct, frozen=True, kw_only=True):
    """A request as the model understands it.

    `parameters` are shown as they are, by their names in the body. `form` is chat's `response_format`. `thinks` says
    that reasoning is asked for: to be shown, or hidden. `replayed` has an entry for each step of reasoning that comes
    back, true for one that is as the model gave it.
    """

    said: list[Said]
    parameters: dict[str, str]
    tools: dict[str, Tool]
    called: Tool | None
    stops: list[str]
    limit: int
    form: Body
    thinks: Literal["shown", "hidden"] | None = None
    replayed: tuple[bool, ...] = ()

    @property
    def input_tokens(self) -> int:
        """A quarter of the bytes of what was said, rounded up."""
        return estimated_tokens(sum(len(_bytes(said.text)) for said in self.said))


class Answer(Struct, frozen=True, kw_only=True):
    """An answer in pieces: of the text, or of the arguments when `called` is there.

    `thought` is the reasoning before it, in pieces too, None when none was asked for; `hidden` that its text is not to
    be shown. `stop` is the sequence that the text ended before, None when there was none.
    """

    pieces: tuple[str, ...]
    finish: FinishReason
    called: Tool | None
    stop: str | None
    input_tokens: int
    thought: tuple[str, ...] | None = None
    hidden: bool = False

    @property
    def reasoning_tokens(self) -> int:
        """The pieces of the reasoning."""
        return len(self.thought or ())

    @property
    def output_tokens(self) -> int:
        """All pieces together."""
        return self.reasoning_tokens + len(self.pieces)


def answer(asked: Asked) -> Answer:
    """What the model says to this."""
    thought = _words(THOUGHT)[: asked.limit] if asked.thinks else None
    limit = asked.limit - len(thought or ())
    stop = None
    if asked.called is not None:
        pieces = _fragments(_arguments(asked.called))
    else:
        text, stop = _before(asked.stops, _as_asked(asked.form, _text(asked)))
        pieces = _words(text)
    if len(pieces) > limit:
        finish, stop = "length", None
    else:
        finish = "tool_calls" if asked.called is not None else "stop"
    return Answer(
        pieces=pieces[:limit],
        finish=finish,
        called=asked.called,
        stop=stop,
        input_tokens=asked.input_tokens,
        thought=thought,
        hidden=asked.thinks == "hidden",
    )


# --- reasoning -----------------------------------------------------------------------------------------------


def seal(nonce: str, text: str) -> str:
    """The opaque value for a step of reasoning with this text: nobody else can tell that it is its own."""
    nonce = nonce[:_NONCE_CHARS]
    return nonce + hashlib.sha256(b"setpoint/echo:" + _bytes(nonce + text)).hexdigest()


def is_own(sealed: str, text: str) -> bool:
    """Whether a step of reasoning comes back as the model gave it, text and opaque value."""
    return sealed == seal(sealed, text)


# --- what it says --------------------------------------------------------------------------------------------


def _text(asked: Asked) -> str:
    """The lines that show what reached the model."""
    said, parameters = asked.said, asked.parameters
    last_user = max((at for at, one in enumerate(said) if one.role == "user"), default=len(said))
    lines = _some([_line("system", one.text) for one in said if one.role in ("system", "developer")])
    lines += _some([_line(name, parameters[name]) for name in sorted(parameters)])
    if asked.tools:
        lines.append(_line("tools", ", ".join(asked.tools)))
    lines += _some([_line("replayed", "as it was given" if own else "not from here") for own in asked.replayed])
    lines += [_line("user", one.text) for one in said[last_user : last_user + 1]]
    lines += _some([_line("tool", one.text) for one in said[last_user:] if one.role == "tool"])
    return "\n".join(lines)


def _line(name: str, content: str) -> str:
    more = len(content) - MAX_LINE_CHARS
    return f"{name}: {content}" if more <= 0 else f"{name}: {content[:MAX_LINE_CHARS]} … ({more} more characters)"


def _some(lines: list[str]) -> list[str]:
    more = len(lines) - MAX_LINES
    return lines if more <= 0 else [*lines[:MAX_LINES], f"… ({more} more)"]


def _as_asked(form: Body, text: str) -> str:
    """The text in the form that a `response_format` asks for."""
    match as_text(form.get("type")):
        case "json_object":
            return plain(raw({"text": text}))
        case "json_schema":
            return least(as_object(form.get("json_schema")).get("schema", ANY_OBJECT))
        case _:
            return text


def _arguments(tool: Tool) -> str:
    return _FREE_TEXT if tool.kind == "custom" else least(tool.schema or ANY_OBJECT)


def _before(stops: list[str], text: str) -> tuple[str, str | None]:
    """The text up to the first stop sequence in it, and that sequence."""
    found = min(((at, stop) for stop in stops if (at := text.find(stop)) >= 0), default=None, key=lambda pair: pair[0])
    return (text, None) if found is None else (text[: found[0]], found[1])


def _words(text: str) -> tuple[str, ...]:
    """The text in pieces, one more than the model's own limit at most."""
    return tuple(match.group() for match in islice(_PIECE.finditer(text), MAX_PIECES + 1))


def _fragments(arguments: str) -> tuple[str, ...]:
    """The arguments in pieces of 8 characters, in two at the least, so that a client has something to join."""
    step = max(1, min(8, len(arguments) // 2))
    return tuple(arguments[at : at + step] for at in range(0, min(len(arguments), step * (MAX_PIECES + 1)), step))


# --- what every protocol's request is read with --------------------------------------------------------------


def shown(parts: Iterable[Raw]) -> str:
    """The text of content in parts; of a part that has none, its type in brackets."""
    # With a space between them, halves of a surrogate pair in two parts can never become one character.
    return " ".join(_part(part) for part in parts)


def parameters(request: Body, hidden: Collection[str], stop: str, stops: list[str]) -> dict[str, str]:
    """The fields that are shown, by name: raw, but for the stop sequences in the field `stop`, which are counted."""
    told = {name: plain(content) for name, content in request.items() if name not in hidden}
    if stops:
        told[stop] = f"{len(stops)} sequence{'s' if len(stops) > 1 else ''}"
    return told


def stop_sequences(stop: Raw | None, field: str) -> list[str]:
    """The stop sequences of a field, a string or a list of them. Raises: `FieldError`."""
    if stop is None or is_null(stop):
        return []
    sequences = [as_text(entry) for entry in (items(stop) if is_array(stop) else [stop])]
    if not all(sequences):
        raise FieldError(field, "must be a string or a list of strings, none of them empty")
    return [sequence for sequence in sequences if sequence]


def output_limit(config: Body, *fields: str) -> int:
    """How many pieces the answer may have: the least of what these fields say. Raises: `FieldError`."""
    limit = MAX_PIECES
    for name in fields:
        asked = config.get(name)
        if asked is None or is_null(asked):
            continue
        count = value(asked)
        if type(count) is not int or count < 1:
            raise FieldError(name, "must be a whole number of at least 1")
        limit = min(limit, count)
    return limit


def first_callable(tools: Iterable[Tool]) -> Tool:
    """The tool that is called when some tool must be. Raises: `FieldError` when there is none."""
    for tool in tools:
        if tool.schema is not None:
            return tool
    raise FieldError("tool_choice", "is required, but there is no function in tools")


def named_callable(tools: Iterable[Tool], name: str | None) -> Tool:
    """The tool of this name. Raises: `FieldError` when there is none that can be called."""
    for tool in tools:
        if tool.schema is not None and tool.name == name:
            return tool
    raise FieldError("tool_choice", "names no function of tools")


def plain(content: Raw) -> str:
    """Raw JSON as text."""
    return bytes(content).decode()


def _part(part: Raw) -> str:
    content = as_object(part)
    text = as_text(content.get("text"))
    return text if text is not None else f"[{as_text(content.get('type')) or 'part'}]"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
