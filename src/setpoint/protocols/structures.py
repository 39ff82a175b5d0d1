"""Checks of objects and arrays, which are made of the checks of what is in them, and their shapes with them.

A null member of an object counts as absent, as a null member of the body does: clients write unset options so. An
entry of an array or a value in a mapping is never null.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import msgspec
from msgspec import Raw

from setpoint.errors import FieldError
from setpoint.protocols.checks import ARRAY, OBJECT, Check, Explain, Schema, content, must_be_one_of, word
from setpoint.protocols.shapes import limited, union, whole_text
from setpoint.wire.body import NULL, Body, MalformedError, items, members

T = TypeVar("T")

_LONGEST_SHOWN = 128


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
            (name, check.shape) if name in self._needs else (name, union([check.shape, None]), None)
            for name, check in self.fields.items()
        ]
        return msgspec.defstruct(
            "Shape", typed, tag_field=tag, tag=kind, forbid_unknown_fields=self._closed, kw_only=True, gc=False
        )

    def schema(self, *, tag: str | None = None, kind: str | None = None) -> Schema:
        """The JSON Schema of such an object, whose member `tag` says `kind`."""
        known: dict[str, Schema] = {
            name: check.schema if name in self._needs else or_null(check.schema) for name, check in self.fields.items()
        }
        needs = list(self._needs)
        if tag is not None:
            known = {tag: {"const": kind}, **known}
            needs.insert(0, tag)
        return {
            "type": "object",
            **({"properties": known} if known else {}),
            **({"required": needs} if needs else {}),
            **({"additionalProperties": False} if self._closed else {}),
        }


def record(fields: Mapping[str, Check], *, needs: tuple[str, ...] = (), closed: bool = False) -> Check:
    """An object of these rows."""
    rows = Rows(fields, needs=needs, closed=closed)

    def explain(raw: Raw, path: str) -> None:
        rows.walk(_members(raw, path), path)

    return Check(explain, rows.shape(), schema=rows.schema())


def or_null(schema: Schema) -> Schema:
    """The JSON Schema of what is so, or null."""
    kind, several = schema.get("type"), schema.get("anyOf", schema.get("enum"))
    if kind == "null":
        return schema
    if isinstance(kind, str):
        return {**schema, "type": [kind, "null"]}
    if isinstance(several, list):
        null = {"type": "null"} if "anyOf" in schema else None
        return {**schema, "anyOf" if "anyOf" in schema else "enum": [*cast("list[object]", several), null]}
    return {"anyOf": [schema, {"type": "null"}]}


def tagged(
    tag: str,
    kinds: Mapping[str, Rows],
    *,
    default: str | None = None,
    others: Callable[[str, str], None] | None = None,
    closed: bool = False,
) -> Check:
    """An object whose member `tag` says which rows it has; an object without the tag is of the `default` kind.

    A kind that is not listed goes, with the path of the tag, to `others`, and is wrong when there are none; `closed`
    says that `others` refuse every one, in their own words. The shape covers the listed kinds that have one; with a
    default only that, as nothing else tells its type from the others.
    """
    problem = must_be_one_of(kinds)

    def explain(raw: Raw, path: str) -> None:
        body = _members(raw, path)
        at = f"{path}.{tag}"
        named = body.get(tag, NULL)
        kind: object = default if named == NULL else content(named)
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
    several = [rows.schema(tag=tag, kind=kind) for kind, rows in kinds.items() if kind != default]
    if default is not None:
        several.append(kinds[default].plus(tag, word(default)).schema())
    if others is not None and not closed:
        other: Schema = {"type": "string", "not": {"enum": list(kinds)}}
        several.append({"type": "object", "properties": {tag: other}, "required": [tag]})
    schema: Schema = {"anyOf": several} if len(several) > 1 else several[0]
    return Check(explain, union([shape for shape in shapes if shape is not None]), schema=schema)


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

    schema: Schema = {
        "type": "object",
        "additionalProperties": of.schema,
        **({"maxProperties": most} if most is not None else {}),
        **({"propertyNames": {"pattern": f"^(?:{keys})$"}} if keys is not None else {}),
    }
    if of.shape is None:
        return Check(explain, schema=schema)
    key_shape = limited(str, pattern=whole_text(keys))
    return Check(explain, limited(cast("Any", dict)[key_shape, of.shape], max_length=most), schema=schema)


def one_of_two(first: str, second: str) -> Explain:
    """The rule that an object has one of two members, or neither."""

    def explain(raw: Raw, path: str) -> None:
        body = members(raw)
        if body.get(first, NULL) != NULL and body.get(second, NULL) != NULL:
            raise FieldError(path, f"takes {first} or {second}, not both")

    return explain


# --- arrays --------------------------------------------------------------------------------------------------


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

    limits = {"minItems": least or None, "maxItems": most}
    schema: Schema = {
        "type": "array",
        "items": of.schema,
        **{name: limit for name, limit in limits.items() if limit is not None},
    }
    if of.shape is None:
        return Check(explain, schema=schema)
    shape = limited(cast("Any", list)[of.shape], min_length=least or None, max_length=most)
    return Check(explain, shape, schema=schema)


# --- reading, and words --------------------------------------------------------------------------------------


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


def _count(entries: int) -> str:
    return "1 entry" if entries == 1 else f"{entries} entries"


def _shown(name: str) -> str:
    """A member's name as a path shows it: what the caller chose, cut when long, escaped when it cannot be printed."""
    cut = name if len(name) <= _LONGEST_SHOWN else name[:_LONGEST_SHOWN] + "…"
    return cut if cut.isprintable() else cut.encode("unicode_escape").decode()
