"""The ledger and its sums: what is booked of a generation, once and to the last digit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from msgspec import structs

from setpoint.canonical.usage import Usage
from setpoint.records import Reservation
from setpoint.storage.batches import save_batch
from setpoint.storage.generations import save_many
from setpoint.storage.ledger import entries
from setpoint.storage.recovery import Recovery
from setpoint.storage.spool import Spool
from setpoint.storage.tables import activity, generations, ledger, spend
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from setpoint.records import Generation
    from setpoint.storage.database import Database

    Make = Callable[..., Generation]

REFUSED: dict[str, Any] = {"usage": None, "cost": None, "status": 429, "error": "rate_limit_exceeded"}
UNCOUNTED: dict[str, Any] = {"usage": None, "cost": None, "status": None, "error": "timeout", "uncounted": True}
GUESSED: dict[str, Any] = {"usage": Usage(input_tokens=7, output_tokens=3, estimated=True), "cost": None}


def tried(record: Generation, *tries: dict[str, Any]) -> Generation:
    """The record with these tries, each one like its last but for what is said of it."""
    return structs.replace(record, attempts=tuple(structs.replace(record.attempts[-1], **one) for one in tries))


def cost(amount: str, **more: Any) -> dict[str, Any]:
    return {"cost": Decimal(amount), "charged": Decimal(amount), **more}


def save(database: Database, *records: Generation) -> None:
    with database.write() as connection:
        save_many(connection, records)


def rows(database: Database, table: sa.Table) -> Sequence[Any]:
    with database.read() as connection:
        return connection.execute(sa.select(table).order_by(*table.primary_key)).all()


def sums(database: Database, period: str = "ever") -> dict[str, tuple[Decimal, Decimal, int, int]]:
    """Cost, charged, requests and those of unknown cost, of each allowance."""
    found = [row for row in rows(database, spend) if row.period == period]
    return {row.scope: (row.cost, row.charged, row.requests, row.unknown_cost_requests) for row in found}


# --- what is booked ------------------------------------------------------------------------------------------


def outcomes(record: Generation) -> list[tuple[int, str, Decimal | None]]:
    return [(entry.position, entry.outcome, entry.cost) for entry in entries(record)]


@pytest.mark.parametrize(
    ("status", "more", "tries", "booked"),
    [
        ("completed", {}, [cost("2")], [(0, "answered", 2)]),
        # one that was refused, one that was counted and gave nothing, one that nobody counted, the answer
        (
            "completed",
            {},
            [REFUSED, cost("1"), UNCOUNTED, cost("2")],
            [(1, "abandoned", 1), (2, "abandoned", None), (3, "answered", 2)],
        ),
        ("completed", {"zero_completion": True}, [cost("1", usage=Usage(input_tokens=9))], [(0, "answered", 1)]),
        ("completed", {}, [cost("0")], [(0, "answered", 0)]),
        # an answer without a price, and one whose provider has named a price and counted nothing
        ("completed", {}, [{"cost": None}], [(0, "answered", None)]),
        ("completed", {}, [cost("2", usage=None)], [(0, "answered", 2)]),
        ("cancelled", {"cancelled": True}, [GUESSED], [(0, "cancelled", None)]),
        ("cancelled", {"usage": None, "cost": None}, [UNCOUNTED], [(0, "cancelled", None)]),
        ("cancelled", {"usage": None, "cost": None}, [REFUSED], []),
        ("interrupted", {"usage": None, "cost": None}, [UNCOUNTED], [(0, "interrupted", None)]),
        (
            "interrupted",
            {"usage": None, "cost": None},
            [cost("1"), UNCOUNTED],
            [(0, "abandoned", 1), (1, "interrupted", None)],
        ),
        # broken in its answer; failed before it
        ("failed", {}, [GUESSED], [(0, "answered", None)]),
        ("failed", {"usage": None, "cost": None}, [cost("1")], [(0, "abandoned", 1)]),
        ("failed", {"usage": None, "cost": None}, [UNCOUNTED], [(0, "abandoned", None)]),
        ("failed", {"usage": None, "cost": None}, [REFUSED, REFUSED], []),
        ("failed", {"usage": None, "cost": None}, [], []),
    ],
)
def test_what_cost_something_or_may_have_is_booked(
    status: str,
    more: dict[str, Any],
    tries: list[dict[str, Any]],
    booked: list[tuple[int, str, int | None]],
    make_generation: Make,
) -> None:
    assert outcomes(tried(make_generation(status=status, **more), *tries)) == booked


def test_an_entry_has_all_that_is_asked_for_later(make_generation: Make, now: datetime) -> None:
    record = make_generation(status="completed")
    used = Usage(
        input_tokens=9, output_tokens=5, cached_tokens=4, cache_write_tokens=3, reasoning_tokens=2, estimated=True
    )
    sent = now + timedelta(seconds=9)
    one = tried(
        record,
        {
            "usage": used,
            "cost": None,
            "provider_cost": Decimal("0.3"),
            "charged": Decimal("0.4"),
            "reserved": Reservation(amount=Decimal("0.5"), out_of=("key:d|ever",)),
            "at": sent,
        },
    )
    [entry] = entries(one)
    assert structs.asdict(entry) == {
        **{name: getattr(record, name) for name in ("workspace_id", "key_digest", "user_id")},
        **{name: getattr(record, name) for name in ("preset_id", "preset_slug", "preset_version")},
        "generation_id": record.id,
        "position": 0,
        "at": sent,
        "model": "openai/gpt-4o",
        "provider": "azure",
        "provider_key_id": "key-2",
        "endpoint": "azure/eu/gpt-4o",
        "outcome": "answered",
        "reserved": Decimal("0.5"),
        "cost": None,
        "provider_cost": Decimal("0.3"),
        "charged": Decimal("0.4"),
        "input_tokens": 9,
        "output_tokens": 5,
        "cached_tokens": 4,
        "cache_write_tokens": 3,
        "reasoning_tokens": 2,
        "estimated": True,
    }


def test_entries_are_kept_as_they_were_made(database: Database, make_generation: Make) -> None:
    records = [
        make_generation(),
        tried(make_generation(), GUESSED, UNCOUNTED),
        tried(make_generation(preset_id=None, preset_slug=None, preset_version=None), cost("0.1", model="Ü\0\udc80")),
    ]
    save(database, *records)
    made = [structs.astuple(entry) for record in records for entry in entries(record)]
    found = [tuple(row) for row in rows(database, ledger)]
    assert found[:-1] == made[:-1]
    assert [row.model for row in rows(database, ledger)][-1] == "Ü\\x00\\udc80"


def test_what_is_unknown_is_no_zero(database: Database, make_generation: Make) -> None:
    save(database, tried(make_generation(), cost("1"), UNCOUNTED), tried(make_generation(), cost("0")))
    assert [row.cost for row in rows(database, ledger)] == [1, None, 0]
    assert sums(database)["workspace:w1"] == (1, 1, 2, 1)


def test_what_limits_count_may_be_an_estimate_where_a_cost_is_not_known(
    database: Database, make_generation: Make
) -> None:
    save(database, tried(make_generation(status="cancelled"), GUESSED | {"charged": Decimal("0.25")}))
    assert sums(database)["key:" + "d" * 64] == (0, Decimal("0.25"), 1, 1)


# --- once ----------------------------------------------------------------------------------------------------


def everything(database: Database) -> list[Sequence[Any]]:
    return [rows(database, table) for table in (ledger, activity, spend)]


@pytest.mark.parametrize("seed", range(5))
def test_records_count_once_however_often_and_in_whatever_order_they_come(
    seed: int, database: Database, make_generation: Make
) -> None:
    dice = Random(seed)
    records = [tried(make_generation(), cost("0.1"), cost(f"0.00{number}")) for number in range(8)]
    comings = [*records, *dice.choices(records, k=16)]
    dice.shuffle(comings)
    while comings:
        batch = [comings.pop() for _ in range(min(len(comings), dice.randint(1, 6)))]
        save_batch(database, batch, None)
    assert len(rows(database, ledger)) == 16
    assert sums(database)["workspace:w1"] == (Decimal("0.828"), Decimal("0.828"), 8, 0)
    assert sum(row.attempts for row in rows(database, activity)) == 16


def test_a_batch_that_fails_is_written_one_by_one_and_counts_once(database: Database, make_generation: Make) -> None:
    good = [tried(make_generation(), cost("1")) for _ in range(3)]
    bad = tried(make_generation(latency_ms=2**70), cost("50"))
    assert save_batch(database, [*good[:2], bad, good[2]], None) == 1
    assert sums(database)["workspace:w1"] == (3, 3, 3, 0)


def test_a_spool_that_is_brought_home_again_changes_nothing(
    database: Database, spools: Path, make_generation: Make
) -> None:
    ended = [tried(make_generation(), cost("1"), cost("2")) for _ in range(5)]
    under_way = tried(make_generation(status="interrupted", usage=None, cost=None), cost("4"), UNCOUNTED)
    save_batch(database, ended[:3], None)  # of which the process never learned that they were written
    seen: list[list[Sequence[Any]]] = []
    for _ in range(2):
        spool = Spool(spools)
        for record in (*ended, under_way):
            spool.begin(structs.replace(record, status="interrupted"))
        for record in ended:
            spool.finish(record)
        spool.close()
        recovery = Recovery(database, spools, every_s=0.02)
        try:
            until(lambda: not any(spools.iterdir()))
        finally:
            recovery.close()
        seen.append(everything(database))
    assert seen[0] == seen[1]
    assert sums(database)["workspace:w1"] == (19, 19, 6, 1)
    assert [row.outcome for row in seen[0][0]].count("interrupted") == 1


def test_what_is_booked_counts_once_also_when_its_record_is_kept_no_more(
    database: Database, make_generation: Make
) -> None:
    old, new = tried(make_generation(), cost("1")), tried(make_generation(), cost("2"))
    save(database, old)
    with database.write() as connection:
        connection.execute(sa.delete(generations))
    assert save_batch(database, [old, new], None) == 0
    assert sums(database)["workspace:w1"] == (3, 3, 2, 0)
    assert [row.id for row in rows(database, generations)] == [new.id]


# --- the sums ------------------------------------------------------------------------------------------------


def test_sums_are_exact_where_floats_drift(database: Database, make_generation: Make) -> None:
    dice = Random(11)
    amounts = [Decimal(dice.getrandbits(60)).scaleb(-dice.randint(6, 40)) for _ in range(400)]
    for start in range(0, len(amounts), 100):
        save(database, *(tried(make_generation(), cost(str(amount))) for amount in amounts[start : start + 100]))
    exact = sum(map(Fraction, amounts))
    assert Fraction(sums(database)["workspace:w1"][0]) == exact
    assert sum(Fraction(row.cost) for row in rows(database, activity)) == exact


def test_a_day_has_a_row_for_whatever_is_asked_by(database: Database, make_generation: Make) -> None:
    plain = tried(make_generation(), cost("1", usage=Usage(input_tokens=9, output_tokens=2, cached_tokens=4)))
    others: list[dict[str, Any]] = [
        {"workspace_id": "w2"},
        {"key_digest": "e" * 64},
        {"user_id": "user-2"},
        {"preset_id": None, "preset_slug": None, "preset_version": None},
        {"preset_version": 8},
    ]
    tries: list[dict[str, Any]] = [{"model": "o/x"}, {"provider": "x"}, {"tag": "x"}, {"upstream_model": "x"}]
    save(
        database,
        plain,
        structs.replace(plain, id="again"),
        *(structs.replace(plain, id=f"g{n}", **other) for n, other in enumerate(others)),
        *(structs.replace(tried(plain, one), id=f"t{n}") for n, one in enumerate(tries)),
    )
    found = rows(database, activity)
    assert len(found) == 1 + len(others) + len(tries)
    [both] = [row for row in found if row.requests == 2]
    assert (both.attempts, both.cost, both.charged) == (2, 2, 2)
    assert (both.input_tokens, both.output_tokens, both.cached_tokens) == (18, 4, 8)
    assert (both.date, both.preset_slug, both.preset_version) == ("2026-04-20", "triage", 7)
    assert {row.preset_id for row in found} == {"p1", ""}


def test_a_request_counts_where_its_last_try_was(database: Database, make_generation: Make) -> None:
    save(database, tried(make_generation(), cost("1", provider="a"), UNCOUNTED | {"provider": "b"}))
    found = {row.provider: (row.requests, row.attempts, row.unknown_cost_requests) for row in rows(database, activity)}
    assert found == {"a": (0, 1, 0), "b": (1, 1, 1)}


def test_a_try_belongs_to_the_day_on_which_it_was_sent(database: Database, make_generation: Make) -> None:
    late = datetime(2028, 2, 28, 23, 59, 59, tzinfo=UTC)
    record = tried(
        make_generation(created_at=late),
        cost("1", at=late),
        cost("2", at=late + timedelta(seconds=1)),
        cost("4", at=late + timedelta(days=1, seconds=1)),
    )
    save(database, record)
    key = "key:" + "d" * 64
    found = {row.period: (row.cost, row.requests) for row in rows(database, spend) if row.scope == key}
    assert found == {
        "2028-02-28": (1, 0),
        "2028-02-29": (2, 0),  # a Tuesday
        "2028-03-01": (4, 1),
        "2028-W09": (7, 1),
        "2028-02": (3, 0),
        "2028-03": (4, 1),
        "ever": (7, 1),
    }


def test_the_clock_of_a_record_may_go_back(database: Database, make_generation: Make, now: datetime) -> None:
    for at in (now, now - timedelta(hours=11), now + timedelta(days=1), now):
        save(database, tried(make_generation(created_at=at), cost("1", at=at)))
    key = "key:" + "d" * 64
    assert [sums(database, day)[key][0] for day in ("2026-04-19", "2026-04-20", "2026-04-21")] == [1, 2, 1]
    assert {row.last_at for row in rows(database, spend) if row.period == "ever"} == {now + timedelta(days=1)}
