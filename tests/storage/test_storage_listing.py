"""Pages of records: the right ones, in order, and found by an index whatever is asked."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, select

from setpoint.storage import generations
from setpoint.storage.database import Database
from setpoint.storage.facets import drop_empty
from setpoint.storage.listing import Place, Wanted, page
from setpoint.storage.schema import prepare
from setpoint.storage.tables import facets
from setpoint.storage.tables import generations as rows
from support.many import BEGAN, OLD_MODEL, RARE_KEY, STEP, WORKSPACE, make_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from sqlalchemy import Connection

    from setpoint.records import Generation

MANY = 100_000


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database with many records."""
    database = Database.open(tmp_path_factory.mktemp("many") / "setpoint.db")
    prepare(database)
    with database.write(durable=False) as connection:
        make_records(connection, MANY)
    yield database
    database.close()


def _drawn(make: Callable[..., Generation], now: datetime, count: int) -> list[Generation]:
    """Records that often come at the same time and differ in all that they are filtered by."""
    dice = Random(11)

    def one() -> Generation:
        slug = dice.choice([None, "triage", "other"])
        return make(
            created_at=now + timedelta(seconds=dice.randrange(40)),
            workspace_id=dice.choice(["w1", "w1", "w2"]),
            key_digest=dice.choice("abc") * 64,
            preset_slug=slug,
            preset_version=dice.randrange(1, 4) if slug else None,
            model=dice.choice(["a/one", "a/two", "Ünï\0"]),
            provider=dice.choice([None, "p", "q"]),
            status=dice.choice(["completed", "completed", "failed"]),
        )

    return [one() for _ in range(count)]


def _right(record: Generation, wanted: Wanted) -> bool:
    said = {**wanted.by_facet, "workspace_id": wanted.workspace_id}
    return wanted.since <= record.created_at < wanted.until and all(
        getattr(record, name) == value for name, value in said.items()
    )


@pytest.mark.parametrize("window", [0, 7, 5_000])
def test_every_filter_gives_the_records_it_says_page_by_page(
    database: Database, make_generation: Callable[..., Generation], now: datetime, window: int
) -> None:
    records = _drawn(make_generation, now, 400)
    with database.write() as connection:
        generations.save_many(connection, records[:150])
        generations.save_many(connection, records[100:])
    dice = Random(window)
    filters: dict[str, list[Any]] = {
        "key_digest": ["a" * 64, "z" * 64],
        "preset_slug": ["triage", "nobody"],
        "preset_version": [2],
        "model": ["a/one", "Ünï\0"],
        "provider": ["p"],
        "status": ["failed", "completed"],
        "since": [now + timedelta(seconds=10)],
        "until": [now + timedelta(seconds=30)],
    }
    with database.read() as connection:
        for _ in range(60):
            chosen = {name: dice.choice(values) for name, values in filters.items() if dice.random() < 0.3}
            wanted = Wanted(workspace_id="w1", **chosen)
            expected = sorted(
                (record for record in records if _right(record, wanted)),
                key=lambda record: (record.created_at, record.id),
                reverse=True,
            )
            seen: list[Generation] = []
            before: Place | None = None
            limit = dice.choice([1, 3, 50])
            for _ in range(6):
                found = page(connection, wanted, before=before, limit=limit, window=window)
                seen += found
                if len(found) < limit:
                    break
                before = Place(found[-1].created_at, found[-1].id)
            assert [one.id for one in seen] == [one.id for one in expected[: 6 * limit]], chosen
            assert [one.created_at for one in seen] == [one.created_at for one in expected[: 6 * limit]]


FILTERS: list[dict[str, Any]] = [
    {},
    {"key_digest": f"{7:064x}"},
    {"key_digest": RARE_KEY},
    {"model": OLD_MODEL},
    {"model": OLD_MODEL, "status": "interrupted"},
    {"status": "interrupted"},
    {"provider": "provider-1"},
    {"preset_slug": "preset-3", "preset_version": 1},
    {"preset_slug": "preset-3", "model": "model-5", "status": "failed", "provider": "provider-2"},
    {"preset_slug": "nobody"},
]


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("chosen", FILTERS, ids=lambda chosen: "+".join(chosen) or "everything")
def test_every_page_is_found_by_an_index(filled: Database, chosen: dict[str, Any], *, deep: bool) -> None:
    before = Place(BEGAN + STEP * (MANY // 2), "") if deep else None
    with filled.read() as connection:
        asked = _statements(
            connection, lambda: page(connection, Wanted(workspace_id=WORKSPACE, **chosen), before=before, limit=50)
        )
        plans = {(statement, step) for statement, given in asked for step in _plan(connection, statement, given)}
    steps = {step for _, step in plans}
    assert any(step.startswith("SEARCH generations USING") for step in steps)
    assert [step for step in steps if step.startswith("SCAN")] == []
    # Only the facets of a filter are put in order, of which there are few; records lie in it.
    sorts = {statement for statement, step in plans if "TEMP B-TREE" in step}
    assert [statement for statement in sorts if "FROM facets" not in statement.split("ORDER BY")[0]] == []


def _statements(connection: Connection, work: Callable[[], object]) -> list[tuple[str, Any]]:
    """What the database is asked while this is done."""
    asked: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, given: Any, *_more: object) -> None:
        asked.append((statement, given))

    event.listen(connection, "before_cursor_execute", note)
    work()
    event.remove(connection, "before_cursor_execute", note)
    return asked


def _plan(connection: Connection, statement: str, given: Any) -> list[str]:
    return [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)]


def test_a_comparison_of_plans_would_see_a_scan(filled: Database) -> None:
    with filled.read() as connection:
        query = select(rows.c.id).where(rows.c.user_agent == "x").order_by(rows.c.user_agent)
        (asked,) = _statements(connection, lambda: connection.execute(query))
        assert any(step.startswith("SCAN generations") for step in _plan(connection, *asked))


def test_facets_are_kept_once_and_forgotten_with_their_last_record(
    database: Database, make_generation: Callable[..., Generation]
) -> None:
    first, second, third = make_generation(), make_generation(), make_generation(model="another")
    for record in (first, second, third, first):
        with database.write() as connection:
            generations.save_many(connection, [record])
    with database.write() as connection:
        numbers = connection.scalars(select(facets.c.id)).all()
        assert len(numbers) == 2
        connection.execute(rows.delete().where(rows.c.id == third.id))
        drop_empty(connection, numbers)
        assert connection.scalars(select(facets.c.model)).all() == [first.model]
