"""The tables, as they are now. How an older database becomes like this is in `migrations/`.

Whatever is added here needs a migration, and the other way round; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
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
    Column("id", Text, primary_key=True),
    Column("slug", Text, nullable=False, unique=True),
    Column("name", FreeText, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("owner_id", Text, ForeignKey(users.c.id), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
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
    Index(None, "created_at"),
    Index(None, "key_digest", "created_at"),
)
