"""Pages of records, newest first. A page reads about what it shows, whatever it is filtered by and however far back.

Most pages are found in a bounded window of the newest records. Where that holds too few of what is wanted, they are
put together from the newest records of each facet that is wanted, beginning with the facet whose newest is the newest.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct
from sqlalchemy import bindparam, func, select, tuple_

from setpoint.records import GenerationStatus
from setpoint.storage.generations import get_many
from setpoint.storage.tables import facets, generations

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Select

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
    return get_many(connection, [id_ for _, id_ in found])


def _in_window(connection: Connection, wanted: Wanted, below: Place, limit: int, window: int) -> list[Place] | None:
    """The page, if it can be told from the newest records alone."""
    span = {"since": wanted.since, "until": below.created_at, "below": below.id}
    of_workspace = generations.c.workspace_id == wanted.workspace_id
    if not wanted.by_facet:
        rows = connection.execute(_newest(of_workspace).limit(limit), span)
        return [Place(*row) for row in rows]
    end = connection.scalar(
        _newest(of_workspace).with_only_columns(generations.c.created_at).offset(window).limit(1), span
    )
    right = select(facets.c.id).where(facets.c.id == generations.c.facet, *_said(wanted)).exists()
    rows = connection.execute(_newest(of_workspace, right).limit(limit), span | {"since": end or wanted.since})
    found = [Place(*row) for row in rows]
    return found if end is None or len(found) == limit else None


def _by_facet(connection: Connection, wanted: Wanted, below: Place, limit: int) -> list[Place]:
    """The page, put together from the facets."""
    span = {"since": wanted.since, "until": below.created_at, "below": below.id}
    of_facet = generations.c.facet == facets.c.id
    newest = select(func.max(generations.c.created_at)).where(of_facet, *_SPAN).correlate(facets).scalar_subquery()
    heads = select(facets.c.id, newest.label("newest")).where(*_said(wanted)).order_by(newest.desc())
    found: list[Place] = []
    for facet, head in connection.execute(heads, span):
        if head is None or (len(found) == limit and head < found[-1].created_at):
            break
        since = found[-1].created_at if len(found) == limit else wanted.since
        of = {"facet": facet, "since": since, "until": below.created_at, "below": below.id}
        rows = connection.execute(_NEWEST_OF_FACET.limit(limit), of)
        found = sorted([*found, *(Place(*row) for row in rows)], reverse=True)[:limit]
    return found


def _said(wanted: Wanted) -> list[ColumnElement[bool]]:
    of_workspace = facets.c.workspace_id == wanted.workspace_id
    return [of_workspace, *(facets.c[name] == said for name, said in wanted.by_facet.items())]


_MOMENT = generations.c.created_at.type
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


_NEWEST_OF_FACET = _newest(generations.c.facet == bindparam("facet"))
