"""The conversation of a responses body, read out of its instructions and the items of its input.

What no other protocol has a word for is refused by its path: a history that lost a piece would be another one.
Source: the input items of the Responses reference, read 2026-11.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.canonical.conversation import Turn
from setpoint.canonical.parts import Media, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from setpoint.errors import FieldError
from setpoint.protocols import base
from setpoint.protocols.media import read_url
from setpoint.protocols.responses.calls import CALLS
from setpoint.protocols.responses.items import read_item
from setpoint.protocols.responses.texts import read_said, string_member, unsupported
from setpoint.wire.body import (
    NULL,
    Body,
    as_array,
    as_object,
    as_text,
    is_array,
    is_null,
    is_object,
    is_string,
    items,
    raw,
    value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.canonical.conversation import Conversation, Speaker
    from setpoint.canonical.parts import CallKind

_EMPTY = Raw(b'""')
_MORE_TOOLS = "additional_tools"
_SPEAKERS = ("system", "developer", "user", "assistant")
_FILE_TYPES = {
    "csv": "text/csv",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "htm": "text/html",
    "html": "text/html",
    "json": "application/json",
    "md": "text/markdown",
    "pdf": "application/pdf",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "rtf": "application/rtf",
    "txt": "text/plain",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xml": "application/xml",
}
"""End of a file's name to what the file is."""

_OUTPUTS: dict[str, CallKind] = {call.output: kind for kind, call in CALLS.items()}


def read_conversation(body: Body) -> Conversation:
    """What was said, the instructions first.

    Raises: `FieldError` naming the path of what only this protocol can say, or of what has another shape.
    """
    if not is_null(body.get("prompt", NULL)):
        raise unsupported("prompt", "a stored prompt")
    turns = _Turns()
    instructions = body.get("instructions", NULL)
    if is_string(instructions) and instructions != _EMPTY:
        turns.say("system", (Text(text=instructions, path="instructions"),), "instructions")
    conversation = body.get("input", NULL)
    if is_string(conversation):
        turns.say("user", (Text(text=conversation, path="input"),), "input")
    for position, entry in enumerate(as_array(conversation)):
        _read_entry(as_object(entry), f"input[{position}]", turns)
    return turns.done()


def listed_tools(body: Body) -> list[tuple[str, Raw]]:
    """The tools of `tools`, and those that items of the input make available, each with the JSON pointer to it.

    Raises: `FieldError` naming the path of what is no tool.
    """
    listed = base.listed_tools(body)
    for position, entry in enumerate(as_array(body.get("input"))):
        item = as_object(entry)
        if as_text(item.get("type")) == _MORE_TOOLS:
            for at, tool in enumerate(as_array(item.get("tools"))):
                if not is_object(tool):
                    raise FieldError(f"input[{position}].tools[{at}]", "must be an object")
                listed.append((f"/input/{position}/tools/{at}", tool))
    return listed


class _Turns:
    """Items put together into turns.

    What the assistant says and does without an answer in between is one turn, as the other protocols have it; a second
    message begins another one, unless a call stands before it, whose result must come next. Results of calls that
    come together are one turn of the user's.
    """

    def __init__(self) -> None:
        self._turns: list[Turn] = []
        self._parts: list[Part] = []
        self._speaker: Speaker = "user"
        self._phase: str | None = None
        self._path = ""
        self._has_message = False
        self._has_call = False

    def say(self, speaker: Speaker, parts: tuple[Part, ...], path: str, *, phase: str | None = None) -> None:
        """A message."""
        before: deque[Part] = deque()
        if speaker != "assistant" or self._speaker != "assistant":
            self._begin(speaker, path)
        elif self._has_message and not self._has_call:
            while self._parts and isinstance(self._parts[-1], Reasoning):
                before.appendleft(self._parts.pop())
            self._begin(speaker, path)
        self._has_message = True
        self._phase = self._phase or phase
        self._parts += [*before, *parts]

    def act(self, parts: tuple[Part, ...], path: str) -> None:
        """Anything else that the assistant does: reasoning, calls, images."""
        if self._speaker != "assistant":
            self._begin("assistant", path)
        self._has_call = self._has_call or any(isinstance(part, ToolCall) for part in parts)
        self._parts += parts

    def answer(self, result: ToolResult) -> None:
        """The output of a call."""
        if self._speaker != "user" or self._has_message or not self._parts:
            self._begin("user", result.path)
        self._parts.append(result)

    def done(self) -> Conversation:
        """All turns."""
        self._begin("user", "")
        return tuple(self._turns)

    def _begin(self, speaker: Speaker, path: str) -> None:
        if self._parts or self._has_message:
            turn = Turn(speaker=self._speaker, parts=tuple(self._parts), phase=self._phase, path=self._path)
            self._turns.append(turn)
        self._parts, self._phase, self._has_message, self._has_call = [], None, False, False
        self._speaker, self._path = speaker, path


def _read_entry(item: Body, path: str, turns: _Turns) -> None:
    kind = as_text(item.get("type"))
    if kind == _MORE_TOOLS:  # nothing that is said: these tools are listed with the others
        return
    if kind == "message" or (kind is None and "role" in item):
        role = as_text(item.get("role"))
        if role not in _SPEAKERS:
            raise FieldError(f"{path}.role", "must be user, system, developer or assistant")
        parts = _read_content(item.get("content", NULL), f"{path}.content", role)
        turns.say(role, parts, path, phase=as_text(item.get("phase")) if role == "assistant" else None)
    elif kind is None:
        raise FieldError(f"{path}.type", "must be a string")
    elif call := _OUTPUTS.get(kind):
        turns.answer(_read_output(item, call, path))
    elif (parts := read_item(item, path, replayed=True)) is not None:
        turns.act(parts, path)
    else:
        raise unsupported(path, kind)


# --- content -------------------------------------------------------------------------------------------------


def _read_content(content: Raw, path: str, speaker: Speaker) -> tuple[Text | Refusal | Media, ...]:
    if is_string(content):
        return (Text(text=content, path=path),)
    if is_null(content):
        return ()
    if not is_array(content):
        raise FieldError(path, "must be a string or an array")
    return tuple(
        _read_part(as_object(part), f"{path}[{position}]", speaker) for position, part in enumerate(items(content))
    )


def _read_part(part: Body, path: str, speaker: Speaker) -> Text | Refusal | Media:
    kind = as_text(part.get("type"))
    if kind is None:
        raise FieldError(f"{path}.type", "must be a string")
    if (said := read_said(part, path)) is not None:
        # Only a model refuses; of anybody else they are words like any other.
        return Text(text=said.text, path=path) if isinstance(said, Refusal) and speaker != "assistant" else said
    if read := _MEDIA.get(kind):
        return read(part, path)
    raise unsupported(path, kind)


def _read_image(part: Body, path: str) -> Media:
    detail = _optional(part, "detail", path)
    if (file_id := _optional(part, "file_id", path)) is not None:
        return Media(kind="image", file_id=file_id, detail=detail, path=path)
    return read_url("image", string_member(part, "image_url", path), path=path, detail=detail)


def _read_file(part: Body, path: str) -> Media:
    filename = _optional(part, "filename", path)
    if (file_id := _optional(part, "file_id", path)) is not None:
        return Media(kind="file", file_id=file_id, filename=filename, path=path)
    if (url := _optional(part, "file_url", path)) is not None:
        return read_url("file", url, path=path, filename=filename)
    data = string_member(part, "file_data", path)
    if bytes(memoryview(data)[:6]).lower() in (b'"data:', b'"http:', b'"https'):
        return read_url("file", data, path=path, filename=filename)
    # Base64 without a word of what it is, but in the name.
    suffix = (as_text(filename) or "").rpartition(".")[2].lower()
    return Media(kind="file", data=data, media_type=_FILE_TYPES.get(suffix), filename=filename, path=path)


def _read_audio(part: Body, path: str) -> Media:
    audio = as_object(part.get("input_audio"))
    data = string_member(audio, "data", f"{path}.input_audio")
    return Media(kind="audio", data=data, media_type=as_text(audio.get("format")), path=path)


def _read_video(part: Body, path: str) -> Media:
    return read_url("video", string_member(part, "video_url", path), path=path)


_MEDIA: dict[str, Callable[[Body, str], Media]] = {
    "input_image": _read_image,
    "input_file": _read_file,
    "input_audio": _read_audio,
    "input_video": _read_video,
}


def _optional(part: Body, name: str, path: str) -> Raw | None:
    """A member that is a string where it is said at all."""
    return None if is_null(part.get(name, NULL)) else string_member(part, name, path)


# --- outputs of calls ----------------------------------------------------------------------------------------


def _read_output(item: Body, kind: CallKind, path: str) -> ToolResult:
    # The output of a local shell names its call by `id`.
    named = "id" if kind == "local_shell" and is_null(item.get("call_id", NULL)) else "call_id"
    return ToolResult(
        call_id=str(value(string_member(item, named, path))),
        parts=_read_output_parts(item, kind, f"{path}.output"),
        kind=kind,
        is_error=kind == "apply_patch" and as_text(item.get("status")) == "failed",
        path=path,
    )


def _read_output_parts(item: Body, kind: CallKind, path: str) -> tuple[Text | Media, ...]:
    output = item.get("output", NULL)
    if kind == "shell" and is_array(output):
        # What each command wrote and how it ended: nobody else has parts for that, so the model reads it as JSON.
        return (Text(text=raw(bytes(output).decode("utf-8", "surrogatepass")), path=path),)
    if kind == "apply_patch" and is_null(output):
        return (Text(text=string_member(item, "status", path.removesuffix(".output")), path=path),)
    if is_null(output):
        raise FieldError(path, "must be a string or an array")
    parts = _read_content(output, path, "user")
    return tuple(part for part in parts if not isinstance(part, Refusal))
