"""Keys and their owner: found by digest, changed, deleted, ensured."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from setpoint.errors import RequestError
from setpoint.ids import key_digest
from setpoint.records import Key
from setpoint.storage import keys, loading, users, workspaces
from support.sealed import SEALER

if TYPE_CHECKING:
    from setpoint.storage.database import Database
    from setpoint.storage.workspaces import Owner


@pytest.fixture
def save(database: Database, owner: Owner, now: datetime) -> Callable[..., Key]:
    """Saves the key that is written so, in a transaction of its own: `save("sk-…", role=…)`."""

    def make(plain: str, **given: Any) -> Key:
        everything: dict[str, Any] = {
            "digest": key_digest(plain),
            "name": "mine",
            "label": "sk-sp-v1-abc...xyz",
            "role": "caller",
            "workspace_id": owner.workspace_id,
            "creator_user_id": owner.user_id,
            "created_at": now,
        }
        with database.write() as connection:
            return keys.save(connection, Key(**(everything | given)))

    return make


def find(database: Database, digest: str) -> Key | None:
    with database.read() as connection:
        return keys.get(connection, digest)


def test_key_is_found_by_its_digest_and_by_nothing_else(
    database: Database, save: Callable[..., Key], now: datetime
) -> None:
    first = save("sk-sp-v1-0000000000000000", expires_at=now + timedelta(microseconds=1))
    second = save("sk-sp-v1-0000000000000001", role="read_only", inference=False)
    assert find(database, first.digest) == first
    assert find(database, second.digest) == second
    assert (second.disabled, second.deleted, second.updated_at) == (False, False, None)
    for other in (first.digest[:20], first.digest.upper(), key_digest(first.digest), "\ud800", ""):
        assert find(database, other) is None


def test_key_keeps_what_it_may_spend_and_use_as_it_was_said(
    database: Database, save: Callable[..., Key], now: datetime
) -> None:
    bounds = {
        "limit": Decimal("0.1000000000000000000000000000000000001"),
        "limit_reset": "weekly",
        "include_byok_in_limit": False,
        "allowed_presets": ("one", "Two.3"),
        "allowed_models": ("a/b:c", "d"),
        "allowed_providers": ("openai",),
        "requests_per_minute": 2**63 - 1,
        "tokens_per_minute": 1,
    }
    key = save("sk-a", **bounds)
    assert find(database, key.digest) == key
    with database.write() as connection:
        for member, value in bounds.items():
            cleared = None if member != "include_byok_in_limit" else True
            changed = keys.update(connection, key.digest, {member: cleared}, now=now)
            assert getattr(changed, member) == cleared
            back = keys.update(connection, key.digest, {member: value}, now=now)
            assert {name: getattr(back, name) for name in bounds} == bounds


def test_users_are_known_by_their_ids(database: Database, owner: Owner) -> None:
    with database.read() as connection:
        assert users.exists(connection, owner.user_id)
        assert not users.exists(connection, "user_nobody")


def test_one_digest_is_one_key(save: Callable[..., Key]) -> None:
    save("sk-a")
    with pytest.raises(RequestError) as caught:
        save("sk-a")
    assert caught.value.type == "conflict"


def test_list_shows_the_newest_first_a_hundred_at_a_time(
    database: Database, owner: Owner, save: Callable[..., Key], now: datetime
) -> None:
    made = [save(f"sk-{number}", created_at=now + timedelta(seconds=number)) for number in range(103)]
    made += [save("sk-twin", created_at=made[-1].created_at)]
    with database.write() as connection:
        keys.update(connection, made[5].digest, {"disabled": True}, now=now)
        keys.delete(connection, made[6].digest, now=now)
        walked: list[Key] = []
        for offset in (0, 100, 200):
            found = keys.list_keys(
                connection, owner.workspace_id, offset=offset, limit=100, include_disabled=True, unexpired_at=None
            )
            assert len(found) == {0: 100, 100: 3, 200: 0}[offset]
            walked += found
        shown = keys.list_keys(connection, owner.workspace_id, offset=90, limit=100, include_disabled=False)
        assert keys.list_keys(connection, owner.workspace_id, offset=2**63 - 1, limit=100, include_disabled=True) == []
        assert keys.list_keys(connection, "another", offset=0, limit=100, include_disabled=True) == []
    assert {key.digest for key in walked} == {key.digest for key in made} - {made[6].digest}
    assert [key.created_at for key in walked] == sorted((key.created_at for key in walked), reverse=True)
    assert made[5].digest not in {key.digest for key in shown}
    assert made[4].digest in {key.digest for key in shown}


def test_update_changes_what_is_given_and_nothing_else(
    database: Database, save: Callable[..., Key], now: datetime
) -> None:
    key = save("sk-a", expires_at=now)
    with database.write() as connection:
        changes = {"name": "b", "role": "editor", "disabled": True, "inference": False}
        changed = keys.update(connection, key.digest, changes, now=now)
        assert (changed.name, changed.role, changed.disabled, changed.inference) == ("b", "editor", True, False)
        assert (changed.expires_at, changed.updated_at) == (now, now)
        assert changed.revision > key.revision
        assert keys.update(connection, key.digest, {"expires_at": None}, now=now).expires_at is None
    found = find(database, key.digest)
    assert found is not None
    assert (found.name, found.disabled) == ("b", True)


def test_deleted_key_is_gone_for_everyone_but_snapshots(
    database: Database, owner: Owner, save: Callable[..., Key], now: datetime
) -> None:
    key = save("sk-a")
    with database.write() as connection:
        assert keys.delete(connection, key.digest, now=now)
        assert not keys.delete(connection, key.digest, now=now)
        assert not keys.delete(connection, "unknown", now=now)
        assert keys.get(connection, key.digest) is None
        assert keys.list_keys(connection, owner.workspace_id, offset=0, limit=100, include_disabled=True) == []
        with pytest.raises(RequestError) as caught:
            keys.update(connection, key.digest, {"name": "b"}, now=now)
        heard = loading.load_since(connection, key.revision, SEALER)
    assert caught.value.type == "not_found"
    assert [(gone.digest, gone.deleted) for gone in heard.keys] == [(key.digest, True)]


def test_ensured_key_manages_and_calls_whatever_became_of_it(database: Database, owner: Owner, now: datetime) -> None:
    def ensure() -> Key:
        with database.write() as connection:
            return keys.ensure(
                connection,
                digest=key_digest("sk-a-long-one"),
                name="from the environment",
                label="sk-a...one",
                workspace_id=owner.workspace_id,
                creator_user_id=owner.user_id,
                now=now,
            )

    made = ensure()
    assert (made.role, made.inference, made.name) == ("admin", True, "from the environment")
    assert ensure() == made
    with database.write() as connection:
        ended = {"name": "mine", "role": "caller", "inference": False, "disabled": True, "expires_at": now}
        keys.update(connection, made.digest, {**ended, "limit": Decimal("0.10")}, now=now)
        keys.delete(connection, made.digest, now=now)
    back = ensure()
    assert (back.role, back.inference, back.disabled, back.deleted, back.expires_at) == (
        "admin",
        True,
        False,
        False,
        None,
    )
    assert (back.name, back.limit) == ("mine", Decimal("0.10"))
    assert find(database, made.digest) == back


def test_default_workspace_is_made_once(
    database: Database, owner: Owner, new_id: Callable[[], str], now: datetime
) -> None:
    assert owner.created
    with database.write() as connection:
        again = workspaces.ensure_default(connection, new_id=new_id, new_user_id=new_id, now=now)
        assert (again.workspace_id, again.user_id, again.created) == (owner.workspace_id, owner.user_id, False)
        assert workspaces.exists(connection, owner.workspace_id)
        assert not workspaces.exists(connection, "another")
