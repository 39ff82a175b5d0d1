"""The tables, as they are now. How an older database becomes like this is in `migrations/`.

Whatever is added here needs a migration, and the other way round; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    true,
)

from setpoint.records import Attempt, Excluded, Planned
from setpoint.storage.columns import FreeText, Json, Moment, Money, Structs, Words

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

# The number of the last write that a snapshot has to hear of: one row. Every such write counts it up first, whereby
# writers of any engine take turns until they commit, and a lower number is never seen later than a higher one.
revision = Table(
    "revision",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", FreeText, nullable=False),
    Column("created_at", Moment, nullable=False),
)

workspaces = Table(
    "workspaces",
    metadata,
    Column("id", FreeText, primary_key=True),
    Column("slug", FreeText, nullable=False, unique=True),
    Column("name", FreeText, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("owner_id", Text, ForeignKey(users.c.id), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    # Younger than the others. A deleted workspace keeps its row, under a slug that nobody can ask for.
    Column("revision", BigInteger, nullable=False, server_default="0"),
    Column("deleted", Boolean, nullable=False, server_default=false()),
    Column("description", FreeText),
    Column("default_text_model", FreeText),
    Column("default_provider_sort", Text),
    Column("include_byok_in_budgets", Boolean, nullable=False, server_default=true()),
    Column("is_observability_io_logging_enabled", Boolean, nullable=False, server_default=false()),
    Column("io_logging_sampling_rate", Float, nullable=False, server_default="1"),
    Column("io_logging_api_key_ids", Words),
    Index(None, "revision"),
)

# What a workspace may spend in an interval.
budgets = Table(
    "budgets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workspace_id", Text, ForeignKey(workspaces.c.id), nullable=False),
    Column("interval", Text, nullable=False),
    Column("limit", Money, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    UniqueConstraint("workspace_id", "interval"),
)

keys = Table(
    "keys",
    metadata,
    Column("digest", FreeText, primary_key=True),
    Column("name", FreeText, nullable=False),
    Column("label", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("inference", Boolean, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("workspace_id", Text, ForeignKey(workspaces.c.id), nullable=False),
    Column("creator_user_id", Text, ForeignKey(users.c.id), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment),
    Column("expires_at", Moment),
    Column("revision", BigInteger, nullable=False),
    # Younger than the others.
    Column("limit", Money),
    Column("limit_reset", Text),
    Column("include_byok_in_limit", Boolean, nullable=False, server_default=true()),
    Column("allowed_presets", Words),
    Column("allowed_models", Words),
    Column("allowed_providers", Words),
    Column("requests_per_minute", BigInteger),
    Column("tokens_per_minute", BigInteger),
    Index(None, "revision"),
    Index(None, "workspace_id", "created_at"),
)

presets = Table(
    "presets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workspace_id", Text, ForeignKey(workspaces.c.id), nullable=False),
    Column("creator_user_id", Text, ForeignKey(users.c.id), nullable=False),
    Column("slug", Text, nullable=False),
    Column("name", FreeText, nullable=False),
    Column("description", FreeText),
    Column("status", Text, nullable=False),
    Column("designated_version", BigInteger, nullable=False),
    Column("latest_version", BigInteger, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("status_updated_at", Moment),
    Column("revision", BigInteger, nullable=False),
    UniqueConstraint("workspace_id", "slug"),
    # Checked at the commit, because a preset and its first version come into being together.
    ForeignKeyConstraint(
        ["id", "designated_version"],
        ["versions.preset_id", "versions.version"],
        name="fk_presets_designated_version",
        deferrable=True,
        initially="DEFERRED",
        use_alter=True,
    ),
    Index(None, "revision"),
    Index(None, "workspace_id", "updated_at", "revision"),
)

versions = Table(
    "versions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("preset_id", Text, ForeignKey(presets.c.id), nullable=False),
    Column("creator_id", Text, ForeignKey(users.c.id), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("system_prompt", Json),
    Column("config", Json, nullable=False),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("preset_id", "version"),
)

# Credentials for providers. `sealed` is the key itself, which only the secret key opens; empty once it is deleted.
provider_keys = Table(
    "provider_keys",
    metadata,
    Column("id", FreeText, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("name", FreeText),
    Column("label", FreeText, nullable=False),
    Column("sealed", Text, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("is_fallback", Boolean, nullable=False),
    Column("sort_order", BigInteger, nullable=False),
    Column("workspace_id", Text, ForeignKey(workspaces.c.id)),
    Column("allowed_models", Words),
    Column("allowed_api_key_hashes", Words),
    Column("allowed_user_ids", Words),
    Column("declared_region", FreeText),
    Column("declared_zdr", Boolean),
    Column("is_byok_only", Boolean, nullable=False),
    Column("is_required", Boolean, nullable=False),
    Column("creator_user_id", Text, ForeignKey(users.c.id), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment),
    Column("revision", BigInteger, nullable=False),
    Index(None, "revision"),
)

# Records outlive what they name, and must never be refused for its sake: no foreign keys here.
generations = Table(
    "generations",
    metadata,
    Column("id", FreeText, primary_key=True),
    Column("created_at", Moment, nullable=False),
    Column("skin", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("workspace_id", Text, nullable=False),
    Column("key_digest", Text, nullable=False),
    Column("requested_model", FreeText),
    Column("model", FreeText, nullable=False),
    Column("provider", FreeText),
    Column("provider_name", FreeText),
    Column("preset_id", Text),
    Column("preset_slug", FreeText),
    Column("preset_version", BigInteger),
    Column("version_id", Text),
    Column("system_prompt_from", Text),
    Column("streamed", Boolean, nullable=False),
    Column("cancelled", Boolean, nullable=False),
    Column("finish_reason", FreeText),
    Column("native_finish_reason", FreeText),
    Column("error_type", Text),
    Column("upstream_id", FreeText),
    Column("provider_cost", Money),
    Column("latency_ms", BigInteger),
    Column("generation_ms", BigInteger),
    Column("unsaid", Words, nullable=False),
    Column("not_honoured", Words, nullable=False),
    Column("session_id", FreeText),
    Column("external_user", FreeText),
    Column("http_referer", FreeText),
    Column("app_title", FreeText),
    Column("user_agent", FreeText),
    Column("service_tier", FreeText),
    Column("attempts", Structs(Attempt), nullable=False),
    # Of `usage`: all or none of them are null.
    Column("usage_input_tokens", BigInteger),
    Column("usage_output_tokens", BigInteger),
    Column("usage_cached_tokens", BigInteger),
    Column("usage_cache_write_tokens", BigInteger),
    Column("usage_reasoning_tokens", BigInteger),
    Column("usage_input_audio_tokens", BigInteger),
    Column("usage_output_audio_tokens", BigInteger),
    Column("usage_image_tokens", BigInteger),
    Column("usage_estimated", Boolean),
    # Of `cost`: likewise. Null is unknown, never nothing.
    Column("cost_prompt", Money),
    Column("cost_completion", Money),
    Column("cost_total", Money),
    # Of `usage`, too; younger than the others.
    Column("usage_cache_write_1h_tokens", BigInteger),
    Column("endpoints", Structs(Planned), nullable=False, server_default="[]"),
    Column("excluded", Structs(Excluded), nullable=False, server_default="[]"),
    Column("zero_completion", Boolean, nullable=False, server_default=false()),
    Column("user_id", Text, nullable=False, server_default=""),
    Column("metadata", Json),
    Column("trace", Json),
    Column("cost_drift", Boolean, nullable=False, server_default=false()),
    Column("usage_searches", BigInteger),
    Column("usage_images", BigInteger),
    Column("facet", BigInteger, nullable=False, server_default="0"),
    Index(None, "workspace_id", "created_at", "id", "facet"),
    Index(None, "facet", "created_at", "id"),
)

# What records are listed by: each combination that there is of them, once. Where there is no preset, or no provider,
# there is "" and 0.
facets = Table(
    "facets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("workspace_id", Text, nullable=False),
    Column("key_digest", Text, nullable=False),
    Column("preset_slug", FreeText, nullable=False),
    Column("preset_version", BigInteger, nullable=False),
    Column("model", FreeText, nullable=False),
    Column("provider", FreeText, nullable=False),
    Column("status", Text, nullable=False),
    UniqueConstraint(
        *("workspace_id", "key_digest", "preset_slug", "preset_version", "model", "provider", "status"),
        name="uq_facets",
    ),
    Index(None, "workspace_id", "preset_slug", "preset_version"),
    Index(None, "workspace_id", "model"),
    Index(None, "workspace_id", "provider"),
    Index(None, "workspace_id", "status"),
)

# The ledger: one row for each try that cost something or may have. It comes with its generation, once, and outlives it.
# Here and in its sums a row lies in the tree of its key, where the engine can do so: half of the work of a write.
ledger = Table(
    "ledger",
    metadata,
    Column("generation_id", FreeText, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("workspace_id", Text, nullable=False),
    Column("key_digest", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("preset_id", Text),
    Column("preset_slug", FreeText),
    Column("preset_version", BigInteger),
    Column("model", FreeText, nullable=False),
    Column("provider", FreeText, nullable=False),
    Column("provider_key_id", FreeText),
    Column("endpoint", FreeText, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reserved", Money),
    Column("cost", Money),
    Column("provider_cost", Money),
    Column("charged", Money, nullable=False),
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("cached_tokens", BigInteger),
    Column("cache_write_tokens", BigInteger),
    Column("reasoning_tokens", BigInteger),
    Column("estimated", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

# Sums of the ledger, a row for each UTC day and whatever else people ask by. Where there is no preset its id is "".
activity = Table(
    "activity",
    metadata,
    Column("date", Text, primary_key=True),
    Column("workspace_id", Text, primary_key=True),
    Column("key_digest", Text, primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("preset_id", Text, primary_key=True),
    Column("preset_version", BigInteger, primary_key=True, autoincrement=False),
    Column("model", FreeText, primary_key=True),
    Column("provider", FreeText, primary_key=True),
    Column("endpoint", FreeText, primary_key=True),
    Column("preset_slug", FreeText),
    Column("requests", BigInteger, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("unknown_cost_requests", BigInteger, nullable=False),
    Column("cost", Money, nullable=False),
    Column("charged", Money, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Sums of the ledger for each allowance: `scope` is whose (`key:<digest>`, `workspace:<id>`), `period` which day, week,
# month (`2026-11-21`, `2026-W47`, `2026-11`), or `ever`.
spend = Table(
    "spend",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("cost", Money, nullable=False),
    Column("charged", Money, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("unknown_cost_requests", BigInteger, nullable=False),
    Column("last_at", Moment, nullable=False),
    sqlite_with_rowid=False,
)

# What processes have taken of allowances and not yet booked or given back. The holder is the name of a spool's folder.
leases = Table(
    "leases",
    metadata,
    Column("holder", Text, primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("amount", Money, nullable=False),
    Index(None, "scope", "period"),
)

# How much of what a key may do in a minute is taken: requests (`requests:<digest>`), tokens (`tokens:<digest>`).
rates = Table(
    "rates",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    Column("taken", BigInteger, nullable=False),
    Index(None, "minute"),
)

# What was asked and answered, where that is kept at all: raw JSON.
contents = Table(
    "contents",
    metadata,
    Column("generation_id", FreeText, primary_key=True),
    Column("workspace_id", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("input", Json, nullable=False),
    Column("output", Json),
    Column("error", Json),
    Index(None, "created_at"),
)
