"""Activity, credits and the verification of the books over HTTP, against what the upstream says that it has served."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from msgspec import structs
from openrouter import OpenRouter, errors
from openrouter.operations import GetUserActivityRequest

from api.api_support import ask, create, data_of, fresh, new_key, refused
from setpoint.canonical.usage import Usage
from setpoint.server.process.serve import DATABASE_FILE
from setpoint.storage.database import Database
from setpoint.storage.generations import save_many
from setpoint.storage.tables import activity, ledger
from simulator.script import ok, status
from support import records
from support.http import open_stream
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Generator

    from setpoint.records import Attempt, Generation
    from simulator.client import Simulator
    from support.processes import Gateway

_numbers = count(1)


@contextmanager
def books(gateway: Gateway) -> Generator[Database]:
    """The gateway's own database."""
    database = Database.open(gateway.data_dir / DATABASE_FILE)
    try:
        yield database
    finally:
        database.close()


def today() -> datetime:
    return datetime.now(UTC)


def activity_of(gateway: Gateway, key: str, **query: str) -> list[dict[str, Any]]:
    """What a day came to for the key of this hash, all of it stored; without a day, today."""
    asked = "&".join(f"{name}={said}" for name, said in query.items() if said)
    return data_of(gateway.call("GET", f"/activity?api_key_hash={key}&{asked}"))


def day_of(gateway: Gateway, key: str, requests: int, **query: str) -> list[dict[str, Any]]:
    """The same of today, as soon as so many requests are booked."""
    found: list[dict[str, Any]] = []

    def booked() -> bool:
        found[:] = activity_of(gateway, key, date=today().date().isoformat(), **query)
        return sum(one["requests"] for one in found) >= requests

    until(booked)
    return found


@pytest.fixture
def seeded(shared_gateway: Gateway) -> tuple[str, datetime]:
    """A key's hash, and a day that is over on which it has a record by each of two presets' versions and by none."""
    _, told = new_key(shared_gateway)
    me = data_of(shared_gateway.call("GET", "/key"))
    day = today() - timedelta(days=2)
    attempt = records.attempt(
        usage=Usage(input_tokens=100, output_tokens=20, cached_tokens=5, reasoning_tokens=3),
        cost=Decimal("0.1"),
        provider="sim",
        model="sim/solo",
        upstream_model="solo",
        tag="sim",
    )
    mine = {"key_digest": told["hash"], "workspace_id": me["workspace_id"], "user_id": me["creator_user_id"]}
    named = {"preset_id": "p1", "preset_slug": "triage"}
    made = [
        record(attempt, created_at=day, **mine, **more)
        for more in ({}, {**named, "preset_version": 1}, {**named, "preset_version": 2})
    ]
    unknown = record(structs.replace(attempt, cost=None), created_at=day, **mine)
    with books(shared_gateway) as database, database.write() as connection:
        save_many(connection, [*made, unknown])
    return told["hash"], day


def record(*attempts: Attempt, **more: Any) -> Generation:
    return records.generation(id=f"gen-1700000000-{next(_numbers):020d}", attempts=attempts, **more)


# --- activity ------------------------------------------------------------------------------------------------


def test_days_that_are_over_are_shown_to_the_sdk(shared_gateway: Gateway, seeded: tuple[str, datetime]) -> None:
    digest, day = seeded
    with OpenRouter(api_key=shared_gateway.key, server_url=shared_gateway.url, retry_config=None) as client:
        found = client.analytics.get_user_activity(request=GetUserActivityRequest(api_key_hash=digest)).data
        [one] = found
        assert (one.date_, one.model, one.model_permaslug) == (day.date().isoformat(), "sim/solo", "sim/solo")
        assert (one.endpoint_id, one.provider_name) == ("sim/solo", "sim")
        assert (one.usage, one.byok_usage_inference) == (0.3, 0.3)
        assert (one.requests, one.prompt_tokens, one.completion_tokens) == (4, 400, 80)
        assert (one.reasoning_tokens, one.cached_tokens, one.workspace_id) == (12, 20, None)
        request = GetUserActivityRequest(api_key_hash=digest, group_by="workspace", date_=one.date_)
        [split] = client.analytics.get_user_activity(request=request).data
    assert split.workspace_id == data_of(shared_gateway.call("GET", "/key"))["workspace_id"]


def test_what_is_not_known_is_counted_beside_the_sum(shared_gateway: Gateway, seeded: tuple[str, datetime]) -> None:
    [one] = activity_of(shared_gateway, seeded[0])
    assert (one["usage"], one["unknown_cost_requests"], one["attempts"]) == (0.3, 1, 4)


@pytest.mark.parametrize("word", ["preset", "preset_id", "preset_slug"])
def test_activity_is_split_by_preset(shared_gateway: Gateway, seeded: tuple[str, datetime], word: str) -> None:
    found = activity_of(shared_gateway, seeded[0], group_by=word)
    assert [(one["preset_id"], one["preset_slug"], one["usage"]) for one in found] == [
        (None, None, 0.1),
        ("p1", "triage", 0.2),
    ]
    assert all("preset_version" not in one for one in found)


def test_activity_is_split_by_version(shared_gateway: Gateway, seeded: tuple[str, datetime]) -> None:
    found = activity_of(shared_gateway, seeded[0], group_by="version,workspace")
    assert [(one["preset_slug"], one["preset_version"]) for one in found] == [
        (None, None),
        ("triage", 1),
        ("triage", 2),
    ]
    assert all(one["workspace_id"] for one in found)


def test_activity_is_that_of_one_day_user_or_workspace(shared_gateway: Gateway, seeded: tuple[str, datetime]) -> None:
    digest, day = seeded
    me = data_of(shared_gateway.call("GET", "/key"))
    for query, there in (
        ({"date": day.date().isoformat()}, 1),
        ({"date": (day - timedelta(days=1)).date().isoformat()}, 0),
        ({"user_id": me["creator_user_id"]}, 1),
        ({"user_id": "nobody"}, 0),
        ({"workspace_id": me["workspace_id"]}, 1),
    ):
        assert len(activity_of(shared_gateway, digest, **query)) == there, query
    refused(shared_gateway.call("GET", "/activity?workspace_id=nobodys"), 404)


@pytest.mark.parametrize(
    "query",
    ["date=yesterday", "date=20260101", "date=2026-02-30", "date=2020-01-01", "date=2999-01-01", "group_by=colour"],
)
def test_what_activity_cannot_be_asked_is_refused(shared_gateway: Gateway, query: str) -> None:
    message = refused(shared_gateway.call("GET", f"/activity?{query}"), 400)
    assert message.startswith(query.partition("=")[0])


def test_today_is_what_the_upstream_has_served(shared_gateway: Gateway, simulator: Simulator) -> None:
    plain, told = new_key(shared_gateway)
    create(shared_gateway, slug := fresh(), {"model": "sim/model"})
    simulator.script(ok(tokens=(100, 20)))
    answers = [ask(shared_gateway, {"model": f"@preset/{slug}"}, key=plain) for _ in range(3)]
    body = {"model": "sim/solo", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    with open_stream(f"{shared_gateway.url}/chat/completions", body, key=plain) as stream:
        assert [frame.data for frame in stream.frames()][-1] == "[DONE]"
    served = len(simulator.requests())
    found = day_of(shared_gateway, told["hash"], 4, group_by="version")
    assert served == len(answers) + 1 == sum(one["requests"] for one in found)
    assert sum(one["prompt_tokens"] for one in found) == 100 * served
    assert sum(one["completion_tokens"] for one in found) == 20 * served
    assert {(one["preset_slug"], one["preset_version"], one["requests"]) for one in found} == {
        (slug, 1, 3),
        (None, None, 1),
    }
    key = data_of(shared_gateway.call("GET", f"/keys/{told['hash']}"))
    assert Decimal(str(key["usage"])) == sum(Decimal(str(one["usage"])) for one in found) > 0


def test_a_request_that_was_refused_everywhere_is_in_no_sum(shared_gateway: Gateway, simulator: Simulator) -> None:
    plain, told = new_key(shared_gateway)
    simulator.script(status(500))
    assert ask(shared_gateway, {"model": "sim/solo"}, key=plain).status == 502
    simulator.script(ok(tokens=(1, 1)))
    ask(shared_gateway, {"model": "sim/solo"}, key=plain)
    assert [one["attempts"] for one in day_of(shared_gateway, told["hash"], 1)] == [1]


# --- credits -------------------------------------------------------------------------------------------------


def test_credits_are_shown_to_the_sdk(shared_gateway: Gateway, seeded: tuple[str, datetime]) -> None:
    del seeded
    with OpenRouter(api_key=shared_gateway.key, server_url=shared_gateway.url, retry_config=None) as client:
        found = client.credits.get_credits().data
    assert (found.total_credits, found.total_usage >= 0.3) == (0, True)
    plain, _ = new_key(shared_gateway)
    with (
        OpenRouter(api_key=plain, server_url=shared_gateway.url, retry_config=None) as client,
        pytest.raises(errors.ForbiddenResponseError),
    ):
        client.credits.get_credits()


# --- the books -----------------------------------------------------------------------------------------------


def test_the_books_of_a_gateway_at_work_close(shared_gateway: Gateway, simulator: Simulator) -> None:
    simulator.script(ok(tokens=(100, 20)))
    for _ in range(5):
        ask(shared_gateway, {"model": "sim/solo"})
        told = data_of(shared_gateway.call("GET", "/ledger/verify"))
        assert (told["ok"], told["violations"], told["more"]) == (True, [], 0)
        assert set(told["sums"]) == {"attempt", "preset", "provider", "key", "workspace"}
        assert len(set(told["sums"].values())) == 1
    me = data_of(shared_gateway.call("GET", "/key"))
    mine = data_of(shared_gateway.call("GET", f"/ledger/verify?workspace_id={me['workspace_id']}"))
    assert mine["ok"]
    refused(shared_gateway.call("GET", "/ledger/verify?workspace_id=nobodys"), 404)


def test_the_command_reads_the_books_beside_the_server(shared_gateway: Gateway, simulator: Simulator) -> None:
    simulator.script(ok())
    ask(shared_gateway, {"model": "sim/solo"})
    environ = {**os.environ, "SETPOINT_DATA_DIR": str(shared_gateway.data_dir)}
    words = [sys.executable, "-m", "setpoint", "ledger", "verify"]
    with tempfile.TemporaryDirectory() as empty:
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, env=environ, cwd=empty)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].endswith("entries: the books close")


def test_books_that_were_tampered_with_are_told(shared_gateway: Gateway, seeded: tuple[str, datetime]) -> None:
    digest, day = seeded
    mine = activity.c.key_digest == digest
    with books(shared_gateway) as database:
        with database.write() as connection:
            connection.execute(sa.update(activity).where(mine).values(requests=activity.c.requests + 1))
        told = data_of(shared_gateway.call("GET", "/ledger/verify"))
        with database.write() as connection:
            connection.execute(sa.update(activity).where(mine).values(requests=activity.c.requests - 1))
        with database.read() as connection:
            entries = connection.scalar(sa.select(sa.func.count()).select_from(ledger))
    assert (told["ok"], told["checked"]) == (False, entries)
    assert {one["invariant"] for one in told["violations"]} == {"activity"}
    assert all(one["subject"].startswith(day.date().isoformat()) for one in told["violations"])
    assert data_of(shared_gateway.call("GET", "/ledger/verify"))["ok"]
