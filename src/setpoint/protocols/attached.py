"""Which media are in a request, as its bytes tell: without reading all of a conversation."""

from __future__ import annotations

import re

# The type of a part in any of the three protocols. Inside of a text the quotes would be escaped.
_PARTS = re.compile(rb'"type"\s*:\s*"(?:input_)?(image|file|document|audio|video)(?:_url)?"')
_KINDS = {b"document": "file"}


def media_in(data: bytes | memoryview) -> list[str]:
    """The kind of each medium in what is written here: `image`, `file`, `audio` or `video`."""
    return [_KINDS.get(kind) or kind.decode() for kind in _PARTS.findall(data)]
