"""The system prompt of a chat body: the system and developer messages that its conversation begins with."""

from __future__ import annotations

import json
import re
from itertools import takewhile
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct

from setpoint.protocols.base import read_prompt, read_text
from setpoint.wire.body import NULL, is_array, is_string, items, join, join_strings, members, raw, read, value

if TYPE_CHECKING:
    from setpoint.wire.body import Body

_SYSTEM_ROLES = ("system", "developer")
_EMPTY_LIST = Raw(b"[]")
_OPENING = re.compile(rb"\[[ \t\r\n]*")

_WINDOW_BYTES = 64 * 1024
_decoder = json.JSONDecoder()


class _Opening(Struct):
    """Of a message, only who speaks."""

    role: object = None


_openings = msgspec.json.Decoder(list[_Opening])


def read_system(body: Body) -> Raw | None:
    """The texts of the leading system and developer messages, a blank line between them. None: no text."""
    leading = takewhile(_is_system, map(members, items(_messages(body))))
    return read_prompt([read_text(message.get("content")) for message in leading])


def has_system(body: Body) -> bool:
    """Whether the conversation begins with a system or developer message."""
    messages = _messages(body)
    if first := _short_first(messages):
        return _is_system(members(first))
    openings = read(messages, _openings)
    return bool(openings) and openings[0].role in _SYSTEM_ROLES


def write_system(body: Body, prompt: Raw) -> Body:
    """The body with this prompt: a message in front of the conversation, or the beginning of its system message.

    Two system messages would say the same, but many chat templates take only one. The other messages keep their bytes.
    """
    messages = _messages(body)
    rest = memoryview(messages)[_start(messages) :]
    if has_system(body):
        first = _short_first(messages) or items(messages)[0]
        message = members(first)
        written = join({**message, "content": _in_front(prompt, message.get("content"))})
        rest = rest[len(first) :]
    else:
        written = join({"role": raw("system"), "content": prompt}) + (b"" if bytes(rest[:1]) == b"]" else b",")
    return {**body, "messages": Raw(b"".join((b"[", written, rest)))}


def _messages(body: Body) -> Raw:
    messages = body.get("messages", NULL)
    return _EMPTY_LIST if messages == NULL else messages


def _is_system(message: Body) -> bool:
    role = message.get("role")
    return role is not None and is_string(role) and value(role) in _SYSTEM_ROLES


def _in_front(prompt: Raw, content: Raw | None) -> Raw:
    own = read_text(content)
    if content is None or not (is_array(content) or is_string(content)):
        return prompt
    before = prompt if own == Raw(b'""') else join_strings([prompt, Raw(b'""')], "\n\n")
    if is_string(content):
        return join_strings([before, own])
    return raw([{"type": "text", "text": before}, *items(content)])


def _start(messages: Raw) -> int:
    """Where the first message begins, in bytes."""
    opening = _OPENING.match(messages)
    return opening.end() if opening else 0


def _short_first(messages: Raw) -> Raw | None:
    """The first message when it is short, at a cost that does not grow with what follows. None: long, or not there.

    The text of an object says itself where it ends, so a window with the whole of it is enough.
    """
    start = _start(messages)
    # The window may cut a character, but only behind an object that ends within it.
    text = bytes(memoryview(messages)[start : start + _WINDOW_BYTES]).decode(errors="ignore")
    if not text.startswith("{"):
        return None
    try:
        return Raw(text[: _decoder.raw_decode(text)[1]].encode())
    except ValueError:
        return None
