"""Workspaces and their budgets where they lie: found, changed, and gone with all that could still be used in them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from setpoint.errors import RequestError
from setpoint.records import Interval, KeyTerms
from setpoint.storage import budgets, keys, loading, presets, provider_keys, tables, workspaces
from setpoint.storage.revisions import read_revision
from support import records
from support.sealed import SEALER

if TYPE_CHECKING:
    from datetime import datetime

    from setpoint.records import Workspace
    from setpoint.storage.database import Database
    from setpoint.storage.workspaces import Owner

Save = Callable[..., "Workspace"]


@pytest.fixture
def save(database: Database, owner: Owner) -> Save:
    """Saves a workspace in a transaction of its own: `save("w2", slug=…)`."""

    def make(id_: str, **given: Any) -> Workspace:
        with database.write() as connection:
            return workspaces.save(connection, records.workspace(id_, owner_id=owner.user_id, **given))

    return make


def find(database: Database, named: str) -> Workspace | None:
    with database.read() as connection:
        return workspaces.get(connection, named)


def put(
    database: Database, workspace: Workspace, now: datetime, interval: Interval, limit: str, byok: bool | None = None
) -> Workspace:
    with database.write() as connection:
        return budgets.put(
            connection,
            workspace,
            interval,
            Decimal(limit),
            include_byok=byok,
            new_id=lambda: f"{workspace.id} {interval}",
            now=now,
        )


def loaded_since(database: Database, revision: int) -> loading.Loaded:
    with database.read() as connection:
        return loading.load_since(connection, revision, SEALER)


def revision_of(database: Database) -> int:
    with database.read() as connection:
        return read_revision(connection)


def test_a_workspace_comes_back_as_it_was_saved(database: Database, save: Save) -> None:
    made = save(
        "w2",
        slug="team",
        name="The team \u00e9",
        description="a\nb",
        default_text_model="acme/sage",
        default_provider_sort="latency",
        include_byok_in_budgets=False,
        is_observability_io_logging_enabled=True,
        io_logging_sampling_rate=0.0001,
        io_logging_api_key_ids=("d" * 64,),
    )
    assert find(database, "w2") == find(database, "team") == made
    assert loaded_since(database, made.revision - 1).workspaces == [made]
    for nobody in ("Team", "", "\ud800", "w2\0"):
        assert find(database, nobody) is None


def test_an_id_comes_before_a_slug(database: Database, save: Save) -> None:
    save("w2", slug="w3")
    third = save("w3", slug="third")
    assert find(database, "w3") == third


def test_what_changes_nothing_is_heard_of_by_nobody(database: Database, save: Save, now: datetime) -> None:
    made = save("w2")
    later = now + timedelta(seconds=1)
    with database.write() as connection:
        assert workspaces.update(connection, made, {"name": "w2"}, now=later) is made
        changed = workspaces.update(connection, made, {"name": "we", "slug": "us"}, now=later)
    assert (changed.name, changed.slug, changed.updated_at, changed.revision) == ("we", "us", later, made.revision + 1)
    assert loaded_since(database, made.revision).workspaces == [changed]


def test_a_slug_that_is_taken_is_a_conflict(database: Database, save: Save, now: datetime) -> None:
    save("w2", slug="team")
    other = save("w3")
    with pytest.raises(RequestError) as caught:
        save("w4", slug="team")
    assert caught.value.type == "conflict"
    with pytest.raises(RequestError) as caught, database.write() as connection:
        workspaces.update(connection, other, {"slug": "team"}, now=now)
    assert caught.value.type == "conflict"
    assert find(database, "w3") == other


def test_pages_are_of_the_oldest_first(database: Database, save: Save, owner: Owner, now: datetime) -> None:
    for number, ago in (("a", 3), ("b", 1), ("c", 2)):
        save(number, created_at=now - timedelta(days=ago))

    def listed(only: str | None, offset: int, limit: int) -> tuple[list[str], int]:
        with database.read() as connection:
            rows, total = workspaces.list_workspaces(connection, only=only, offset=offset, limit=limit)
        return [row.id for row in rows], total

    assert listed(None, 0, 9) == (["a", "c", "b", owner.workspace_id], 4)
    assert listed(None, 1, 2) == (["c", "b"], 4)
    assert listed("b", 0, 9) == (["b"], 1)
    assert listed("b", 1, 9) == ([], 1)


# --- the end -------------------------------------------------------------------------------------------------


def test_a_deleted_workspace_takes_with_it_what_could_be_used_in_it(
    database: Database, save: Save, owner: Owner, now: datetime
) -> None:
    gone, stays = save("w2", slug="team"), save("w3")
    other = owner.workspace_id
    with database.write() as connection:
        for workspace in (gone.id, stays.id):
            rests = {"workspace_id": workspace, "creator_user_id": owner.user_id}
            keys.save(connection, records.key(digest=f"off-{workspace}", disabled=True, **rests))
            keys.save(connection, records.key(digest=f"old-{workspace}", expires_at=now, **rests))
        for workspace in (gone.id, stays.id, None):
            provider_keys.save(
                connection,
                SEALER,
                key_id=f"of-{workspace}",
                provider="openai",
                secret="sk-0123456789",
                label="...",
                terms=KeyTerms(),
                workspace_id=workspace,
                creator_user_id=owner.user_id,
                now=now,
            )
    gone = put(database, gone, now, "daily", "5")
    put(database, stays, now, "daily", "5")
    before = revision_of(database)
    with database.write() as connection:
        workspaces.delete(connection, gone, now=now)

    heard = loaded_since(database, before)
    assert [(one.id, one.deleted, one.budgets) for one in heard.workspaces] == [("w2", True, ())]
    assert sorted(key.digest for key in heard.keys if key.deleted) == ["off-w2", "old-w2"]
    assert [(row.id, row.deleted, row.key) for row in heard.provider_keys] == [("of-w2", True, None)]
    with database.read() as connection:
        everything = loading.load(connection, SEALER)
        assert {one.id for one in everything.workspaces} == {other, "w3"}
        assert sorted(key.digest for key in everything.keys) == ["off-w3", "old-w3"]
        assert sorted(row.id for row in everything.provider_keys) == ["of-None", "of-w3"]
        assert not workspaces.exists(connection, "w2")
        assert connection.scalars(sa.select(tables.budgets.c.workspace_id)).all() == ["w3"]
    with closing(sqlite3.connect(database.path)) as file:
        assert file.execute("SELECT sealed FROM provider_keys WHERE id = 'of-w2'").fetchall() == [("",)]
    for nobody in ("w2", "team", ":w2"):
        assert find(database, nobody) is None
    assert save("w4", slug="team").id == "w4"
    with pytest.raises(RequestError) as caught, database.write() as connection:
        presets.save_version(
            connection,
            workspace_id="w2",
            slug="late",
            creator_id=owner.user_id,
            config=b"{}",
            system_prompt=None,
            now=now,
            new_id=lambda: "p9",
        )
    assert caught.value.type == "not_found"


def test_keys_that_work_hold_a_workspace(database: Database, save: Save, owner: Owner, now: datetime) -> None:
    made = save("w2")

    def delete(at: datetime) -> None:
        with database.write() as connection:
            workspaces.delete(connection, made, now=at)

    with database.write() as connection:
        mine = {"workspace_id": "w2", "creator_user_id": owner.user_id}
        keys.save(connection, records.key(digest="ends", expires_at=now, **mine))
        keys.save(connection, records.key(digest="off", disabled=True, **mine))
    with pytest.raises(RequestError, match="one active key") as caught:
        delete(now - timedelta(microseconds=1))
    assert caught.value.type == "conflict"
    delete(now)
    assert find(database, "w2") is None


# --- budgets -------------------------------------------------------------------------------------------------


def test_budgets_are_loaded_with_their_workspace_the_broadest_first(
    database: Database, save: Save, now: datetime
) -> None:
    made, other = save("w2"), save("w3")
    limits: tuple[tuple[Interval, str], ...] = (("daily", "1"), ("lifetime", "4"), ("weekly", "2"), ("monthly", "3"))
    for interval, limit in limits:
        made = put(database, made, now, interval, limit)
    expected = [("lifetime", 4), ("monthly", 3), ("weekly", 2), ("daily", 1)]
    [heard] = loaded_since(database, other.revision).workspaces
    assert heard == made == find(database, "w2")
    assert [(one.interval, one.limit) for one in heard.budgets] == expected
    with database.read() as connection:
        everything = {one.id: len(one.budgets) for one in workspaces.read_since(connection, None)}
    assert (everything["w2"], everything["w3"]) == (4, 0)


def test_however_many_workspaces_are_loaded_at_once(database: Database, owner: Owner, now: datetime) -> None:
    """More than a statement can name one by one."""
    made = {"name": "w", "is_default": False, "owner_id": owner.user_id, "created_at": now, "updated_at": now}
    with database.write() as connection:
        rows = [{"id": f"w{number}", "slug": f"w{number}", **made} for number in range(33_000)]
        connection.execute(sa.insert(tables.workspaces), rows)
    with database.read() as connection:
        assert len(workspaces.read_since(connection, None)) == 33_001


def test_a_budget_that_is_put_again_keeps_who_it_is(database: Database, save: Save, now: datetime) -> None:
    made = put(database, save("w2"), now, "daily", "1")
    later = now + timedelta(days=1)
    [same] = put(database, made, later, "daily", "1.0").budgets
    assert same == made.budgets[0]
    [changed] = (again := put(database, made, later, "daily", "2", byok=False)).budgets
    assert (changed.id, changed.limit, changed.created_at, changed.updated_at) == (same.id, 2, now, later)
    assert again.include_byok_in_budgets is False
    assert put(database, again, later, "daily", "3").include_byok_in_budgets is False
    before = revision_of(database)
    with database.write() as connection:
        budgets.delete(connection, again, "weekly")
        assert read_revision(connection) == before, "there was none"
        budgets.delete(connection, again, "daily")
    [heard] = loaded_since(database, before).workspaces
    assert heard.budgets == ()


def test_each_pair_of_budgets_is_in_the_order_of_their_intervals(database: Database, save: Save, now: datetime) -> None:
    narrowest_first: list[Interval] = ["daily", "weekly", "monthly", "lifetime"]
    for (place, taken), (other, interval) in product(enumerate(narrowest_first), repeat=2):
        made = put(database, save(f"{taken}-{interval}"), now, taken, "10")
        for limit, order in (("9.999", -1), ("10", 0), ("10.001", 1)):
            if place == other or (other - place) * order > 0:
                put(database, made, now, interval, limit)
            else:
                with pytest.raises(RequestError, match=rf"the {taken} budget, which is \$10\.00"):
                    put(database, made, now, interval, limit)
