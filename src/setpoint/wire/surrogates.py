"""JSON with lone surrogate escapes (`"\\ud800"`), which real clients and streams send and the parser refuses.

Before it is parsed every surrogate escape is covered: written as an escape that the parser takes, behind a mark that
tells it from what came. What the parser has taken apart is uncovered again, byte for byte.
"""

from __future__ import annotations

import re

# The mark is an escaped control character. It cannot stand in a name or a value in any other way than escaped, so
# where it came itself it is doubled, and nothing that came is taken for covered. An escaped backslash is passed over:
# what follows it is no escape.
_MARK, _MARK_CHARACTER = b"\\u0001", "\x01"
_COVERS = {
    b"\\\\": b"\\\\",
    _MARK: _MARK + _MARK,
    b"\\ud": _MARK + b"\\ue",
    b"\\uD": _MARK + b"\\uE",
}
_UNCOVERS = {cover: came for came, cover in _COVERS.items()}
_coverable = re.compile(rb"\\\\|\\u0001|\\u[dD]")
_covered = re.compile(rb"\\\\|\\u0001(?:\\u0001|\\u[eE])")
_covered_characters = re.compile("\x01(\x01|[\ue000-\uefff])")
_COVERED_BY = 0x1000


def covered(data: bytes) -> bytes:
    """The JSON with its surrogate escapes covered. What is malformed stays malformed."""
    return _coverable.sub(lambda found: _COVERS[found[0]], data)


def uncovered(data: bytes) -> bytes:
    """A piece of covered JSON as it came."""
    return _covered.sub(lambda found: _UNCOVERS[found[0]], data) if _MARK in data else data


def uncovered_text(text: str) -> str:
    """A decoded string of covered JSON as it came, surrogates that have found each other being one character."""
    if _MARK_CHARACTER not in text:
        return text
    came = _covered_characters.sub(_character, text)
    return came.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _character(found: re.Match[str]) -> str:
    cover = found[1]
    return cover if cover == _MARK_CHARACTER else chr(ord(cover) - _COVERED_BY)
