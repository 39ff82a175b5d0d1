"""Makers of ids and the written form of times. The clock and the dice are passed in."""

from __future__ import annotations

import hashlib
import re
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
KEY_BEGINS = "sk-sp-v1-"
KEY = re.compile(KEY_BEGINS + "[0-9a-f]{16,}")
"""What an API key of ours looks like, also one that was cut."""
TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|\+00:00)")
"""How a time in UTC may be written."""
_GENERATION_ID = re.compile(r"gen-([0-9]{1,12})-[0-9a-f]{20}")


def utc_now() -> datetime:
    """The time now, in UTC: the clock that `server/app.py` hands down."""
    return datetime.now(UTC)


def _word(dice: Random, length: int) -> str:
    return "".join(dice.choices(_ALPHABET, k=length))


def generation_id(now: datetime, dice: Random) -> str:
    """A new generation id: `gen-<Unix seconds>-<20 hex digits>`."""
    return f"gen-{int(now.timestamp())}-{dice.getrandbits(80):020x}"


def generation_age_s(id_: str, now: datetime) -> float | None:
    """How long ago the request of this generation came, in seconds; None for what is no generation id."""
    match = _GENERATION_ID.fullmatch(id_)
    return now.timestamp() - int(match[1]) if match else None


def prefixed_id(prefix: str, dice: Random) -> str:
    """A new id inside an answer, such as `call_` and 24 letters and digits: of tool calls, messages, items."""
    return f"{prefix}{_word(dice, 24)}"


def user_id(dice: Random) -> str:
    """A new user id: `user_<27 letters and digits>`."""
    return f"user_{_word(dice, 27)}"


def new_uuid(dice: Random) -> str:
    """A new random UUID (version 4), lower case with hyphens."""
    return str(uuid.UUID(int=dice.getrandbits(128), version=4))


def new_key(dice: Random) -> str:
    """A new API key: `sk-sp-v1-` and 64 hex digits, 256 random bits. The dice must be the system's own."""
    return f"{KEY_BEGINS}{dice.getrandbits(256):064x}"


def key_digest(key: str) -> str:
    """The SHA-256 digest of a key in lower-case hex: what is stored, and what a key is looked up by."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def timestamp(at: datetime) -> str:
    """A time as every answer writes it: ISO 8601, UTC, microseconds, `Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read_timestamp(text: str) -> datetime | None:
    """A time that is written in UTC: `timestamp`'s own writing, or less exact. None for what is none."""
    if not TIMESTAMP.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None
