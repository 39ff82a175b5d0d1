"""A conversation written as the instructions and input items of a request to a responses upstream.

Ids of items are left out unless they are known: nothing is stored there that they could name.
Source: the input items of the Responses reference, read 2026-11.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from msgspec import Raw, structs

from setpoint.canonical.conversation import split_system
from setpoint.canonical.parts import Media, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from setpoint.errors import FieldError
from setpoint.protocols.media import write_url
from setpoint.protocols.responses.calls import CALLS, KINDS, write_call
from setpoint.protocols.responses.items import item_id_prefix, part_groups, write_group
from setpoint.protocols.responses.reasoning import own_id, write_reasoning
from setpoint.protocols.responses.texts import write_annotation
from setpoint.wire.body import Body, MalformedError, as_text, is_object, items, join, join_strings, raw, value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.canonical.conversation import Conversation, Turn
    from setpoint.canonical.parts import CallKind
    from setpoint.protocols.terms import Terms

_AUTO = Raw(b'"auto"')
_MESSAGE, _COMPLETED = Raw(b'"message"'), Raw(b'"completed"')
_NAMED_FILES = {"application/pdf": "document.pdf", "text/plain": "document.txt"}
_ID_DIGITS = 32


def write_conversation(conversation: Conversation, terms: Terms) -> Body:
    """`instructions` of the leading system turns, and `input` of the rest.

    Raises: `FieldError` naming the path of a part that the protocol cannot say.
    """
    leading, rest = split_system(conversation)
    if not rest:  # an input of nothing is refused, so the system prompt is all of it
        leading, rest = (), leading
    body: Body = {}
    if texts := [text for turn in leading for text in _system_texts(turn)]:
        body["instructions"] = join_strings(texts, "\n\n")
    writer = _Writer(terms)
    for turn in rest:
        writer.add(turn)
    body["input"] = raw(writer.written)
    return body


def _system_texts(turn: Turn) -> list[Raw]:
    texts: list[Raw] = []
    for part in _with_name(turn):
        if not isinstance(part, Text | Refusal):
            raise _unsayable(part)
        texts.append(part.text)
    return texts


def _with_name(turn: Turn) -> tuple[Part, ...]:
    """The parts of a turn, the speaker's name in front of the first text: this protocol has no other place for it."""
    if turn.name is None:
        return turn.parts
    parts = list(turn.parts)
    for position, part in enumerate(parts):
        if isinstance(part, Text):
            parts[position] = structs.replace(part, text=join_strings([raw(f"{turn.name}: "), part.text]))
            break
    return tuple(parts)


def _unsayable(part: Part) -> FieldError:
    kind = part.kind if isinstance(part, Media) else type(part).__name__.lower()
    return FieldError(part.path, f"{kind} cannot be said to this provider", metadata={"reason": "unsupported"})


class _Writer:
    """The items so far, and what kind of call each id was written as."""

    def __init__(self, terms: Terms) -> None:
        self.written: list[Raw] = []
        self._names = terms.names
        self._kinds: dict[str, CallKind] = {}

    def add(self, turn: Turn) -> None:
        """Write one turn."""
        content: list[Body] = []
        for group in part_groups(_with_name(turn)):
            match group[0]:
                case ToolResult() as result:
                    self._message(turn, content)
                    self._write(self._output(result))
                case Text() | Refusal() if turn.speaker == "assistant":
                    self._message(turn, [_write_said(part) for part in group if isinstance(part, Text | Refusal)])
                case _ if turn.speaker == "assistant":
                    self._act(group)
                case _:
                    content += [written for part in group for written in _write_content(part)]
        self._message(turn, content)

    def _message(self, turn: Turn, content: list[Body]) -> None:
        """Write a message of what was gathered, if anything was."""
        if not content:
            return
        item: Body = {"type": _MESSAGE, "role": raw(turn.speaker), "content": raw(content)}
        if turn.phase is not None:
            item["phase"] = raw(turn.phase)
        self._write(item)
        content.clear()

    def _act(self, group: Sequence[Part]) -> None:
        """What an assistant does beside speaking."""
        match group[0]:
            case Reasoning() as first:
                steps = [step for step in group if isinstance(step, Reasoning)]
                # A maker takes its own reasoning back, whole and sealed; anything else it would refuse.
                if first.maker == "responses" and steps[-1].seal is not None:
                    self._write(write_reasoning(steps, own_id(first), None))
            case ToolCall() as call:
                self._call(self._names.as_sent(call))
            case Media(data=Raw() as data) as image if item_id_prefix(image):
                digest = hashlib.sha256(bytes(data)).hexdigest()[:_ID_DIGITS]  # an id is required, and any will do
                self._write(write_group([image], f"{item_id_prefix(image)}{digest}", "completed"))
            case part:
                raise _unsayable(part)

    def _call(self, call: ToolCall) -> None:
        item = write_call(call, call.item_id, None)
        self._kinds[call.id] = kind = KINDS[as_text(item["type"]) or ""]
        if kind not in ("function", "custom"):
            item["status"] = _COMPLETED
        self._write(item)

    def _write(self, item: Body) -> None:
        self.written.append(Raw(join(item)))  # at once: what is freed as a whole, at the end, holds everyone up

    def _output(self, result: ToolResult) -> Body:
        known = result.kind if result.kind in self._names.native else "function"
        kind = self._kinds.get(result.call_id, known)
        item: Body = {"type": raw(CALLS[kind].output)}
        item["id" if kind == "local_shell" else "call_id"] = raw(result.call_id)
        match kind:
            case "shell":
                item["output"] = _shell_output(result)
            case "apply_patch":
                item["status"] = raw("failed" if result.is_error else "completed")
                item["output"] = _one_text(result.parts)
            case "local_shell":
                item["output"] = _one_text(_told_as_error(result))
            case _:
                item["output"] = _output(_told_as_error(result))
        return item


# --- content -------------------------------------------------------------------------------------------------


def _write_said(part: Text | Refusal) -> Body:
    """What an assistant said, as it is said again."""
    if isinstance(part, Refusal):
        return {"type": raw("refusal"), "refusal": part.text}
    annotations = [written for citation in part.citations if (written := write_annotation(citation)) is not None]
    return {"type": raw("output_text"), "text": part.text, "annotations": raw(annotations)}


def _write_content(part: Part) -> list[Body]:
    """A part of anybody else's message, or of the output of a call; what is told about a document goes before it."""
    match part:
        case Text(text=text) | Refusal(text=text):
            return [_input_text(text)]
        case Media(context=Raw() as context):
            return [_input_text(context), _write_medium(part)]
        case Media():
            return [_write_medium(part)]
        case _:
            raise _unsayable(part)


def _input_text(text: Raw) -> Body:
    return {"type": raw("input_text"), "text": text}


def _write_medium(medium: Media) -> Body:
    url = write_url(medium, "image/png" if medium.kind == "image" else "application/pdf")
    match medium.kind:
        case "image" if medium.file_id is not None:
            return {"type": raw("input_image"), "detail": medium.detail or _AUTO, "file_id": medium.file_id}
        case "image" if url is not None:
            return {"type": raw("input_image"), "detail": medium.detail or _AUTO, "image_url": url}
        case "file":
            return _write_file(medium, url)
        case "audio" if medium.data is not None:
            audio = {"data": medium.data, "format": raw(medium.media_type or "wav")}
            return {"type": raw("input_audio"), "input_audio": raw(audio)}
        case "video" if (film := write_url(medium, "video/mp4")) is not None:
            return {"type": raw("input_video"), "video_url": film}
        case _:
            raise _unsayable(medium)


def _write_file(file: Media, url: Raw | None) -> Body:
    written: Body = {"type": raw("input_file")}
    if file.filename is not None:
        written["filename"] = file.filename
    if file.file_id is not None:
        written["file_id"] = file.file_id
    elif file.text is not None:
        text = base64.b64encode(str(value(file.text)).encode("utf-8", "surrogatepass"))
        written.setdefault("filename", raw(_NAMED_FILES["text/plain"]))
        written["file_data"] = Raw(b'"data:text/plain;base64,' + text + b'"')
    elif file.data is not None and url is not None:
        name = _NAMED_FILES.get(file.media_type or "application/pdf", "document")
        written.setdefault("filename", raw(name))
        written["file_data"] = url
    elif url is not None:
        written["file_url"] = url
    else:
        raise _unsayable(file)
    return written


# --- outputs of calls ----------------------------------------------------------------------------------------


def _told_as_error(result: ToolResult) -> tuple[Text | Media, ...]:
    """The parts of a result, saying that it is an error where they do not: this protocol has no switch for that."""
    if not result.is_error:
        return result.parts
    for position, part in enumerate(result.parts):
        if isinstance(part, Text):
            if str(value(part.text)).lstrip().lower().startswith("error"):
                return result.parts
            told = structs.replace(part, text=join_strings([raw("Error: "), part.text]))
            return (*result.parts[:position], told, *result.parts[position + 1 :])
    return (Text(text=raw("Error"), path=result.path), *result.parts)


def _output(parts: tuple[Text | Media, ...]) -> Raw:
    """A string for one text or none, else a list of parts."""
    if len(parts) > 1 or any(isinstance(part, Media) for part in parts):
        for part in parts:
            if isinstance(part, Media) and part.kind not in ("image", "file"):
                raise _unsayable(part)
        return raw([written for part in parts for written in _write_content(part)])
    return _one_text(parts)


def _one_text(parts: tuple[Text | Media, ...]) -> Raw:
    """All the text of a result in one string, which is all that some outputs take."""
    texts: list[Raw] = []
    for part in parts:
        if not isinstance(part, Text):
            raise _unsayable(part)
        texts.append(part.text)
    return join_strings(texts, "\n")


def _shell_output(result: ToolResult) -> Raw:
    """What each command wrote and how it ended: the list that the text spells, else the text as one command's."""
    text = _one_text(result.parts)
    listed = _listed(str(value(text)))
    if listed is not None:
        return listed
    outcome = {"type": "exit", "exit_code": 1 if result.is_error else 0}
    return raw([{"stdout": text, "stderr": "", "outcome": outcome}])


def _listed(text: str) -> Raw | None:
    """A text that spells a list of objects as that list."""
    try:
        listed = Raw(text.encode())
        objects = all(map(is_object, items(listed)))
    except (MalformedError, UnicodeEncodeError):
        return None
    return listed if objects else None
