"""Whether something in a body looks like a secret that was pasted there, by the shapes that issuers give theirs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from setpoint.presets.plain import plain
from setpoint.wire.body import MalformedError, as_pointer
from setpoint.wire.shown import readable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from msgspec import Raw

_PIECE_BYTES = 262_144

Kind = Literal["an API key", "an access token", "a private key", "an address with a password in it"]


class Suspect(NamedTuple):
    """Something that looks like a secret: a JSON pointer to where it is, and what it looks like."""

    path: str
    kind: Kind


def suspect(content: Raw) -> Suspect | None:
    """The first thing in a value that looks like a secret; None: nothing does. It is never quoted."""
    kind = _kind(bytes(content))
    if kind is None:
        return None
    try:
        return Suspect(_place(plain(content)), kind)
    except MalformedError:  # nested more deeply than can be followed
        return Suspect("", kind)


class _Shape(NamedTuple):
    """How a kind of secret is written: the bytes that all of them have, and the expression that holds from there on.

    The bytes are found quickly, the expression is tried only there, and no repetition in it is without a bound.
    """

    marker: bytes
    kind: Kind
    rest: re.Pattern[bytes]


# Where a word begins, in the bytes of JSON too: the last letter of an escape such as \n is none of the text's.
_START = r"(?:(?<![A-Za-z0-9_-])|(?<=\\[bfnrt])|(?<=\\u[0-9a-fA-F]{4}))"
_DIGITS = r"(?=(?:[A-Za-z._~+/=-]{0,30}[0-9]){3})"
"""What words that are joined by hyphens do not have: at least three digits."""


def _shape(marker: str, rest: str, kind: Kind = "an API key") -> _Shape:
    return _Shape(marker.encode(), kind, re.compile((_START + re.escape(marker) + rest).encode()))


_SHAPES = (
    _shape("sk-", _DIGITS + r"[A-Za-z0-9_-]{20}"),
    *(_shape(f"{word}_{mode}_", r"[A-Za-z0-9]{16}") for word in ("sk", "rk") for mode in ("live", "test")),
    *(_shape(marker, _DIGITS + r"[A-Za-z0-9]{20}") for marker in ("gsk_", "xai-", "hf_")),
    _shape("AIza", r"[A-Za-z0-9_-]{35}"),
    *(_shape(marker, r"[A-Z0-9]{16}(?![A-Za-z0-9])") for marker in ("AKIA", "ASIA")),
    *(_shape(f"gh{letter}_", r"[A-Za-z0-9]{36}", "an access token") for letter in "pousr"),
    _shape("github_pat_", r"[A-Za-z0-9_]{22}", "an access token"),
    _shape("glpat-", r"[A-Za-z0-9_-]{20}", "an access token"),
    *(_shape(f"xox{letter}-", _DIGITS + r"[A-Za-z0-9-]{10}", "an access token") for letter in "abprs"),
    _shape("npm_", r"[A-Za-z0-9]{36}", "an access token"),
    _shape("eyJ", r"[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10}", "an access token"),
    *(_shape(f"{word} ", _DIGITS + r"[A-Za-z0-9._~+/=-]{20}", "an access token") for word in ("Bearer", "bearer")),
    _Shape(b"-----BEGIN ", "a private key", re.compile(rb"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----")),
    _Shape(
        b"://", "an address with a password in it", re.compile(rb"://[^\s:@/?#\"\\]{1,64}:[^\s:@/?#\"\\]{3,64}@[^\s\"]")
    ),
)


def _kind(content: bytes) -> Kind | None:
    for marker, kind, rest in _SHAPES:
        if any(rest.match(content, at) for at in _found(content, marker)):
            return kind
    return None


def _found(content: bytes, marker: bytes) -> Iterator[int]:
    """Where these bytes are. They are looked for piece by piece, so that others have their turn in a long text."""
    for begin in range(0, len(content), _PIECE_BYTES):
        end = begin + _PIECE_BYTES + len(marker) - 1
        at = content.find(marker, begin, end)
        while at >= 0:
            yield at
            at = content.find(marker, at + 1, end)


def _place(content: Any) -> str:
    """Where in a value it is: as deep as no name on the way looks like a secret itself."""
    waiting: list[tuple[str, Any]] = [("", content)]
    while waiting:
        at, one = waiting.pop()
        if isinstance(one, str):
            if _kind(_bytes(one)):
                return at
        elif isinstance(one, list):
            entries = cast("list[Any]", one)
            waiting += [(f"{at}/{place}", entries[place]) for place in range(len(entries) - 1, -1, -1)]
        elif isinstance(one, dict):
            named = cast("dict[str, Any]", one)
            if any(_kind(_bytes(name)) for name in named):
                return at
            waiting += [(at + readable(as_pointer(name)), named[name]) for name in reversed(named)]
    return ""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
