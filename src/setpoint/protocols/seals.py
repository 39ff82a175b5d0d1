"""Opaque values of one maker inside another protocol's words: a signature or sealed reasoning that goes back unread.

The messages and responses protocols have one string for such a value and nowhere to say whose it is. What their own
upstreams made stands there as it came; what another dialect's made is wrapped with its maker's name, so that a later
turn can hand it back to that maker unchanged, and to nobody else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from msgspec import Raw

from setpoint.canonical.parts import Maker, Reasoning
from setpoint.wire.body import MalformedError, as_array, as_text, is_array, is_null, is_string, raw, value

if TYPE_CHECKING:
    from collections.abc import Sequence

_MARK = "setpoint:"
_Kind = Literal["text", "summary", "encrypted"]
_KINDS: Sequence[_Kind] = ("text", "summary", "encrypted")
_MAKERS: Sequence[Maker] = ("chat", "messages", "responses")


def write_seal(step: Reasoning, own: Maker, *, unsealed: bool = False) -> Raw:
    """The value for a protocol's opaque string, a raw JSON string: as it is when it is the protocol's `own`.

    `unsealed`: what another dialect made is wrapped even when there is no more to keep than whose it is.
    """
    if step.maker == own:
        return step.seal if step.seal is not None else Raw(b'""')
    if step.seal is None and step.id is None and not unsealed:
        return Raw(b'""')
    told = raw([step.maker or "", step.kind, step.format or "", step.id or "", step.seal])
    return raw(_MARK + bytes(told).decode())


def is_wrapped(seal: Raw) -> bool:
    """Whether an opaque string is one of those that `write_seal` wraps."""
    return bytes(memoryview(seal)[1 : 1 + len(_MARK)]) == _MARK.encode()


def read_seal(seal: Raw) -> Reasoning | None:
    """The step behind a wrapped value, without its text; None for a value that is not wrapped, or no longer whole."""
    if not is_wrapped(seal):
        return None
    try:
        inner = Raw(str(value(seal)).removeprefix(_MARK).encode())
        entries = as_array(inner) if is_array(inner) else []
    except (MalformedError, UnicodeEncodeError):
        return None
    if len(entries) != len(("maker", "kind", "format", "id", "seal")):
        return None
    maker, kind, family, id_ = (as_text(entry) or "" for entry in entries[:4])
    sealed = entries[4]
    if kind not in _KINDS or not (is_null(sealed) or is_string(sealed)):  # clients can write what they like here
        return None
    return Reasoning(
        kind=cast("_Kind", kind),
        seal=None if is_null(sealed) else sealed,
        maker=cast("Maker", maker) if maker in _MAKERS else None,
        format=family or None,
        id=id_ or None,
    )
