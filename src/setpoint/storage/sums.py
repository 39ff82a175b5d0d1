"""The sums of the ledger: of each day by whatever people ask by, and of each key and workspace for what they may spend.

They are exact, so they are added up here: no database adds decimal numbers of any length.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Context, Decimal, localcontext
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct
from sqlalchemy import select, tuple_

from setpoint.coordination.allowances import key_scope, periods, workspace_scope
from setpoint.storage.rows import Rows, replacing
from setpoint.storage.tables import activity, spend

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from setpoint.records import Generation
    from setpoint.storage.ledger import Entry

    Booked = Sequence[tuple[Generation, Sequence[Entry]]]
    """Generations, each with what there is to book of it: one row at least."""

S = TypeVar("S", bound="_Sums")

EXACT = Context(prec=100)
"""More digits than any sum of money can have, so that nothing is ever rounded."""


class _Sums(Struct, kw_only=True):
    """What the rows have in common. A request counts with the last of its tries, and once."""

    cost: Decimal = Decimal(0)
    charged: Decimal = Decimal(0)
    requests: int = 0
    unknown_cost_requests: int = 0

    def count(self, entry: Entry, *, is_last: bool, unknown: bool) -> None:
        """Add one try; `unknown` says that the cost of some try of the request is not known."""
        self.cost += entry.cost or 0
        self.charged += entry.charged
        self.requests += is_last
        self.unknown_cost_requests += is_last and unknown


class Day(_Sums, kw_only=True):
    """One row of `activity`, but for its key: what a UTC day came to.

    `cost` is the sum of what is known; `unknown_cost_requests` counts those of which it is not.
    """

    preset_slug: str | None
    provider_name: str | None
    attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0


class Spent(_Sums, kw_only=True):
    """One row of `spend`, but for its key: what an allowance came to in a period. `last_at`: when its last
    request came."""

    last_at: datetime


_ACTIVITY = Rows(activity, replacing(activity))
_SPEND = Rows(spend, replacing(spend))


def add_activity(connection: Connection, booked: Booked) -> None:
    """Add these to the days that they belong to."""
    days: dict[tuple[Any, ...], Day] = {}
    with localcontext(EXACT):
        for record, found in booked:
            unknown = any(entry.cost is None for entry in found)
            for entry in found:
                name = record.attempts[entry.position].provider_name
                day = days.setdefault(_day_key(entry), Day(preset_slug=entry.preset_slug, provider_name=name))
                day.count(entry, is_last=entry is found[-1], unknown=unknown)
                day.attempts += 1
                day.input_tokens += entry.input_tokens or 0
                day.output_tokens += entry.output_tokens or 0
                day.cached_tokens += entry.cached_tokens or 0
                day.reasoning_tokens += entry.reasoning_tokens or 0
        _merge(connection, activity, _ACTIVITY, days)


def add_spend(connection: Connection, booked: Booked) -> None:
    """Add these to what their keys and workspaces have spent."""
    spent: dict[tuple[Any, ...], Spent] = {}
    with localcontext(EXACT):
        for record, found in booked:
            unknown = any(entry.cost is None for entry in found)
            for entry in found:
                for scope in (key_scope(entry.key_digest), workspace_scope(entry.workspace_id)):
                    for period in periods(entry.at).all:
                        one = spent.setdefault((scope, period), Spent(last_at=record.created_at))
                        one.count(entry, is_last=entry is found[-1], unknown=unknown)
                        one.last_at = max(one.last_at, record.created_at)
        _merge(connection, spend, _SPEND, spent)


def _day_key(entry: Entry) -> tuple[Any, ...]:
    """The primary key of the row of `activity` that a try belongs to, in the order of its columns."""
    who = (entry.workspace_id, entry.key_digest, entry.user_id, entry.preset_id or "", entry.preset_version or 0)
    return (periods(entry.at).day, *who, entry.model, entry.provider, entry.endpoint)


def _merge(connection: Connection, table: Table, rows: Rows, added: dict[tuple[Any, ...], S]) -> None:
    """Add to the rows of these primary keys, which may not be there yet."""
    key = list(table.primary_key)
    for found in connection.execute(select(table).where(tuple_(*key).in_(list(added)))).mappings():
        one = added[tuple(found[column] for column in key)]
        for name in one.__struct_fields__:
            old, new = found[table.c[name]], getattr(one, name)
            if isinstance(new, datetime):
                setattr(one, name, max(old, new))
            elif isinstance(new, int | Decimal):
                setattr(one, name, old + new)
    names = rows.names[len(key) :]
    rows.insert(connection, ((*at, *(getattr(one, name) for name in names)) for at, one in added.items()))
