"""The conversation of a messages body, read into turns and parts.

Every block has a row below; what has none has no word in another protocol, and is refused by its path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from msgspec import Raw, structs

from setpoint.canonical.conversation import Turn
from setpoint.canonical.parts import Media, Reasoning, Text, ToolCall, ToolResult
from setpoint.errors import FieldError
from setpoint.protocols.messages.result import FORMAT, read_citation
from setpoint.protocols.names import arguments_text
from setpoint.protocols.seals import is_wrapped, read_seal
from setpoint.wire.body import (
    NULL,
    Body,
    as_array,
    as_text,
    is_array,
    is_null,
    is_object,
    is_string,
    items,
    join_strings,
    members,
    raw,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Literal

    from setpoint.canonical.conversation import Conversation, Speaker
    from setpoint.canonical.parts import Part

    _Row = Callable[[Body, str], tuple[Part, ...]]

_P = TypeVar("_P", bound="Part")

_EMPTY = Raw(b'""')
_NO_ARGUMENTS = Raw(b"{}")
_TRUE = Raw(b"true")
_LONGEST_SHOWN = 64


def read_conversation(body: Body) -> Conversation:
    """What was said, the system prompt first as one turn.

    Raises: `FieldError` naming the path of what no other protocol has a word for, or of what is not right.
    """
    turns: list[Turn] = []
    system = body.get("system", NULL)
    if not is_null(system) and (parts := _content(system, "system", _WORDS)):
        turns.append(Turn(speaker="system", parts=parts, path="system"))
    for position, message in enumerate(as_array(body.get("messages"))):
        turns.append(_turn(message, f"messages[{position}]"))
    return tuple(turns)


def _turn(data: Raw, path: str) -> Turn:
    message = _object(data, path)
    role = as_text(message.get("role")) or ""
    if role not in _ROLES:
        raise FieldError(f"{path}.role", f"must be one of: {', '.join(_ROLES)}")
    speaker, rows = _ROLES[role]
    return Turn(speaker=speaker, parts=_content(message.get("content", NULL), f"{path}.content", rows), path=path)


def _content(
    content: Raw, path: str, rows: Mapping[str, Callable[[Body, str], tuple[_P, ...]]]
) -> tuple[_P | Text, ...]:
    """The parts of a string or of blocks, each read by the row of its type."""
    if is_string(content):
        return () if content == _EMPTY else (Text(text=content, path=path),)
    if not is_array(content):
        raise FieldError(path, "must be a string or an array of blocks")
    found: list[_P] = []
    for position, entry in enumerate(items(content)):
        at = f"{path}[{position}]"
        block = _object(entry, at)
        found += _row(block, at, rows)(block, at)
    return tuple(found)


def _row(
    block: Body, path: str, rows: Mapping[str, Callable[[Body, str], tuple[_P, ...]]]
) -> Callable[[Body, str], tuple[_P, ...]]:
    """The reader of a block. Raises: `FieldError` where there is none."""
    kind = as_text(block.get("type"))
    if kind is None:
        raise FieldError(f"{path}.type", "must be a string")
    if (row := rows.get(kind)) is not None:
        return row
    if kind in _USER or kind in _ASSISTANT:
        raise FieldError(path, f"{kind} cannot stand here")
    shown = kind[:_LONGEST_SHOWN] if kind.isprintable() else "a block of this type"
    raise FieldError(path, f"{shown} has no word in another protocol", metadata={"reason": "unsupported"})


# --- words and media -----------------------------------------------------------------------------------------


def _text(block: Body, path: str) -> tuple[Text]:
    citations = tuple(read_citation(citation) for citation in as_array(block.get("citations")))
    return (Text(text=_string(block, "text", path), cache=_mark(block), citations=citations, path=path),)


def _image(block: Body, path: str) -> tuple[Media]:
    return (_source(Media(kind="image", cache=_mark(block), path=path), *_source_of(block, path)),)


def _document(block: Body, path: str) -> tuple[Text | Media, ...]:
    source, at = _source_of(block, path)
    title, context = _optional(block, "title", path), _optional(block, "context", path)
    cache = _mark(block)
    if as_text(source.get("type")) == "content":
        heading = [said for said in (title, context) if said is not None]
        parts: tuple[Text | Media, ...] = _content(source.get("content", NULL), f"{at}.content", _WORDS_AND_MEDIA)
        if heading:
            parts = (Text(text=join_strings(heading, "\n"), path=path), *parts)
        return (*parts[:-1], structs.replace(parts[-1], cache=cache)) if parts and cache is not None else parts
    citations = block.get("citations", NULL)
    medium = Media(
        kind="file",
        filename=title,
        context=context,
        citations=None if is_null(citations) else citations,
        cache=cache,
        path=path,
    )
    if as_text(source.get("type")) == "text":
        return (structs.replace(medium, text=_string(source, "data", at), media_type="text/plain"),)
    return (_source(medium, source, at),)


def _source(medium: Media, source: Body, path: str) -> Media:
    """A medium with what its `source` says."""
    match as_text(source.get("type")):
        case "base64":
            media_type = as_text(_string(source, "media_type", path))
            return structs.replace(medium, data=_string(source, "data", path), media_type=media_type)
        case "url":
            return structs.replace(medium, url=_string(source, "url", path))
        case "file":
            return structs.replace(medium, file_id=_string(source, "file_id", path))
        case _:
            raise FieldError(f"{path}.type", "is not a kind of source that is known here")


def _source_of(block: Body, path: str) -> tuple[Body, str]:
    at = f"{path}.source"
    return _object(block.get("source", NULL), at), at


def _search_result(block: Body, path: str) -> tuple[Text]:
    found = [part.text for part in _content(block.get("content", NULL), f"{path}.content", _WORDS)]
    heading = join_strings([_string(block, "title", path), _string(block, "source", path)], "\n")
    return (Text(text=join_strings([heading, *found], "\n\n"), cache=_mark(block), path=path),)


# --- tools and reasoning -------------------------------------------------------------------------------------


def _tool_use(block: Body, path: str) -> tuple[ToolCall]:
    given = block.get("input", NULL)
    if not (is_null(given) or is_object(given)):
        raise FieldError(f"{path}.input", "must be an object")
    call = ToolCall(
        id=as_text(_string(block, "id", path)) or "",
        name=as_text(_string(block, "name", path)) or "",
        arguments=arguments_text(_NO_ARGUMENTS if is_null(given) else given),
        cache=_mark(block),
        path=path,
    )
    return (call,)


def _tool_result(block: Body, path: str) -> tuple[ToolResult]:
    content = block.get("content", NULL)
    result = ToolResult(
        call_id=as_text(_string(block, "tool_use_id", path)) or "",
        parts=() if is_null(content) else _content(content, f"{path}.content", _WORDS_AND_MEDIA),
        is_error=block.get("is_error") == _TRUE,
        cache=_mark(block),
        path=path,
    )
    return (result,)


def _tool_reference(block: Body, path: str) -> tuple[Text]:
    """A tool that a client's own search has found: it is among the tools of the same request."""
    name = as_text(_string(block, "tool_name", path)) or ""
    return (Text(text=raw(f"The tool {name} is available."), cache=_mark(block), path=path),)


def _thinking(block: Body, path: str) -> tuple[Reasoning]:
    step = _sealed(_optional(block, "signature", path) or _EMPTY, "text")
    return (structs.replace(step, text=_string(block, "thinking", path), path=path),)


def _redacted_thinking(block: Body, path: str) -> tuple[Reasoning]:
    return (structs.replace(_sealed(_string(block, "data", path), "encrypted"), path=path),)


def _sealed(seal: Raw, kind: Literal["text", "encrypted"]) -> Reasoning:
    """The step behind an opaque value: another maker's when it is wrapped, else of this protocol's own making.

    A value that says nothing, or is no longer what was wrapped, goes back to nobody.
    """
    if step := read_seal(seal):
        return step
    if seal == _EMPTY or is_wrapped(seal):
        return Reasoning(kind=kind)
    return Reasoning(kind=kind, seal=seal, maker="messages", format=FORMAT)


def _nothing(_: Body, __: str) -> tuple[()]:
    """The result of a tool that a gateway ran: no provider is told of it."""
    return ()


# --- members -------------------------------------------------------------------------------------------------


def _object(data: Raw, path: str) -> Body:
    if not is_object(data):
        raise FieldError(path, "must be an object")
    return members(data)


def _string(block: Body, name: str, path: str) -> Raw:
    content = block.get(name, NULL)
    if not is_string(content):
        raise FieldError(f"{path}.{name}", "must be a string")
    return content


def _optional(block: Body, name: str, path: str) -> Raw | None:
    return None if is_null(block.get(name, NULL)) else _string(block, name, path)


def _mark(block: Body) -> Raw | None:
    """The cache mark of a block."""
    mark = block.get("cache_control", NULL)
    return mark if is_object(mark) else None


# --- rows ----------------------------------------------------------------------------------------------------

_WORDS: dict[str, Callable[[Body, str], tuple[Text, ...]]] = {"text": _text}
_WORDS_AND_MEDIA: dict[str, Callable[[Body, str], tuple[Text | Media, ...]]] = {
    **_WORDS,
    "image": _image,
    "document": _document,
    "search_result": _search_result,
    "tool_reference": _tool_reference,
}
_DROPPED: dict[str, _Row] = {"openrouter_shell_tool_result": _nothing, "openrouter_bash_tool_result": _nothing}
_USER: dict[str, _Row] = {**_WORDS_AND_MEDIA, **_DROPPED, "tool_result": _tool_result}
_ASSISTANT: dict[str, _Row] = {
    **_WORDS_AND_MEDIA,
    **_DROPPED,
    "tool_use": _tool_use,
    "thinking": _thinking,
    "redacted_thinking": _redacted_thinking,
}

_ROLES: dict[str, tuple[Speaker, Mapping[str, _Row]]] = {
    "user": ("user", _USER),
    "assistant": ("assistant", _ASSISTANT),
    "system": ("system", _WORDS),
}
"""Role of a message to who speaks, and to the reader of each block that may stand in it."""
