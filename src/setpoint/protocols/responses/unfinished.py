"""What has come of an item that an upstream never completed: its words so far, under the head that it began with."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec import Raw

from setpoint.wire.body import NULL, as_text, is_string, join_strings, raw

if TYPE_CHECKING:
    from setpoint.wire.body import Body

_EMPTY_LIST = Raw(b"[]")


class _Words(NamedTuple):
    """Where an item has what the events of one family tell: a member of it, or a part in a list of such."""

    item: str
    member: str
    place: str = ""
    part: str = ""
    whole: str = "text"


_FAMILIES = {
    b"response.output_text": _Words("message", "content", "content_index", "output_text"),
    b"response.refusal": _Words("message", "content", "content_index", "refusal", "refusal"),
    b"response.reasoning_text": _Words("reasoning", "content", "content_index", "reasoning_text"),
    b"response.reasoning_summary_text": _Words("reasoning", "summary", "summary_index", "summary_text"),
    b"response.function_call_arguments": _Words("function_call", "arguments", whole="arguments"),
    b"response.custom_tool_call_input": _Words("custom_tool_call", "input", whole="input"),
}
_DELTAS = {family + b".delta": words for family, words in _FAMILIES.items()}
_WHOLES = {family + b".done": words for family, words in _FAMILIES.items()}

# An upstream may leave out that these begin; a call without a name is none.
_HEADS: dict[str, Body] = {
    "message": {"type": raw("message"), "role": raw("assistant"), "content": _EMPTY_LIST},
    "reasoning": {"type": raw("reasoning"), "summary": _EMPTY_LIST},
}
_GROWING = frozenset(words.item for words in _FAMILIES.values())


class Unfinished:
    """One item while it grows."""

    __slots__ = ("_head", "_said")

    def __init__(self, head: Body) -> None:
        self._head = head
        self._said: dict[tuple[_Words, bytes], list[Raw]] = {}

    def take(self, kind: bytes, body: Body) -> None:
        """Take an event about a piece of it."""
        if (words := _DELTAS.get(kind)) is not None:
            if is_string(delta := body.get("delta", NULL)):
                self._said.setdefault(self._place(words, body), []).append(delta)
        elif (words := _WHOLES.get(kind)) is not None and is_string(whole := body.get(words.whole, NULL)):
            self._said[self._place(words, body)] = [whole]

    def _place(self, words: _Words, body: Body) -> tuple[_Words, bytes]:
        if not self._head:
            self._head = _HEADS.get(words.item, {})
        return words, bytes(body.get(words.place, NULL))

    def item(self, id_: Raw | None) -> Body | None:
        """The item as far as it came, which says that it is incomplete; None for one that does not come in words."""
        if as_text(self._head.get("type")) not in _GROWING or id_ is None:
            return None
        item = {**self._head, "id": id_, "status": raw("incomplete")}
        listed: dict[str, list[Body]] = {}
        for (words, _), pieces in self._said.items():
            text = join_strings(pieces)
            if not words.part:
                item[words.member] = text
                continue
            part = {"type": raw(words.part), words.whole: text}
            if words.part == "output_text":
                part |= {"annotations": _EMPTY_LIST, "logprobs": _EMPTY_LIST}
            listed.setdefault(words.member, []).append(part)
        return item | {member: raw(parts) for member, parts in listed.items()}
