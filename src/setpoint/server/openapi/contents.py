"""The schemas of a document: those of types, those that have a name, and what several of them have in common."""

from __future__ import annotations

import re
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, cast

import msgspec

from setpoint.server.operation import Named

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PREFIX = "#/components/schemas/"
_SHARED_BYTES = 300
"""A member whose schema is larger than this, in bytes, stands once in the document, however often it is named."""


class Contents:
    """The schemas of all these contents, and the components that they refer to."""

    def __init__(self, contents: Iterable[object]) -> None:
        self.components: dict[str, Mapping[str, Any]] = {}
        self._schemas: dict[int, Mapping[str, Any]] = {}
        types: dict[int, object] = {}
        for content in contents:
            if isinstance(content, Named):
                self.components[content.name] = self._apart(content.schema)
            elif content is not None:
                types[id(content)] = content
        made, components = msgspec.json.schema_components(types.values(), ref_template=_PREFIX + "{name}")
        self._kept = tuple(types.values())  # or another object could have the id of one
        self._schemas = {key: _plain(schema) for key, schema in zip(types, made, strict=True)}
        for name, schema in components.items():
            self.components[_name(name)] = _plain(schema)

    def of(self, content: object) -> Mapping[str, Any]:
        """The schema of one of these contents."""
        if isinstance(content, Named):
            return {"$ref": _PREFIX + content.name}
        return self._schemas[id(content)]

    def _apart(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """The schema with its larger members as components of their own."""
        members = cast("Mapping[str, Mapping[str, Any]]", schema.get("properties", {}))
        return {**schema, "properties": {name: self._shared(name, member) for name, member in members.items()}}

    def _shared(self, name: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        if len(msgspec.json.encode(schema)) < _SHARED_BYTES:
            return schema
        title = "".join(word.capitalize() for word in name.split("_"))
        for taken in range(1, 100):
            at = title if taken == 1 else f"{title}{taken}"
            if self.components.setdefault(at, schema) == schema:
                return {"$ref": _PREFIX + at}
        raise ValueError(f"{name} means too many things")


def _name(name: str) -> str:
    """The name of a type; of one with a parameter without the brackets."""
    return re.sub(r"_(\w+)_$", r"Of\1", name)


def _plain(schema: Any) -> Any:
    """A schema that msgspec made, without the titles, which only say the name once more, and without indents."""
    if isinstance(schema, dict):
        members = cast("dict[str, Any]", schema).items()
        return {
            name: _text(name, said) if isinstance(said, str) else _plain(said)
            for name, said in members
            if name != "title" or not isinstance(said, str)
        }
    if isinstance(schema, list):
        return [_plain(entry) for entry in cast("list[Any]", schema)]
    return schema


def _text(name: str, said: str) -> str:
    if name == "$ref":
        return _PREFIX + _name(said.removeprefix(_PREFIX))
    return cleandoc(said) if name == "description" else said
