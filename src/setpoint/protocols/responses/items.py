"""The items of what a model says: messages, reasoning, calls, images. The same in an answer and in a history.

Neighbouring texts share one message, neighbouring steps of one reasoning share one item; any other part is an item of
its own. `belongs` says which parts those are, for whole answers and for streams alike.
Source: the item tables of the Responses reference, read 2026-11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.canonical.parts import Media, Reasoning, Refusal, Text, ToolCall
from setpoint.errors import FieldError, ProviderError
from setpoint.protocols.media import read_url
from setpoint.protocols.responses.calls import CALLS, KINDS, answered_calls, item_of, read_call, write_call
from setpoint.protocols.responses.reasoning import own_id, read_reasoning, same_reasoning, write_reasoning
from setpoint.protocols.responses.texts import SAID, read_annotation, read_said, write_annotation, write_said
from setpoint.wire.body import NULL, Body, as_array, as_object, as_text, is_null, is_string, raw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from setpoint.canonical.parts import MediaKind, Part

__all__ = [
    "ITEM_PREFIXES",
    "belongs",
    "item_id_prefix",
    "new_item_id",
    "part_groups",
    "read_annotation",
    "read_item",
    "read_items",
    "write_annotation",
    "write_group",
    "write_item",
    "write_items",
    "write_said",
]

_EMPTY = Raw(b'""')

ITEM_PREFIXES: dict[str, str] = {
    "message": "msg_",
    "reasoning": "rs_",
    "image_generation_call": "ig_",
    **{call.type: call.prefix for call in CALLS.values()},
}
"""Type of an item to what its id begins with."""


# --- writing -------------------------------------------------------------------------------------------------


def item_id_prefix(part: Part) -> str:
    """What the id of the item of a part begins with; empty when the protocol has no item for such a part.

    A call must be whole: what it says decides which item it is.
    """
    match part:
        case Text() | Refusal():
            return "msg_"
        case Reasoning():
            return "rs_"
        case ToolCall():
            return item_of(part).prefix
        case Media(kind="image", data=data, url=url) if data is not None or url is not None:
            return "ig_"
        case _:
            return ""


def belongs(before: Part, part: Part) -> bool:
    """Whether a part stands in the same item as the part before it."""
    if isinstance(part, Reasoning):
        return isinstance(before, Reasoning) and same_reasoning(before, part)
    return isinstance(part, Text | Refusal) and isinstance(before, Text | Refusal)


def part_groups(parts: Iterable[Part]) -> list[list[Part]]:
    """The parts in order, those of one item together."""
    groups: list[list[Part]] = []
    for part in parts:
        if groups and belongs(groups[-1][-1], part):
            groups[-1].append(part)
        else:
            groups.append([part])
    return groups


def new_item_id(part: Part, new_id: Callable[[str], str]) -> str:
    """The id of the item that begins with this part: the one that its reasoning was made in, else a new one."""
    return (own_id(part) if isinstance(part, Reasoning) else None) or new_id(item_id_prefix(part))


def write_items(
    parts: Sequence[Part], new_id: Callable[[str], str], *, status: str = "completed", logprobs: Raw | None = None
) -> list[Body]:
    """The parts of one answer as output items; what the protocol has no item for is left out.

    `status` is that of the last item: those before it are complete. `logprobs` is the raw list of all the text's
    entries; it stands at the first text.
    """
    groups = part_groups(part for part in parts if item_id_prefix(part))
    written: list[Body] = []
    for group in groups:
        state = status if group is groups[-1] else "completed"
        item = write_group(group, new_item_id(group[0], new_id), state, logprobs)
        if isinstance(group[0], Text):
            logprobs = None
        if item.get("call_id") == _EMPTY:
            item["call_id"] = raw(new_id("call_"))
        written.append(item)
    return written


def write_item(part: Part, item_id: str, status: str) -> Body:
    """The item of a single part that has one (`item_id_prefix`)."""
    return write_group([part], item_id, status)


def write_group(group: Sequence[Part], item_id: str, status: str, logprobs: Raw | None = None) -> Body:
    """The item of parts that belong together."""
    match group[0]:
        case Reasoning():
            return write_reasoning([step for step in group if isinstance(step, Reasoning)], item_id, status)
        case ToolCall() as call:
            return write_call(call, item_id, status)
        case Media() as medium:
            return _write_image(medium, item_id, status)
        case _:
            said: list[Body] = []
            for part in group:
                if isinstance(part, Text | Refusal):
                    said.append(write_said(part, None if said else logprobs))
            return {
                "type": raw("message"),
                "id": raw(item_id),
                "role": raw("assistant"),
                "status": raw(status),
                "content": raw(said),
            }


SHOWN: frozenset[MediaKind] = frozenset({"image"})
"""The media that an answer of this protocol can hold."""


def _write_image(image: Media, item_id: str, status: str) -> Body:
    """An image that was made: its content, or where it stands."""
    state = raw("completed" if status == "completed" else "in_progress")
    if image.data is not None:
        item: Body = {"type": raw("image_generation_call"), "id": raw(item_id), "status": state, "result": image.data}
        kind, _, form = (image.media_type or "").partition("/")
        return {**item, "output_format": raw(form)} if kind == "image" and form else item
    return {
        "type": raw("openrouter:image_generation"),
        "id": raw(item_id),
        "status": state,
        "imageUrl": image.url or NULL,
    }


# --- reading -------------------------------------------------------------------------------------------------


def read_items(entries: Sequence[Raw]) -> tuple[list[Part], list[str]]:
    """The parts of an answer's items, and the names of what there is no canonical word for.

    A call that the answer holds the output of has been run by the provider: it is none of the client's.

    Raises: `ProviderError` for items of another shape.
    """
    parts: list[Part] = []
    unsaid: list[str] = []
    listed = [as_object(entry) for entry in entries]
    run = answered_calls(listed)
    for position, item in enumerate(listed):
        kind = as_text(item.get("type")) or ""
        if kind in KINDS and is_null(item.get("call_id", NULL)):
            item["call_id"] = _EMPTY
        try:
            read = None if as_text(item.get("call_id")) in run else read_item(item, f"output[{position}]")
        except FieldError as error:
            raise ProviderError("provider_unavailable", "the provider's answer is malformed") from error
        if read is None:
            unsaid.append(kind or "item")
        else:
            parts += read
            unsaid += _unsaid_within(item) if kind == "message" else ()
    return parts, unsaid


def read_item(item: Body, path: str, *, replayed: bool = False) -> tuple[Part, ...] | None:
    """The parts of an item that a model says; None when there is no canonical word for it.

    `replayed`: it comes back from a client, as part of a history.

    Raises: `FieldError` naming the member that has another shape.
    """
    kind = as_text(item.get("type")) or ""
    if kind == "message" or (not kind and "role" in item):
        return _read_message(item, path)
    if kind == "reasoning":
        return read_reasoning(item, path, replayed=replayed)
    if call := KINDS.get(kind):
        return (read_call(item, call, path),)
    if kind in ("image_generation_call", "openrouter:image_generation"):
        return _read_image(item, path)
    return None


def _read_message(item: Body, path: str) -> tuple[Part, ...]:
    """The words of an answer's message; parts that say something else are left out."""
    content = item.get("content", NULL)
    if is_string(content):
        return (Text(text=content, path=f"{path}.content"),)
    parts = (
        read_said(as_object(part), f"{path}.content[{position}]") for position, part in enumerate(as_array(content))
    )
    return tuple(part for part in parts if part is not None)


def _read_image(item: Body, path: str) -> tuple[Media, ...] | None:
    """An image by its content or its address; None before there is one."""
    for name in ("result", "imageB64", "imageUrl"):
        content = item.get(name, NULL)
        if not is_string(content) or content == _EMPTY:
            continue
        if name == "imageUrl" or bytes(memoryview(content)[:6]) == b'"data:':
            return (read_url("image", content, path=path),)
        form = as_text(item.get("output_format")) or "png"
        return (Media(kind="image", data=content, media_type=f"image/{form}", path=path),)
    return None


def _unsaid_within(item: Body) -> list[str]:
    """The parts of a message that say something else than words, and its annotations that are no links, by kind."""
    names: dict[str, None] = {}
    for part in map(as_object, as_array(item.get("content"))):
        kind = as_text(part.get("type")) or "part"
        if kind not in SAID:
            names[kind] = None
        for annotation in map(as_object, as_array(part.get("annotations"))):
            if (word := as_text(annotation.get("type"))) != "url_citation":
                names[f"annotations.{word}"] = None
    return list(names)
