"""What the last days came to, and what is spent in all, over HTTP."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, NotRequired, TypedDict

from setpoint.coordination.allowances import workspace_scope
from setpoint.errors import FieldError
from setpoint.protocols.money import money
from setpoint.server.guard import reach
from setpoint.server.operation import Query, described
from setpoint.server.respond import json_response
from setpoint.server.routes.kinds import Dollars, One, Several
from setpoint.storage.activity import came_to
from setpoint.storage.spend import total

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.server.request import Request
    from setpoint.server.respond import Response
    from setpoint.server.routes.desk import Desk
    from setpoint.snapshot import Snapshot
    from setpoint.storage.activity import Came, Grouping

_DAYS = 30
_GROUPINGS: Mapping[str, Grouping] = MappingProxyType(
    {
        "workspace": "workspace",
        **dict.fromkeys(("preset", "preset_id", "preset_slug"), "preset"),
        **dict.fromkeys(("version", "preset_version"), "version"),
    }
)

_LISTED = (
    Query("date", str, "The day, such as 2026-12-31; the last 30 that are over unless said."),
    Query("group_by", str, "What else sums are kept apart by: `workspace`, `preset`, `version`, commas between them."),
    Query("workspace_id", str, "The workspace; all that the key manages unless said."),
    Query("api_key_hash", str, "Only of this key."),
    Query("user_id", str, "Only of the keys of this user."),
)


class ActivityItem(TypedDict):
    """What an endpoint came to on one day, in UTC. Sums are of known costs, `unknown_cost_requests` counts the rest."""

    date: str
    model: str
    model_permaslug: str
    endpoint_id: str
    provider_name: str
    usage: Dollars
    byok_usage_inference: Dollars
    requests: int
    attempts: int
    unknown_cost_requests: int
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    cached_tokens: int
    workspace_id: NotRequired[str | None]
    preset_id: NotRequired[str | None]
    preset_slug: NotRequired[str | None]
    preset_version: NotRequired[int | None]


class Credits(TypedDict):
    """What the workspace may ever spend, 0 where nothing is said, and what it has, in US dollars."""

    total_credits: Dollars
    total_usage: Dollars


class Activity:
    """The handlers of the activity routes."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @described("What the last days came to", group="Books", query=_LISTED, errors=(404,), answer=Several[ActivityItem])
    async def list(self, request: Request) -> Response:
        """GET /activity: the last 30 UTC days that are over, or one of them, or today."""
        query, snapshot = request.query(), self._desk.snapshots.current
        first, last = days_asked(query.get("date"), self._desk.clock().date())
        by = _groupings(query.get("group_by"))
        only = {
            "workspace_id": reach(request.key, query.get("workspace_id"), snapshot),
            "key_digest": query.get("api_key_hash"),
            "user_id": query.get("user_id"),
        }
        found = await self._desk.store.read(
            lambda connection: came_to(connection, first.isoformat(), last.isoformat(), by, **only)
        )
        return json_response({"data": [_item(one, by, snapshot) for one in found]})

    @described("What is spent in all", group="Books", answer=One[Credits])
    async def credits(self, request: Request) -> Response:
        """GET /credits: what the caller's workspace may ever spend, and what it has."""
        mine = request.key.workspace_id
        workspace = self._desk.snapshots.current.workspaces.get(mine)
        budgets = workspace.budgets if workspace is not None else ()
        limit = next((one.limit for one in budgets if one.interval == "lifetime"), Decimal(0))
        spent = await self._desk.store.read(lambda connection: total(connection, workspace_scope(mine)))
        return json_response({"data": {"total_credits": money(limit), "total_usage": money(spent)}})


def days_asked(said: str | None, today: date) -> tuple[date, date]:
    """The first and the last day that are asked for. Raises: `FieldError`."""
    first = today - timedelta(days=_DAYS)
    if said is None:
        return first, today - timedelta(days=1)
    try:
        day = date.fromisoformat(said)
    except ValueError:
        day = None
    if day is None or said != day.isoformat():
        raise FieldError("date", "must be a day, such as 2026-12-31")
    if not first <= day <= today:
        raise FieldError("date", f"must be one of the last {_DAYS} days or today, in UTC")
    return day, day


def _groupings(said: str | None) -> tuple[Grouping, ...]:
    words = said.split(",") if said else []
    for word in words:
        if word not in _GROUPINGS:
            raise FieldError("group_by", "must be workspace, preset or version, or some of them with commas between")
    return tuple(_GROUPINGS[word] for word in words)


def _item(one: Came, by: tuple[Grouping, ...], snapshot: Snapshot) -> ActivityItem:
    provider = snapshot.catalog.providers.get(one.provider)
    item: ActivityItem = {
        "date": one.date,
        "model": one.model,
        "model_permaslug": one.model,
        "endpoint_id": one.endpoint,
        "provider_name": provider.name if provider is not None else one.provider,
        "usage": money(one.cost),
        "byok_usage_inference": money(one.cost),
        "requests": one.requests,
        "attempts": one.attempts,
        "unknown_cost_requests": one.unknown_cost_requests,
        "prompt_tokens": one.input_tokens,
        "completion_tokens": one.output_tokens,
        "reasoning_tokens": one.reasoning_tokens,
        "cached_tokens": one.cached_tokens,
    }
    if "workspace" in by:
        item["workspace_id"] = one.workspace_id
    if "preset" in by or "version" in by:
        item["preset_id"], item["preset_slug"] = one.preset_id, one.preset_slug
    if "version" in by:
        item["preset_version"] = one.preset_version
    return item
