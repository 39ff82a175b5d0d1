"""What the body of a management call may say, member by member, and the checks that its kinds have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from msgspec import Raw, Struct

from setpoint.errors import FieldError
from setpoint.ids import KEY, TIMESTAMP, read_timestamp
from setpoint.protocols.money import read_money
from setpoint.protocols.structures import or_null as nullable
from setpoint.routing.catalog import MAX_MADE_ID
from setpoint.settings.kinds import is_model_id
from setpoint.wire.body import MalformedError, is_null, value

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from setpoint.wire.body import Body

_SHOWN_CHARACTERS = 64
_MOST_ENTRIES = 100
_LARGEST = 2**63 - 1
_LINES = str.maketrans("", "", "\t\n\r")


Read = Callable[[str, Raw], Any]
"""What the content of a member means, given the member's name. Raises: `FieldError`."""


class Check(Struct, frozen=True):
    """How a member is read, and the JSON Schema of what it takes."""

    read: Read
    schema: Mapping[str, Any]


class Members(Struct, frozen=True, kw_only=True):
    """The members of one kind of body, each with its check.

    `noun` is what the body makes or changes. `fixed` members are said at the making only, `later` ones only of what is
    there. Null clears those of `cleared_by_null`, is wrong in those of `never_null`, and says nothing elsewhere.
    """

    noun: str
    checks: Mapping[str, Check]
    required: tuple[str, ...]
    fixed: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()
    cleared_by_null: frozenset[str] = frozenset()
    never_null: frozenset[str] = frozenset()

    def read(self, body: Body, *, creating: bool) -> dict[str, Any]:
        """What the body says, by member. Raises: `FieldError`."""
        said: dict[str, Any] = {}
        for name, content in body.items():
            check = self.checks.get(name)
            if check is None:
                raise unknown_member(name, f"is not a member of {self.noun}")
            if name in self.fixed and not creating:
                raise FieldError(name, "cannot be changed")
            if name in self.later and creating:
                raise FieldError(name, f"is said of {self.noun} that is there already")
            if not is_null(content) or name in self.never_null:
                said[name] = check.read(name, content)
            elif name in self.cleared_by_null:
                said[name] = None
        for name in self.required if creating else ():
            if name not in said:
                raise FieldError(name, "is required")
        return said

    def schema(self, *, creating: bool) -> dict[str, Any]:
        """The JSON Schema of a body. Whatever is not required may be null, unless it is never."""
        required = list(self.required if creating else ())
        left_out = self.later if creating else self.fixed
        return {
            "type": "object",
            "properties": {
                name: check.schema if name in required or name in self.never_null else nullable(check.schema)
                for name, check in self.checks.items()
                if name not in left_out
            },
            **({"required": required} if required else {}),
            "additionalProperties": False,
        }


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


def read_text(name: str, content: Raw) -> str:
    """Any string. Raises: `FieldError`."""
    said = said_by(name, content)
    if not isinstance(said, str):
        raise FieldError(name, "must be a string")
    return said


def line(most: int) -> Check:
    """A string of so many printable characters, and one at least."""

    def read(name: str, content: Raw) -> str:
        said = said_by(name, content)
        if not isinstance(said, str) or not 1 <= len(said) <= most or not said.isprintable():
            raise FieldError(name, f"must be a string of 1 to {most} printable characters")
        return _without_keys(name, said)

    return Check(read, {"type": "string", "minLength": 1, "maxLength": most})


def prose(most: int) -> Check:
    """A string of at most so many characters, printable ones and ends of lines."""

    def read(name: str, content: Raw) -> str:
        said = said_by(name, content)
        if not isinstance(said, str) or len(said) > most or not said.translate(_LINES).isprintable():
            raise FieldError(name, f"must be a string of at most {most} characters, printable ones and ends of lines")
        return _without_keys(name, said)

    return Check(read, {"type": "string", "maxLength": most})


def _without_keys(name: str, said: str) -> str:
    """What people will read. A key in it would be stored as it is, and shown to everybody who may see the rest."""
    if KEY.search(said):
        raise FieldError(name, "has an API key in it")
    return said


def _flag(name: str, content: Raw) -> bool:
    """True or false."""
    said = said_by(name, content)
    if not isinstance(said, bool):
        raise FieldError(name, "must be true or false")
    return said


def one_of(*words: str, or_null: bool = False) -> Check:
    """One of these words; `or_null` is for the message."""

    def read(name: str, content: Raw) -> str:
        said = said_by(name, content)
        if not isinstance(said, str) or said not in words:
            raise FieldError(name, f"must be one of {', '.join(words)}{', or null' if or_null else ''}")
        return said

    return Check(read, {"enum": list(words)})


def listed(fits: Callable[[str], object], words: str) -> Check:
    """Several of what the `words` say, as fits, in their order."""

    def read(name: str, content: Raw) -> tuple[str, ...]:
        said = said_by(name, content)
        entries = cast("list[object]", said) if isinstance(said, list) else []
        if not 1 <= len(entries) <= _MOST_ENTRIES:
            raise FieldError(name, f"must be a list of 1 to {_MOST_ENTRIES} {words}, or null for no restriction")
        for at, entry in enumerate(entries):
            if not isinstance(entry, str) or not fits(entry):
                raise FieldError(f"{name}[{at}]", f"is none of the {words}")
        return tuple(map(str, entries))

    return Check(read, {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": _MOST_ENTRIES})


def _is_model(entry: str) -> bool:
    return is_model_id(entry) and len(entry) <= MAX_MADE_ID


model_ids = listed(_is_model, "model ids")
"""Several ids of models."""
key_hashes = listed(re.compile(r"[0-9a-f]{64}").fullmatch, "hashes of API keys, 64 lower-case hex digits each")
"""Several hashes of API keys, as keys are shown with them."""


def _model_id(name: str, content: Raw) -> str:
    """The id of a model."""
    said = said_by(name, content)
    if not isinstance(said, str) or not _is_model(said):
        raise FieldError(name, "must be a model id, or null")
    return said


def number(least: float, most: float) -> Check:
    """A number from the first to the second."""

    def read(name: str, content: Raw) -> float:
        said = said_by(name, content)
        if not isinstance(said, int | float) or isinstance(said, bool) or not least <= said <= most:
            raise FieldError(name, f"must be a number from {least} to {most}")
        return float(said)

    return Check(read, {"type": "number", "minimum": least, "maximum": most})


def _dollars(name: str, content: Raw) -> Decimal:
    """US dollars from their own digits, 0 or more."""
    amount = read_money(content)
    if amount is None:
        raise FieldError(name, "must be a number of US dollars, 0 or more and below 1,000,000, or null for no limit")
    return amount


def _count(name: str, content: Raw) -> int:
    """A whole number from 1 up, that a database can hold."""
    said = said_by(name, content)
    if isinstance(said, float) and said.is_integer():
        said = int(said)
    if not isinstance(said, int) or isinstance(said, bool) or not 1 <= said <= _LARGEST:
        raise FieldError(name, f"must be a whole number from 1 to {_LARGEST}, or null for no limit")
    return said


def _moment(name: str, content: Raw) -> datetime:
    """A time that is written in UTC."""
    said = said_by(name, content)
    at = read_timestamp(said) if isinstance(said, str) else None
    if at is None:
        raise FieldError(name, "must be a time in UTC, such as 2026-12-31T23:59:59Z")
    return at


text = Check(read_text, {"type": "string"})
"""Any string."""
model_id = Check(_model_id, {"type": "string"})
"""The id of a model."""
flag = Check(_flag, {"type": "boolean"})
"""True or false."""
dollars = Check(_dollars, {"type": "number", "minimum": 0, "exclusiveMaximum": 1_000_000})
"""US dollars from their own digits."""
count = Check(_count, {"type": "integer", "minimum": 1, "maximum": _LARGEST})
"""A whole number from 1 up."""
moment = Check(_moment, {"type": "string", "format": "date-time", "pattern": f"^(?:{TIMESTAMP.pattern})$"})
"""A time that is written in UTC."""
