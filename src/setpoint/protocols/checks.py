"""Checks: what one value of a body may be, said once and used twice.

Every check carries a `shape`, a type that msgspec reads in one pass in C, and `explain`, which takes a value apart
piece by piece and names the first thing that is wrong. A shape takes nothing that is wrong, but may refuse what is
right after all (an integer written `5.0`, a lone surrogate, an entry of an uncommon kind), so `explain` has the last
word; most bodies never need it. Those of objects and arrays are made in `structures.py`.

And it carries a `schema`, which says the same to those who write bodies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NoReturn, cast

import msgspec
from msgspec import Raw, Struct

from setpoint.errors import FieldError
from setpoint.protocols.shapes import limited, union, whole_text
from setpoint.wire.body import MalformedError, value

Explain = Callable[[Raw, str], None]
"""Takes a raw value and its path; raises `FieldError` for the first thing that is wrong with it."""

Schema = Mapping[str, object]
"""A JSON Schema."""

_WIDEST_INTEGER = 2**63 - 1
_WIDEST_NUMBER = 2**63 - 1024  # the largest double below it: a shape compares doubles
_LONGEST_AT_ONCE = 262_144


class Check:
    """What a value may be. Called with a raw value and its path, it raises `FieldError` when it is something else.

    Without a `shape` every value goes to `explain`. So does a very long one: while it is read in one pass, which takes
    milliseconds, no other thread runs. The `schema` takes every value that is right; some rules it cannot say.
    """

    __slots__ = ("_decode", "explain", "schema", "shape")

    def __init__(self, explain: Explain, shape: object | None = None, *, schema: Schema) -> None:
        self.explain = explain
        self.shape = shape
        self.schema = schema
        self._decode = None if shape is None else msgspec.json.Decoder(cast("type[object]", shape)).decode

    def __call__(self, raw: Raw, path: str) -> None:
        if self._decode is None or len(memoryview(raw)) > _LONGEST_AT_ONCE:
            self.explain(raw, path)
            return
        try:
            self._decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self.explain(raw, path)


# --- kinds of value ------------------------------------------------------------------------------------------

_KINDS = {'"': "string", "{": "object", "[": "array", "t": "boolean", "f": "boolean", "n": "null"}
_KIND_WORDS = {"string": "a string", "number": "a number", "object": "an object", "array": "an array"}


def _kind(raw: Raw) -> str:
    return _KINDS.get(chr(memoryview(raw)[0]), "number")  # a view, because bytes(raw) copies all of it


class _Kind(Check):
    """Any value of one kind. The first byte tells, so that a long one is not read."""

    __slots__ = ()

    def __init__(self, kind: str, shape: object, words: str) -> None:
        def explain(raw: Raw, path: str) -> None:
            if _kind(raw) != kind:
                raise FieldError(path, f"must be {words}")

        super().__init__(explain, shape, schema={"type": kind})

    def __call__(self, raw: Raw, path: str) -> None:
        self.explain(raw, path)


class _Members(Struct, gc=False):
    """The members of an object, none of which is kept."""


STRING = _Kind("string", str, "a string")
BOOLEAN = _Kind("boolean", bool, "true or false")
OBJECT = _Kind("object", _Members, "an object")
ARRAY = _Kind("array", list[Raw], "an array")


def either(**checks: Check) -> Check:
    """A value that is checked by its kind: `string`, `number`, `object` or `array`."""
    problem = "must be " + " or ".join(_KIND_WORDS[kind] for kind in checks)

    def explain(raw: Raw, path: str) -> None:
        check = checks.get(_kind(raw))
        if check is None:
            raise FieldError(path, problem)
        check(raw, path)

    shapes = [check.shape for check in checks.values()]
    schema = {"anyOf": [check.schema for check in checks.values()]}
    return Check(explain, None if None in shapes else union(shapes), schema=schema)


# --- single values -------------------------------------------------------------------------------------------


def number(lo: float = -_WIDEST_NUMBER, hi: float = _WIDEST_NUMBER) -> Check:
    """A number from `lo` to `hi`, both included."""
    problem = f"must be a number{_range(lo, hi, _WIDEST_NUMBER)}"

    def explain(raw: Raw, path: str) -> None:
        found = content(raw)
        if isinstance(found, bool) or not isinstance(found, (int, float)) or not lo <= found <= hi:
            raise FieldError(path, problem)

    return Check(explain, limited(float, ge=lo, le=hi), schema={"type": "number", **_bounds(lo, hi, _WIDEST_NUMBER)})


def integer(lo: int = -_WIDEST_INTEGER - 1, hi: int = _WIDEST_INTEGER) -> Check:
    """An integer from `lo` to `hi`, both included, which may be written `5.0`; by default any of 64 bits."""
    problem = f"must be an integer{_range(lo, hi, _WIDEST_INTEGER)}"

    def explain(raw: Raw, path: str) -> None:
        found = content(raw)
        if isinstance(found, float) and found.is_integer():
            found = int(found)
        if isinstance(found, bool) or not isinstance(found, int) or not lo <= found <= hi:
            raise FieldError(path, problem)

    return Check(explain, limited(int, ge=lo, le=hi), schema={"type": "integer", **_bounds(lo, hi, _WIDEST_INTEGER)})


def text(shortest: int = 0, longest: int | None = None, *, pattern: str | None = None, problem: str = "") -> Check:
    """A string of so many code points, or one that matches the whole pattern, which `problem` says in words."""
    problem = problem or _lengths(shortest, longest)
    full = None if pattern is None else re.compile(pattern)

    def explain(raw: Raw, path: str) -> None:
        found = content(raw)
        if (
            not isinstance(found, str)
            or len(found) < shortest
            or (longest is not None and len(found) > longest)
            or (full is not None and not full.fullmatch(found))
        ):
            raise FieldError(path, problem)

    limits = {"minLength": shortest or None, "maxLength": longest, "pattern": pattern and f"^(?:{pattern})$"}
    return Check(
        explain,
        limited(str, min_length=shortest or None, max_length=longest, pattern=whole_text(pattern)),
        schema={"type": "string", **{name: limit for name, limit in limits.items() if limit is not None}},
    )


def word(*words: str) -> Check:
    """One of these strings."""
    problem = must_be_one_of(words)

    def explain(raw: Raw, path: str) -> None:
        if content(raw) not in words:
            raise FieldError(path, problem)

    return Check(explain, cast("Any", Literal)[words], schema={"enum": list(words)})


def exactly(literal: str, problem: str) -> Check:
    """This JSON literal, and nothing else."""
    only = Raw(literal.encode())

    def explain(raw: Raw, path: str) -> None:
        if raw != only:
            raise FieldError(path, problem)

    return Check(explain, schema={"const": value(only), "description": problem})


def refused(problem: str, **metadata: object) -> Check:
    """No value at all: the field is known, and what it asks for cannot be done."""

    def explain(_: Raw, path: str) -> NoReturn:
        raise FieldError(path, problem, metadata=metadata)

    return Check(explain, schema={"type": "null", "description": problem})


# --- turns on other checks -----------------------------------------------------------------------------------


def whole(check: Check, problem: str) -> Check:
    """The same check, whose every complaint is one sentence about the value as a whole."""

    def explain(raw: Raw, path: str) -> None:
        try:
            check.explain(raw, path)
        except FieldError:
            raise FieldError(path, problem) from None

    return Check(explain, check.shape, schema=check.schema)


def ruled(check: Check, rule: Explain) -> Check:
    """The same check, and one rule that no type can say. It has no shape."""

    def explain(raw: Raw, path: str) -> None:
        check(raw, path)
        rule(raw, path)

    return Check(explain, schema=check.schema)


# --- reading, and words --------------------------------------------------------------------------------------


def content(raw: Raw) -> object:
    """A string, number or boolean in plain Python. Anything else is None, which no check takes, and is not read."""
    if _kind(raw) in ("object", "array"):
        return None
    try:
        return value(raw)
    except MalformedError:  # an integer of thousands of digits
        return None


def must_be_one_of(words: Iterable[str]) -> str:
    """The complaint about a word that is none of these."""
    return f"must be one of: {', '.join(words)}"


def _range(lo: float, hi: float, widest: float) -> str:
    if hi != widest:
        return f" from {lo} to {hi}"
    return "" if lo <= -widest else f" of at least {lo}"


def _bounds(lo: float, hi: float, widest: float) -> Schema:
    lowest = {"minimum": lo} if lo > -widest else {}
    return {**lowest, "maximum": hi} if hi != widest else lowest


def _lengths(shortest: int, longest: int | None) -> str:
    if longest is None:
        return "must be a non-empty string"
    span = f"{shortest} to {longest}" if shortest else f"at most {longest}"
    return f"must be a string of {span} characters"
