"""Provider keys that were added: sealed where they lie, opened where they are used, gone when they are deleted."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from random import SystemRandom
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from msgspec import structs

from setpoint.records import AddedKey, KeyTerms
from setpoint.storage import loading, provider_keys, tables, workspaces
from setpoint.storage.sealing import Sealer
from support import records
from support.sealed import SEALER

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from setpoint.storage.database import Database
    from setpoint.storage.workspaces import Owner

SECRET = "sk-proj-0123456789abcdef"
OTHER = Sealer(b"another secret", SystemRandom())

Save = Callable[..., AddedKey]


@pytest.fixture
def save(database: Database, owner: Owner, new_id: Callable[[], str], now: datetime) -> Save:
    """Adds a key in a transaction of its own: `save("openai", secret=…, terms=…)`."""

    def make(provider: str = "openai", **given: Any) -> AddedKey:
        everything: dict[str, Any] = {
            "key_id": new_id(),
            "provider": provider,
            "secret": SECRET,
            "label": "sk...def",
            "terms": KeyTerms(),
            "workspace_id": None,
            "creator_user_id": owner.user_id,
            "now": now,
        }
        with database.write() as connection:
            return provider_keys.save(connection, SEALER, **(everything | given))

    return make


def find(database: Database, key_id: str, sealer: Sealer = SEALER) -> AddedKey | None:
    with database.read() as connection:
        return provider_keys.get(connection, sealer, key_id)


def test_a_key_comes_back_as_it_was_added(database: Database, save: Save, owner: Owner) -> None:
    terms = KeyTerms(
        name="for the app \u00e9",
        disabled=True,
        is_fallback=True,
        allowed_models=("openai/gpt-4o",),
        allowed_api_key_hashes=("0" * 64,),
        allowed_user_ids=("user_1",),
        declared_region="europe",
        declared_zdr=False,
        is_required=True,
    )
    plain, full = save(), save(terms=terms, workspace_id=owner.workspace_id)
    assert find(database, plain.id) == plain
    assert find(database, full.id) == full
    assert full.key is not None
    assert (full.key.secret, full.key.zdr) == (SECRET, False)
    assert full.key.id.startswith(f"{full.id}:")
    assert SECRET not in repr(full)
    assert find(database, "nobodys") is None


def test_nothing_that_lies_in_the_file_is_the_key(database: Database, save: Save, database_path: Path) -> None:
    save()
    database.close()
    files = b"".join(path.read_bytes() for path in database_path.parent.iterdir())
    assert SECRET.encode() not in files
    assert SECRET[6:-4].encode() not in files
    assert b"v1." in files


def test_keys_of_a_provider_get_their_places_one_behind_the_other(
    database: Database, save: Save, owner: Owner, now: datetime
) -> None:
    first, second, other = save(), save(), save("groq")
    assert [key.sort_order for key in (first, second, other)] == [0, 1, 0]
    fallback = save("groq", terms=KeyTerms(is_fallback=True))
    last = save("groq")
    with database.write() as connection:
        provider_keys.delete(connection, second.id, now=now)
    assert save().sort_order == 1
    with database.read() as connection:
        everything, total = provider_keys.list_keys(
            connection, SEALER, owner.workspace_id, everyones=True, provider=None, offset=0, limit=9
        )
        page, of_provider = provider_keys.list_keys(
            connection, SEALER, owner.workspace_id, everyones=True, provider="groq", offset=1, limit=1
        )
    assert [key.id for key in everything][:3] == [other.id, last.id, fallback.id]
    assert (total, of_provider, page) == (5, 3, [last])


def test_keys_of_another_workspace_are_not_listed(database: Database, save: Save, owner: Owner) -> None:
    mine, everyones = save(workspace_id=owner.workspace_id), save()

    def listed(workspace: str, *, everyones: bool) -> tuple[list[AddedKey], int]:
        with database.read() as connection:
            return provider_keys.list_keys(
                connection, SEALER, workspace, everyones=everyones, provider=None, offset=0, limit=9
            )

    assert listed(owner.workspace_id, everyones=True) == ([mine, everyones], 2)
    assert listed(owner.workspace_id, everyones=False) == ([mine], 1)
    assert listed("another", everyones=True) == ([everyones], 1)
    assert listed("another", everyones=False) == ([], 0)


def test_a_place_tells_nothing_of_another_workspaces_keys(database: Database, save: Save, owner: Owner) -> None:
    with database.write() as connection:
        workspaces.save(connection, records.workspace("w2", owner_id=owner.user_id))
    for _ in range(3):
        save(workspace_id=owner.workspace_id)
    assert [save(workspace_id="w2").sort_order for _ in range(2)] == [0, 1]
    assert save().sort_order == 3
    assert save(workspace_id="w2").sort_order == 4


def test_a_key_is_changed_in_place(database: Database, save: Save, now: datetime) -> None:
    key = save()
    with database.write() as connection:
        renamed = provider_keys.update(connection, SEALER, key, terms=KeyTerms(name="n"), now=now)
    assert (renamed.key, renamed.label, renamed.terms.name) == (key.key, key.label, "n")
    assert renamed.revision > key.revision
    with database.write() as connection:
        declared = provider_keys.update(connection, SEALER, renamed, terms=KeyTerms(declared_zdr=True), now=now)
    assert key.key is not None
    assert declared.key == structs.replace(key.key, zdr=True), "what is known of the key is still known"
    with database.write() as connection:
        rotated = provider_keys.update(
            connection, SEALER, renamed, terms=renamed.terms, secret="another-0123456789", label="ano...", now=now
        )
    assert rotated == find(database, key.id)
    assert rotated.key is not None
    assert (rotated.id, rotated.key.secret, rotated.label) == (key.id, "another-0123456789", "ano...")
    assert rotated.key.id != key.key.id, "what was said of the old one is over"


def test_a_deleted_key_leaves_nothing_sealed_and_is_heard_of(database: Database, save: Save, now: datetime) -> None:
    key = save()
    with database.write() as connection:
        provider_keys.delete(connection, key.id, now=now)
    assert find(database, key.id) is None
    with database.read() as connection:
        assert connection.execute(sa.select(tables.provider_keys.c.sealed)).scalar_one() == ""
        assert loading.load(connection, SEALER).provider_keys == []
        (heard,) = loading.load_since(connection, key.revision, SEALER).provider_keys
    assert (heard.id, heard.deleted, heard.key) == (key.id, True, None)


def test_another_secret_lists_what_it_cannot_open(database: Database, save: Save) -> None:
    key = save()
    closed = find(database, key.id, OTHER)
    assert closed is not None
    assert closed.key is None
    assert closed.label == key.label
    with database.read() as connection:
        assert provider_keys.count_closed(connection, SEALER) == 0
        assert provider_keys.count_closed(connection, OTHER) == 1
        assert [one.key for one in loading.load(connection, OTHER).provider_keys] == [None]


def test_a_sealed_key_that_is_moved_to_another_row_is_not_used(
    database: Database, save: Save, database_path: Path
) -> None:
    cheap, dear = save("groq", secret="of-groq-0123456789"), save("openai")
    with closing(sqlite3.connect(database_path)) as raw:
        raw.execute(
            "UPDATE provider_keys SET sealed = (SELECT sealed FROM provider_keys WHERE id = ?) WHERE id = ?",
            (dear.id, cheap.id),
        )
        raw.commit()
    moved = find(database, cheap.id)
    assert moved is not None
    assert moved.key is None
