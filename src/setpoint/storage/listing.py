"""Pages of records, newest first. A page reads about what it shows, whatever it is filtered by and however far back.

Most pages are found in a bounded window of the newest records. Where that holds too few of what is wanted, they are
put together from the newest records of each facet that is wanted, beginning with the facet whose newest is the newest.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct
from sqlalchemy import BigInteger, bindparam, func, select, tuple_, type_coerce

from setpoint.records import GenerationStatus
from setpoint.storage.columns import Moment
from setpoint.storage.generations import get_many
from setpoint.storage.tables import facets, generations

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Dialect, Select

    from setpoint.records import Generation

WINDOW = 5_000
"""Among how many of the newest records a page is looked for first."""


class Place(NamedTuple):
    """Where a record stands: when its request came and, of those that came with it, which it is."""

    created_at: datetime
    id: str


FIRST = datetime.fromtimestamp(0, UTC)
LAST = datetime.max.replace(tzinfo=UTC)
"""Moments before and behind all that are recorded."""


class Wanted(Struct, frozen=True, kw_only=True):
    """Which records of a workspace. None: whatever it is. `since` is the first moment that counts, `until` is none."""

    workspace_id: str
    key_digest: str | None = None
    preset_slug: str | None = None
    preset_version: int | None = None
    model: str | None = None
    provider: str | None = None
    status: GenerationStatus | None = None
    since: datetime = FIRST
    until: datetime = LAST

    @property
    def by_facet(self) -> dict[str, str | int]:
        """What of it is said of facets."""
        names = ("key_digest", "preset_slug", "preset_version", "model", "provider", "status")
        return {name: said for name in names if (said := getattr(self, name)) is not None}


def page(
    connection: Connection, wanted: Wanted, *, before: Place | None, limit: int, window: int = WINDOW
) -> list[Generation]:
    """The newest of these records that stand before this place in time, at most so many."""
    below = Place(wanted.until, "")
    if before is not None:
        below = min(below, before)
    found = _in_window(connection, wanted, below, limit, window)
    if found is None:
        found = _by_facet(connection, wanted, below, limit)
    return get_many(connection, found)


def _in_window(connection: Connection, wanted: Wanted, below: Place, limit: int, window: int) -> list[str] | None:
    """The ids of the page, if they can be told from the newest records alone."""
    span = {"since": wanted.since, "until": below.created_at, "below": below.id}
    of_workspace = generations.c.workspace_id == wanted.workspace_id
    if not wanted.by_facet:
        rows = connection.execute(_newest(of_workspace).limit(limit), span)
        return [id_ for _, id_ in rows]
    end = connection.scalar(
        _newest(of_workspace).with_only_columns(generations.c.created_at).offset(window).limit(1), span
    )
    right = select(facets.c.id).where(facets.c.id == generations.c.facet, *_said(wanted)).exists()
    rows = connection.execute(_newest(of_workspace, right).limit(limit), span | {"since": end or wanted.since})
    found = [id_ for _, id_ in rows]
    return found if end is None or len(found) == limit else None


def _by_facet(connection: Connection, wanted: Wanted, below: Place, limit: int) -> list[str]:
    """The ids of the page, put together from the facets."""
    span = {"since": wanted.since, "until": below.created_at, "below": below.id}
    of_facet = generations.c.facet == facets.c.id
    newest = select(func.max(generations.c.created_at)).where(of_facet, *_SPAN).correlate(facets).scalar_subquery()
    head = type_coerce(newest, BigInteger)
    heads: Select[int, Any] = select(facets.c.id, head).where(*_said(wanted)).order_by(newest.desc())
    # The moments are as they are stored from here on, and each facet is asked in the engine's own words: there may be a
    # hundred to ask, and what SQLAlchemy does for one statement takes several times as long as the answer.
    statement, names, constants = _newest_of_facet(connection.dialect)
    given = constants | {"until": _MOMENT.write(below.created_at), "below": below.id, "most": limit}
    found: list[tuple[int, str]] = []
    for facet, head in connection.execute(heads, span):
        full = len(found) == limit
        if head is None or (full and head < found[-1][0]):
            break
        given |= {"facet": facet, "since": found[-1][0] if full else _MOMENT.write(wanted.since)}
        rows = connection.exec_driver_sql(statement, tuple(given[name] for name in names))
        found = sorted([*found, *((created_at, id_) for created_at, id_ in rows)], reverse=True)[:limit]
    return [id_ for _, id_ in found]


def _said(wanted: Wanted) -> list[ColumnElement[bool]]:
    of_workspace = facets.c.workspace_id == wanted.workspace_id
    return [of_workspace, *(facets.c[name] == said for name, said in wanted.by_facet.items())]


_MOMENT = Moment()
_SPAN = (
    generations.c.created_at >= bindparam("since", type_=_MOMENT),
    tuple_(generations.c.created_at, generations.c.id) < tuple_(bindparam("until", type_=_MOMENT), bindparam("below")),
)


def _newest(*of: ColumnElement[bool]) -> Select[datetime, str]:
    """Places in the span, newest first."""
    return (
        select(generations.c.created_at, generations.c.id)
        .where(*of, *_SPAN)
        .order_by(generations.c.created_at.desc(), generations.c.id.desc())
    )


@cache
def _newest_of_facet(dialect: Dialect) -> tuple[str, list[str], dict[str, Any]]:
    """The places of one facet in the span, newest first: the statement, the names of what it is given in their order,
    and what of it is always the same."""
    query = _newest(generations.c.facet == bindparam("facet")).limit(bindparam("most"))
    compiled = query.compile(dialect=dialect)
    return str(compiled), compiled.positiontup or [], dict(compiled.params)
