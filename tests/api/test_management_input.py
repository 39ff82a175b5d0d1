"""What the bodies of management calls may not say: every member that is documented, with every kind of wrong value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from api.api_support import fresh, new_key, new_workspace, refused
from support.http import call
from support.table import route_table

if TYPE_CHECKING:
    from support.processes import Gateway

IN_OTHER_DIGITS = "".join(chr(0x660 + int(one)) if one.isdigit() else one for one in "2030-01-01T00:00:00Z")
WRONG = {
    "a huge number": "1e308",
    "more than a number": "1e400",
    "many digits": "9" * 5_000,
    "just too many for a database": str(2**63),
    "next to nothing": "1e-320",
    "less than nothing": "-1",
    "minus zero": "-0.0",
    "half a surrogate pair": '"\\ud800"',
    "the other half": '"a\\udc00b"',
    "a NUL": '"a\\u0000b"',
    "an escape sequence": '"\\u001b[31mred"',
    "nothing": '""',
    "a long text": f'"{"x" * 3_000}"',
    "a time in other digits": f'"{IN_OTHER_DIGITS}"',
    "true": "true",
    "an object": "{}",
    "an object of surrogates": '{"\\ud800": 1}',
    "a list": "[]",
    "a list of surrogates": '["\\ud800"]',
    "a list of NULs": '["\\u0000"]',
    "a list of objects": "[{}]",
    "a list of nothing": "[null]",
    "too long a list": json.dumps(["a"] * 101),
    "something deep": "[" * 200 + "]" * 200,
}
BODIES = sorted(
    f"{route.method} {route.path}"
    for route in route_table()
    if route.skin is None and route.access in ("admin", "editor") and route.method in ("POST", "PATCH", "PUT")
)
LEAST: dict[str, dict[str, Any]] = {
    "POST /keys": {"name": "a"},
    "POST /byok": {"provider": "sim", "key": "sk-0123456789"},
    "POST /workspaces": {"name": "a", "slug": "taken-0"},
    "PUT /workspaces/{workspace}/budgets/{interval}": {"limit_usd": 5},
}
"""What a body must have, where it must have anything."""


@pytest.fixture(scope="module")
def there(shared_gateway: Gateway) -> dict[str, str]:
    """Something for every parameter of a path."""
    slug = fresh("wrong")
    assert shared_gateway.call("POST", f"/presets/{slug}/chat/completions", {"model": "sim/solo"}).status == 200
    added = shared_gateway.call("POST", "/byok", {"provider": "sim", "key": "sk-0123456789"}).json()["data"]
    return {
        "slug": slug,
        "version": "1",
        "hash": new_key(shared_gateway)[1]["hash"],
        "id": added["id"],
        "workspace": new_workspace(shared_gateway),
        "interval": "daily",
    }


@pytest.mark.parametrize("name", BODIES)
def test_what_is_wrong_is_named_and_never_a_fault_of_ours(
    shared_gateway: Gateway, there: dict[str, str], name: str
) -> None:
    """What is taken all the same is as documented: every call of this suite is held against the document."""
    method, path = name.split(" ")
    api = call("GET", f"{shared_gateway.origin}/openapi.json").json()
    schema = api["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]["schema"]
    members = api["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"]
    least = LEAST.get(name, {})
    for member in (*members, "nobodys"):
        others = {other: content for other, content in least.items() if other != member}
        begin = json.dumps(others)[:-1] + (", " if others else "")
        for kind, wrong in WRONG.items():
            content = f'{begin}"{member}": {wrong}}}'.encode()
            answer = shared_gateway.call(method, path.format(**there), body=content)
            assert answer.status in (200, 201, 400, 404, 409), (member, kind, answer.status, answer.body)
            if answer.status == 400:
                message = refused(answer, 400)
                assert message.startswith(member), (member, kind, message)
                assert len(message) < 250
    for path in ("/keys", "/byok", "/workspaces", "/presets"):
        assert shared_gateway.call("GET", path).status == 200, "and what is stored can be read"


def test_what_would_be_taken_for_something_else_is_wrong(shared_gateway: Gateway, there: dict[str, str]) -> None:
    for path, member, content in (
        ("/workspaces/{workspace}", "is_observability_broadcast_enabled", 0),
        ("/workspaces/{workspace}", "is_data_discount_logging_enabled", -0.0),
        ("/workspaces/{workspace}", "description", "half \ud800"),
        ("/workspaces/{workspace}", "description", "\0"),
        ("/presets/{slug}", "description", "half \udc00"),
        ("/presets/{slug}", "description", "\x1b[31mred"),
        ("/keys/{hash}", "expires_at", IN_OTHER_DIGITS),
    ):
        answer = shared_gateway.call("PATCH", path.format(**there), {member: content})
        assert refused(answer, 400).startswith(f"{member}: ")
    lines = {"description": "first line\r\n\tsecond line"}
    for path in ("/workspaces/{workspace}", "/presets/{slug}"):
        answer = shared_gateway.call("PATCH", path.format(**there), lines)
        assert (answer.status, answer.json()["data"]["description"]) == (200, lines["description"])


def test_ten_megabytes_in_one_member_are_refused_in_few_words(shared_gateway: Gateway, there: dict[str, str]) -> None:
    long = "x" * (10 << 20)
    for path, member in (("/keys/{hash}", "name"), ("/byok/{id}", "key"), ("/workspaces/{workspace}", "slug")):
        for said in ({member: long}, {long: member}):
            answer = shared_gateway.call("PATCH", path.format(**there), said)
            assert refused(answer, 400).startswith(next(iter(said))[:60])
            assert len(answer.body) < 400


def test_a_number_that_is_too_large_is_told_the_largest(shared_gateway: Gateway, there: dict[str, str]) -> None:
    for number in ("1e308", str(2**63), "1e400"):
        body = f'{{"requests_per_minute": {number}}}'.encode()
        message = refused(shared_gateway.call("PATCH", f"/keys/{there['hash']}", body=body), 400)
        assert message.startswith("requests_per_minute: ")
        assert str(2**63 - 1) in message or number == "1e400"
