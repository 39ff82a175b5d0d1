"""The text of `setpoint.yaml` as nodes that know their lines.

A subset of YAML, so that a file can neither run anything nor grow while it is read: no tags, no anchors and aliases,
one document, 1 MiB, 32 levels. Each key once. Words mean what YAML 1.2 says.

`${NAME}` in a value is the environment's NAME, and is never read as YAML; `$${` stands for the characters `${`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn, cast

import yaml
from msgspec import Struct
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from setpoint.settings.kinds import is_null
from setpoint.settings.nodes import Items, Members, Node, Place, Report, Scalar, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from yaml.events import Event

MAX_BYTES = 1 << 20
MAX_DEPTH = 32

# The parser in C where the package brings it: a file of the largest size then takes one second, not twenty.
_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader

_VARIABLE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{")


class Document(Struct, frozen=True):
    """A file that was read: what is in it (None when it is no table), and the names of the variables that it takes."""

    members: Members | None
    variables: frozenset[str]


class _MalformedError(Exception):
    """The rest of the file cannot be read."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place


def parse(data: bytes, source: str, environ: Mapping[str, str], report: Report) -> Document:
    """The nodes of a file; `source` is its name in messages. What is wrong goes into the report."""
    builder = _Builder(source, environ, report)
    try:
        root = builder.build(_decode(data, source))
    except _MalformedError as error:
        report.wrong(error.place, str(error))
        root = None
    if root is None or is_null(root):
        root = None
    elif not isinstance(root, Members):
        report.wrong(root.place, "the file must be a table with the keys settings, providers and models")
        root = None
    return Document(root, frozenset(builder.variables))


def _decode(data: bytes, source: str) -> str:
    if len(data) > MAX_BYTES:
        raise _MalformedError(Place(source), f"the file is larger than {MAX_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _MalformedError(Place(source, data.count(b"\n", 0, error.start) + 1), "is not UTF-8") from None


def _events(text: str, source: str) -> Iterator[Event]:
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        hint = _quotes_hint(text, line)
        raise _MalformedError(Place(source, line), f"is not YAML: {error.problem or 'malformed'}{hint}") from None
    except yaml.YAMLError:  # a character that YAML does not allow: its line is not told
        line = next((n for n, row in enumerate(text.split("\n"), 1) if not row.replace("\t", "").isprintable()), None)
        raise _MalformedError(Place(source, line), "is not YAML: a control character") from None


def _quotes_hint(text: str, line: int | None) -> str:
    """In `{api_key: ${NAME}}` the brace ends the value, which the parser's own message does not say."""
    lines = text.split("\n")
    if line is not None and line <= len(lines) and "${" in lines[line - 1]:
        return '; inside { } or [ ] put "${NAME}" in quotes'
    return ""


class _Open:
    """A list or a table that has begun."""

    def __init__(self, place: Place, *, is_table: bool) -> None:
        self.place = place
        self.is_table = is_table
        self.items: list[Node] = []
        self.members: dict[str, tuple[Scalar, Node]] = {}
        self.key: Scalar | None = None

    def node(self) -> Node:
        if self.is_table:
            return Members(tuple(self.members.values()), self.place)
        return Items(tuple(self.items), self.place)


class _Builder:
    """Builds the nodes of one file, with a stack of its own: no depth of the file is a depth of calls."""

    def __init__(self, source: str, environ: Mapping[str, str], report: Report) -> None:
        self.variables: set[str] = set()
        self._source = source
        self._environ = environ
        self._report = report
        self._stack: list[_Open] = []
        self._root: Node | None = None

    def build(self, text: str) -> Node | None:
        documents = 0
        for event in _events(text, self._source):
            place = Place(self._source, event.start_mark.line + 1 if event.start_mark else None)
            match event:
                case DocumentStartEvent():
                    documents += 1
                    if documents > 1:
                        raise _MalformedError(place, "a second document: the file must hold one")
                case AliasEvent():
                    self._refuse_alias(place)
                case ScalarEvent():
                    self._check(event, place)
                    self._add(Scalar(event.value, place, "plain" if event.implicit[0] else "quoted"))
                case MappingStartEvent() | SequenceStartEvent():
                    self._check(event, place)
                    self._open(place, is_table=isinstance(event, MappingStartEvent))
                case CollectionEndEvent():
                    self._add(self._stack.pop().node())
                case _:
                    pass
        return self._root

    def _check(self, event: ScalarEvent | MappingStartEvent | SequenceStartEvent, place: Place) -> None:
        if event.tag is not None:
            raise _MalformedError(place, "a tag (`!…`) is not taken here")
        if event.anchor is not None:
            self._refuse_alias(place)

    def _refuse_alias(self, place: Place) -> NoReturn:
        raise _MalformedError(place, "anchors and aliases (`&…`, `*…`) are not taken here: write it out")

    def _open(self, place: Place, *, is_table: bool) -> None:
        if self._stack and self._stack[-1].is_table and self._stack[-1].key is None:
            raise _MalformedError(place, "a key must be a string")
        if len(self._stack) == MAX_DEPTH:
            raise _MalformedError(place, f"nested deeper than {MAX_DEPTH} levels")
        self._stack.append(_Open(place, is_table=is_table))

    def _add(self, node: Node) -> None:
        if not self._stack:
            self._root = self._filled(node)
            return
        top = self._stack[-1]
        if not top.is_table:
            top.items.append(self._filled(node))
        elif top.key is None:
            top.key = cast("Scalar", node)  # _open refuses any other key
        else:
            self._add_member(top, top.key, self._filled(node))
            top.key = None

    def _add_member(self, table: _Open, key: Scalar, node: Node) -> None:
        first = table.members.get(key.text)
        if first is not None:
            lines = f"in line {first[0].place.line} and in line {key.place.line}"
            self._report.wrong(key.place, f"{shown(key.text)} is written twice: {lines}")
            return
        if "${" in key.text:
            self._report.wrong(key.place, "a key cannot be taken from the environment, only a value can")
        table.members[key.text] = (key, node)

    def _filled(self, node: Node) -> Node:
        """The node with each `${NAME}` replaced."""
        if not isinstance(node, Scalar) or "${" not in node.text:
            return node
        form = node.form
        parts: list[str] = []
        end = 0
        for match in _VARIABLE.finditer(node.text):
            value = self._value(match, node.place)
            if value is None:
                return Scalar("", node.place, "lost")
            if match[1] is not None:
                form = "given"
            parts += (node.text[end : match.start()], value)
            end = match.end()
        return Scalar("".join(parts) + node.text[end:], node.place, form)

    def _value(self, match: re.Match[str], place: Place) -> str | None:
        """What stands for one `${…}`, None when that is wrong."""
        name: str | None = match[1]
        if match[0] == "$${":
            return "${"
        if name is None:
            self._report.wrong(place, "`${` needs a variable's name and `}`; for the characters themselves write `$${`")
            return None
        self.variables.add(name)
        if name not in self._environ:
            self._report.wrong(place, f"the environment has no {name}")
        return self._environ.get(name)
