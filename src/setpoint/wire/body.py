"""A JSON body as a mapping of member to raw bytes: taken apart one level deep, put together again.

Every value stays the bytes that came, so nothing is lost because nothing was decoded. The parser is msgspec; it
refuses lone surrogate escapes (`"\\ud800"`), which real streams contain, so what it refuses is read once more with
these covered. What it refuses then is malformed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, cast

import msgspec
from msgspec import Raw

from setpoint.wire.shape import misshapen, not_text
from setpoint.wire.surrogates import covered, uncovered, uncovered_text

Body = dict[str, Raw]
"""A JSON object, one level deep: member name to the bytes of its value."""

T = TypeVar("T")

_members = msgspec.json.Decoder(Body)
_items = msgspec.json.Decoder(list[Raw])
_any = msgspec.json.Decoder()
_encode = msgspec.json.Encoder().encode

NULL = Raw(b"null")

_NOT_UTF8 = "not UTF-8 at byte {}"

MAX_DEPTH = 256
MAX_MEMBERS = 100_000


class MalformedError(ValueError):
    """The bytes are no JSON of the shape that was asked for. The message says why, without quoting them."""


def split(data: bytes, *, max_depth: int = MAX_DEPTH, max_members: int = MAX_MEMBERS) -> Body:
    """The members of a JSON object that comes from outside, each as its bytes. Of equal names the last one counts.

    The one place where UTF-8, nesting and the number of members are checked.

    Raises: `MalformedError`.
    """
    if not data.isascii() and (at := not_text(data)) is not None:
        raise MalformedError(_NOT_UTF8.format(at))
    if problem := misshapen(data, max_depth, max_members):
        raise MalformedError(problem)
    return members(data)


def join(body: Body) -> bytes:
    """The JSON object with these members, in their order, without white space between them."""
    try:
        return _encode(body)
    except (UnicodeEncodeError, msgspec.EncodeError):  # a lone surrogate in a member's name
        parts = (json.dumps(name).encode() + b":" + bytes(value) for name, value in body.items())
        return b"{" + b",".join(parts) + b"}"


def members(data: bytes | Raw) -> Body:
    """The members of a JSON object inside a body that `split` has checked. Raises: `MalformedError`."""

    def slow(data: bytes) -> Body:
        found = _with_surrogates(_members, data, "object")
        return {uncovered_text(name): Raw(uncovered(bytes(content))) for name, content in found.items()}

    return _decoded(_members.decode, slow, data)


def items(data: bytes | Raw) -> list[Raw]:
    """The entries of a JSON array inside a body that `split` has checked. Raises: `MalformedError`."""

    def slow(data: bytes) -> list[Raw]:
        return [Raw(uncovered(bytes(content))) for content in _with_surrogates(_items, data, "array")]

    return _decoded(_items.decode, slow, data)


def value(data: bytes | Raw) -> Any:
    """What a raw JSON value says, as plain Python values. Raises: `MalformedError`."""
    return _decoded(_any.decode, _slow_value, data)


def read(data: bytes | Raw, decoder: msgspec.json.Decoder[T]) -> T:
    """The value as the decoder's type. Raises: `MalformedError` when it does not fit."""

    def slow(data: bytes) -> T:
        try:
            return msgspec.convert(_slow_value(data), decoder.type)
        except (msgspec.MsgspecError, UnicodeError):
            raise MalformedError("not of the shape that is wanted") from None

    return _decoded(decoder.decode, slow, data)


def _decoded(fast: Callable[[bytes | Raw], T], slow: Callable[[bytes], T], data: bytes | Raw) -> T:
    try:
        return fast(data)
    except RecursionError:
        raise MalformedError("nested too deeply") from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return slow(bytes(data))


def raw(content: Any) -> Raw:
    """A plain Python value as raw JSON; `Raw` inside it stays as it is."""
    try:
        return Raw(_encode(content))
    except UnicodeEncodeError:  # a lone surrogate: escape it as it must have come
        return Raw(_escaped(content))


def _escaped(content: Any) -> bytes:
    """A plain Python value as JSON in ASCII, but for the `Raw` inside it."""
    if isinstance(content, Raw):
        return bytes(content)
    if isinstance(content, dict):
        told = cast("dict[str, Any]", content)
        return b"{" + b",".join(_escaped(name) + b":" + _escaped(said) for name, said in told.items()) + b"}"
    if isinstance(content, list | tuple):
        return b"[" + b",".join(map(_escaped, cast("list[Any]", content))) + b"]"
    return json.dumps(content).encode()


def weight(body: Body) -> int:
    """The bytes of all values."""
    return sum(map(len, map(memoryview, body.values())))


def is_null(data: Raw) -> bool:
    """Whether a raw value is the word `null`."""
    return data == NULL


def is_string(data: Raw) -> bool:
    """Whether a raw value is a string."""
    return bytes(memoryview(data)[:1]) == b'"'


def is_object(data: Raw) -> bool:
    """Whether a raw value is an object."""
    return bytes(memoryview(data)[:1]) == b"{"


def is_array(data: Raw) -> bool:
    """Whether a raw value is an array."""
    return bytes(memoryview(data)[:1]) == b"["


def as_object(data: Raw | None) -> Body:
    """The members of a value that may be an object; of anything else none."""
    return members(data) if data is not None and is_object(data) else {}


def as_array(data: Raw | None) -> list[Raw]:
    """The entries of a value that may be an array; of anything else none."""
    return items(data) if data is not None and is_array(data) else []


def as_text(data: Raw | None) -> str | None:
    """The text of a value that may be a string, None of anything else."""
    return str(value(data)) if data is not None and is_string(data) else None


def as_pointer(*steps: str) -> str:
    """A JSON pointer of these steps (RFC 6901)."""
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


def join_strings(parts: list[Raw], separator: str = "") -> Raw:
    """One raw JSON string of several, their escapes untouched."""
    between = json.dumps(separator).encode()[1:-1]
    return Raw(b'"' + between.join(bytes(part)[1:-1] for part in parts) + b'"')


# --- the slow path -------------------------------------------------------------------------------------------


def _with_surrogates(decoder: msgspec.json.Decoder[T], data: bytes, kind: str) -> T:
    """What the decoder makes of JSON once its surrogate escapes are covered."""
    try:
        return decoder.decode(covered(data))
    except RecursionError:
        raise MalformedError("nested too deeply") from None
    except UnicodeDecodeError as error:
        raise MalformedError(_NOT_UTF8.format(error.start)) from None
    except msgspec.ValidationError:
        raise MalformedError(f"must be a JSON {kind}") from None
    except msgspec.DecodeError as error:
        raise MalformedError(f"malformed JSON: {error}") from None


def _refuse(word: str) -> NoReturn:
    raise MalformedError(f"{word} is not JSON")


_plain = json.JSONDecoder(parse_constant=_refuse)


def _slow_value(data: bytes) -> Any:
    try:
        return _plain.decode(data.decode())
    except UnicodeDecodeError as error:
        raise MalformedError(_NOT_UTF8.format(error.start)) from None
    except json.JSONDecodeError as error:
        raise MalformedError(f"malformed JSON: {error.msg} (character {error.pos})") from None
    except (ValueError, RecursionError) as error:
        raise error if isinstance(error, MalformedError) else MalformedError("malformed JSON") from None
