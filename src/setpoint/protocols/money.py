"""Counts and amounts as every protocol writes them: tokens, dollars, and what goes into a count of our own."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.protocols.base import read_text
from setpoint.wire.body import NULL, as_array, is_array, is_null, is_string, value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.canonical.parts import MediaKind
    from setpoint.wire.body import Body

_WHOLE = re.compile(rb"(\d{1,15})(?:\.0*)?")  # some write a count as 10.0
_MONEY_CHARACTERS = 64
_MONEY_PLACES = 40

MEDIA_TOKENS: Mapping[MediaKind, int] = MappingProxyType(
    {"image": 1_600, "file": 3_000, "audio": 1_000, "video": 10_000}
)
"""The input tokens that a medium counts for in our own estimates, whatever its size."""


def money(amount: Decimal | None) -> Raw:
    """An amount as a JSON number with all of its digits, `null` when unknown."""
    if amount is None:
        return NULL
    text = format(amount, "f") if amount else "0"
    return Raw((text.rstrip("0").rstrip(".") if "." in text else text).encode())


def dollars(amount: Decimal) -> str:
    """An amount as people read it, with all of its digits: `$1,250.00`, `$0.005`."""
    whole, _, cents = format(amount, ",f").partition(".")
    return f"${whole}.{cents.rstrip('0'):0<2}"


def read_money(data: Raw | None, *, below: int = 1_000_000) -> Decimal | None:
    """An amount of dollars from its own digits, never through a float.

    None for what is no amount, or would fill a page when written out.
    """
    if data is None or len(memoryview(data)) > _MONEY_CHARACTERS:
        return None
    try:
        amount = Decimal(bytes(data).decode())
    except (InvalidOperation, UnicodeDecodeError):
        return None
    sensible = amount.is_finite() and 0 <= amount < below and amount.adjusted() >= -_MONEY_PLACES
    return amount if sensible else None


def read_count(body: Body, name: str) -> int:
    """A count of tokens, 0 when none is given. Raises: `ValueError` for what is no whole number from 0 up."""
    count = body.get(name, NULL)
    match = _WHOLE.fullmatch(b"0" if is_null(count) else bytes(count))
    if match is None:
        raise ValueError(name)
    return int(match[1])


def tool_bytes(body: Body) -> int:
    """The bytes of the tools that a request offers: whoever reads them counts them as input."""
    return sum(len(memoryview(tool)) for tool in as_array(body.get("tools")))


def text_bytes(data: Raw | None) -> int:
    """The UTF-8 bytes of a text, or of all the text in a list of parts; 0 for anything else."""
    if data is None:
        return 0
    if is_array(data):
        return text_bytes(read_text(data))
    if not is_string(data):
        return 0
    written = bytes(data)
    return len(written) - 2 if b"\\" not in written else len(value(data).encode("utf-8", "surrogatepass"))
