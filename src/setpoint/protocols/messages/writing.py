"""A conversation of any protocol, written as the `system` and `messages` of a messages body."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Literal

from msgspec import Raw, structs

from setpoint.canonical.conversation import split_system
from setpoint.canonical.parts import Media, Reasoning, Refusal, Text, ToolCall, ToolResult
from setpoint.errors import FieldError
from setpoint.protocols.names import arguments_object
from setpoint.wire.body import Body, as_text, join, join_strings, raw

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from setpoint.canonical.conversation import Conversation, Turn
    from setpoint.canonical.parts import Part
    from setpoint.protocols.names import ToolNames
    from setpoint.protocols.terms import Terms

_Role = Literal["system", "user", "assistant"]

_EMPTY = Raw(b'""')
_BLANK = re.compile(rb'"(?: |\\[nrt])*"')
_TEXT, _TOOL_RESULT = Raw(b'"text"'), Raw(b'"tool_result"')

# "tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'" is how the Messages API refuses any other id.
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9_-]")
_DIGEST_CHARACTERS = 8

# Documents are PDFs or plain text to this protocol; these are plain text by another name.
_TEXT_TYPES = re.compile(r"text/.+|application/(?:json|xml|yaml|javascript)")


def write_conversation(conversation: Conversation, terms: Terms) -> Body:
    """The fields of a request that hold the conversation: `system`, where there is one, and `messages`.

    A system prompt that nothing follows is what the user says.
    Raises: `FieldError` naming the path of a part that the protocol cannot say.
    """
    leading, rest = split_system(conversation)
    prompt = [block for turn in leading for block in _blocks(turn, "system", terms.names)]
    messages = [_message(role, blocks) for role, blocks in _spoken(rest, terms.names)]
    if prompt and not messages:  # "messages: at least one message is required"
        return {"messages": raw([_message("user", prompt)])}
    body: Body = {"system": _content(prompt)} if prompt else {}
    body["messages"] = raw(messages)
    return body


def _spoken(turns: Sequence[Turn], names: ToolNames) -> Iterator[tuple[_Role, list[Body]]]:
    """Who says what, without interruption: the protocol wants its roles to alternate, and nothing empty."""
    speaking: _Role = "user"
    said: list[Body] = []
    for turn in turns:
        role: _Role = "system" if turn.speaker == "developer" else turn.speaker
        blocks = _blocks(turn, role, names)
        if said and blocks and role != speaking:
            yield speaking, said
            said = []
        if blocks:
            speaking = role
            said += blocks
    if said:
        yield speaking, said


def _message(role: _Role, blocks: list[Body]) -> Raw:
    match role:
        case "system":
            content = join_strings([block["text"] for block in blocks], "\n\n")
        case "user":  # results come first, or the calls before them count as not answered
            content = _content(sorted(blocks, key=lambda block: block["type"] != _TOOL_RESULT))
        case "assistant":
            content = _content(blocks)
    return raw({"role": role, "content": content})


def _content(blocks: list[Body]) -> Raw:
    """Blocks as a content: a string for nothing but one plain text."""
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        return blocks[0]["text"]
    return Raw(b"[" + b",".join(join(block) for block in blocks) + b"]")


def _blocks(turn: Turn, role: _Role, names: ToolNames) -> list[Body]:
    parts = _named(turn.parts, turn.name) if turn.name else turn.parts
    return [block for part in parts if (block := _block(part, role, names)) is not None]


def _named(parts: Sequence[Part], name: str) -> list[Part]:
    """The parts with the speaker's name, which the protocol has no place for, before the first words."""
    named = list(parts)
    for position, part in enumerate(named):
        if isinstance(part, Text):
            named[position] = structs.replace(part, text=join_strings([raw(f"{name}: "), part.text]))
            break
    return named


def _block(part: Part, role: _Role, names: ToolNames) -> Body | None:
    """One part as a block; None for what the protocol has no use for: empty text, reasoning that it did not seal."""
    match part:
        case Text():
            return _text(part)
        case Refusal(text=text):
            return _text(Text(text=text))
        case Media() if role == "user":
            return _medium(part)
        case Reasoning() if role == "assistant":
            return _reasoning(part)
        case ToolCall() if role == "assistant":
            return _call(names.as_sent(part))
        case ToolResult() if role == "user":
            return _result(part)
        case Media(kind=kind, path=path):
            raise _unsaid(path, f"{kind} in a message of role {role}")
        case Reasoning():
            return None
        case ToolCall(path=path) | ToolResult(path=path):
            raise _unsaid(path, f"a tool's call or result in a message of role {role}")


def _unsaid(path: str, what: str) -> FieldError:
    return FieldError(path, f"{what} cannot be said to this provider", metadata={"reason": "unsupported"})


def _marked(block: Body, mark: Raw | None) -> Body:
    return block if mark is None else {**block, "cache_control": mark}


# --- words, reasoning and tools ------------------------------------------------------------------------------


def _text(part: Text) -> Body | None:
    if _BLANK.fullmatch(part.text):  # "text content blocks must contain non-whitespace text"
        return None
    block: Body = {"type": _TEXT, "text": part.text}
    # A link's own index is not known here, and the protocol takes no other.
    if cited := [citation.body for citation in part.citations if citation.body is not None]:
        block["citations"] = raw(cited)
    return _marked(block, part.cache)


def _reasoning(step: Reasoning) -> Body | None:
    """A step as it was signed or sealed by this protocol; nobody else's is taken, and none that has lost its text."""
    if step.maker != "messages" or step.seal in (None, _EMPTY):
        return None
    if step.kind == "encrypted":
        return {"type": raw("redacted_thinking"), "data": raw(step.seal)}
    if step.text is None:
        return None
    return {"type": raw("thinking"), "thinking": step.text, "signature": raw(step.seal)}


def _call(call: ToolCall) -> Body:
    block: Body = {
        "type": raw("tool_use"),
        "id": _id(call.id),
        "name": raw(call.name),
        "input": arguments_object(call.arguments) or Raw(b"{}"),
    }
    return _marked(block, call.cache)


def _result(result: ToolResult) -> Body:
    block: Body = {"type": _TOOL_RESULT, "tool_use_id": _id(result.call_id)}
    said = (_text(part) if isinstance(part, Text) else _medium(part) for part in result.parts)
    if blocks := [content for content in said if content is not None]:
        block["content"] = _content(blocks)
    if result.is_error:
        block["is_error"] = Raw(b"true")
    return _marked(block, result.cache)


def _id(id_: str) -> Raw:
    """The id of a call as the protocol takes it, the same for the call and for its result."""
    safe = _NOT_IN_IDS.sub("_", id_)
    if safe == id_ and id_:
        return raw(id_)
    digest = hashlib.sha256(id_.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_CHARACTERS]
    return raw(f"{safe}_{digest}")


# --- media ---------------------------------------------------------------------------------------------------


def _medium(medium: Media) -> Body:
    """An image or a document. Raises: `FieldError` for what is neither."""
    match medium.kind:
        case "image":
            source = _source(medium, "image/png")
            return _marked({"type": raw("image"), "source": source}, medium.cache)
        case "file":
            return _document(medium)
        case "audio" | "video":
            raise _unsaid(medium.path, medium.kind)


def _document(medium: Media) -> Body:
    media_type = (medium.media_type or "application/pdf").lower()
    if medium.text is not None:
        source = _plain(medium.text)
    elif medium.data is not None and _TEXT_TYPES.fullmatch(media_type):
        source = _plain(_decoded(medium.data, medium.path))
    elif medium.data is not None and media_type != "application/pdf":
        raise _unsaid(medium.path, "a file that is neither PDF nor plain text")
    else:
        source = _source(medium, "application/pdf")
    block: Body = {"type": raw("document"), "source": source}
    beside = {"title": medium.filename, "context": medium.context, "citations": medium.citations}
    return _marked(block | {name: said for name, said in beside.items() if said is not None}, medium.cache)


def _source(medium: Media, media_type: str) -> Raw:
    """Where a medium comes from. `media_type` is that of content which does not say its own."""
    if medium.data is not None:
        return raw({"type": "base64", "media_type": medium.media_type or media_type, "data": medium.data})
    if medium.url is not None:
        return raw({"type": "url", "url": medium.url})
    if medium.file_id is not None:
        return raw({"type": "file", "file_id": medium.file_id})
    raise _unsaid(medium.path, f"{medium.kind} without content")


def _plain(text: Raw) -> Raw:
    return raw({"type": "text", "media_type": "text/plain", "data": text})


def _decoded(data: Raw, path: str) -> Raw:
    """The text in raw base64."""
    try:
        return raw(base64.b64decode("".join((as_text(data) or "").split()), validate=True).decode())
    except ValueError:
        raise FieldError(path, "is not text in base64") from None
