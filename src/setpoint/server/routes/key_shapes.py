"""API keys as answers show them: to their managers, and to who holds one."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from msgspec import Struct

from setpoint.ids import timestamp
from setpoint.protocols.money import money
from setpoint.records import Budget
from setpoint.server.routes.kinds import Dollars, MaybeDollars, Time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.records import Key
    from setpoint.storage.spend import Spend


class Layer(Struct, frozen=True, kw_only=True):
    """Something that bounds what the requests of a key may spend: its own limit, or a `budget` of its workspace.

    `limit`, `counted` and `left` are US dollars, of the running period of the `interval`, which is over when it `ends`.
    Less than nothing is left where a provider has counted more than was set aside.
    """

    budget: Budget | None
    interval: str | None
    limit: Decimal
    counted: Decimal
    left: Decimal
    ends: datetime | None


class _Limit(TypedDict):
    limit: MaybeDollars
    limit_remaining: MaybeDollars
    limit_reset: str | None
    include_byok_in_limit: bool


class _Bounds(TypedDict):
    allowed_presets: tuple[str, ...] | None
    allowed_models: tuple[str, ...] | None
    allowed_providers: tuple[str, ...] | None
    requests_per_minute: int | None
    tokens_per_minute: int | None


class _Spent(TypedDict):
    usage: Dollars
    usage_daily: Dollars
    usage_weekly: Dollars
    usage_monthly: Dollars
    byok_usage: Dollars
    byok_usage_daily: Dollars
    byok_usage_weekly: Dollars
    byok_usage_monthly: Dollars


class ShownKey(_Limit, _Bounds, _Spent):
    """A key as its managers see it, by its SHA-256; the key itself is never shown again."""

    hash: str
    name: str
    label: str
    disabled: bool
    created_at: Time
    updated_at: Time | None
    expires_at: Time | None
    last_used_at: Time | None
    creator_user_id: str
    external_user: None
    workspace_id: str
    role: Literal["admin", "editor", "caller", "read_only"]
    inference: bool


class CreatedKey(TypedDict):
    """The new key: this answer is the only one that has its plain text."""

    data: ShownKey
    key: str


class ShownLayer(TypedDict):
    """Something that bounds what a key may spend: its own limit, or a budget of its workspace."""

    scope: Literal["key_limit", "workspace"]
    budget_id: str | None
    guardrail_id: None
    include_byok: bool
    limit_usd: Dollars
    spend_usd: Dollars
    remaining_usd: Dollars
    reset_interval: str | None
    resets_at: Time | None


class OwnKey(_Limit, _Bounds, _Spent):
    """The caller's own key. `effective_budget` is what will bound its requests first."""

    label: str
    budgets: list[ShownLayer]
    effective_budget: ShownLayer | None
    allowed_data_regions: list[str]
    free_model_daily_requests: dict[str, int]
    is_free_tier: bool
    is_management_key: bool
    is_provisioning_key: bool
    creator_user_id: str
    workspace_id: str
    organization_id: None
    expires_at: Time | None
    rate_limit: dict[str, Any]
    role: Literal["admin", "editor", "caller", "read_only"]
    inference: bool


def shown_key(key: Key, spent: Spend, left: Decimal | None) -> ShownKey:
    """A key for its managers. `left` is what remains of its limit, None where it has none."""
    return {
        "hash": key.digest,
        "name": key.name,
        "label": key.label,
        "disabled": key.disabled,
        **_limit(key, left),
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
        **_bounds(key),
    }


def shown_own_key(key: Key, spent: Spend, layers: Sequence[Layer]) -> OwnKey:
    """A key for who holds it. The `layers` are in the order of asking."""
    management = key.role == "admin" and not key.inference
    own = next((one.left for one in layers if one.budget is None), None)
    first = next((one for one in layers if one.left <= 0), None) or min(layers, key=lambda one: one.left, default=None)
    return {
        "label": key.label,
        **_spent(spent),
        **_limit(key, max(own, Decimal(0)) if own is not None else None),
        "budgets": [_layer(one) for one in layers],
        "effective_budget": _layer(first) if first is not None else None,
        "allowed_data_regions": ["global"],
        "free_model_daily_requests": {"limit": -1, "remaining": -1, "used": 0},
        "is_free_tier": False,
        "is_management_key": management,
        "is_provisioning_key": management,
        "creator_user_id": key.creator_user_id,
        "workspace_id": key.workspace_id,
        "organization_id": None,
        "expires_at": timestamp(key.expires_at) if key.expires_at else None,
        "rate_limit": {
            "requests": -1,
            "interval": "10s",
            "note": "Deprecated: requests_per_minute and tokens_per_minute say what the rate limits are.",
        },
        "role": key.role,
        "inference": key.inference,
        **_bounds(key),
    }


def _limit(key: Key, left: Decimal | None) -> _Limit:
    return {
        "limit": money(key.limit),
        "limit_remaining": money(left),
        "limit_reset": key.limit_reset,
        "include_byok_in_limit": key.include_byok_in_limit,
    }


def _bounds(key: Key) -> _Bounds:
    return {
        "allowed_presets": key.allowed_presets,
        "allowed_models": key.allowed_models,
        "allowed_providers": key.allowed_providers,
        "requests_per_minute": key.requests_per_minute,
        "tokens_per_minute": key.tokens_per_minute,
    }


def _spent(spent: Spend) -> _Spent:
    """What a key has spent, in US dollars. All spend is on the team's own provider keys, so both counts are equal."""
    return {
        "usage": money(spent.total),
        "usage_daily": money(spent.daily),
        "usage_weekly": money(spent.weekly),
        "usage_monthly": money(spent.monthly),
        "byok_usage": money(spent.total),
        "byok_usage_daily": money(spent.daily),
        "byok_usage_weekly": money(spent.weekly),
        "byok_usage_monthly": money(spent.monthly),
    }


def _layer(layer: Layer) -> ShownLayer:
    return {
        "scope": "key_limit" if layer.budget is None else "workspace",
        "budget_id": layer.budget.id if layer.budget is not None else None,
        "guardrail_id": None,
        "include_byok": True,
        "limit_usd": money(layer.limit),
        "spend_usd": money(layer.counted),
        "remaining_usd": money(layer.left),
        "reset_interval": layer.interval if layer.ends is not None else None,
        "resets_at": timestamp(layer.ends) if layer.ends is not None else None,
    }
