"""What a request could go to and why, answers that gave nothing, and keys of providers that are added by the API.

Of generations before this migration it is not known where else they could have gone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Three columns of every generation, and the table of provider keys."""
    op.add_column("generations", sa.Column("endpoints", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("generations", sa.Column("excluded", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("generations", sa.Column("zero_completion", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "provider_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("is_fallback", sa.Boolean(), nullable=False),
        sa.Column("sort_order", sa.BigInteger(), nullable=False),
        sa.Column("workspace_id", sa.Text()),
        sa.Column("allowed_models", sa.Text()),
        sa.Column("allowed_api_key_hashes", sa.Text()),
        sa.Column("allowed_user_ids", sa.Text()),
        sa.Column("declared_region", sa.Text()),
        sa.Column("declared_zdr", sa.Boolean()),
        sa.Column("is_byok_only", sa.Boolean(), nullable=False),
        sa.Column("is_required", sa.Boolean(), nullable=False),
        sa.Column("creator_user_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger()),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["creator_user_id"], ["users.id"], name=op.f("fk_provider_keys_creator_user_id")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_provider_keys_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_keys")),
    )
    op.create_index(op.f("ix_provider_keys_revision"), "provider_keys", ["revision"])
