"""The books: a ledger of all tries that cost something, and its sums; limits of keys, budgets of workspaces.

The ledger begins with the generations that are there, as far as they tell what they cost.
"""

import json
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, localcontext
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import ColumnElement

revision = "0004"
down_revision = "0003"

_CHUNK = 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def upgrade() -> None:
    """New columns, new tables, and what can be booked of the past."""
    _keys_and_workspaces()
    _generations()
    _books()
    _allowances()
    with localcontext(Context(prec=100)):  # so that no sum is ever rounded
        _book_the_past(op.get_bind())


def _flag(name: str, default: ColumnElement[bool]) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False, server_default=default)


def _keys_and_workspaces() -> None:
    for column in (
        sa.Column("limit", sa.Text()),
        sa.Column("limit_reset", sa.Text()),
        _flag("include_byok_in_limit", sa.true()),
        sa.Column("allowed_presets", sa.Text()),
        sa.Column("allowed_models", sa.Text()),
        sa.Column("allowed_providers", sa.Text()),
        sa.Column("requests_per_minute", sa.BigInteger()),
        sa.Column("tokens_per_minute", sa.BigInteger()),
    ):
        op.add_column("keys", column)
    for column in (
        sa.Column("revision", sa.BigInteger(), nullable=False, server_default="0"),
        _flag("deleted", sa.false()),
        sa.Column("description", sa.Text()),
        sa.Column("default_text_model", sa.Text()),
        sa.Column("default_provider_sort", sa.Text()),
        _flag("include_byok_in_budgets", sa.true()),
        _flag("is_observability_io_logging_enabled", sa.false()),
        sa.Column("io_logging_sampling_rate", sa.Float(), nullable=False, server_default="1"),
        sa.Column("io_logging_api_key_ids", sa.Text()),
    ):
        op.add_column("workspaces", column)
    op.create_index(op.f("ix_workspaces_revision"), "workspaces", ["revision"])
    op.create_table(
        "budgets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("interval", sa.Text(), nullable=False),
        sa.Column("limit", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_budgets_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budgets")),
        sa.UniqueConstraint("workspace_id", "interval", name=op.f("uq_budgets_workspace_id_interval")),
    )


def _generations() -> None:
    for column in (
        sa.Column("user_id", sa.Text(), nullable=False, server_default=""),
        sa.Column("metadata", sa.Text()),
        sa.Column("trace", sa.Text()),
        sa.Column("cost_drift", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("usage_searches", sa.BigInteger()),
        sa.Column("usage_images", sa.BigInteger()),
    ):
        op.add_column("generations", column)
    op.execute("UPDATE generations SET usage_searches = 0, usage_images = 0 WHERE usage_input_tokens IS NOT NULL")
    op.execute(
        "UPDATE generations SET user_id = "
        "coalesce((SELECT creator_user_id FROM keys WHERE keys.digest = generations.key_digest), '')"
    )
    _facets()


def _facets() -> None:
    """What records are listed by takes the place of the indexes that some of it had."""
    op.create_table(
        "facets",
        sa.Column("id", sa.Integer(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger() if name == "preset_version" else sa.Text(), nullable=False)
            for name in _FACET
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_facets")),
        sa.UniqueConstraint(*_FACET, name="uq_facets"),
    )
    for by in (("preset_slug", "preset_version"), ("model",), ("provider",), ("status",)):
        columns = ["workspace_id", *by]
        op.create_index(op.f(f"ix_facets_{'_'.join(columns)}"), "facets", columns)
    op.add_column("generations", sa.Column("facet", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute(_LIST_THE_PAST)
    op.execute(_NAME_ITS_FACETS)
    for by in (("created_at",), ("key_digest", "created_at")):
        op.drop_index(op.f(f"ix_generations_{'_'.join(by)}"), "generations")
    for columns in (("workspace_id", "created_at", "id", "facet"), ("facet", "created_at", "id")):
        op.create_index(op.f(f"ix_generations_{'_'.join(columns)}"), "generations", columns)


_FACET = ("workspace_id", "key_digest", "preset_slug", "preset_version", "model", "provider", "status")
_LIST_THE_PAST = """
INSERT INTO facets (workspace_id, key_digest, preset_slug, preset_version, model, provider, status)
SELECT DISTINCT
    workspace_id, key_digest, coalesce(preset_slug, ''), coalesce(preset_version, 0), model, coalesce(provider, ''),
    status
FROM generations
"""
_NAME_ITS_FACETS = """
UPDATE generations SET facet = (
    SELECT facets.id FROM facets
    WHERE facets.workspace_id = generations.workspace_id AND facets.key_digest = generations.key_digest
    AND facets.preset_slug = coalesce(generations.preset_slug, '')
    AND facets.preset_version = coalesce(generations.preset_version, 0) AND facets.model = generations.model
    AND facets.provider = coalesce(generations.provider, '') AND facets.status = generations.status
)
"""


def _books() -> None:
    op.create_table(
        "ledger",
        sa.Column("generation_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("key_digest", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("preset_id", sa.Text()),
        sa.Column("preset_slug", sa.Text()),
        sa.Column("preset_version", sa.BigInteger()),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("provider_key_id", sa.Text()),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reserved", sa.Text()),
        sa.Column("cost", sa.Text()),
        sa.Column("provider_cost", sa.Text()),
        sa.Column("charged", sa.Text(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger()),
        sa.Column("output_tokens", sa.BigInteger()),
        sa.Column("cached_tokens", sa.BigInteger()),
        sa.Column("cache_write_tokens", sa.BigInteger()),
        sa.Column("reasoning_tokens", sa.BigInteger()),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("generation_id", "position", name=op.f("pk_ledger")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "activity",
        sa.Column("date", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("key_digest", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("preset_id", sa.Text(), nullable=False),
        sa.Column("preset_version", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("preset_slug", sa.Text()),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("requests", "attempts", "unknown_cost_requests")
        ),
        sa.Column("cost", sa.Text(), nullable=False),
        sa.Column("charged", sa.Text(), nullable=False),
        *(sa.Column(f"{name}_tokens", sa.BigInteger(), nullable=False) for name in _TOKENS),
        sa.PrimaryKeyConstraint(*_ACTIVITY, name=op.f("pk_activity")),
        sqlite_with_rowid=False,
    )


def _allowances() -> None:
    op.create_table(
        "spend",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("cost", sa.Text(), nullable=False),
        sa.Column("charged", sa.Text(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("unknown_cost_requests", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "period", name=op.f("pk_spend")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "leases",
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("amount", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("holder", "scope", "period", name=op.f("pk_leases")),
    )
    op.create_index(op.f("ix_leases_scope_period"), "leases", ["scope", "period"])
    op.create_table(
        "rates",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("minute", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "minute", name=op.f("pk_rates")),
    )
    op.create_index(op.f("ix_rates_minute"), "rates", ["minute"])
    op.create_table(
        "contents",
        sa.Column("generation_id", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("input", sa.Text(), nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("generation_id", name=op.f("pk_contents")),
    )
    op.create_index(op.f("ix_contents_created_at"), "contents", ["created_at"])


# --- the past ------------------------------------------------------------------------------------------------

_TOKENS = ("input", "output", "cached", "reasoning")
_ACTIVITY = (
    *("date", "workspace_id", "key_digest", "user_id", "preset_id", "preset_version"),
    *("model", "provider", "endpoint"),
)
_USAGE = (
    *("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "cache_write_1h_tokens"),
    *("reasoning_tokens", "input_audio_tokens", "output_audio_tokens", "image_tokens", "estimated"),
)
_GENERATION = (
    *("id", "created_at", "status", "workspace_id", "key_digest", "user_id", "preset_id", "preset_slug"),
    *("preset_version", "provider_cost", "attempts", "cost_total"),
    *(f"usage_{name}" for name in _USAGE),
)
_COUNTS = ("requests", "attempts", "unknown_cost_requests", *(f"{name}_tokens" for name in _TOKENS))


def _table(name: str, columns: tuple[str, ...]) -> sa.Table:
    return sa.Table(name, sa.MetaData(), *(sa.Column(column, sa.types.NullType()) for column in columns))


def _book_the_past(connection: sa.Connection) -> None:
    generations = _table("generations", _GENERATION)
    ledger = _table("ledger", _LEDGER)
    days: dict[tuple[Any, ...], dict[str, Any]] = {}
    spent: dict[tuple[str, str], dict[str, Any]] = {}
    last = ""
    while True:
        query = sa.select(generations).where(generations.c.id > last).order_by(generations.c.id).limit(_CHUNK)
        found = connection.execute(query).all()
        if not found:
            break
        last = found[-1].id
        booked: list[list[dict[str, Any]]] = []
        for generation in found:
            attempts = _told(generation)
            if attempts != json.loads(generation.attempts):
                text = json.dumps(attempts)
                connection.execute(sa.update(generations).where(generations.c.id == generation.id), {"attempts": text})
            if entries := _entries(generation, attempts):
                _add(entries, days, spent)
                booked.append(entries)
        rows = [{name: entry[name] for name in _LEDGER} for entries in booked for entry in entries]
        if rows:
            connection.execute(sa.insert(ledger), rows)
    activity = _table("activity", (*_ACTIVITY, "preset_slug", *_COUNTS, "cost", "charged"))
    if days:
        connection.execute(
            sa.insert(activity), [dict(zip(_ACTIVITY, key, strict=True)) | _written(day) for key, day in days.items()]
        )
    sums = _table("spend", ("scope", "period", *_SPEND))
    if spent:
        connection.execute(
            sa.insert(sums),
            [{"scope": scope, "period": period, **_written(one)} for (scope, period), one in spent.items()],
        )


_LEDGER = (
    *("generation_id", "position", "at", "workspace_id", "key_digest", "user_id", "preset_id", "preset_slug"),
    *("preset_version", "model", "provider", "provider_key_id", "endpoint", "outcome", "cost", "provider_cost"),
    *("charged", "input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens"),
    "estimated",
)
_SPEND = ("cost", "charged", "requests", "unknown_cost_requests", "last_at")


def _told(generation: Any) -> list[dict[str, Any]]:
    """The tries of one generation: where the last of them does not say what its answer used and cost, it does now."""
    attempts: list[dict[str, Any]] = json.loads(generation.attempts)
    last = attempts[-1] if attempts else {}
    if last and generation.status != "failed" and last.get("usage") is None and last.get("cost") is None:
        cost = generation.cost_total if generation.cost_total is not None else generation.provider_cost
        last |= {"cost": cost, "provider_cost": generation.provider_cost}
        if generation.usage_input_tokens is not None:
            last["usage"] = {name: getattr(generation, f"usage_{name}") for name in _USAGE}
            last["usage"]["estimated"] = bool(generation.usage_estimated)
        last["uncounted"] = cost is None and generation.usage_input_tokens is None
    return attempts


def _entries(generation: Any, attempts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The ledger's rows of one generation: its tries that were counted, and the last one if that was answered."""
    entries: list[dict[str, Any]] = []
    for position, attempt in enumerate(attempts):
        is_last = position == len(attempts) - 1
        usage: dict[str, Any] = attempt.get("usage") or {}
        cost = attempt.get("cost")
        if not usage and cost is None and not attempt.get("uncounted"):
            continue
        broke = "answered" if generation.usage_input_tokens is not None else "abandoned"
        ending = {"completed": "answered", "failed": broke}.get(generation.status, generation.status)
        entries.append(
            {
                **{name: getattr(generation, name) for name in _SAME},
                "generation_id": generation.id,
                "position": position,
                "at": generation.created_at,
                "model": attempt["model"],
                "provider": attempt["provider"],
                "provider_key_id": attempt.get("key_id"),
                "endpoint": f"{attempt['tag']}/{attempt['upstream_model']}",
                "outcome": ending if is_last else "abandoned",
                "cost": cost,
                "provider_cost": attempt.get("provider_cost"),
                "charged": cost if cost is not None else "0",
                **{f"{kind}_tokens": usage.get(f"{kind}_tokens") for kind in _KINDS},
                "estimated": bool(usage.get("estimated")),
            }
        )
    return entries


_KINDS = ("input", "output", "cached", "cache_write", "reasoning")
_SAME = ("workspace_id", "key_digest", "user_id", "preset_id", "preset_slug", "preset_version")


def _add(
    entries: list[dict[str, Any]], days: dict[tuple[Any, ...], dict[str, Any]], spent: dict[tuple[str, str], Any]
) -> None:
    """Count the rows of one generation: the request itself once, with the last of them."""
    unknown = any(entry["cost"] is None for entry in entries)
    for position, entry in enumerate(entries):
        is_last = position == len(entries) - 1
        at = _EPOCH + timedelta(microseconds=entry["at"])
        place = {**entry, "date": f"{at:%Y-%m-%d}"}
        place |= {"preset_id": entry["preset_id"] or "", "preset_version": entry["preset_version"] or 0}
        nothing: dict[str, Any] = {"cost": Decimal(0), "charged": Decimal(0)}
        day = days.setdefault(
            tuple(place[name] for name in _ACTIVITY),
            nothing | dict.fromkeys(_COUNTS, 0) | {"preset_slug": entry["preset_slug"]},
        )
        _count(day, entry, is_last=is_last, unknown=unknown)
        day["attempts"] += 1
        for kind in _TOKENS:
            day[f"{kind}_tokens"] += entry[f"{kind}_tokens"] or 0
        for scope in (f"key:{entry['key_digest']}", f"workspace:{entry['workspace_id']}"):
            for period in (f"{at:%Y-%m-%d}", f"{at:%G-W%V}", f"{at:%Y-%m}", "ever"):
                zero = nothing | {"requests": 0, "unknown_cost_requests": 0, "last_at": entry["at"]}
                one = spent.setdefault((scope, period), zero)
                _count(one, entry, is_last=is_last, unknown=unknown)
                one["last_at"] = max(one["last_at"], entry["at"])


def _count(sums: dict[str, Any], entry: dict[str, Any], *, is_last: bool, unknown: bool) -> None:
    sums["cost"] += Decimal(entry["cost"] or 0)
    sums["charged"] += Decimal(entry["charged"])
    sums["requests"] += is_last
    sums["unknown_cost_requests"] += is_last and unknown


def _written(sums: dict[str, Any]) -> dict[str, Any]:
    return sums | {name: str(sums[name]) for name in ("cost", "charged")}
