"""Budgets of workspaces over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from setpoint.errors import FieldError
from setpoint.protocols.money import read_money
from setpoint.records import INTERVALS
from setpoint.server.guard import missing
from setpoint.server.operation import Named, described
from setpoint.server.respond import Response, json_response
from setpoint.server.routes.kinds import Deleted
from setpoint.server.routes.members import Check, Members, flag
from setpoint.server.routes.workspace_shapes import WORKSPACES, ShownBudget, shown_budget
from setpoint.storage import budgets as stored

if TYPE_CHECKING:
    from decimal import Decimal

    from msgspec import Raw

    from setpoint.records import Interval, Workspace
    from setpoint.server.request import Request
    from setpoint.server.routes.desk import Desk
    from setpoint.storage.database import Connection

_BELOW = 1_000_000_000


def _read_limit(name: str, content: Raw) -> Decimal:
    amount = read_money(content, below=_BELOW)
    if not amount:
        raise FieldError(name, f"must be a number of US dollars, more than 0 and below {_BELOW:,}")
    return amount


_MEMBERS = Members(
    noun="a budget",
    checks={
        "limit_usd": Check(_read_limit, {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": _BELOW}),
        "include_byok_in_budgets": flag,
    },
    required=("limit_usd",),
)


class ManyBudgets(TypedDict):
    """The budgets of a workspace, and whether they count what is spent on its own provider keys."""

    data: list[ShownBudget]
    include_byok_in_budgets: bool


class OneBudget(TypedDict):
    """A budget, and whether all of its workspace count what is spent on its own provider keys."""

    data: ShownBudget
    include_byok_in_budgets: bool


class Budgets:
    """The handlers of the budget routes."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @described("The budgets of a workspace, the broadest first", group=WORKSPACES, answer=ManyBudgets)
    async def list(self, request: Request) -> Response:
        """GET /workspaces/{id or slug}/budgets: the broadest first."""
        workspace = await self._desk.store.read(lambda connection: self._desk.workspace(connection, request))
        shown: ManyBudgets = {
            "data": [shown_budget(one) for one in workspace.budgets],
            "include_byok_in_budgets": workspace.include_byok_in_budgets,
        }
        return json_response(shown)

    @described("The budget of a workspace for an interval", group=WORKSPACES, answer=OneBudget)
    async def get(self, request: Request) -> Response:
        """GET /workspaces/{id or slug}/budgets/{interval}."""
        workspace = await self._desk.store.read(lambda connection: self._desk.workspace(connection, request))
        return _one(workspace, request.params["interval"])

    @described(
        "Set the budget of a workspace for an interval",
        group=WORKSPACES,
        body=Named("BudgetToSet", _MEMBERS.schema(creating=True)),
        answer=OneBudget,
    )
    async def put(self, request: Request) -> Response:
        """PUT /workspaces/{id or slug}/budgets/{interval}."""
        wanted, now = _MEMBERS.read(await request.body(), creating=True), self._desk.clock()
        interval = _interval(request)

        def write(connection: Connection) -> Workspace:
            return stored.put(
                connection,
                self._desk.workspace(connection, request),
                interval,
                wanted["limit_usd"],
                include_byok=wanted.get("include_byok_in_budgets"),
                new_id=self._desk.new_id,
                now=now,
            )

        return _one(await self._desk.store.write(write), interval)

    @described("Delete the budget of a workspace for an interval", group=WORKSPACES, answer=Deleted)
    async def delete(self, request: Request) -> Response:
        """DELETE /workspaces/{id or slug}/budgets/{interval}, whether it is there or not."""
        interval = _interval(request)
        await self._desk.store.write(
            lambda connection: stored.delete(connection, self._desk.workspace(connection, request), interval)
        )
        return json_response({"deleted": True})


def _one(workspace: Workspace, interval: str) -> Response:
    budget = stored.get(workspace, interval)
    if budget is None:
        raise missing()
    shown: OneBudget = {
        "data": shown_budget(budget),
        "include_byok_in_budgets": workspace.include_byok_in_budgets,
    }
    return json_response(shown)


def _interval(request: Request) -> Interval:
    """The interval of the path. Raises: `RequestError`."""
    for interval in INTERVALS:
        if request.params["interval"] == interval:
            return interval
    raise missing()
