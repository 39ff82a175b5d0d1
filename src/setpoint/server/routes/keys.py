"""API keys over HTTP. The plaintext of a key is in one answer only: the one that makes it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from setpoint.coordination.allowances import ends, of_key, of_workspace, periods
from setpoint.errors import FieldError
from setpoint.ids import key_digest
from setpoint.presets.reference import check_slug
from setpoint.records import EXACT, Key
from setpoint.routing.words import is_slug
from setpoint.server.guard import manages, missing, workspace
from setpoint.server.operation import Named, Query, described
from setpoint.server.respond import Response, json_response
from setpoint.server.routes.key_shapes import CreatedKey, Layer, OwnKey, ShownKey, shown_key, shown_own_key
from setpoint.server.routes.kinds import Deleted, One, Several
from setpoint.server.routes.members import Members, count, dollars, flag, line, listed, model_ids, moment, one_of, text
from setpoint.server.routes.paging import OFFSET, Flag, page
from setpoint.server.routes.paging import flag as flag_of
from setpoint.storage import keys as stored
from setpoint.storage import users, workspaces
from setpoint.storage.spend import charged, spend, spends

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from setpoint.coordination.allowances import Allowance
    from setpoint.records import Budget, Workspace
    from setpoint.server.request import Request
    from setpoint.server.routes.desk import Desk
    from setpoint.storage.database import Connection

_NAME_CHARACTERS = 200
_USER_CHARACTERS = 256

_MEMBERS = Members(
    noun="a key",
    checks={
        "name": line(_NAME_CHARACTERS),
        "role": one_of("admin", "editor", "caller", "read_only"),
        "inference": flag,
        "disabled": flag,
        "expires_at": moment,
        "limit": dollars,
        "limit_reset": one_of("daily", "weekly", "monthly", or_null=True),
        "include_byok_in_limit": flag,
        "requests_per_minute": count,
        "tokens_per_minute": count,
        "allowed_presets": listed(check_slug, "slugs of presets"),
        "allowed_models": model_ids,
        "allowed_providers": listed(is_slug, "slugs of providers"),
        "workspace_id": text,
        "creator_user_id": line(_USER_CHARACTERS),
    },
    required=("name",),
    fixed=frozenset({"workspace_id", "creator_user_id"}),
    later=frozenset({"disabled"}),
    cleared_by_null=frozenset(
        {
            *("expires_at", "limit", "limit_reset", "requests_per_minute", "tokens_per_minute"),
            *("allowed_presets", "allowed_models", "allowed_providers"),
        }
    ),
)
_PAGE = 100
_LISTED = (
    OFFSET,
    Query("limit", Annotated[int, Meta(ge=1, le=_PAGE)], f"How many a page has at most; {_PAGE} unless said."),
    Query("include_disabled", Flag, "Whether disabled keys are listed, too; they are not unless said."),
    Query("include_expired", Flag, "Whether keys that have expired are listed, too; they are not unless said."),
    Query("workspace_id", str, "The workspace whose keys are listed; the caller's own unless said."),
)


class Keys:
    """The handlers of the key routes."""

    def __init__(self, desk: Desk, *, new_key: Callable[[], str]) -> None:
        self._desk = desk
        self._new_key = new_key

    @described("The caller's own key", group="Keys", answer=One[OwnKey])
    async def current(self, request: Request) -> Response:
        """GET /key: what the caller's own key is."""
        key, now = request.key, self._desk.clock()
        home = self._desk.snapshots.current.workspaces.get(key.workspace_id)

        def read(connection: Connection) -> OwnKey:
            layers = _layers(connection, key, home, now)
            return shown_own_key(key, spend(connection, key.digest, now), layers)

        return json_response({"data": await self._desk.store.read(read)})

    @described(
        "The keys of a workspace, newest first", group="Keys", query=_LISTED, errors=(404,), answer=Several[ShownKey]
    )
    async def list(self, request: Request) -> Response:
        """GET /keys."""
        query, now = request.query(), self._desk.clock()
        offset, limit = page(query, most=_PAGE, default=_PAGE)
        include_disabled = flag_of(query, "include_disabled", default=False)
        unexpired_at = None if flag_of(query, "include_expired", default=False) else now
        about = workspace(request.key, query.get("workspace_id"), self._desk.snapshots.current)

        def read(connection: Connection) -> Sequence[ShownKey]:
            rows = stored.list_keys(
                connection,
                about,
                offset=offset,
                limit=limit,
                include_disabled=include_disabled,
                unexpired_at=unexpired_at,
            )
            return _shown(connection, rows, now)

        return json_response({"data": await self._desk.store.read(read)})

    @described("A key", group="Keys", answer=One[ShownKey])
    async def get(self, request: Request) -> Response:
        """GET /keys/{hash}."""
        now = self._desk.clock()
        return _one(
            await self._desk.store.read(lambda connection: _shown(connection, [self._named(connection, request)], now))
        )

    @described(
        "Make a key",
        group="Keys",
        body=Named("KeyToMake", _MEMBERS.schema(creating=True)),
        errors=(404,),
        status=201,
        answer=CreatedKey,
    )
    async def create(self, request: Request) -> Response:
        """POST /keys."""
        wanted = _MEMBERS.read(await request.body(), creating=True)
        plain, now, maker = self._new_key(), self._desk.clock(), request.key
        about = workspace(maker, wanted.pop("workspace_id", None), self._desk.snapshots.current)
        user = wanted.pop("creator_user_id", maker.creator_user_id)
        wanted.setdefault("role", "caller")
        key = Key(
            digest=key_digest(plain),
            label=masked(plain),
            workspace_id=about,
            creator_user_id=user,
            created_at=now,
            **wanted,
        )

        def write(connection: Connection) -> Sequence[ShownKey]:
            if not workspaces.exists(connection, about):
                raise missing()
            if not users.exists(connection, user):
                raise FieldError("creator_user_id", "is no user's")
            return _shown(connection, [stored.save(connection, key)], now)

        [shown] = await self._desk.store.write(write)
        return json_response({"data": shown, "key": plain}, status=201)

    @described(
        "Change a key",
        group="Keys",
        body=Named("KeyChanges", _MEMBERS.schema(creating=False)),
        answer=One[ShownKey],
    )
    async def update(self, request: Request) -> Response:
        """PATCH /keys/{hash}."""
        wanted, now = _MEMBERS.read(await request.body(), creating=False), self._desk.clock()

        def write(connection: Connection) -> Sequence[ShownKey]:
            key = self._named(connection, request)
            return _shown(connection, [stored.update(connection, key.digest, wanted, now=now)], now)

        return _one(await self._desk.store.write(write))

    @described("Delete a key", group="Keys", answer=Deleted)
    async def delete(self, request: Request) -> Response:
        """DELETE /keys/{hash}."""
        now = self._desk.clock()
        await self._desk.store.write(
            lambda connection: stored.delete(connection, self._named(connection, request).digest, now=now)
        )
        return json_response({"deleted": True})

    def _named(self, connection: Connection, request: Request) -> Key:
        """The key that the path names. Raises: `RequestError`, the same for none and for one that is not to be seen."""
        key = stored.get(connection, request.params["hash"])
        if key is None or not manages(request.key, key.workspace_id, self._desk.snapshots.current):
            raise missing()
        return key


def masked(plain: str) -> str:
    """A key as people may see it: its two ends, never more than a quarter of it."""
    shown = len(plain) // 4
    return f"{plain[: min(shown - 3, 12)]}...{plain[-3:]}" if shown > 3 else "..."


def _one(shown: Sequence[ShownKey]) -> Response:
    [key] = shown
    return json_response({"data": key})


def _shown(connection: Connection, rows: Sequence[Key], now: datetime) -> list[ShownKey]:
    """Keys as their managers see them, with what they have spent and what of their limits is left."""
    running = periods(now)
    limits = {row.digest: limit for row in rows if (limit := of_key(row, running)) is not None}
    counted = charged(connection, limits.values())
    left = {digest: max(EXACT.subtract(limit.limit, counted[limit]), Decimal(0)) for digest, limit in limits.items()}
    spent = spends(connection, (row.digest for row in rows), now)
    return [shown_key(row, spent[row.digest], left.get(row.digest)) for row in rows]


def _layers(connection: Connection, key: Key, home: Workspace | None, now: datetime) -> list[Layer]:
    """What bounds the spend of a key's requests, in the order of asking."""
    running = periods(now)
    own = of_key(key, running)
    found: list[tuple[Budget | None, str | None, Allowance]] = [(None, key.limit_reset, own)] if own is not None else []
    for budget, allowance in of_workspace(home, running) if home is not None else ():
        found.append((budget, budget.interval, allowance))
    counted = charged(connection, [allowance for _, _, allowance in found])
    return [
        Layer(
            budget=budget,
            interval=interval,
            limit=one.limit,
            counted=counted[one],
            left=EXACT.subtract(one.limit, counted[one]),
            ends=ends(interval, now),
        )
        for budget, interval, one in found
    ]
