"""Who a caller is and what it may do: deny by default, the same words for every reason."""

from __future__ import annotations

import contextlib
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, get_args

import pytest
from msgspec import structs

from setpoint.errors import RequestError
from setpoint.gateway.aside import Aside
from setpoint.ids import key_digest
from setpoint.records import Key, Role, Workspace
from setpoint.routing.catalog import Catalog
from setpoint.server.guard import authenticate, authorize, reach
from setpoint.server.request import BodyLimits, Request
from setpoint.server.router import Access
from setpoint.snapshot import Snapshot, SnapshotHolder
from support import records

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW = datetime(2026, 4, 20, 10, tzinfo=UTC)
SECRET = "sk-sp-v1-" + "a" * 64
OTHER = "sk-sp-v1-" + "a" * 63 + "b"


def key(secret: str = SECRET, **more: Any) -> Key:
    return records.key(digest=key_digest(secret), **more)


def snapshot(*keys: Key) -> Snapshot:
    holder = SnapshotHolder(Catalog(models={}, providers={}, aliases={}, offers={}))
    holder.apply(1, (), keys)
    return holder.current


def request(**headers: str | bytes) -> Request:
    sent = [
        (name.replace("_", "-").encode(), text if isinstance(text, bytes) else text.encode())
        for name, text in headers.items()
    ]

    async def receive() -> dict[str, Any]:
        raise AssertionError("a caller without a key is not read")

    async def send(message: Mapping[str, Any]) -> None:
        raise AssertionError(message)

    return Request({"headers": sent, "method": "GET"}, receive, send, {}, BodyLimits(1, 1, 1), Aside())


def refused(asked: Request, *keys: Key, now: datetime = NOW) -> str:
    with pytest.raises(RequestError) as caught:
        authenticate(asked, snapshot(*keys), now)
    assert (caught.value.type, caught.value.status) == ("authentication", 401)
    assert SECRET not in caught.value.message
    return caught.value.message


# --- who ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "Bearer   "])
def test_a_bearer_key_is_known(scheme: str) -> None:
    assert authenticate(request(authorization=scheme + SECRET), snapshot(key()), NOW) == key()


def test_a_key_in_its_own_header_is_known() -> None:
    assert authenticate(request(x_api_key=SECRET), snapshot(key()), NOW) == key()


def test_one_valid_key_of_two_is_enough_and_the_bearer_comes_first() -> None:
    mine, theirs = key(), key(OTHER, name="other")
    both = snapshot(mine, theirs)
    assert authenticate(request(authorization=f"Bearer {SECRET}", x_api_key=OTHER), both, NOW) == mine
    assert authenticate(request(authorization="Bearer wrong", x_api_key=OTHER), both, NOW) == theirs
    assert authenticate(request(authorization="Bearer wrong", x_api_key=SECRET), snapshot(mine), NOW) == mine


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": ""}, {"authorization": "Bearer"}, {"authorization": "Bearer "}, {"x_api_key": ""}]
)
def test_no_key_is_missing(headers: dict[str, str]) -> None:
    assert refused(request(**headers), key()) == "Missing Authentication header"


@pytest.mark.parametrize("authorization", [f"Basic {SECRET}", SECRET, f"Token {SECRET}", f"Bearer:{SECRET}"])
def test_another_scheme_carries_no_key(authorization: str) -> None:
    assert refused(request(authorization=authorization), key()) == "Missing Authentication header"


@pytest.mark.parametrize(
    "offer",
    [
        *("x", OTHER, SECRET[:-1], SECRET + "a", SECRET.upper(), f"{SECRET} {SECRET}", f'"{SECRET}"'),
        key_digest(SECRET),
        b"sk-\xff\xfe",
    ],
)
def test_what_is_not_the_key_itself_is_refused_and_so_is_its_stored_digest(offer: str | bytes) -> None:
    data = offer if isinstance(offer, bytes) else offer.encode()
    for asked in (request(authorization=b"Bearer " + data), request(x_api_key=data)):
        assert refused(asked, key()) == "Invalid credentials"


def test_keys_that_begin_alike_are_told_apart() -> None:
    both = snapshot(key(name="a"), key(OTHER, name="b"))
    assert authenticate(request(x_api_key=SECRET), both, NOW).name == "a"
    assert authenticate(request(x_api_key=OTHER), both, NOW).name == "b"


@pytest.mark.parametrize("gone", [key(disabled=True), key(deleted=True)])
def test_a_key_that_was_taken_back_reads_like_an_unknown_one(gone: Key) -> None:
    assert refused(request(x_api_key=SECRET), gone) == "Invalid credentials"


def test_a_key_ends_at_the_exact_moment() -> None:
    ending = key(expires_at=NOW)
    assert authenticate(request(x_api_key=SECRET), snapshot(ending), NOW - timedelta(microseconds=1)) == ending
    assert refused(request(x_api_key=SECRET), ending, now=NOW) == "Invalid credentials"
    assert refused(request(x_api_key=SECRET), ending, now=NOW + timedelta(days=1)) == "Invalid credentials"


def test_the_end_of_a_key_goes_by_the_clock_it_is_given_and_leaves_nothing_behind() -> None:
    """Wherever the clock is set, back an hour or on a day, a key is what its end says for that time."""
    world = snapshot(key(expires_at=NOW))
    asked = request(x_api_key=SECRET)
    for step in (timedelta(hours=-1), timedelta(days=1), timedelta(hours=-1), timedelta(0), timedelta(microseconds=-1)):
        if step < timedelta(0):
            assert authenticate(asked, world, NOW + step).expires_at == NOW
        else:
            with pytest.raises(RequestError, match="Invalid credentials"):
                authenticate(asked, world, NOW + step)


@pytest.mark.parametrize(
    ("end", "last"),
    [
        ("2024-03-01T00:00:00", "2024-02-29T23:59:59.999999"),
        ("2026-03-29T01:00:00", "2026-03-29T00:59:59.999999"),
        ("2027-01-01T00:00:00", "2026-12-31T23:59:59.999999"),
    ],
)
def test_a_key_may_end_on_a_leap_day_at_a_change_of_clocks_or_with_the_year(end: str, last: str) -> None:
    ending = key(expires_at=datetime.fromisoformat(end).replace(tzinfo=UTC))
    asked, world = request(x_api_key=SECRET), snapshot(ending)
    assert authenticate(asked, world, datetime.fromisoformat(last).replace(tzinfo=UTC)) == ending
    assert refused(asked, ending, now=datetime.fromisoformat(end).replace(tzinfo=UTC)) == "Invalid credentials"


def test_keys_that_nobody_has_leave_nothing_behind() -> None:
    """They are looked for in the snapshot alone: nothing else is within reach here, and nothing of them is kept."""
    world = snapshot(key())

    def flood(first: int, behind: int) -> int:
        for number in range(first, behind):
            with contextlib.suppress(RequestError):
                authenticate(request(x_api_key=f"sk-sp-v1-{number:064x}"), world, NOW)
        return sys.getallocatedblocks()

    before = flood(0, 1_000)
    assert flood(1_000, 101_000) - before < 1_000, "blocks of memory for 100,000 of them"


# --- what ---------------------------------------------------------------------------------------------------

MAY: dict[Role, set[str]] = {
    "admin": {"any", "inference", "explain", "capture", "editor", "admin", "admin_read"},
    "editor": {"any", "inference", "explain", "capture", "editor"},
    "caller": {"any", "inference", "explain", "capture"},
    "read_only": {"any", "admin_read"},
}


@pytest.mark.parametrize("role", get_args(Role))
@pytest.mark.parametrize("access", get_args(Access))
def test_each_role_may_what_the_table_says_and_nothing_else(role: Role, access: Access) -> None:
    if access in MAY[role]:
        authorize(key(role=role), access)
        return
    with pytest.raises(RequestError) as caught:
        authorize(key(role=role), access)
    assert (caught.value.type, caught.value.status) == ("permission_denied", 403)


@pytest.mark.parametrize("role", ["admin", "editor", "caller"])
def test_a_key_that_manages_only_may_call_no_model_but_keeps_the_rest(role: Role) -> None:
    managing = structs.replace(key(role=role), inference=False)
    with pytest.raises(RequestError, match="may not call models") as caught:
        authorize(managing, "inference")
    assert caught.value.status == 403
    for access in get_args(Access):
        if access in MAY[role] - {"inference"}:
            authorize(managing, access)


# --- how far a key reaches -----------------------------------------------------------------------------------


def two_workspaces() -> Snapshot:
    """`home`, which is the default one, and `away`."""
    holder = SnapshotHolder(Catalog(models={}, providers={}, aliases={}, offers={}))
    made = [
        Workspace(
            id=id_,
            slug=id_,
            name=id_,
            is_default=id_ == "home",
            owner_id="u1",
            created_at=NOW,
            updated_at=NOW,
            revision=1,
        )
        for id_ in ("home", "away")
    ]
    holder.apply(1, (), (), (), made)
    return holder.current


@pytest.mark.parametrize(
    ("role", "own", "wanted", "found"),
    [
        ("admin", "home", None, None),
        ("admin", "home", "home", "home"),
        ("admin", "home", "away", "away"),
        ("admin", "away", None, "away"),
        ("admin", "away", "away", "away"),
        ("read_only", "home", None, "home"),
        ("read_only", "away", "away", "away"),
    ],
)
def test_a_key_reaches_its_own_workspace_and_an_admin_of_the_default_one_all(
    role: Role, own: str, wanted: str | None, found: str | None
) -> None:
    assert reach(key(role=role, workspace_id=own), wanted, two_workspaces()) == found


@pytest.mark.parametrize(
    ("role", "own", "wanted"),
    [("admin", "home", "none"), ("admin", "away", "home"), ("read_only", "home", "away"), ("admin", "away", "none")],
)
def test_a_workspace_out_of_reach_is_not_there(role: Role, own: str, wanted: str) -> None:
    with pytest.raises(RequestError) as caught:
        reach(key(role=role, workspace_id=own), wanted, two_workspaces())
    assert (caught.value.type, caught.value.message) == ("not_found", "Resource not found")
