"""What the members of a management body say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from setpoint.errors import FieldError
from setpoint.wire.body import MalformedError, value

if TYPE_CHECKING:
    from msgspec import Raw

_SHOWN_CHARACTERS = 64


def said_by(name: str, content: Raw) -> Any:
    """What a member says, as plain Python values.

    Raises: `FieldError` for what cannot be read, such as a number of thousands of digits.
    """
    try:
        return value(content)
    except MalformedError as error:
        raise FieldError(name, f"cannot be read: {error}") from None


def unknown_member(name: str, problem: str) -> FieldError:
    """The refusal of a member that is not known, whose name may be as long as a body: it is cut."""
    return FieldError(name if len(name) <= _SHOWN_CHARACTERS else f"{name[:_SHOWN_CHARACTERS]}\u2026", problem)
