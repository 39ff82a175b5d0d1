"""What `debug.echo_upstream_body` shows: the body that went upstream, without secrets and without payloads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.wire.body import is_object, members

if TYPE_CHECKING:
    from setpoint.wire.body import Body

_DATA_URL = re.compile(rb'"data:([^"\\;,]{0,100});base64,[^"]*"')
_PAYLOAD = re.compile(rb'("(?:data|file_data|b64_json)"\s*:\s*)"[A-Za-z0-9+/=_-]{64,}"')
_KEY_SHAPED = re.compile(rb"\b(?:sk|pk|gsk|xai)-[A-Za-z0-9_-]{12,}")


def wants_echo(body: Body) -> bool:
    """Whether a checked streaming request asks to be shown what goes upstream."""
    debug = body.get("debug")
    return debug is not None and is_object(debug) and bytes(members(debug).get("echo_upstream_body", b"")) == b"true"


def redacted(body: bytes) -> Raw:
    """The JSON body with inline media and anything shaped like a key replaced by a word."""
    body = _DATA_URL.sub(rb'"data:\1;base64,[redacted]"', body)
    body = _PAYLOAD.sub(rb'\1"[redacted]"', body)
    return Raw(_KEY_SHAPED.sub(b"[redacted]", body))
