"""The conversation of a chat body, read: messages become turns, whatever dialect they go on to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw, structs

from setpoint.canonical.conversation import Turn
from setpoint.canonical.parts import Media, Refusal, Text, ToolCall, ToolResult
from setpoint.errors import FieldError
from setpoint.protocols.chat.audio import Sound
from setpoint.protocols.chat.calls import read_tool_call
from setpoint.protocols.chat.content import array_in, cache_mark, object_in, read_part, string_in, unsayable
from setpoint.protocols.chat.reasoning import read_steps
from setpoint.protocols.media import read_url
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
    members,
    value,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.canonical.conversation import Conversation, Speaker
    from setpoint.canonical.parts import CallKind, Part

_SPEAKERS: tuple[Speaker, ...] = ("system", "developer", "user", "assistant")


def read_conversation(body: Body) -> Conversation:
    """What was said, the system prompt first; tool messages that follow each other are one turn of the user.

    Raises: `FieldError` naming the path of what no other protocol has a word for, or of a member that is wrong.
    """
    messages = as_array(body.get("messages"))
    prompt = body.get("prompt", NULL)
    if not messages and is_string(prompt):
        return (Turn(speaker="user", parts=(Text(text=prompt, path="prompt"),), path="prompt"),)
    reading = _Reading()
    for position, message in enumerate(messages):
        reading.add(message, f"messages[{position}]")
    return reading.done()


class _Reading:
    """A conversation on the way."""

    def __init__(self) -> None:
        self._turns: list[Turn] = []
        self._results: list[ToolResult] = []  # that follow each other so far
        self._kinds: dict[str, CallKind] = {}  # of the calls so far: a result does not say what it answers

    def add(self, data: Raw, path: str) -> None:
        """Take the next message."""
        if not is_object(data):
            raise FieldError(path, "must be an object")
        message = members(data)
        role = as_text(message.get("role"))
        if role == "tool":
            self._results.append(self._result(message, path))
            return
        self._end_results()
        if role not in _SPEAKERS:
            raise FieldError(f"{path}.role", "must be system, developer, user, assistant or tool")
        parts: Sequence[Part] = self._assistant(message, path) if role == "assistant" else _content(message, path)
        if role in ("system", "developer"):
            parts = _words(parts)
        self._turns.append(Turn(speaker=role, parts=tuple(parts), name=as_text(message.get("name")), path=path))

    def done(self) -> Conversation:
        """All of it."""
        self._end_results()
        return tuple(self._turns)

    def _end_results(self) -> None:
        if self._results:
            self._turns.append(Turn(speaker="user", parts=tuple(self._results), path=self._results[0].path))
            self._results = []

    def _result(self, message: Body, path: str) -> ToolResult:
        call_id = str(value(string_in(message, "tool_call_id", path)))
        return ToolResult(
            call_id=call_id,
            parts=tuple(part for part in _content(message, path) if not isinstance(part, Refusal)),
            kind=self._kinds.get(call_id, "function"),
            cache=cache_mark(message),
            path=path,
        )

    def _assistant(self, message: Body, path: str) -> list[Part]:
        """What an assistant says: its reasoning first, its calls last."""
        if not is_null(message.get("function_call", NULL)):
            raise unsayable(f"{path}.function_call", "function_call")
        parts: list[Part] = [*read_steps(message, path), *_content(message, path)]
        if not is_null(message.get("refusal", NULL)):
            parts.append(Refusal(text=string_in(message, "refusal", path), path=f"{path}.refusal"))
        for position, image in enumerate(array_in(message, "images", path)):
            parts.append(read_image(image, f"{path}.images[{position}]"))
        sound = Sound()
        sound.add(as_object(message.get("audio")))
        if (audio := sound.whole()) is not None:
            parts.append(structs.replace(audio, path=f"{path}.audio"))
        for position, call in enumerate(array_in(message, "tool_calls", path)):
            parts.append(self._call(call, f"{path}.tool_calls[{position}]"))
        return parts

    def _call(self, data: Raw, path: str) -> ToolCall:
        call = read_tool_call(data, path)
        self._kinds[call.id] = call.kind
        return call


def read_image(data: Raw, path: str) -> Media:
    """An image that an assistant made. Raises: `FieldError` naming the member that is wrong."""
    image = object_in(as_object(data), "image_url", path)
    return read_url("image", string_in(image, "url", f"{path}.image_url"), path=path)


def _content(message: Body, path: str) -> list[Text | Refusal | Media]:
    content = message.get("content", NULL)
    at = f"{path}.content"
    if is_null(content):
        return []
    if is_string(content):
        return [Text(text=content, path=at)]
    if not is_array(content):
        raise FieldError(at, "must be a string or an array of parts")
    return [read_part(part, f"{at}[{position}]") for position, part in enumerate(as_array(content))]


def _words(parts: Sequence[Part]) -> Sequence[Part]:
    """The parts of a system prompt, which are all words."""
    for part in parts:
        if not isinstance(part, Text):
            raise unsayable(part.path, "what is no text in a system prompt")
    return parts
