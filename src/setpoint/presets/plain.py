"""What a raw value says, for comparing and looking into: a number is the same however it is written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from setpoint.wire.body import MalformedError

if TYPE_CHECKING:
    from msgspec import Raw

_LONGEST_INTEGER = 1_000


def plain(content: Raw) -> Any:
    """What a value inside a checked body says, as plain Python values. A number that is none to Python is its text.

    Raises: `MalformedError` for what is nested more deeply than Python follows.
    """
    try:
        return json.loads(bytes(content), parse_int=_integer, parse_float=_number)
    except RecursionError:
        raise MalformedError("nested too deeply") from None


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= _LONGEST_INTEGER else text


def _number(text: str) -> float | str:
    number = float(text)
    if number.is_integer():
        return int(number)
    return number if number - number == 0 else text
