"""The message of an answer that came in another dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.canonical.parts import Media, Reasoning, Refusal, Text, ToolCall, ToolResult
from setpoint.protocols.chat.calls import CustomTools, as_function, write_tool_call
from setpoint.protocols.chat.citations import write_citation
from setpoint.protocols.chat.reasoning import readable, whole, write_details
from setpoint.protocols.media import write_url
from setpoint.wire.body import NULL, Body, join, join_strings, raw, value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.canonical.parts import Citation, MediaKind, Part
    from setpoint.protocols.answer import Opening


def write_message(parts: Iterable[Part], opening: Opening) -> Body:
    """The members of the message that these parts make: all of its text is one."""
    custom_tools = CustomTools(opening.request)
    texts: list[Raw] = []
    refusals: list[Raw] = []
    steps: list[Reasoning] = []
    calls: list[Raw] = []
    media: list[Media] = []
    annotations: list[Raw] = []
    characters = 0
    for part in parts:
        match part:
            case Text(text=text, citations=citations):
                start, characters = characters, characters + count_characters(text)
                texts.append(text)
                annotations += write_annotations(citations, start, characters)
            case Refusal(text=text):
                refusals.append(text)
            case Reasoning():
                steps.append(part)
            case ToolCall():
                call = as_function(part) if custom_tools.lack(part) else part
                calls.append(Raw(join(write_tool_call(call, call.id or opening.new_id("call_")))))
            case Media():
                media.append(part)
            case ToolResult():
                pass  # no answer has one
    message: Body = {
        "role": raw("assistant"),
        "content": join_strings(texts) if texts else NULL,
        "refusal": join_strings(refusals) if refusals else NULL,
        "reasoning": readable(steps) or NULL,
    }
    details = [entry for index, step in enumerate(steps) for entry in write_details(whole(step), index)]
    rest = {"reasoning_details": details, "tool_calls": calls, "annotations": annotations}
    return message | {name: raw(entries) for name, entries in rest.items() if entries} | write_media(media)


def write_annotations(citations: Iterable[Citation], start: int, end: int) -> list[Raw]:
    """The links among the citations of a text that stands at these characters."""
    written = (write_citation(citation, start, end) for citation in citations)
    return [annotation for annotation in written if annotation is not None]


SHOWN: frozenset[MediaKind] = frozenset({"image", "audio"})
"""The media that an answer of this protocol can hold."""


def write_media(media: Iterable[Media]) -> Body:
    """The members of a message or a delta that hold what a model made beside words."""
    images: list[Raw] = []
    made: Body = {}
    for medium in media:
        url = write_url(medium, "image/png") if medium.kind == "image" else None
        if url is not None:
            images.append(raw({"type": "image_url", "image_url": {"url": url}}))
        elif medium.kind == "audio":
            audio = {"id": medium.file_id, "data": medium.data, "transcript": medium.text}
            made["audio"] = raw({name: said for name, said in audio.items() if said is not None})
    return {"images": raw(images), **made} if images else made


def count_characters(text: Raw) -> int:
    """How many characters a raw JSON string has."""
    written = bytes(text)
    return len(written) - 2 if written.isascii() and b"\\" not in written else len(value(text))
