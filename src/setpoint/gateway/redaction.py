"""Keys of ours are taken out of what is kept: somebody pastes one into every field there is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Raw, structs

from setpoint.ids import KEY, KEY_BEGINS
from setpoint.wire.body import raw, value
from setpoint.wire.shown import readable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.routing.plan import Plan

REDACTED = "[redacted]"
"""What stands in the place of a key."""

_LEAST_CREDENTIAL = 16  # no key is shorter; what is offered as one may be any word
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_MAY_HIDE = (b"\\u00", b"\\/", KEY_BEGINS.encode())  # any letter of a key may be written as an escape


class Redaction:
    """Takes out whatever has the form of a key of ours, and what one caller offers as its key, which may have another.

    `credentials` are what it offers.
    """

    __slots__ = ("_credentials",)

    def __init__(self, credentials: Iterable[str] = ()) -> None:
        self._credentials = tuple(one for one in credentials if len(one) >= _LEAST_CREDENTIAL)

    def text(self, text: str) -> str:
        """Text as a record may hold it: without any key, and readable."""
        for credential in self._credentials:
            text = text.replace(credential, REDACTED)
        return readable(KEY.sub(REDACTED, text) if KEY_BEGINS in text else text)

    def finds(self, text: str) -> bool:
        """Whether there is a key in this text."""
        return (KEY_BEGINS in text and KEY.search(text) is not None) or any(one in text for one in self._credentials)

    def plan(self, planned: Plan) -> Plan:
        """A plan that names no key: what the caller calls a provider may be anything."""
        if all(one.model is not None for one in planned.excluded):
            return planned
        excluded = (
            one if one.model is not None else structs.replace(one, provider=self.text(one.provider))
            for one in planned.excluded
        )
        return structs.replace(planned, excluded=tuple(excluded))

    def json(self, content: bytes) -> bytes:
        """JSON without any key, however it is written there. What has none keeps its bytes."""
        forms = (bytes(raw(one))[1:-1] for one in self._credentials)
        if not any(mark in content for mark in (*_MAY_HIDE, *forms)):
            return content
        return _STRING.sub(self._string, content)

    def _string(self, found: re.Match[bytes]) -> bytes:
        # String by string: whatever is offered as a key, nothing between two strings can be taken for a part of it.
        text: str = value(Raw(found[0]))
        without = self.text(text)
        return found[0] if without == readable(text) else bytes(raw(without))
