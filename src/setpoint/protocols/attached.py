"""Which media are in a request, as its bytes tell: without reading all of a conversation."""

from __future__ import annotations

import re

# The type of a part in any of the three protocols. Inside of a text the quotes would be escaped.
_TYPE = "(?:input_)?(image|file|document|audio|video)(?:_url)?"
_PARTS = re.compile(rf'"type"\s*:\s*"{_TYPE}"'.encode())
_OF_A_PART = re.compile(_TYPE)
_KINDS = {b"document": "file"}


def is_medium(type_: str) -> bool:
    """Whether a part of this type is one."""
    return _OF_A_PART.fullmatch(type_) is not None


def media_in(data: bytes | memoryview) -> list[str]:
    """The kind of each medium in what is written here: `image`, `file`, `audio` or `video`."""
    return [_KINDS.get(kind) or kind.decode() for kind in _PARTS.findall(data)]
