"""Checks: what one value of a body may be, said once and used twice.

Every check carries a `shape`, a type that msgspec reads in one pass in C, and `explain`, which takes a value apart
piece by piece and names the first thing that is wrong. A shape takes nothing that is wrong, but may refuse what is
right after all (an integer written `5.0`, a lone surrogate, an entry of an uncommon kind), so `explain` has the last
word; most bodies never need it. Larger checks are made of smaller ones, and their shapes with them.

A null member of an object counts as absent, as a null member of the body does: clients write unset options so. An
entry of an array or a value in a mapping is never null.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, NoReturn, TypeVar, Union, cast

import msgspec
from msgspec import Meta, Raw, Struct

from setpoint.errors import FieldError
from setpoint.wire.body import NULL, Body, MalformedError, items, members, value

T = TypeVar("T")

Explain = Callable[[Raw, str], None]
"""Takes a raw value and its path; raises `FieldError` for the first thing that is wrong with it."""

_WIDEST_INTEGER = 2**63 - 1
_WIDEST_NUMBER = 2**63 - 1024  # the largest double below it: a shape compares doubles
_LONGEST_SHOWN = 128
_LONGEST_AT_ONCE = 262_144


class Check:
    """What a value may be. Called with a raw value and its path, it raises `FieldError` when it is something else.

    Without a `shape` every value goes to `explain`. So does a very long one: while it is read in one pass, which takes
    milliseconds, no other thread runs.
    """

    __slots__ = ("_decode", "explain", "shape")

    def __init__(self, explain: Explain, shape: object | None = None) -> None:
        self.explain = explain
        self.shape = shape
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

        super().__init__(explain, shape)

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
    return Check(explain, None if None in shapes else _union(shapes))


# --- single values -------------------------------------------------------------------------------------------


def number(lo: float = -_WIDEST_NUMBER, hi: float = _WIDEST_NUMBER) -> Check:
    """A number from `lo` to `hi`, both included."""
    problem = f"must be a number{_range(lo, hi, _WIDEST_NUMBER)}"

    def explain(raw: Raw, path: str) -> None:
        found = _content(raw)
        if isinstance(found, bool) or not isinstance(found, (int, float)) or not lo <= found <= hi:
            raise FieldError(path, problem)

    return Check(explain, _limited(float, ge=lo, le=hi))


def integer(lo: int = -_WIDEST_INTEGER - 1, hi: int = _WIDEST_INTEGER) -> Check:
    """An integer from `lo` to `hi`, both included, which may be written `5.0`; by default any of 64 bits."""
    problem = f"must be an integer{_range(lo, hi, _WIDEST_INTEGER)}"

    def explain(raw: Raw, path: str) -> None:
        found = _content(raw)
        if isinstance(found, float) and found.is_integer():
            found = int(found)
        if isinstance(found, bool) or not isinstance(found, int) or not lo <= found <= hi:
            raise FieldError(path, problem)

    return Check(explain, _limited(int, ge=lo, le=hi))


def text(shortest: int = 0, longest: int | None = None, *, pattern: str | None = None, problem: str = "") -> Check:
    """A string of so many code points, or one that matches the whole pattern, which `problem` says in words."""
    problem = problem or _lengths(shortest, longest)
    full = None if pattern is None else re.compile(pattern)

    def explain(raw: Raw, path: str) -> None:
        found = _content(raw)
        if (
            not isinstance(found, str)
            or len(found) < shortest
            or (longest is not None and len(found) > longest)
            or (full is not None and not full.fullmatch(found))
        ):
            raise FieldError(path, problem)

    return Check(explain, _limited(str, min_length=shortest or None, max_length=longest, pattern=_whole(pattern)))


def word(*words: str) -> Check:
    """One of these strings."""
    problem = _one_of(words)

    def explain(raw: Raw, path: str) -> None:
        if _content(raw) not in words:
            raise FieldError(path, problem)

    return Check(explain, cast("Any", Literal)[words])


def exactly(literal: str, problem: str) -> Check:
    """This JSON literal, and nothing else."""
    only = Raw(literal.encode())

    def explain(raw: Raw, path: str) -> None:
        if raw != only:
            raise FieldError(path, problem)

    return Check(explain)


def refused(problem: str, **metadata: object) -> Check:
    """No value at all: the field is known, and what it asks for cannot be done."""

    def explain(_: Raw, path: str) -> NoReturn:
        raise FieldError(path, problem, metadata=metadata)

    return Check(explain)


# --- objects -------------------------------------------------------------------------------------------------


class Rows:
    """The members of an object: a row is a name and its check, and `needs` names those that must be there.

    Members without a row are not looked at; when the rows are `closed` they are refused.
    """

    __slots__ = ("_closed", "_needs", "fields")

    def __init__(self, fields: Mapping[str, Check], *, needs: tuple[str, ...] = (), closed: bool = False) -> None:
        self.fields = dict(fields)
        self._needs = needs
        self._closed = closed

    def walk(self, body: Body, path: str = "") -> None:
        """Check the members of the object at `path`; the body itself has none. Raises: `FieldError`."""
        prefix = f"{path}." if path else ""
        fields = self.fields
        for name, raw in body.items():
            check = fields.get(name)
            if check is None:
                if self._closed:
                    raise FieldError(prefix + _shown(name), "is not known here")
            elif raw != NULL:
                check(raw, prefix + name)
        for name in self._needs:
            if body.get(name, NULL) == NULL:
                raise FieldError(prefix + name, "is required")

    def plus(self, name: str, check: Check) -> Rows:
        """These rows and one more, which need not be there."""
        return Rows({**self.fields, name: check}, needs=self._needs, closed=self._closed)

    def shape(self, *, tag: str | None = None, kind: str | None = None) -> object | None:
        """The type of such an object, whose member `tag` says `kind`; None when one of the rows has no shape."""
        if any(check.shape is None for check in self.fields.values()):
            return None
        typed: list[Any] = [
            (name, check.shape) if name in self._needs else (name, _union([check.shape, None]), None)
            for name, check in self.fields.items()
        ]
        return msgspec.defstruct(
            "Shape", typed, tag_field=tag, tag=kind, forbid_unknown_fields=self._closed, kw_only=True, gc=False
        )


def record(fields: Mapping[str, Check], *, needs: tuple[str, ...] = (), closed: bool = False) -> Check:
    """An object of these rows."""
    rows = Rows(fields, needs=needs, closed=closed)

    def explain(raw: Raw, path: str) -> None:
        rows.walk(_members(raw, path), path)

    return Check(explain, rows.shape())


def tagged(
    tag: str,
    kinds: Mapping[str, Rows],
    *,
    default: str | None = None,
    others: Callable[[str, str], None] | None = None,
) -> Check:
    """An object whose member `tag` says which rows it has; an object without the tag is of the `default` kind.

    A kind that is not listed goes, with the path of the tag, to `others`, and is wrong when there are none. The shape
    covers the listed kinds that have one; with a default only that, as nothing else tells its type from the others.
    """
    problem = _one_of(kinds)

    def explain(raw: Raw, path: str) -> None:
        body = _members(raw, path)
        at = f"{path}.{tag}"
        named = body.get(tag, NULL)
        kind: object = default if named == NULL else _content(named)
        if not isinstance(kind, str):
            raise FieldError(at, "is required" if named == NULL else "must be a string")
        if (rows := kinds.get(kind)) is not None:
            rows.walk(body, path)
        elif others is not None:
            others(kind, at)
        else:
            raise FieldError(at, problem)

    if default is None:
        shapes = [rows.shape(tag=tag, kind=kind) for kind, rows in kinds.items()]
    else:
        shapes = [kinds[default].plus(tag, word(default)).shape()]
    return Check(explain, _union([shape for shape in shapes if shape is not None]))


def mapping(of: Check, *, most: int | None = None, keys: str | None = None, keys_problem: str = "") -> Check:
    """An object whose keys the caller chooses: at most so many, each of which matches the whole pattern `keys`."""
    full = None if keys is None else re.compile(keys)

    def explain(raw: Raw, path: str) -> None:
        body = _members(raw, path)
        if most is not None and len(body) > most:
            raise FieldError(path, f"must have at most {most} members")
        for key, entry in body.items():
            at = f"{path}.{_shown(key)}"
            if full is not None and not full.fullmatch(key):
                raise FieldError(at, keys_problem)
            of(entry, at)

    if of.shape is None:
        return Check(explain)
    key_shape = _limited(str, pattern=_whole(keys))
    return Check(explain, _limited(cast("Any", dict)[key_shape, of.shape], max_length=most))


# --- arrays, and turns on other checks -----------------------------------------------------------------------


def array(of: Check, *, least: int = 0, most: int | None = None) -> Check:
    """An array of these, of so many entries."""

    def explain(raw: Raw, path: str) -> None:
        entries = _items(raw, path)
        if len(entries) < least:
            raise FieldError(path, f"must have at least {_count(least)}")
        if most is not None and len(entries) > most:
            raise FieldError(path, f"must have at most {_count(most)}")
        for index, entry in enumerate(entries):
            of(entry, f"{path}[{index}]")

    if of.shape is None:
        return Check(explain)
    return Check(explain, _limited(cast("Any", list)[of.shape], min_length=least or None, max_length=most))


def whole(check: Check, problem: str) -> Check:
    """The same check, whose every complaint is one sentence about the value as a whole."""

    def explain(raw: Raw, path: str) -> None:
        try:
            check.explain(raw, path)
        except FieldError:
            raise FieldError(path, problem) from None

    return Check(explain, check.shape)


def ruled(check: Check, rule: Explain) -> Check:
    """The same check, and one rule that no type can say. It has no shape."""

    def explain(raw: Raw, path: str) -> None:
        check(raw, path)
        rule(raw, path)

    return Check(explain)


def one_of_two(first: str, second: str) -> Explain:
    """The rule that an object has one of two members, or neither."""

    def explain(raw: Raw, path: str) -> None:
        body = members(raw)
        if body.get(first, NULL) != NULL and body.get(second, NULL) != NULL:
            raise FieldError(path, f"takes {first} or {second}, not both")

    return explain


# --- reading -------------------------------------------------------------------------------------------------


def _content(raw: Raw) -> object:
    """A string, number or boolean in plain Python. Anything else is None, which no check takes, and is not read."""
    if _kind(raw) in ("object", "array"):
        return None
    try:
        return value(raw)
    except MalformedError:  # an integer of thousands of digits
        return None


def _members(raw: Raw, path: str) -> Body:
    OBJECT(raw, path)
    return _read(members, raw, path)


def _items(raw: Raw, path: str) -> list[Raw]:
    ARRAY(raw, path)
    return _read(items, raw, path)


def _read(read: Callable[[Raw], T], raw: Raw, path: str) -> T:
    try:
        return read(raw)
    except MalformedError as error:
        raise FieldError(path, str(error)) from None


# --- shapes: types that are made, not written, hence the casts -----------------------------------------------


def _limited(base: object, **limits: Any) -> object:
    given = {name: limit for name, limit in limits.items() if limit is not None}
    return cast("Any", Annotated)[base, Meta(**given)] if given else base


def _whole(pattern: str | None) -> str | None:
    return None if pattern is None else rf"\A(?:{pattern})\Z"


def _union(shapes: list[object]) -> object | None:
    return cast("Any", Union)[tuple(shapes)] if shapes else None


# --- words ---------------------------------------------------------------------------------------------------


def _range(lo: float, hi: float, widest: float) -> str:
    if hi != widest:
        return f" from {lo} to {hi}"
    return "" if lo <= -widest else f" of at least {lo}"


def _lengths(shortest: int, longest: int | None) -> str:
    if longest is None:
        return "must be a non-empty string"
    span = f"{shortest} to {longest}" if shortest else f"at most {longest}"
    return f"must be a string of {span} characters"


def _one_of(words: Iterable[str]) -> str:
    return f"must be one of: {', '.join(words)}"


def _count(entries: int) -> str:
    return "1 entry" if entries == 1 else f"{entries} entries"


def _shown(name: str) -> str:
    """A member's name as a path shows it: what the caller chose, cut when long, escaped when it cannot be printed."""
    cut = name if len(name) <= _LONGEST_SHOWN else name[:_LONGEST_SHOWN] + "…"
    return cut if cut.isprintable() else cut.encode("unicode_escape").decode()
