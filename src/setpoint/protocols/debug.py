"""What `debug.echo_upstream_body` shows: the body that went upstream, without secrets and without payloads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.protocols.payloads import without_payloads
from setpoint.wire.body import is_object, members

if TYPE_CHECKING:
    from setpoint.wire.body import Body

_KEY_SHAPED = re.compile(rb"(?:\b|(?<=\\[bfnrt]))(?:sk|pk|gsk|xai)-[A-Za-z0-9_-]{12,}")


def wants_echo(body: Body) -> bool:
    """Whether a checked streaming request asks to be shown what goes upstream."""
    debug = body.get("debug")
    return debug is not None and is_object(debug) and bytes(members(debug).get("echo_upstream_body", b"")) == b"true"


def redacted(body: bytes) -> Raw:
    """The JSON body with inline media and anything shaped like a key replaced by a word."""
    return Raw(_KEY_SHAPED.sub(b"[redacted]", without_payloads(body, lambda _: b"[redacted]")))
