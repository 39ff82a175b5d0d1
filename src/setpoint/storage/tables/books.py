"""The ledger, its sums, and what is taken of allowances."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Table, Text

from setpoint.storage.columns import FreeText, Moment, Money
from setpoint.storage.tables.base import metadata

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
