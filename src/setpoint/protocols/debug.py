"""What `debug.echo_upstream_body` shows: the body that went upstream, without secrets and without payloads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.wire.body import is_object, members

if TYPE_CHECKING:
    from setpoint.wire.body import Body

# Of the characters that JSON writes as escapes only `/` and line ends may stand in base64; all else ends it. A data
# URL may also stand inside JSON that is itself a string, as the arguments of a tool call are.
_BASE64 = rb"(?:[A-Za-z0-9+/=_-]|\\[/nr])"
_DATA_URL = re.compile(rb'(data:[^",\s]{0,200};base64,)' + _BASE64 + b"+")
_PAYLOAD = re.compile(rb'("(?:data|file_data|b64_json)"\s*:\s*")' + _BASE64 + b'{64,}"')
_KEY_SHAPED = re.compile(rb"(?:\b|(?<=\\[bfnrt]))(?:sk|pk|gsk|xai)-[A-Za-z0-9_-]{12,}")


def wants_echo(body: Body) -> bool:
    """Whether a checked streaming request asks to be shown what goes upstream."""
    debug = body.get("debug")
    return debug is not None and is_object(debug) and bytes(members(debug).get("echo_upstream_body", b"")) == b"true"


def redacted(body: bytes) -> Raw:
    """The JSON body with inline media and anything shaped like a key replaced by a word."""
    body = _DATA_URL.sub(rb"\1[redacted]", body)
    body = _PAYLOAD.sub(rb'\1[redacted]"', body)
    return Raw(_KEY_SHAPED.sub(b"[redacted]", body))
