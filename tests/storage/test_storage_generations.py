"""Records of answers: kept once, whole and exact."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from setpoint.canonical.usage import Usage
from setpoint.records import Cost, Generation
from setpoint.storage import generations

if TYPE_CHECKING:
    from setpoint.storage.database import Database

Make = Callable[..., Generation]


def save(database: Database, *records: Generation) -> None:
    with database.write(durable=False) as connection:
        generations.save_many(connection, records)


def find(database: Database, id_: str) -> Generation | None:
    with database.read() as connection:
        return generations.get(connection, id_, "w1")


def test_record_comes_back_as_it_was(database: Database, make_generation: Make) -> None:
    full = make_generation()
    assert all(getattr(full, field) not in (None, (), "") for field in Generation.__struct_fields__)
    nullable = {"requested_model", "provider", "provider_name", "preset_id", "preset_slug", "preset_version"}
    nullable |= {"version_id", "system_prompt_from", "finish_reason", "native_finish_reason", "error_type"}
    nullable |= {"upstream_id", "usage", "cost", "provider_cost", "latency_ms", "generation_ms", "session_id"}
    nullable |= {"external_user", "http_referer", "app_title", "user_agent", "service_tier"}
    empty = dict.fromkeys(("unsaid", "not_honoured", "attempts", "endpoints", "excluded"), ())
    bare = make_generation(**dict.fromkeys(nullable), **empty, streamed=False, zero_completion=False)
    save(database, full, bare)
    assert find(database, full.id) == full
    assert find(database, bare.id) == bare


def test_record_is_its_workspaces_only(database: Database, make_generation: Make) -> None:
    record = make_generation()
    save(database, record)
    with database.read() as connection:
        assert generations.get(connection, record.id, "w2") is None
        assert generations.get(connection, "gen-unknown", "w1") is None
        assert generations.get(connection, "\ud800", "w1") is None


def test_second_record_of_an_id_changes_nothing(database: Database, make_generation: Make) -> None:
    first = make_generation()
    twin = make_generation(id=first.id, model="other", attempts=first.attempts * 2, cost=None)
    other = make_generation()
    save(database, first)
    save(database, twin, other)
    save(database, other, twin)
    save(database)
    assert find(database, first.id) == first
    assert find(database, other.id) == other


def test_zero_is_not_unknown(database: Database, make_generation: Make) -> None:
    nothing = Cost(prompt=Decimal(0), completion=Decimal(0), total=Decimal(0))
    free = make_generation(cost=nothing, usage=Usage(), provider_cost=Decimal(0))
    unknown = make_generation(cost=None, usage=None, provider_cost=None)
    save(database, free, unknown)
    assert find(database, free.id) == free
    assert find(database, unknown.id) == unknown


money = st.decimals(allow_nan=False, allow_infinity=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(costs=st.tuples(money, money, money), text=st.text(st.characters(exclude_categories=["Cs"])))
def test_money_is_exact_and_text_is_whole(
    database: Database, make_generation: Make, costs: tuple[Decimal, Decimal, Decimal], text: str
) -> None:
    cost = Cost(prompt=costs[0], completion=costs[1], total=costs[2])
    text = text.replace("\0", "")
    record = make_generation(cost=cost, user_agent=text, unsaid=(text, "/x"))
    save(database, record)
    found = find(database, record.id)
    assert found is not None
    assert found == record
    assert str(found.cost) == str(cost)


@pytest.mark.parametrize(("sent", "kept"), [("a\ud83db", "a\\ud83db"), ("a\0b", "a\\x00b"), ("\udcff", "\\udcff")])
def test_text_that_no_database_can_hold_is_kept_as_its_escape(
    database: Database, make_generation: Make, sent: str, kept: str
) -> None:
    record = make_generation(external_user=sent, requested_model=sent, unsaid=(sent,))
    save(database, record)
    found = find(database, record.id)
    assert found is not None
    assert (found.external_user, found.requested_model) == (kept, kept)
    assert found.unsaid == (sent,)
