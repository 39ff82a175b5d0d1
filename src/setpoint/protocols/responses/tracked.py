"""The output items of a stream that is edited: each keeps one id, and what was complete can be told again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.protocols.money import text_bytes
from setpoint.protocols.responses.calls import CALLS
from setpoint.protocols.responses.unfinished import Unfinished
from setpoint.protocols.responses.usage import said_bytes
from setpoint.wire.body import NULL, as_array, as_object, as_text, is_null, is_object, is_string, join, raw

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.wire.body import Body

_PREFIXES = {"message": "msg_", "reasoning": "rs_", **{call.type: call.prefix for call in CALLS.values()}}
_OTHER_PREFIX = "item_"

_WITH_ITEM_IDS = (
    *(b"response.output_text.", b"response.refusal.", b"response.content_part.", b"response.reasoning_"),
    *(b"response.function_call_arguments.", b"response.custom_tool_call_input.", b"response.mcp_call"),
    *(b"response.web_search_call.", b"response.file_search_call.", b"response.code_interpreter_call"),
    *(b"response.image_generation_call.", b"response.mcp_list_tools."),
)
"""How the types of events begin of which it is known that they name an item by its id."""

_WITH_SCORES = (b"response.output_text.delta", b"response.output_text.done")
_ARGUMENTS_DONE = b"response.function_call_arguments.done"
_BEGIN_EMPTY = ("message", "reasoning")
_EMPTY_LIST = Raw(b"[]")
_INDEX_DIGITS = 9


class _Tracked:
    """One item: the id that it has for the client, what was said of it, and the whole of it once that has come."""

    __slots__ = ("body", "grown_bytes", "id", "name", "type", "unfinished")

    def __init__(self, head: Body | None = None) -> None:
        self.unfinished = Unfinished(head or {})
        self.id: Raw | None = None
        self.type: Raw | None = None
        self.name: Raw | None = None
        self.grown_bytes = 0
        self.body: Body | None = None


class TrackedItems:
    """The items by their `output_index`. An item keeps the id that it had in the first event that named it."""

    def __init__(self, new_id: Callable[[str], str]) -> None:
        self._new_id = new_id
        self._items: dict[bytes, _Tracked] = {}

    def __len__(self) -> int:
        return len(self._items)

    def complete(self, kind: bytes, body: Body) -> None:
        """Put into an event about a piece of an item what upstreams leave out or change: above all the item's id."""
        if kind in _WITH_SCORES and "logprobs" not in body:
            body["logprobs"] = _EMPTY_LIST
        if "output_index" not in body:
            return
        item, given = self._at(body), body.get("item_id")
        if (given is None or not is_string(given)) and not kind.startswith(_WITH_ITEM_IDS):
            return
        if item.id is None:
            item.id = given if given is not None and is_string(given) else None
        elif given != item.id:
            body["item_id"] = item.id
        item.unfinished.take(kind, body)
        # Official clients require this key, which OpenAI itself does not send (both read 2026-11).
        if kind == _ARGUMENTS_DONE and "name" not in body and item.name is not None:
            body["name"] = item.name

    def grew(self, body: Body, delta: Raw) -> int:
        """Count a piece of an item: its UTF-8 bytes."""
        said = text_bytes(delta)
        self._at(body).grown_bytes += said
        return said

    def added(self, body: Body) -> bool:
        """Take an item that begins, with an id if it has none. Says whether it is something already."""
        told = as_object(body.get("item"))
        if not told:
            return False
        item = self._items[bytes(body.get("output_index", NULL))] = _Tracked(told)
        item.name = told.get("name")
        body["item"] = self._with_id(item, told, body["item"])
        return as_text(told.get("type")) not in _BEGIN_EMPTY

    def finished(self, body: Body) -> tuple[int, bool]:
        """Take an item that is complete. The UTF-8 bytes of it that had not come in pieces; whether it is something."""
        told = as_object(body.get("item"))
        if not told:
            return 0, False
        item = self._at(body)
        body["item"] = self._with_id(item, told, body["item"])
        item.body, item.unfinished = told, Unfinished({})
        said = said_bytes(told)
        sealed = not is_null(told.get("encrypted_content", NULL))
        return max(0, said - item.grown_bytes), bool(said) or sealed or as_text(told.get("type")) not in _BEGIN_EMPTY

    def done(self) -> list[Body]:
        """The items that are complete, in the order of the output."""
        return [body for index in sorted(self._items, key=_position) if (body := self._items[index].body) is not None]

    def close(self) -> list[tuple[Raw, Body]]:
        """Take what came of the items that are open as all there is of them: each with its place in the output."""
        closed: list[tuple[Raw, Body]] = []
        for index in sorted(self._items, key=_position):
            item = self._items[index]
            if item.body is None and (told := item.unfinished.item(item.id)) is not None:
                item.body = told
                closed.append((Raw(index), told))
        return closed

    def settled(self, output: Raw | None) -> tuple[Raw, int]:
        """The whole output as the last event must tell it, and the UTF-8 bytes in it that had not come in pieces.

        That is the upstream's own, with the ids that the items had before; where it tells less than came, what came.
        """
        entries, came = as_array(output), self.done()
        if len(entries) < len(came):
            return raw(came), 0
        said = 0
        for position, entry in enumerate(entries):
            told = as_object(entry) if is_object(entry) else {}
            item = self._items.setdefault(b"%d" % position, _Tracked())
            if not told or item.type not in (None, told.get("type")):
                continue  # told in another order: its id cannot be known
            entries[position] = self._with_id(item, told, entry)
            if item.body is None:
                item.body = told
                said += max(0, said_bytes(told) - item.grown_bytes)
        return raw(entries), said

    def _at(self, body: Body) -> _Tracked:
        """The item that an event names by its place."""
        index = bytes(body.get("output_index", NULL))
        item = self._items.get(index)
        if item is None:
            item = self._items[index] = _Tracked()
        return item

    def _with_id(self, item: _Tracked, told: Body, entry: Raw) -> Raw:
        """The item as it is told, which came as `entry`, with its own id."""
        given = told.get("id", NULL)
        item.type = told.get("type")
        if item.id is None:
            prefix = _PREFIXES.get(as_text(item.type) or "", _OTHER_PREFIX)
            item.id = given if is_string(given) else raw(self._new_id(prefix))
        if given == item.id:
            return entry
        told["id"] = item.id
        return Raw(join(told))


def _position(index: bytes) -> int:
    return int(index) if index.isdigit() and len(index) <= _INDEX_DIGITS else 0
