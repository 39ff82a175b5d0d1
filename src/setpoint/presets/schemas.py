"""Whether the schema of a tool's parameters is one: what providers refuse a tool for, found before they are asked.

Sources: JSON Schema 2020-12, core and validation, and what the references of the three protocols ask of a function's
parameters (an object's schema), read 2026-11. Keywords that are not here are anybody's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import unquote

from setpoint.presets.plain import plain
from setpoint.protocols.functions import form_of, read_function
from setpoint.wire.body import MalformedError, as_pointer, members
from setpoint.wire.shown import readable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from msgspec import Raw

_TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")


class Flaw(NamedTuple):
    """The first thing that is wrong with a tool's schema: a JSON pointer into the tool, and what it must be."""

    path: str
    problem: str


def flaw(tool: Raw) -> Flaw | None:
    """What is wrong with the schema of a function of any protocol; None for nothing, and for a tool without one."""
    told = members(tool)
    function = read_function(told)
    schema = function.inside.get("parameters") if function is not None else None
    if schema is None:
        return None
    form = form_of(told)
    at = {"chat": "/function/parameters", "messages": "/input_schema", "responses": "/parameters"}[form]
    try:
        root = plain(schema)
    except MalformedError:
        return Flaw(at, "is nested too deeply to be followed")
    found = _root(root, may_be_empty=form != "messages") or next(_flaws(root), None)
    return None if found is None else Flaw(readable(at + found.path), found.problem)


def _root(root: Any, *, may_be_empty: bool) -> Flaw | None:
    if not isinstance(root, dict):
        return Flaw("", "must be an object")
    told = cast("dict[str, Any]", root)
    if told.get("type") == "object" or (may_be_empty and not told):
        return None
    return Flaw("/type", 'must be "object": the parameters of a function are an object')


def _flaws(root: dict[str, Any]) -> Iterator[Flaw]:
    """What is wrong anywhere in a schema. Not by recursion: how deep it goes is for others to say."""
    waiting: list[tuple[str, Any]] = [("", root)]
    while waiting:
        at, schema = waiting.pop()
        if isinstance(schema, bool):
            continue
        if not isinstance(schema, dict):
            yield Flaw(at, "must be a schema: an object, true or false")
            continue
        inside: list[tuple[str, Any]] = []
        for name, content in cast("dict[str, Any]", schema).items():
            here = at + as_pointer(name)
            if (rule := _RULES.get(name)) is not None:
                if not rule.holds(content):
                    yield Flaw(here, rule.problem)
                elif rule.within is not None:
                    inside += [(here + step, one) for step, one in rule.within(content)]
            elif name == "$ref" and not _leads_somewhere(content, root):
                yield Flaw(here, "must be a reference that leads somewhere")
        waiting += reversed(inside)


def _leads_somewhere(reference: Any, root: Any) -> bool:
    """Whether a reference is a text and, where it leads into this schema by a pointer, to something that is there."""
    if not isinstance(reference, str):
        return False
    if not reference.startswith("#/"):
        return True
    place = root
    for step in unquote(reference[2:]).split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(place, dict) and name in place:
            place = cast("dict[str, Any]", place)[name]
        elif isinstance(place, list) and name.isdigit() and len(name) < 9 and int(name) < len(cast("list[Any]", place)):
            place = cast("list[Any]", place)[int(name)]
        else:
            return False
    return True


# --- keywords ------------------------------------------------------------------------------------------------


class _Rule(NamedTuple):
    """What a keyword must be, and the schemas within it, each with the step to it."""

    holds: Callable[[Any], bool]
    problem: str
    within: Callable[[Any], Iterator[tuple[str, Any]]] | None = None


def _itself(content: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(content, list):  # `items` of the older drafts
        yield from _entries(content)
    else:
        yield "", content


def _entries(content: Any) -> Iterator[tuple[str, Any]]:
    return ((f"/{place}", one) for place, one in enumerate(content))


def _named(content: Any) -> Iterator[tuple[str, Any]]:
    return ((as_pointer(name), one) for name, one in content.items())


def _is_object(content: Any) -> bool:
    return isinstance(content, dict)


def _is_array(content: Any) -> bool:
    return isinstance(content, list)


def _is_some_array(content: Any) -> bool:
    return isinstance(content, list) and bool(cast("list[Any]", content))


def _is_text(content: Any) -> bool:
    return isinstance(content, str)


def _is_boolean(content: Any) -> bool:
    return isinstance(content, bool)


def _is_number(content: Any) -> bool:
    return isinstance(content, int | float) and not isinstance(content, bool)


def _is_count(content: Any) -> bool:
    return _is_number(content) and content >= 0 and content == int(content)


def _is_positive(content: Any) -> bool:
    return _is_number(content) and content > 0


def _is_schema(content: Any) -> bool:
    return isinstance(content, dict | bool)


def _is_schema_or_array(content: Any) -> bool:
    return _is_schema(content) or _is_array(content)


def _is_names(content: Any) -> bool:
    if not isinstance(content, list) or not all(isinstance(one, str) for one in cast("list[Any]", content)):
        return False
    return len(set(cast("list[str]", content))) == len(cast("list[str]", content))


def _is_type(content: Any) -> bool:
    if isinstance(content, str):
        return content in _TYPES
    return _is_some_array(content) and _is_names(content) and all(one in _TYPES for one in content)


_TYPE = _Rule(_is_type, f"must be one of {', '.join(_TYPES)}, or a list of them")
_SCHEMA = _Rule(_is_schema, "must be a schema: an object, true or false", _itself)
_ITEMS = _Rule(_is_schema_or_array, _SCHEMA.problem, _itself)
_SCHEMAS = _Rule(_is_some_array, "must be a list of schemas, and not an empty one", _entries)
_BY_NAME = _Rule(_is_object, "must be an object of schemas", _named)
_NAMES = _Rule(_is_names, "must be a list of strings, each once")
_COUNT = _Rule(_is_count, "must be a whole number that is not negative")
_NUMBER = _Rule(_is_number, "must be a number")
_TEXT = _Rule(_is_text, "must be a string")
_BOOLEAN = _Rule(_is_boolean, "must be true or false")

_RULES: dict[str, _Rule] = {
    "type": _TYPE,
    "required": _NAMES,
    "enum": _Rule(_is_array, "must be a list"),
    "items": _ITEMS,
    "multipleOf": _Rule(_is_positive, "must be a number above zero"),
    **dict.fromkeys(("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"), _BY_NAME),
    **dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems"), _SCHEMAS),
    **dict.fromkeys(("additionalProperties", "unevaluatedProperties", "propertyNames", "contains"), _SCHEMA),
    **dict.fromkeys(("additionalItems", "unevaluatedItems", "not", "if", "then", "else"), _SCHEMA),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), _COUNT),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _NUMBER),
    **dict.fromkeys(("title", "description", "format", "pattern"), _TEXT),
    "uniqueItems": _BOOLEAN,
}
"""Keyword to what it must be."""
