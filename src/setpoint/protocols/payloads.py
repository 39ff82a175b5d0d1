"""Inline media in a JSON body: found without reading the body, and replaced by a word."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Of the characters that JSON writes as escapes only `/` and line ends may stand in base64; all else ends it. A data
# URL may also stand inside JSON that is itself a string, as the arguments of a tool call are.
_BASE64 = rb"([A-Za-z0-9+/=_-]*(?:\\[/nr][A-Za-z0-9+/=_-]*)*)"
_DATA_URL = re.compile(rb'(data:[^",\s]{0,200};base64,)' + _BASE64)
_PAYLOAD = re.compile(rb'("(?:data|file_data|b64_json)"\s*:\s*")' + _BASE64 + b'(?=")')
_LEAST_PAYLOAD = 64


def without_payloads(body: bytes, word: Callable[[int], bytes]) -> bytes:
    """The JSON body with each inline medium replaced by a word about its length as base64."""

    def url(match: re.Match[bytes]) -> bytes:
        return match[1] + word(len(match[2])) if match[2] else match[0]

    def payload(match: re.Match[bytes]) -> bytes:
        return match[1] + word(len(match[2])) if len(match[2]) >= _LEAST_PAYLOAD else match[0]

    return _PAYLOAD.sub(payload, _DATA_URL.sub(url, body))
