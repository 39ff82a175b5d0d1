"""Tables of keys: a struct is the table, and each field of it that has a `Row` is a row of it.

A field's annotation says the type that code sees and, in its `Row`, the kind that a user may write and what it means:

    port: Annotated[int, Row(integer(0, 65535), "the port it listens on")] = 8787

From the rows come the parser, its messages, the environment's names and the manual.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TypeVar

from msgspec import NODEFAULT, UNSET, Struct, structs

from setpoint.settings.kinds import Kind, KindError, read_as
from setpoint.settings.nodes import Members, Node, Place, Report, Scalar, member, nearest


class Row(Struct, frozen=True):
    """One key: what it may be, and what it means.

    `only` names the one source that it is taken from, where it is taken from one only; `at_start`, that it is read at
    the start only, and not when what the user wrote is read again. `name`, `default` and `required` are filled in from
    the field.
    """

    kind: Kind
    doc: str
    only: str | None = None
    at_start: bool = False
    name: str = ""
    default: object = None
    required: bool = False


class Table(Struct, frozen=True, kw_only=True):
    """A table as it was read, with the place of each of its keys; under the empty name, its own."""

    places: Mapping[str, Place]

    def place(self, name: str = "") -> Place:
        """Where this key is written; where the table is, when it is not."""
        return self.places.get(name, self.places[""])

    def __repr__(self) -> str:  # a value may be a secret
        return f"{type(self).__name__}({self.places['']}: {', '.join(filter(None, self.places))})"


AnyTable = TypeVar("AnyTable", bound=Table)


@cache
def rows_of(table: type[Struct]) -> Mapping[str, Row]:
    """The rows of a table by name, in their order."""
    rows: dict[str, Row] = {}
    for field in structs.fields(table):
        metadata: tuple[object, ...] = getattr(field.type, "__metadata__", ())
        for row in metadata:
            if isinstance(row, Row):
                made = field.default_factory() if field.default_factory is not NODEFAULT else field.default
                rows[field.name] = structs.replace(
                    row, name=field.name, default=None if field.required else made, required=field.required
                )
    return rows


def table(made: type[AnyTable]) -> Kind:
    """The kind of a table of these rows."""

    def read(node: Node, path: str, report: Report) -> object:
        found = read_table(made, node, path, report)
        return UNSET if found is None else found

    return Kind("a table", read)


def read_table(made: type[AnyTable], node: Node, path: str, report: Report) -> AnyTable | None:
    """The table that a node holds, None when a required key is missing or wrong, which is then in the report.

    A key that is wrong and not required keeps its default, so that all other keys are still looked at.
    Raises: `KindError` when the node is no table.
    """
    if not isinstance(node, Members):
        raise KindError
    rows = rows_of(made)
    places = {"": node.place}
    values: dict[str, object] = {}
    for key, content in node.entries:
        row = known_row(rows, key, path, report)
        if row is None:
            continue
        places[row.name] = key.place
        values[row.name] = read_as(row.kind, content, member(path, row.name), report)
    for row in rows.values():
        if row.required and row.name not in values:
            report.wrong(node.place, f"{path}: needs the key {row.name}")
            values[row.name] = UNSET
    if any(row.required and values[row.name] is UNSET for row in rows.values()):
        return None
    return made(places=places, **{name: value for name, value in values.items() if value is not UNSET})


def known_row(rows: Mapping[str, Row], key: Scalar, path: str, report: Report) -> Row | None:
    """The row of a key; None, and in the report with the nearest name, when there is none."""
    row = rows.get(key.text)
    if row is None:
        report.wrong(key.place, f"{member(path, key.text)}: there is no such key{nearest(key.text, rows)}")
    return row
