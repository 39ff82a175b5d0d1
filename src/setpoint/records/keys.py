"""Who may do what, and use how much: API keys, workspaces and their budgets."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal, get_args

from msgspec import Struct

from setpoint.records.models import Sort

Role = Literal["admin", "editor", "caller", "read_only"]
Reset = Literal["daily", "weekly", "monthly"]
"""After what time a limit is whole again: at 00:00 UTC, on Mondays, on the first."""
Interval = Literal["lifetime", "monthly", "weekly", "daily"]
"""What a budget is for, the broadest first."""
INTERVALS: tuple[Interval, ...] = get_args(Interval)
"""All of them."""


class Key(Struct, frozen=True, kw_only=True):
    """An API key, without the key: only the SHA-256 `digest` (lower-case hex) is ever kept.

    `label` is the masked form for people. `inference` false takes calling away from any role. `deleted` marks a key
    that is gone but whose row stays, so that every snapshot hears of it and old generations keep their owner.
    `limit` is in US dollars, for as long as `limit_reset` says, None for ever. All spend is on the team's own provider
    keys, so it counts whatever `include_byok_in_limit` says, which is kept for its owner. An `allowed_` list that is
    None allows everything. None of the rest: no limit.
    """

    digest: str
    name: str
    label: str
    role: Role
    inference: bool = True
    disabled: bool = False
    deleted: bool = False
    workspace_id: str
    creator_user_id: str
    created_at: datetime
    updated_at: datetime | None = None
    expires_at: datetime | None = None
    revision: int = 0
    limit: Decimal | None = None
    limit_reset: Reset | None = None
    include_byok_in_limit: bool = True
    allowed_presets: tuple[str, ...] | None = None
    allowed_models: tuple[str, ...] | None = None
    allowed_providers: tuple[str, ...] | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


class Budget(Struct, frozen=True, kw_only=True):
    """What a workspace may spend in each `interval`, in US dollars."""

    id: str
    workspace_id: str
    interval: Interval
    limit: Decimal
    created_at: datetime
    updated_at: datetime


class Workspace(Struct, frozen=True, kw_only=True):
    """Who keys, presets, provider keys and records belong to. A deleted one's row stays, as a key's does.

    `default_text_model` is for requests that name no model, `default_provider_sort` for those that ask for no order;
    None: as the settings of the server have it. Where `is_observability_io_logging_enabled`, what is asked and answered
    is kept of a share of requests, the `io_logging_sampling_rate`, with the keys that are listed by digest, None: all.
    All spend is on the team's own provider keys, so budgets count it whatever `include_byok_in_budgets` says, which is
    kept for its owner. The broadest budget is first.
    """

    id: str
    slug: str
    name: str
    is_default: bool
    owner_id: str
    created_at: datetime
    updated_at: datetime
    revision: int
    deleted: bool = False
    description: str | None = None
    default_text_model: str | None = None
    default_provider_sort: Sort | None = None
    include_byok_in_budgets: bool = True
    is_observability_io_logging_enabled: bool = False
    io_logging_sampling_rate: float = 1
    io_logging_api_key_ids: tuple[str, ...] | None = None
    budgets: tuple[Budget, ...] = ()
