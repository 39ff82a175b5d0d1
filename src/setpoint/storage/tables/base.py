"""The metadata that all tables belong to, and the number of the last write."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table

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
