"""The sums of the ledger: of each day by whatever people ask by, and of each key and workspace for what they may spend.

They are exact, so they are added up here: no database adds decimal numbers of any length.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct
from sqlalchemy import select, tuple_

from setpoint.coordination.allowances import Periods, key_scope, periods, workspace_scope
from setpoint.records import EXACT
from setpoint.storage.rows import Rows, replacing
from setpoint.storage.tables import activity, spend

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection, RowMapping, Table

    from setpoint.storage.ledger import Entry

_NOTHING = Decimal(0)


class DayKey(NamedTuple):
    """The primary key of a row of `activity`, in the order of its columns. Without a preset: "" and 0."""

    date: str
    workspace_id: str
    key_digest: str
    user_id: str
    preset_id: str
    preset_version: int
    model: str
    provider: str
    endpoint: str


class Day(Struct, kw_only=True):
    """What one UTC day came to: the rest of a row of `activity`, and what the other sums need.

    `cost` is the sum of what is known, `unknown_cost_requests` counts the requests of which it is not. A request counts
    with the last of its tries, once. `last_at` is when the last request came.
    """

    preset_slug: str | None
    periods: Periods
    last_at: datetime
    requests: int = 0
    attempts: int = 0
    unknown_cost_requests: int = 0
    cost: Decimal = _NOTHING
    charged: Decimal = _NOTHING
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0


class SpendKey(NamedTuple):
    """The primary key of a row of `spend`, in the order of its columns."""

    scope: str
    period: str


class Spent(Struct, kw_only=True):
    """What an allowance came to in a period: the rest of a row of `spend`. `last_at` is when the last request came."""

    last_at: datetime
    cost: Decimal = _NOTHING
    charged: Decimal = _NOTHING
    requests: int = 0
    unknown_cost_requests: int = 0


def add(connection: Connection, booked: Iterable[tuple[datetime, Sequence[Entry]]]) -> None:
    """Add what is booked of some requests, each with when it came, to their days and to what is spent."""
    with localcontext(EXACT):
        days: dict[DayKey, Day] = {}
        for came_at, found in booked:
            count(days, found, came_at)
        spent = by_allowance(days)
        for key, row in _rows_there(connection, activity, days):
            _add_day(days[DayKey(*key)], row)
        for key, row in _rows_there(connection, spend, spent):
            _add_spent(spent[SpendKey(*key)], row)
    _ACTIVITY.insert(connection, ((*key, *map(day.__getattribute__, _DAY)) for key, day in days.items()))
    _SPEND.insert(connection, ((*key, *map(one.__getattribute__, _SPENT)) for key, one in spent.items()))


def count(days: dict[DayKey, Day], found: Sequence[Entry], came_at: datetime) -> None:
    """Count what is booked of one request, one entry at least. To be called in an exact context."""
    unknown = False
    for entry in found:
        day = _day_of(days, entry, came_at)
        day.attempts += 1
        day.charged += entry.charged
        if entry.cost is None:
            unknown = True
        else:
            day.cost += entry.cost
        if entry.input_tokens is not None:
            day.input_tokens += entry.input_tokens
            day.output_tokens += entry.output_tokens or 0
            day.cached_tokens += entry.cached_tokens or 0
            day.reasoning_tokens += entry.reasoning_tokens or 0
        if came_at > day.last_at:
            day.last_at = came_at
    last = _day_of(days, found[-1], came_at)
    last.requests += 1
    last.unknown_cost_requests += unknown


def by_allowance(days: Mapping[DayKey, Day]) -> dict[SpendKey, Spent]:
    """What these days come to, by whose allowance it is out of and in which period. In an exact context."""
    sums: dict[SpendKey, Spent] = {}
    for key, day in days.items():
        for scope in (key_scope(key.key_digest), workspace_scope(key.workspace_id)):
            for period in day.periods.all:
                of = SpendKey(scope, period)
                one = sums.get(of)
                if one is None:
                    one = sums[of] = Spent(last_at=day.last_at)
                one.cost += day.cost
                one.charged += day.charged
                one.requests += day.requests
                one.unknown_cost_requests += day.unknown_cost_requests
                one.last_at = max(one.last_at, day.last_at)
    return sums


def _day_of(days: dict[DayKey, Day], entry: Entry, came_at: datetime) -> Day:
    of = periods(entry.at)
    who = (entry.workspace_id, entry.key_digest, entry.user_id, entry.preset_id or "", entry.preset_version or 0)
    key = DayKey(of.day, *who, entry.model, entry.provider, entry.endpoint)
    day = days.get(key)
    if day is None:
        day = days[key] = Day(preset_slug=entry.preset_slug, periods=of, last_at=came_at)
    return day


def _add_day(day: Day, row: RowMapping) -> None:
    day.requests += row["requests"]
    day.attempts += row["attempts"]
    day.unknown_cost_requests += row["unknown_cost_requests"]
    day.cost += row["cost"]
    day.charged += row["charged"]
    day.input_tokens += row["input_tokens"]
    day.output_tokens += row["output_tokens"]
    day.cached_tokens += row["cached_tokens"]
    day.reasoning_tokens += row["reasoning_tokens"]


def _add_spent(one: Spent, row: RowMapping) -> None:
    one.cost += row["cost"]
    one.charged += row["charged"]
    one.requests += row["requests"]
    one.unknown_cost_requests += row["unknown_cost_requests"]
    one.last_at = max(one.last_at, row["last_at"])


def _rows_there(
    connection: Connection, table: Table, keys: Collection[tuple[Any, ...]]
) -> Iterator[tuple[tuple[Any, ...], RowMapping]]:
    """The rows of these primary keys that are there already, each with its key."""
    if not keys:
        return
    columns = list(table.primary_key)
    for row in connection.execute(select(table).where(tuple_(*columns).in_(list(keys)))).mappings():
        yield tuple(row[column.name] for column in columns), row


_ACTIVITY = Rows(activity, replacing(activity))
_SPEND = Rows(spend, replacing(spend))
_DAY = _ACTIVITY.names[len(DayKey._fields) :]
_SPENT = _SPEND.names[len(SpendKey._fields) :]
