"""What days came to, by whatever people ask by: sums over rows of `activity`. Functions of a connection.

They are exact, so they are added up here: no database adds decimal numbers of any length.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct
from sqlalchemy import select

from setpoint.records import EXACT
from setpoint.storage.tables import activity

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import Connection

Grouping = Literal["workspace", "preset", "version"]
"""What days can be split by beside endpoints; by version is by preset, too."""

_COLUMNS: Mapping[Grouping, tuple[str, ...]] = MappingProxyType(
    {
        "workspace": ("workspace_id",),
        "preset": ("preset_id", "preset_slug"),
        "version": ("preset_id", "preset_slug", "preset_version"),
    }
)
_ALWAYS = ("date", "model", "provider", "endpoint")
_COUNTS = (
    *("requests", "attempts", "unknown_cost_requests"),
    *("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens"),
)


class Came(Struct, kw_only=True):
    """What an endpoint came to on a day (`2026-11-21`).

    `cost` is in US dollars, of what is known; `unknown_cost_requests` counts the requests of which it is not. What
    follows is None where nobody asked for it, or where there was no preset.
    """

    date: str
    model: str
    provider: str
    endpoint: str
    requests: int = 0
    attempts: int = 0
    unknown_cost_requests: int = 0
    cost: Decimal = Decimal(0)
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    workspace_id: str | None = None
    preset_id: str | None = None
    preset_slug: str | None = None
    preset_version: int | None = None


def came_to(
    connection: Connection, first: str, last: str, by: Collection[Grouping] = (), **only: str | None
) -> list[Came]:
    """What these days came to, from the first to the last, the newest first and then by name.

    `only` are columns with what has to stand in them, None for anything.
    """
    split = tuple(dict.fromkeys((*_ALWAYS, *(name for one in by for name in _COLUMNS[one]))))
    shown = [activity.c[name] for name in (*split, *_COUNTS, "cost")]
    wanted = [activity.c[name] == value for name, value in only.items() if value is not None]
    query = select(*shown).where(activity.c.date.between(first, last), *wanted)
    found: dict[tuple[Any, ...], Came] = {}
    with localcontext(EXACT):
        for row in connection.execute(query, execution_options={"yield_per": 1_000}):
            key = tuple(row[: len(split)])
            one = found.get(key)
            if one is None:
                # Where there was no preset, the table has "" and 0.
                told: dict[str, Any] = {name: value or None for name, value in zip(split, key, strict=True)}
                one = found[key] = Came(**told)
            _add(one, *row[len(split) :])
    ordered = sorted(found, key=lambda key: tuple(map(str, key[1:])))
    return [found[key] for key in sorted(ordered, key=lambda key: key[0], reverse=True)]


def _add(
    one: Came,
    requests: int,
    attempts: int,
    unknown: int,
    input_tokens: int,
    output_tokens: int,
    cached_tokens: int,
    reasoning_tokens: int,
    cost: Decimal,
) -> None:
    one.requests += requests
    one.attempts += attempts
    one.unknown_cost_requests += unknown
    one.input_tokens += input_tokens
    one.output_tokens += output_tokens
    one.cached_tokens += cached_tokens
    one.reasoning_tokens += reasoning_tokens
    one.cost += cost
