"""API keys over HTTP. The plaintext of a key is in one answer only: the one that makes it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from setpoint.errors import FieldError, RequestError
from setpoint.ids import key_digest, timestamp
from setpoint.protocols.money import money
from setpoint.server.respond import Response, json_response
from setpoint.server.routes.members import said_by, unknown_member
from setpoint.server.routes.paging import flag, integer
from setpoint.storage import keys as stored
from setpoint.storage.spend import Spend, spend
from setpoint.wire.body import is_null

if TYPE_CHECKING:
    from collections.abc import Callable

    from msgspec import Raw

    from setpoint.records import Key
    from setpoint.server.request import Request
    from setpoint.storage.database import Connection
    from setpoint.storage.store import Store
    from setpoint.wire.body import Body

_ROLES = ("admin", "editor", "caller", "read_only")
_NAME_CHARACTERS = 200
_EXPIRY = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|\+00:00)")
# Members that belong to limits, workspaces and allow lists: refused while nothing would hold to them.
_UNSUPPORTED = frozenset(
    {
        *("limit", "limit_reset", "include_byok_in_limit", "workspace_id", "creator_user_id"),
        *("allowed_presets", "allowed_models", "allowed_providers", "requests_per_minute", "tokens_per_minute"),
    }
)


class Keys:
    """The handlers of the key routes."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime], new_key: Callable[[], str]) -> None:
        self._store = store
        self._clock = clock
        self._new_key = new_key

    async def current(self, request: Request) -> Response:
        """GET /key: what the caller's own key is."""
        key, now = request.key, self._clock()
        spent = await self._store.read(lambda connection: spend(connection, key.digest, now))
        management = key.role == "admin" and not key.inference
        return json_response(
            {
                "data": {
                    "label": key.label,
                    **_spent(spent),
                    **_no_limits(),
                    "budgets": [],
                    "effective_budget": None,
                    "allowed_data_regions": ["global"],
                    "free_model_daily_requests": {"limit": -1, "remaining": -1, "used": 0},
                    "is_free_tier": False,
                    "is_management_key": management,
                    "is_provisioning_key": management,
                    "creator_user_id": key.creator_user_id,
                    "workspace_id": key.workspace_id,
                    "organization_id": None,
                    "expires_at": timestamp(key.expires_at) if key.expires_at else None,
                    "rate_limit": {"requests": -1, "interval": "10s", "note": "There is no rate limit on this key."},
                }
            }
        )

    async def list(self, request: Request) -> Response:
        """GET /keys."""
        query, now = request.query(), self._clock()
        offset = integer(query, "offset", default=0)
        include_disabled = flag(query, "include_disabled", default=False)
        workspace = request.key.workspace_id
        if query.get("workspace_id", workspace) != workspace:
            raise RequestError("not_found", "Resource not found")

        def read(connection: Connection) -> list[dict[str, Any]]:
            rows = stored.list_keys(connection, workspace, offset=offset, include_disabled=include_disabled)
            return [_key(row, spend(connection, row.digest, now)) for row in rows]

        return json_response({"data": await self._store.read(read)})

    async def get(self, request: Request) -> Response:
        """GET /keys/{hash}."""
        digest, workspace, now = request.params["hash"], request.key.workspace_id, self._clock()

        def read(connection: Connection) -> dict[str, Any]:
            return _key(_existing(connection, workspace, digest), spend(connection, digest, now))

        return json_response({"data": await self._store.read(read)})

    async def create(self, request: Request) -> Response:
        """POST /keys."""
        wanted = _read(await request.body(), creating=True)
        plain, now, maker = self._new_key(), self._clock(), request.key
        key = await self._store.write(
            lambda connection: stored.save(
                connection,
                digest=key_digest(plain),
                name=wanted["name"],
                label=masked(plain),
                role=wanted.get("role", "caller"),
                inference=wanted.get("inference", True),
                workspace_id=maker.workspace_id,
                creator_user_id=maker.creator_user_id,
                expires_at=wanted.get("expires_at"),
                now=now,
            )
        )
        return json_response({"data": _key(key, Spend()), "key": plain}, status=201)

    async def update(self, request: Request) -> Response:
        """PATCH /keys/{hash}."""
        wanted = _read(await request.body(), creating=False)
        digest, workspace, now = request.params["hash"], request.key.workspace_id, self._clock()

        def write(connection: Connection) -> dict[str, Any]:
            _existing(connection, workspace, digest)
            names = ("name", "disabled", "role", "inference", "expires_at")
            changes: dict[str, Any] = {name: wanted.get(name, UNSET) for name in names}
            return _key(stored.update(connection, digest, now=now, **changes), spend(connection, digest, now))

        return json_response({"data": await self._store.write(write)})

    async def delete(self, request: Request) -> Response:
        """DELETE /keys/{hash}."""
        digest, workspace, now = request.params["hash"], request.key.workspace_id, self._clock()

        def write(connection: Connection) -> None:
            _existing(connection, workspace, digest)
            stored.delete(connection, digest, now=now)

        await self._store.write(write)
        return json_response({"deleted": True})


def masked(plain: str) -> str:
    """A key as people may see it: its two ends, never more than a quarter of it."""
    shown = len(plain) // 4
    return f"{plain[: min(shown - 3, 12)]}...{plain[-3:]}" if shown > 3 else "..."


def _existing(connection: Connection, workspace_id: str, digest: str) -> Key:
    key = stored.get(connection, digest)
    if key is None or key.workspace_id != workspace_id:
        raise RequestError("not_found", "Resource not found")
    return key


def _read(body: Body, *, creating: bool) -> dict[str, Any]:
    """What the body of a create or an update says. Raises: `FieldError`."""
    wanted: dict[str, Any] = {}
    for name, content in body.items():
        if is_null(content) and name != "expires_at":
            continue
        if name in _UNSUPPORTED:
            raise FieldError(name, "is not supported yet", metadata={"reason": "unsupported"})
        wanted[name] = _member(name, said_by(name, content), creating=creating)
    if creating and "name" not in wanted:
        raise FieldError("name", "is required")
    return wanted


def _member(name: str, said: Any, *, creating: bool) -> Any:
    match name:
        case "name":
            if not isinstance(said, str) or not 1 <= len(said) <= _NAME_CHARACTERS or not said.isprintable():
                raise FieldError(name, f"must be a string of 1 to {_NAME_CHARACTERS} printable characters")
        case "role":
            if said not in _ROLES:
                raise FieldError(name, f"must be one of {', '.join(_ROLES)}")
        case "inference":
            if not isinstance(said, bool):
                raise FieldError(name, "must be true or false")
        case "disabled" if not creating:
            if not isinstance(said, bool):
                raise FieldError(name, "must be true or false")
        case "expires_at":
            return _expiry(said)
        case _:
            raise unknown_member(name, "is not a member of a key" if creating else "cannot be changed")
    return said


def _expiry(said: Any) -> datetime | None:
    if said is None:
        return None
    if not isinstance(said, str) or not _EXPIRY.fullmatch(said):
        raise FieldError("expires_at", "must be a time in UTC, such as 2026-12-31T23:59:59Z")
    try:
        return datetime.fromisoformat(said).astimezone(UTC)
    except ValueError:
        raise FieldError("expires_at", "is no such time") from None


def _key(key: Key, spent: Spend) -> dict[str, Any]:
    return {
        "hash": key.digest,
        "name": key.name,
        "label": key.label,
        "disabled": key.disabled,
        **_no_limits(),
        **_spent(spent),
        "created_at": timestamp(key.created_at),
        "updated_at": timestamp(key.updated_at) if key.updated_at else None,
        "expires_at": timestamp(key.expires_at) if key.expires_at else None,
        "last_used_at": timestamp(spent.last_used_at) if spent.last_used_at else None,
        "creator_user_id": key.creator_user_id,
        "external_user": None,
        "workspace_id": key.workspace_id,
        "role": key.role,
        "inference": key.inference,
    }


def _no_limits() -> dict[str, Any]:
    return {"limit": None, "limit_remaining": None, "limit_reset": None, "include_byok_in_limit": True}


def _spent(spent: Spend) -> dict[str, Raw]:
    """What a key has spent, in US dollars. All spend is on the team's own provider keys, so both counts are equal."""
    periods = {"": spent.total, "_daily": spent.daily, "_weekly": spent.weekly, "_monthly": spent.monthly}
    return {f"{kind}{period}": money(amount) for kind in ("usage", "byok_usage") for period, amount in periods.items()}
