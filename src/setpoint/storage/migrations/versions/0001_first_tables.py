"""The first tables.

A migration is never changed once it has been released, so it says everything itself and imports nothing of ours. There
is no way down: the copy that was made before the upgrade is the way back.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Every table, and the one row that counts revisions."""
    counter = op.create_table(
        "revision",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revision")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_table(
        "workspaces",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_workspaces_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workspaces")),
        sa.UniqueConstraint("slug", name=op.f("uq_workspaces_slug")),
    )
    op.create_table(
        "keys",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("inference", sa.Boolean(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("creator_user_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger()),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["creator_user_id"], ["users.id"], name=op.f("fk_keys_creator_user_id")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_keys_workspace_id")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_keys")),
    )
    op.create_index(op.f("ix_keys_revision"), "keys", ["revision"])
    op.create_index(op.f("ix_keys_workspace_id_created_at"), "keys", ["workspace_id", "created_at"])
    op.create_table(
        "presets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("creator_user_id", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("designated_version", sa.BigInteger(), nullable=False),
        sa.Column("latest_version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("status_updated_at", sa.BigInteger()),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["creator_user_id"], ["users.id"], name=op.f("fk_presets_creator_user_id")),
        sa.ForeignKeyConstraint(
            ["id", "designated_version"],
            ["versions.preset_id", "versions.version"],
            name="fk_presets_designated_version",
            initially="DEFERRED",
            deferrable=True,
            use_alter=True,
        ),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_presets_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_presets")),
        sa.UniqueConstraint("workspace_id", "slug", name=op.f("uq_presets_workspace_id_slug")),
    )
    op.create_index(op.f("ix_presets_revision"), "presets", ["revision"])
    op.create_index(
        op.f("ix_presets_workspace_id_updated_at_revision"), "presets", ["workspace_id", "updated_at", "revision"]
    )
    op.create_table(
        "versions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("preset_id", sa.Text(), nullable=False),
        sa.Column("creator_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("system_prompt", sa.Text()),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["creator_id"], ["users.id"], name=op.f("fk_versions_creator_id")),
        sa.ForeignKeyConstraint(["preset_id"], ["presets.id"], name=op.f("fk_versions_preset_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_versions")),
        sa.UniqueConstraint("preset_id", "version", name=op.f("uq_versions_preset_id_version")),
    )
    op.create_table(
        "generations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("skin", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("key_digest", sa.Text(), nullable=False),
        sa.Column("requested_model", sa.Text()),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text()),
        sa.Column("provider_name", sa.Text()),
        sa.Column("preset_id", sa.Text()),
        sa.Column("preset_slug", sa.Text()),
        sa.Column("preset_version", sa.BigInteger()),
        sa.Column("version_id", sa.Text()),
        sa.Column("system_prompt_from", sa.Text()),
        sa.Column("streamed", sa.Boolean(), nullable=False),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.Column("finish_reason", sa.Text()),
        sa.Column("native_finish_reason", sa.Text()),
        sa.Column("error_type", sa.Text()),
        sa.Column("upstream_id", sa.Text()),
        sa.Column("provider_cost", sa.Text()),
        sa.Column("latency_ms", sa.BigInteger()),
        sa.Column("generation_ms", sa.BigInteger()),
        sa.Column("unsaid", sa.Text(), nullable=False),
        sa.Column("not_honoured", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text()),
        sa.Column("external_user", sa.Text()),
        sa.Column("http_referer", sa.Text()),
        sa.Column("app_title", sa.Text()),
        sa.Column("user_agent", sa.Text()),
        sa.Column("service_tier", sa.Text()),
        sa.Column("attempts", sa.Text(), nullable=False),
        sa.Column("usage_input_tokens", sa.BigInteger()),
        sa.Column("usage_output_tokens", sa.BigInteger()),
        sa.Column("usage_cached_tokens", sa.BigInteger()),
        sa.Column("usage_cache_write_tokens", sa.BigInteger()),
        sa.Column("usage_reasoning_tokens", sa.BigInteger()),
        sa.Column("usage_input_audio_tokens", sa.BigInteger()),
        sa.Column("usage_output_audio_tokens", sa.BigInteger()),
        sa.Column("usage_image_tokens", sa.BigInteger()),
        sa.Column("usage_estimated", sa.Boolean()),
        sa.Column("cost_prompt", sa.Text()),
        sa.Column("cost_completion", sa.Text()),
        sa.Column("cost_total", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_generations")),
    )
    op.create_index(op.f("ix_generations_created_at"), "generations", ["created_at"])
    op.create_index(op.f("ix_generations_key_digest_created_at"), "generations", ["key_digest", "created_at"])
    op.execute(sa.insert(counter).values(id=1, number=0))
