"""The ledger: a row for each try that cost something or may have, and its sums. Functions of a connection.

A generation is booked in the transaction that keeps its record, once. So the sums are those of the ledger at any time.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, structs
from sqlalchemy import select

from setpoint.storage.rows import Rows
from setpoint.storage.sums import add
from setpoint.storage.tables import ledger

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy import Connection

    from setpoint.records import Attempt, Generation

BookedAs = Literal["answered", "abandoned", "cancelled", "interrupted"]
"""How a try ended: with an answer, also one that broke off; without one; left by its client; or nobody saw it."""


class Entry(Struct, frozen=True, gc=False):
    """One try in the ledger; its members are the columns, in their order.

    `cost` is in US dollars by our price, else by the provider's own figure, None where neither is known. `charged` is
    what limits count, `reserved` what was set aside for it, None where there was no limit.
    """

    generation_id: str
    position: int
    at: datetime
    workspace_id: str
    key_digest: str
    user_id: str
    preset_id: str | None
    preset_slug: str | None
    preset_version: int | None
    model: str
    provider: str
    provider_key_id: str | None
    endpoint: str
    outcome: BookedAs
    reserved: Decimal | None
    cost: Decimal | None
    provider_cost: Decimal | None
    charged: Decimal
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    estimated: bool


ROWS = Rows(ledger)
"""The rows of the ledger; an `Entry` is one."""


def book(connection: Connection, records: Iterable[Generation]) -> None:
    """Book these generations, none of which is booked yet."""
    made = [(record.created_at, found) for record in records if (found := entries(record))]
    ROWS.insert(connection, (structs.astuple(entry) for _, found in made for entry in found))
    add(connection, made)


def booked(connection: Connection, ids: Collection[str]) -> set[str]:
    """Those of these generations that have entries already, also if their records are kept no more."""
    if not ids:
        return set()
    return set(connection.scalars(select(ledger.c.generation_id).where(ledger.c.generation_id.in_(ids))))


def entries(record: Generation) -> list[Entry]:
    """What there is to book of a generation, in the order of its tries."""
    last = len(record.attempts) - 1
    return [
        _entry(record, position, attempt, "abandoned" if position < last else _ending(record))
        for position, attempt in enumerate(record.attempts)
        if attempt.is_booked
    ]


def _ending(record: Generation) -> BookedAs:
    if record.status == "failed":
        return "abandoned" if record.usage is None else "answered"
    if record.status == "completed":
        return "answered"
    return "cancelled" if record.status == "cancelled" else "interrupted"


def _entry(record: Generation, position: int, attempt: Attempt, outcome: BookedAs) -> Entry:
    usage, reserved = attempt.usage, attempt.reserved
    charged = attempt.charged if attempt.charged is not None else attempt.cost
    return Entry(
        generation_id=record.id,
        position=position,
        at=attempt.at or record.created_at,
        workspace_id=record.workspace_id,
        key_digest=record.key_digest,
        user_id=record.user_id,
        preset_id=record.preset_id,
        preset_slug=record.preset_slug,
        preset_version=record.preset_version,
        model=attempt.model,
        provider=attempt.provider,
        provider_key_id=attempt.key_id,
        endpoint=f"{attempt.tag}/{attempt.upstream_model}",
        outcome=outcome,
        reserved=reserved.amount if reserved is not None else None,
        cost=attempt.cost,
        provider_cost=attempt.provider_cost,
        charged=charged if charged is not None else Decimal(0),
        input_tokens=usage.input_tokens if usage is not None else None,
        output_tokens=usage.output_tokens if usage is not None else None,
        cached_tokens=usage.cached_tokens if usage is not None else None,
        cache_write_tokens=usage.cache_write_tokens if usage is not None else None,
        reasoning_tokens=usage.reasoning_tokens if usage is not None else None,
        estimated=usage.estimated if usage is not None else False,
    )
