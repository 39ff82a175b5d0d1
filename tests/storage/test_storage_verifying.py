"""Whether the books close: they do, until one row of one table is another."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from msgspec import structs

from setpoint.canonical.usage import Usage
from setpoint.coordination.allowances import key_scope
from setpoint.storage import keys, workspaces
from setpoint.storage.generations import save_many
from setpoint.storage.tables import activity, generations, ledger, spend
from setpoint.storage.verifying import SHOWN, Verified, verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from setpoint.records import Generation
    from setpoint.storage.database import Database

    Make = Callable[..., Generation]

LONG = Decimal("0.0000000000000000000000000000000000000001")


@pytest.fixture
def booked(database: Database, make_generation: Make, now: datetime) -> list[Generation]:
    """Generations of all kinds: of two keys, presets and days; some cost nothing, of some nobody knows what."""
    other: dict[str, Any] = {"key_digest": "e" * 64, "preset_id": None, "preset_slug": None, "preset_version": None}
    records = [
        make_generation(),
        make_generation(**other, created_at=now + timedelta(days=1)),
        _tried(make_generation(), {"cost": LONG, "charged": LONG}, {"cost": Decimal("0.10"), "model": "Ü\0\udc80"}),
        _tried(make_generation(status="cancelled"), {"cost": None, "usage": Usage(input_tokens=3, estimated=True)}),
        _tried(make_generation(status="failed", usage=None), {"cost": None, "usage": None, "uncounted": True}),
        _tried(make_generation(status="failed", usage=None), {"cost": None, "usage": None}),
    ]
    with database.write() as connection:
        save_many(connection, records)
    return records


def _tried(record: Generation, *tries: dict[str, Any]) -> Generation:
    return structs.replace(record, attempts=tuple(structs.replace(record.attempts[-1], **one) for one in tries))


def verified(database: Database, workspace_id: str | None = None) -> Verified:
    with database.read() as connection:
        return verify(connection, workspace_id)


def change(database: Database, statement: sa.Update | sa.Delete | sa.Insert) -> None:
    with database.write() as connection:
        connection.execute(statement)


@pytest.mark.usefixtures("booked")
def test_books_close(database: Database) -> None:
    found = verified(database)
    assert (found.ok, found.violations, found.more) == (True, (), 0)
    assert found.checked == 2 + 2 + 2 + 1 + 1
    total = Decimal("0.1000048000000000000000000000000000000001")  # four times 0.0000012, LONG and 0.10
    assert found.sums == dict.fromkeys(("attempt", "preset", "provider", "key", "workspace"), total)


def test_books_without_an_entry_close(database: Database) -> None:
    assert verified(database) == Verified(
        ok=True,
        checked=0,
        violations=(),
        more=0,
        sums=dict.fromkeys(("attempt", "preset", "provider", "key", "workspace"), Decimal(0)),
    )


def test_books_close_where_records_are_kept_no_more(database: Database, booked: list[Generation]) -> None:
    change(database, sa.delete(generations).where(generations.c.id != booked[0].id))
    found = verified(database)
    assert (found.ok, found.checked) == (True, 8)


# Each breaks something in the books of the first generation, and what must be found then.
MORE = Decimal("0.0000012000000000000000000000000000000000000001")
BROKEN: dict[str, tuple[Callable[[str], sa.Update | sa.Delete | sa.Insert], set[str]]] = {
    "a cost of the ledger": (
        lambda id_: sa.update(ledger).where(ledger.c.generation_id == id_, ledger.c.position == 0).values(cost=MORE),
        {"entry", "record", "activity", "spend", "sums"},
    ),
    "what is charged of the ledger": (
        lambda id_: sa.update(ledger).where(ledger.c.generation_id == id_).values(charged=MORE),
        {"entry", "record", "activity", "spend"},
    ),
    "what was set aside for an entry": (
        lambda id_: sa.update(ledger).where(ledger.c.generation_id == id_).values(reserved=MORE),
        {"record"},
    ),
    "an entry of a generation that nobody has asked for": (
        lambda _: _again(ledger, generation_id="gen-0"),
        {"activity", "spend", "sums"},
    ),
    "an entry behind the last": (
        lambda _: _again(ledger, position=7),
        {"record", "activity", "spend", "sums"},
    ),
    "tokens of the ledger": (
        lambda id_: sa.update(ledger).where(ledger.c.generation_id == id_).values(output_tokens=0),
        {"record", "activity"},
    ),
    "an outcome of the ledger": (
        lambda id_: sa.update(ledger).where(ledger.c.generation_id == id_).values(outcome="cancelled"),
        {"record"},
    ),
    "whose an entry is": (
        lambda id_: sa.update(ledger).where(ledger.c.generation_id == id_).values(key_digest="f" * 64),
        {"record", "activity", "spend"},
    ),
    "an entry that is gone": (
        lambda id_: sa.delete(ledger).where(ledger.c.generation_id == id_, ledger.c.position == 0),
        {"record", "activity", "spend", "sums"},
    ),
    "a generation that is not booked": (
        lambda id_: sa.delete(ledger).where(ledger.c.generation_id == id_),
        {"record", "activity", "spend", "sums"},
    ),
    "an entry too many": (
        lambda id_: sa.update(generations).where(generations.c.id == id_).values(attempts=()),
        {"record"},
    ),
    "a cost of a day": (lambda _: sa.update(activity).values(cost=MORE), {"activity", "sums"}),
    "requests of a day": (lambda _: sa.update(activity).values(requests=7), {"activity"}),
    "a day that is gone": (lambda _: sa.delete(activity), {"activity", "sums"}),
    "a day too many": (lambda _: _again(activity, date="2026-04-21"), {"activity", "sums"}),
    "a cost of an allowance": (lambda _: sa.update(spend).values(cost=MORE), {"spend", "sums"}),
    "what an allowance is charged": (lambda _: sa.update(spend).values(charged=MORE), {"spend"}),
    "an allowance that is gone": (lambda _: sa.delete(spend).where(spend.c.period == "ever"), {"spend", "sums"}),
    "an allowance too many": (lambda _: _again(spend, period="2026-W99"), {"spend"}),
    "an allowance of nobody": (
        lambda _: sa.update(spend).where(spend.c.scope == key_scope("d" * 64)).values(scope=key_scope("nobody")),
        {"spend"},
    ),
}


def _again(table: sa.Table, **other: object) -> sa.Insert:
    """One of its rows once more, with this of it otherwise."""
    row = [sa.literal(other[column.name], column.type) if column.name in other else column for column in table.c]
    return sa.insert(table).from_select([column.name for column in table.c], sa.select(*row).limit(1))


@pytest.mark.parametrize(("broken", "invariants"), BROKEN.values(), ids=BROKEN)
def test_books_that_do_not_close_are_told(
    broken: Callable[[str], sa.Update | sa.Delete | sa.Insert],
    invariants: set[str],
    database: Database,
    make_generation: Make,
) -> None:
    record = make_generation()
    with database.write() as connection:
        save_many(connection, [record])
    change(database, broken(record.id))
    found = verified(database)
    assert not found.ok
    assert {one.invariant for one in found.violations} == invariants
    assert all(one.expected != one.found for one in found.violations)


@pytest.mark.parametrize(("cost", "charged"), [(LONG, MORE), (LONG, Decimal(0)), (None, -MORE), (-LONG, -LONG)])
def test_what_is_charged_is_told_also_where_no_record_and_no_sum_says_otherwise(
    database: Database, make_generation: Make, cost: Decimal | None, charged: Decimal
) -> None:
    wrong = _tried(make_generation(), {"cost": cost, "charged": charged})
    with database.write() as connection:
        save_many(connection, [make_generation(), wrong])
    change(database, sa.delete(generations))
    told = [(one.invariant, one.subject) for one in verified(database).violations]
    assert told == [("entry", f"{wrong.id}|0")]


def test_what_is_told_names_the_entry_and_the_columns(database: Database, booked: list[Generation]) -> None:
    first = booked[0].id
    wanted = ledger.c.generation_id == first, ledger.c.position == 1
    change(database, sa.update(ledger).where(*wanted).values(outcome="cancelled", reasoning_tokens=5))
    [record, day] = verified(database).violations
    assert (record.invariant, record.subject) == ("record", f"{first}|1")
    assert (record.expected, record.found) == (
        "outcome: answered, reasoning_tokens: 0",
        "outcome: cancelled, reasoning_tokens: 5",
    )
    assert day.subject == f"2026-04-20|w1|{'d' * 64}|user-1|p1|7|openai/gpt-4o|azure|azure/eu/gpt-4o"
    assert (day.expected, day.found) == ("reasoning_tokens: 5", "reasoning_tokens: 0")


def test_only_the_first_of_many_violations_are_told(database: Database, make_generation: Make) -> None:
    with database.write() as connection:
        save_many(connection, [make_generation() for _ in range(SHOWN + 20)])
    change(database, sa.update(ledger).values(outcome="cancelled"))
    found = verified(database)
    assert (len(found.violations), found.more) == (SHOWN, SHOWN + 40)


def test_a_workspace_sees_its_own_books(
    database: Database, make_generation: Make, new_id: Callable[[], str], now: datetime
) -> None:
    with database.write() as connection:
        mine = workspaces.ensure_default(connection, new_id=new_id, new_user_id=lambda: "user_1", now=now)
        keys.ensure(
            connection,
            digest="d" * 64,
            name="a",
            label="a",
            workspace_id=mine.workspace_id,
            creator_user_id="user_1",
            now=now,
        )
        ours = make_generation(workspace_id=mine.workspace_id)
        save_many(connection, [ours, make_generation(workspace_id="w2", key_digest="e" * 64)])
    assert verified(database, mine.workspace_id).checked == 2
    change(database, sa.update(ledger).where(ledger.c.workspace_id == "w2").values(cost=None))
    change(database, sa.update(spend).where(spend.c.scope == key_scope("e" * 64)).values(requests=5))
    change(database, sa.update(activity).where(activity.c.workspace_id == "w2").values(requests=5))
    assert verified(database, mine.workspace_id).ok
    assert not verified(database, "w2").ok
    assert not verified(database).ok
    change(database, sa.update(spend).where(spend.c.scope == key_scope("d" * 64)).values(requests=5))
    assert {one.invariant for one in verified(database, mine.workspace_id).violations} == {"spend"}
