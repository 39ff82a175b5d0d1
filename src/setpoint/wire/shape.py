"""The shape of JSON from outside: how deep it nests, how many members stand in one place, whether it is text at all.

Nothing is built. The bytes are looked at block by block, so that what it costs in memory does not grow with them, and
no single step is so long that a thread that does this could not be interrupted.
"""

from __future__ import annotations

import re
from itertools import repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK_BYTES = 65_536
_TEXT_BYTES = 1_048_576

_DROP = bytes(set(range(256)) - set(b"[]{},"))
_ALIKE = bytes.maketrans(b"{}", b"[]")
_OPEN, _CLOSE = ord("["), ord("]")
_SMALL = 8
_ROUNDS = 2

_runs = re.compile(rb",+|\[+|\]+")


def misshapen(data: bytes, max_depth: int, max_members: int, *, block_bytes: int = _BLOCK_BYTES) -> str | None:
    """What is wrong with the shape of JSON, None when nothing is; what is no JSON at all is for the parser to find.

    A block has at least two bytes.
    """
    deep = data.count(b"[") + data.count(b"{") > max_depth
    wide = data.count(b",") >= max_members
    if not (deep or wide):
        return None
    walk = _Walk(max_depth, max_members)
    problems = map(walk.problem, _marks(data, block_bytes))
    return next(filter(None, problems), None)


def not_text(data: bytes) -> int | None:
    """The first byte that is no UTF-8, None when all are."""
    at = 0
    while at < len(data):
        end = _character_end(data, at + _TEXT_BYTES)
        try:
            data[at:end].decode()
        except UnicodeDecodeError as error:
            return at + error.start
        at = end
    return None


def _character_end(data: bytes, near: int) -> int:
    """A place up to three bytes before this one that is inside no character."""
    for end in range(near, near - 4, -1):
        if end >= len(data) or data[end] & 0xC0 != 0x80:
            return min(end, len(data))
    return near  # so many bytes behind a first one are no character, and will be found


def _marks(data: bytes, block_bytes: int) -> Iterator[bytes]:
    """The brackets and commas that stand outside of strings, braces as brackets, block by block."""
    at, inside = 0, False
    while at < len(data):
        block = data[at : at + block_bytes]
        if block.endswith(b"\\") and (len(block) - len(block.rstrip(b"\\"))) % 2 and len(block) == block_bytes:
            block = block[:-1]  # what it escapes is in the next one
        at += len(block)
        # Without escapes every quote is a string's end, so every other piece between quotes stands outside of strings.
        pieces = block.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        yield b"".join(pieces[inside::2]).translate(_ALIKE, _DROP)
        inside ^= len(pieces) % 2 == 0


class _Walk:
    """Goes through marks, block by block, and knows of every object and array around it how many members it has."""

    def __init__(self, max_depth: int, max_members: int) -> None:
        self._max_depth = max_depth
        self._max_members = max_members
        self._around: list[int] = []
        self._count = 0
        # The smallest are the most by far. They are taken out as a whole, with a tenth of the work of counting them.
        self._small = [b"[" + b"," * commas + b"]" for commas in range(min(_SMALL, max_members))]

    def problem(self, marks: bytes) -> str | None:
        """What these marks make too deep or too wide, None when they do not."""
        # Each kind that is taken out may have held one that was taken out before it.
        room = self._max_depth - _ROUNDS * len(self._small)
        if len(self._around) <= room:
            around, count = self._around.copy(), self._count
            left = marks
            for _ in range(_ROUNDS):
                for small in self._small:
                    left = left.replace(small, b"")
            if self._walked(left, room) is None:
                return None
            self._around, self._count = around, count
        return self._walked(marks, self._max_depth)

    def _walked(self, marks: bytes, max_depth: int) -> str | None:
        around, count = self._around, self._count
        for run in _runs.findall(marks):
            size, mark = len(run), run[0]
            if mark == _OPEN:
                around.append(count)
                around.extend(repeat(1, size - 1))
                count = 1
                if len(around) > max_depth:
                    return f"nested deeper than {self._max_depth} levels"
            elif mark == _CLOSE:
                count = around[-size] if size <= len(around) else 0
                del around[-size:]
            else:
                count += size
                if count > self._max_members:
                    return f"more than {self._max_members} members in one object or array"
        self._count = count
        return None
