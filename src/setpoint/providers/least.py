"""The least JSON that has the shape of a schema: what the offline model calls tools with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.wire.body import as_array, as_object, as_text

if TYPE_CHECKING:
    from setpoint.wire.body import Body

_ANYTHING = Raw(b"true")
ANY_OBJECT = Raw(b'{"type":"object"}')
_MAX_DEPTH = 32
_MAX_BYTES = 262_144
_LEAST = {"string": '"string"', "integer": "0", "number": "0", "boolean": "false", "array": "[]", "null": "null"}


def least(schema: Raw) -> str:
    """The least JSON of a schema's shape: required properties only, a first choice wherever there is one.

    Looks at const, enum, $ref within the schema, anyOf, oneOf, allOf (the first of each), type, required and
    properties; not at bounds, formats and patterns. What it is not told is `null`.
    """
    return _Least(schema).of(schema, 0)


class _Least:
    """One schema at work. A part that is read more than once counts each time: recursion ends where the bytes do."""

    def __init__(self, root: Raw) -> None:
        self._root = root
        self._bytes_left = _MAX_BYTES

    def of(self, schema: Raw, depth: int) -> str:
        about = self._open(schema) if depth < _MAX_DEPTH else {}
        if "const" in about:
            return _written(about["const"])
        if choices := as_array(about.get("enum")):
            return _written(choices[0])
        if reference := as_text(about.get("$ref")):
            return self.of(self._target(reference), depth + 1)
        for either in ("anyOf", "oneOf", "allOf"):
            if choices := as_array(about.get(either)):
                return self.of(choices[0], depth + 1)
        types = [as_text(entry) for entry in as_array(about.get("type"))]
        type_ = types[0] if types else as_text(about.get("type"))
        if type_ == "object" or (type_ is None and "properties" in about):
            return self._object(about, depth)
        return _LEAST.get(type_ or "", "null")

    def _object(self, about: Body, depth: int) -> str:
        properties = as_object(about.get("properties"))
        pairs: list[str] = []
        for required in as_array(about.get("required")):
            name = as_text(required)
            if name is not None:
                pairs.append(f"{_written(required)}:{self.of(properties.get(name, _ANYTHING), depth + 1)}")
        return "{" + ",".join(pairs) + "}"

    def _target(self, reference: str) -> Raw:
        """Where a reference within the schema leads to; one that leads nowhere allows anything."""
        target = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            target = self._open(target).get(step.replace("~1", "/").replace("~0", "~"), _ANYTHING)
        return target if reference.startswith("#") else _ANYTHING

    def _open(self, schema: Raw) -> Body:
        if self._bytes_left > 0:
            self._bytes_left -= len(bytes(schema))
        return as_object(schema) if self._bytes_left > 0 else {}


def _written(content: Raw) -> str:
    return bytes(content).decode()
