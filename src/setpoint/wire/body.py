"""A JSON body as a mapping of member to raw bytes: taken apart one level deep, put together again.

Every value stays the bytes that came, so nothing is lost because nothing was decoded. The parser is msgspec; it
refuses lone surrogate escapes (`"\\ud800"`), which real streams contain, so on a refusal one slow path finds the
members' spans with the standard decoder and keeps the bytes. What that refuses too is malformed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, cast

import msgspec
from msgspec import Raw

from setpoint.wire.shape import misshapen, not_text

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
    return _decoded(_members.decode, _slow_members, data)


def items(data: bytes | Raw) -> list[Raw]:
    """The entries of a JSON array inside a body that `split` has checked. Raises: `MalformedError`."""
    return _decoded(_items.decode, _slow_items, data)


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

_space = re.compile(r"[ \t\n\r]*")


def _refuse(word: str) -> NoReturn:
    raise MalformedError(f"{word} is not JSON")


_standard = json.JSONDecoder(parse_constant=_refuse, parse_int=float)
_plain = json.JSONDecoder(parse_constant=_refuse)


def _skip(text: str, at: int) -> int:
    match = _space.match(text, at)
    return match.end() if match else at


def _span(text: str, at: int) -> int:
    """Where the value that starts at `at` ends."""
    return _decode(_standard, text, at)[1]


def _decode(decoder: json.JSONDecoder, text: str, at: int) -> tuple[Any, int]:
    try:
        return decoder.raw_decode(text, at)
    except (ValueError, RecursionError) as error:
        raise MalformedError(_reason(error)) from None


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"malformed JSON: {error.msg} (character {error.pos})"
    return str(error) if isinstance(error, MalformedError) else "malformed JSON"


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise MalformedError(_NOT_UTF8.format(error.start)) from None


def _open(data: bytes, bracket: str) -> tuple[str, int]:
    text = _text(data)
    at = _skip(text, 0)
    if text[at : at + 1] != bracket:
        _span(text, at)
        raise MalformedError("must be a JSON object" if bracket == "{" else "must be a JSON array")
    return text, _skip(text, at + 1)


def _end(text: str, at: int) -> None:
    if _skip(text, at) != len(text):
        raise MalformedError("malformed JSON: trailing characters")


def _slow_members(data: bytes) -> Body:
    text, at = _open(data, "{")
    body: Body = {}
    if text[at : at + 1] == "}":
        _end(text, at + 1)
        return body
    while True:
        if text[at : at + 1] != '"':
            raise MalformedError(f"malformed JSON: expected a member name (character {at})")
        name, at = _decode(_plain, text, at)
        at = _skip(text, at)
        if text[at : at + 1] != ":":
            raise MalformedError(f"malformed JSON: expected ':' (character {at})")
        start = _skip(text, at + 1)
        at = _span(text, start)
        body[name] = Raw(text[start:at].encode())
        at = _skip(text, at)
        mark = text[at : at + 1]
        if mark == "}":
            _end(text, at + 1)
            return body
        if mark != ",":
            raise MalformedError(f"malformed JSON: expected ',' or '}}' (character {at})")
        at = _skip(text, at + 1)


def _slow_items(data: bytes) -> list[Raw]:
    text, at = _open(data, "[")
    entries: list[Raw] = []
    if text[at : at + 1] == "]":
        _end(text, at + 1)
        return entries
    while True:
        end = _span(text, at)
        entries.append(Raw(text[at:end].encode()))
        at = _skip(text, end)
        mark = text[at : at + 1]
        if mark == "]":
            _end(text, at + 1)
            return entries
        if mark != ",":
            raise MalformedError(f"malformed JSON: expected ',' or ']' (character {at})")
        at = _skip(text, at + 1)


def _slow_value(data: bytes) -> Any:
    text = _text(data)
    content, end = _decode(_plain, text, _skip(text, 0))
    _end(text, end)
    return content
