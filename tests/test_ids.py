"""Ids, keys and times as they are written."""

from __future__ import annotations

import hashlib
import re
import uuid
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint import ids

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 4, 20, 10, 0, 0, 999_999, tzinfo=UTC)

MAKERS: dict[str, tuple[Callable[[Random], str], str]] = {
    "generation": (lambda dice: ids.generation_id(NOW, dice), r"gen-1776679200-[0-9A-Za-z]{20}"),
    "tool call": (lambda dice: ids.prefixed_id("call_", dice), r"call_[0-9A-Za-z]{24}"),
    "user": (ids.user_id, r"user_[0-9A-Za-z]{27}"),
    "uuid": (ids.new_uuid, r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
    "key": (ids.new_key, r"sk-sp-v1-[0-9a-f]{64}"),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_an_id_has_its_form_whatever_the_dice(kind: str) -> None:
    make, form = MAKERS[kind]
    made = [make(Random(seed)) for seed in range(200)]
    assert all(re.fullmatch(form, one) for one in made)
    assert len(set(made)) == len(made)


@pytest.mark.parametrize("kind", MAKERS)
def test_the_same_dice_make_the_same_id_and_the_next_throw_another(kind: str) -> None:
    make, _ = MAKERS[kind]
    dice = Random(7)
    assert make(dice) == make(Random(7))
    assert make(dice) != make(Random(7))


class Zeros(Random):
    """Dice that throw nothing but zeros."""

    def getrandbits(self, k: int, /) -> int:
        del k
        return 0

    def random(self) -> float:
        return 0.0


@pytest.mark.parametrize("kind", MAKERS)
def test_low_throws_are_written_in_full_length(kind: str) -> None:
    make, form = MAKERS[kind]
    assert re.fullmatch(form, make(Zeros()))


def test_a_uuid_is_one() -> None:
    made = uuid.UUID(ids.new_uuid(Random(7)))
    assert (made.version, made.variant) == (4, uuid.RFC_4122)


def test_a_key_is_found_by_the_sha_256_of_its_text() -> None:
    assert ids.key_digest("sk-sp-v1-0") == hashlib.sha256(b"sk-sp-v1-0").hexdigest()


@given(st.binary())
def test_whatever_a_header_held_has_a_digest(header: bytes) -> None:
    assert re.fullmatch("[0-9a-f]{64}", ids.key_digest(header.decode("latin-1")))


@pytest.mark.parametrize(
    ("at", "written"),
    [
        (NOW, "2026-04-20T10:00:00.999999Z"),
        (datetime(2026, 4, 20, 10, tzinfo=UTC), "2026-04-20T10:00:00.000000Z"),
        (datetime(2026, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=1))), "2025-12-31T23:30:00.000000Z"),
    ],
)
def test_a_time_is_written_in_utc_with_microseconds(at: datetime, written: str) -> None:
    assert ids.timestamp(at) == written


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9998, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 hypothesis wants bounds without a zone
def test_a_written_time_is_read_back(at: datetime) -> None:
    assert ids.read_timestamp(ids.timestamp(at)) == at


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-04-20T10:00Z", datetime(2026, 4, 20, 10, tzinfo=UTC)),
        ("2026-04-20T10:00:00+00:00", datetime(2026, 4, 20, 10, tzinfo=UTC)),
        ("2026-04-20T10:00:00.5Z", datetime(2026, 4, 20, 10, microsecond=500_000, tzinfo=UTC)),
        ("2026-02-30T10:00:00Z", None),
        ("2026-04-20T24:01:00Z", None),
        ("2026-04-20T10:00:00", None),
        ("2026-04-20T10:00:00+02:00", None),
        ("2026-04-20", None),
        ("\u0662026-04-20T10:00:00Z", None),
    ],
)
def test_a_time_is_read_where_it_is_written_in_utc(text: str, moment: datetime | None) -> None:
    assert ids.read_timestamp(text) == moment


def test_the_clock_is_aware_and_in_utc() -> None:
    assert ids.utc_now().utcoffset() == timedelta(0)


def test_a_generation_id_tells_how_old_its_request_is() -> None:
    id_ = ids.generation_id(NOW, Random(7))
    assert ids.generation_age_s(id_, NOW + timedelta(seconds=60)) == pytest.approx(60.999999)
    for other in (
        "",
        "gen-",
        "gen-1",
        id_[:-1],
        id_ + "0",
        id_.replace("gen", "req"),
        "gen-" + "9" * 400 + "-" + "0" * 20,
    ):
        assert ids.generation_age_s(other, NOW) is None
