"""What storage tests stand on: real files, one owner, and makers of what is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from setpoint import ids
from setpoint.canonical.usage import Usage
from setpoint.records import Attempt, Cost, Excluded, Generation, Planned, Preset
from setpoint.storage import presets, workspaces
from setpoint.storage.segments import FOLDER
from setpoint.storage.spool import Spool
from storage.away_support import Impatient

if TYPE_CHECKING:
    from pathlib import Path

    from setpoint.storage.database import Database
    from setpoint.storage.workspaces import Owner


@pytest.fixture
def impatient(database: Database) -> Iterator[Impatient]:
    """The same database, waiting for its lock for moments only."""
    again = Impatient.open(database.path, wait_s=0.05)
    yield again
    again.close()


@pytest.fixture
def spools(tmp_path: Path) -> Path:
    """Where the spools of all processes lie."""
    return tmp_path / "data" / FOLDER


@pytest.fixture
def spool(spools: Path) -> Iterator[Spool]:
    """A spool for a process that is this one."""
    spool = Spool(spools)
    yield spool
    spool.close()


@pytest.fixture
def now() -> datetime:
    """A moment to count from."""
    return datetime(2026, 4, 20, 10, tzinfo=UTC)


@pytest.fixture
def new_id() -> Callable[[], str]:
    """A maker of ids that are no one's yet."""
    dice = Random(7)
    return lambda: ids.new_uuid(dice)


@pytest.fixture
def owner(database: Database, new_id: Callable[[], str], now: datetime) -> Owner:
    """The default workspace and its owner."""
    with database.write() as connection:
        return workspaces.ensure_default(connection, new_id=new_id, new_user_id=lambda: "user_1", now=now)


@pytest.fixture
def capture(database: Database, owner: Owner, new_id: Callable[[], str], now: datetime) -> Callable[..., Preset]:
    """Saves a version of a slug in a transaction of its own: `capture(slug, config=…, now=…)`."""

    def save(slug: str, **given: Any) -> Preset:
        everything: dict[str, Any] = {
            "workspace_id": owner.workspace_id,
            "creator_id": owner.user_id,
            "config": b"{}",
            "system_prompt": None,
            "now": now,
            "new_id": new_id,
        }
        with database.write() as connection:
            return presets.save_version(connection, slug=slug, **(everything | given))

    return save


@pytest.fixture
def make_generation(now: datetime) -> Callable[..., Generation]:
    """Makes a record in which everything is filled in, with an id of its own: `make_generation(cost=…)`."""
    numbers = count(1)

    def make(**given: Any) -> Generation:
        number = next(numbers)
        everything: dict[str, Any] = {
            "id": f"gen-1776679200-{number:020d}",
            "created_at": now + timedelta(microseconds=number),
            "skin": "messages",
            "status": "completed",
            "workspace_id": "w1",
            "key_digest": "d" * 64,
            "requested_model": "@preset/triage",
            "model": "openai/gpt-4o",
            "provider": "openai",
            "provider_name": "OpenAI",
            "preset_id": "p1",
            "preset_slug": "triage",
            "preset_version": 7,
            "version_id": "v7",
            "system_prompt_from": "preset",
            "streamed": True,
            "cancelled": False,
            "finish_reason": "stop",
            "native_finish_reason": "end_turn",
            "error_type": "timeout",
            "upstream_id": "chatcmpl-1",
            "usage": Usage(
                input_tokens=11,
                output_tokens=12,
                cached_tokens=3,
                cache_write_tokens=4,
                reasoning_tokens=5,
                input_audio_tokens=6,
                output_audio_tokens=7,
                image_tokens=8,
                estimated=True,
            ),
            "cost": Cost(prompt=Decimal("0.000010"), completion=Decimal("1E-7"), total=Decimal("0.0000101")),
            "provider_cost": Decimal("0.00001010"),
            "latency_ms": 31,
            "generation_ms": 310,
            "unsaid": ("/top_k", "/tools/3"),
            "not_honoured": ("/stop",),
            "endpoints": (Planned(provider="openai", model="openai/gpt-4o", tag="openai", reason="order"),),
            "excluded": (Excluded(provider="tpyo", model=None, tag=None, reason="unknown_provider"),),
            "zero_completion": True,
            "attempts": (
                _attempt("openai", status=429, error="rate_limit_exceeded"),
                _attempt("azure", key_id="key-2", status=None),
            ),
            "session_id": "s1",
            "external_user": "u1",
            "http_referer": "https://example.test/",
            "app_title": "Ünïcode",
            "user_agent": "curl/8",
            "service_tier": "flex",
            "user_id": "user-1",
            "metadata": b'{"team":"a"}',
            "trace": b'{"trace_id":"t-1"}',
            "cost_drift": True,
        }
        return Generation(**(everything | given))

    return make


def _attempt(provider: str, **given: Any) -> Attempt:
    everything: dict[str, Any] = {
        "provider": provider,
        "provider_name": provider.title(),
        "model": "openai/gpt-4o",
        "upstream_model": "gpt-4o",
        "tag": f"{provider}/eu",
        "key_id": None,
        "status": 200,
        "error": None,
        "latency_ms": 30,
        "usage": Usage(input_tokens=9, output_tokens=2),
        "cost": Decimal("0.0000012"),
    }
    return Attempt(**(everything | given))
