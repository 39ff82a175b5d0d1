"""API keys taken out of what is kept: nobody who reads records or contents may find one there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from setpoint.wire.body import raw, value

if TYPE_CHECKING:
    from collections.abc import Iterable

REDACTED = "[redacted]"
"""What stands in the place of a key."""

_OURS = r"sk-sp-v1-[0-9a-f]{64}"
_IN_TEXT, _IN_JSON = re.compile(_OURS), re.compile(_OURS.encode())
_LEAST_CREDENTIAL = 16  # no key is shorter; what is offered as one may be any word


def text_without_keys(text: str, credentials: Iterable[str]) -> str:
    """The text without any key of ours, nor what its caller offered as one (`credentials`)."""
    for credential in credentials:
        text = text.replace(credential, REDACTED)
    return _IN_TEXT.sub(REDACTED, text)


def json_without_keys(content: bytes, credentials: Iterable[str]) -> bytes:
    """The JSON without any key of ours, however it is written there, nor what its caller offered as one."""
    if b"\\u00" in content or b"\\/" in content:  # as may any letter of a key be
        content = bytes(raw(value(content)))
    content = _IN_JSON.sub(REDACTED.encode(), content)
    for credential in credentials:
        if len(credential) >= _LEAST_CREDENTIAL:
            content = content.replace(bytes(raw(credential))[1:-1], REDACTED.encode())
    return content
