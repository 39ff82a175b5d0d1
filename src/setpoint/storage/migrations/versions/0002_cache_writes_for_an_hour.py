"""Tokens that a provider's cache keeps for an hour, which have a price of their own.

What was written to a cache before this migration was counted without that difference.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """One more count of every usage; of those that are there it is 0."""
    op.add_column("generations", sa.Column("usage_cache_write_1h_tokens", sa.BigInteger(), nullable=True))
    op.execute("UPDATE generations SET usage_cache_write_1h_tokens = 0 WHERE usage_input_tokens IS NOT NULL")
