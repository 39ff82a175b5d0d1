"""The tables, as they are now: a file for each kind, all of them under one name.

How an older database becomes like this is in `migrations/`. Whatever is added here needs a migration, and the other way
round; a test compares the two.
"""

from setpoint.storage.tables.base import metadata, revision
from setpoint.storage.tables.books import activity, leases, ledger, rates, spend
from setpoint.storage.tables.owners import budgets, keys, provider_keys, users, workspaces
from setpoint.storage.tables.records import contents, facets, generations
from setpoint.storage.tables.versioned import presets, versions

__all__ = [
    "activity",
    "budgets",
    "contents",
    "facets",
    "generations",
    "keys",
    "leases",
    "ledger",
    "metadata",
    "presets",
    "provider_keys",
    "rates",
    "revision",
    "spend",
    "users",
    "versions",
    "workspaces",
]
