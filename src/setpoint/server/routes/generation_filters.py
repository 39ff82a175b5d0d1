"""Which generations a caller asks for: one by its id, or those of the list's filters, from where its page begins."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Annotated, get_args

from msgspec import Meta

from setpoint.errors import FieldError
from setpoint.ids import read_timestamp
from setpoint.records import GenerationStatus
from setpoint.server.operation import Query
from setpoint.server.routes.paging import integer
from setpoint.storage.columns import Moment
from setpoint.storage.listing import FIRST, LAST, Place, Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from setpoint.records import Generation, Key

_SOME = Annotated[str, Meta(min_length=1)]

NAMED = (Query("id", str, "The id that the answer's `X-Generation-Id` header has.", required=True),)
"""The parameter that `read_id` reads."""

FILTERS = (
    Query("cursor", _SOME, "The `next_cursor` of the page before."),
    Query("limit", Annotated[int, Meta(ge=1, le=100)], "How many a page has at most; 50 unless said."),
    Query("preset", _SOME, "Only answers with the preset of this slug."),
    Query("version", Annotated[int, Meta(ge=1)], "Only answers with this version of the preset."),
    Query("model", _SOME, "Only answers of this model."),
    Query("provider", _SOME, "Only answers of the provider of this slug."),
    Query("key", _SOME, "Only answers to the key with this hash."),
    Query("status", GenerationStatus, "Only answers that ended so."),
    Query("from", _SOME, "Only answers from this time on, such as 2026-12-31T23:59:59Z, or from this day on, in UTC."),
    Query("to", _SOME, "Only answers before this time, or this day."),
)
"""The parameters that are read here, and `limit`."""
_NAMES = tuple(one.name for one in FILTERS)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_CURSOR = re.compile(r"(\d{1,17})\.(.{1,100})", re.DOTALL | re.ASCII)
_MOMENT = Moment()


def read_id(query: Mapping[str, str]) -> str:
    """The id of the generation that is asked for. Raises: `FieldError`."""
    id_ = query.get("id", "")
    if not id_:
        raise FieldError("id", "is required")
    return id_


def read_filters(query: Mapping[str, str], key: Key) -> Wanted:
    """Which records are wanted of those that this key may see.

    Callers and editors see their own key's records, admins and read-only keys their workspace's.
    Raises: `FieldError` for what cannot be read, or is no filter.
    """
    for name, said in query.items():
        if name not in _NAMES:
            raise FieldError(name, f"is no parameter here; there are {', '.join(_NAMES)}")
        if not said:
            raise FieldError(name, "must not be empty")
    of_key = query.get("key")
    if not sees_all(key):
        of_key = key.digest if of_key in (None, key.digest) else ""  # nobody's: of another's there is nothing to see
    return Wanted(
        workspace_id=key.workspace_id,
        key_digest=of_key,
        preset_slug=query.get("preset"),
        preset_version=_version(query),
        model=query.get("model"),
        provider=query.get("provider"),
        status=_status(query.get("status")),
        since=_moment(query, "from") or FIRST,
        until=_moment(query, "to") or LAST,
    )


def sees_all(key: Key) -> bool:
    """Whether this key sees the records of its whole workspace, and not only its own."""
    return key.role in ("admin", "read_only")


def read_cursor(query: Mapping[str, str]) -> Place | None:
    """Behind which record the page begins; None at the beginning. Raises: `FieldError`."""
    cursor = query.get("cursor")
    if cursor is None:
        return None
    try:
        match = _CURSOR.fullmatch(urlsafe_b64decode(cursor).decode())
    except ValueError:
        match = None
    if match is None:
        raise FieldError("cursor", "must be a next_cursor that came with a page")
    return Place(_MOMENT.read(int(match[1])), match[2])


def cursor_behind(record: Generation) -> str:
    """What asks for the page behind this record."""
    return urlsafe_b64encode(f"{_MOMENT.write(record.created_at)}.{record.id}".encode()).decode()


def _version(query: Mapping[str, str]) -> int | None:
    if "version" not in query:
        return None
    if "preset" not in query:
        raise FieldError("version", "needs a preset beside it, whose version it is")
    return integer(query, "version", default=1, least=1)


def _status(said: str | None) -> GenerationStatus | None:
    if said is None:
        return None
    known: tuple[GenerationStatus, ...] = get_args(GenerationStatus)
    for status in known:
        if status == said:
            return status
    raise FieldError("status", f"must be one of {', '.join(known)}")


def _moment(query: Mapping[str, str], name: str) -> datetime | None:
    said = query.get(name)
    if said is None:
        return None
    moment = read_timestamp(f"{said}T00:00Z" if _DAY.fullmatch(said) else said)
    if moment is None:
        raise FieldError(name, "must be a time in UTC, such as 2026-12-31T23:59:59Z, or a day, such as 2026-12-31")
    return moment
