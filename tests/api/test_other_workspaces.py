"""What belongs to another workspace is answered like what is not there at all, byte for byte."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from api.api_support import USER, ask, create, data_of, fresh, new_key, new_workspace
from support.table import route_table
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.http import Answer
    from support.processes import Gateway

NIL = "00000000-0000-4000-8000-000000000000"
UNKNOWN = {"slug": "never-made", "hash": "0" * 64, "id": NIL, "workspace": NIL, "generation": "gen-1-never"}

ASKED: dict[str, Any] = {
    "GET /presets/{slug}": None,
    "PATCH /presets/{slug}": {"name": "taken"},
    "DELETE /presets/{slug}": None,
    "GET /presets/{slug}/versions": None,
    "GET /presets/{slug}/versions/{version}": None,
    "POST /presets/{slug}/versions/{version}/designate": {},
    "GET /keys/{hash}": None,
    "PATCH /keys/{hash}": {"name": "taken"},
    "DELETE /keys/{hash}": None,
    "GET /byok/{id}": None,
    "PATCH /byok/{id}": {"name": "taken"},
    "DELETE /byok/{id}": None,
    "GET /workspaces/{workspace}": None,
    "PATCH /workspaces/{workspace}": {"name": "taken"},
    "DELETE /workspaces/{workspace}": None,
    "GET /workspaces/{workspace}/budgets": None,
    "GET /workspaces/{workspace}/budgets/{interval}": None,
    "PUT /workspaces/{workspace}/budgets/{interval}": {"limit_usd": 1},
    "DELETE /workspaces/{workspace}/budgets/{interval}": None,
}
"""Every route whose path names something of a workspace, with a body that is right."""

MADE_HERE = {f"POST /presets/{{slug}}/{skin}" for skin in ("chat/completions", "messages", "responses")}
"""A slug means a preset of the caller's own workspace, which these make."""

NAMED_ELSEWHERE: dict[str, tuple[str, str, Any]] = {
    "the id of a generation": ("GET", "/generation?id={generation}", None),
    "the id of a generation's content": ("GET", "/generation/content?id={generation}", None),
    "whose keys": ("GET", "/keys?workspace_id={workspace}", None),
    "whose provider keys": ("GET", "/byok?workspace_id={workspace}", None),
    "whose activity": ("GET", "/activity?workspace_id={workspace}", None),
    "whose ledger": ("GET", "/ledger/verify?workspace_id={workspace}", None),
    "of which key the generations are": ("GET", "/generations?key={hash}", None),
    "of which preset the generations are": ("GET", "/generations?preset={slug}", None),
    "of which key the activity is": ("GET", "/activity?api_key_hash={hash}", None),
    "of which version the generations are": ("GET", "/generations?preset={slug}&version=1", None),
    "whose key is made": ("POST", "/keys", {"name": "a", "workspace_id": "{workspace}"}),
    "whose provider key is made": (
        "POST",
        "/byok",
        {"provider": "sim", "key": "sk-0123456789", "workspace_id": "{workspace}"},
    ),
    "whose requests carry a provider key": (
        "POST",
        "/byok",
        {"provider": "sim", "key": "sk-0123456789", "allowed_api_key_hashes": ["{hash}"]},
    ),
    "a preset that is called": ("POST", "/chat/completions", {"model": "@preset/{slug}", "messages": [USER]}),
    "a version of a preset": (
        "POST",
        "/explain/messages",
        {"model": "sim/solo@preset/{slug}@1", "max_tokens": 9, "messages": [USER]},
    ),
    "a preset in its field": ("POST", "/explain/responses", {"preset": "{slug}@latest", "input": "hi"}),
    "a preset in a body": ("POST", "/explain/chat/completions", {"model": "@preset/{slug}", "messages": []}),
    "a preset that a capture is made of": ("POST", "/presets/mine/responses", {"model": "@preset/{slug}"}),
}
"""Where else something of a workspace may be named: in a query, in a body."""


@pytest.fixture(scope="module")
def theirs(shared_gateway: Gateway) -> Iterator[dict[str, str]]:
    """What is in the default workspace, by what a path calls it."""
    slug = fresh("theirs")
    create(shared_gateway, slug, {"model": "sim/solo"})
    plain, key = new_key(shared_gateway)
    home = data_of(shared_gateway.call("GET", "/key"))["workspace_id"]
    added = {"provider": "sim", "key": "sk-of-home-0123456789", "workspace_id": home}
    provider_key = shared_gateway.call("POST", "/byok", added).json()["data"]["id"]
    generation = ask(shared_gateway, {"model": "setpoint/echo"}, key=plain).json()["id"]
    until(lambda: shared_gateway.call("GET", f"/generation?id={generation}").status == 200)
    yield {
        "slug": slug,
        "hash": key["hash"],
        "id": provider_key,
        "workspace": home,
        "generation": generation,
    }
    # Others who ask the same gateway count its provider keys, and send what they ask with them.
    for row in data_of(shared_gateway.call("GET", "/byok")):
        if row["source"] != "configuration":
            shared_gateway.call("DELETE", f"/byok/{row['id']}")


@pytest.fixture(scope="module")
def stranger(shared_gateway: Gateway) -> str:
    """The key of an admin of another workspace."""
    return new_key(shared_gateway, role="admin", workspace_id=new_workspace(shared_gateway))[0]


def test_every_route_that_names_something_of_a_workspace_has_its_row_here() -> None:
    named = {
        f"{route.method} {route.path}"
        for route in route_table()
        if "{" in route.path and not route.path.startswith("/model")
    }
    assert named == ASKED.keys() | MADE_HERE


def both(gateway: Gateway, key: str, theirs: dict[str, str], method: str, path: str, body: Any) -> list[Answer]:
    """The answers for what is theirs, and for what is nobody's."""
    answers: list[Answer] = []
    for things in (theirs, UNKNOWN):
        named = {**things, "version": "1", "interval": "monthly"}
        answers.append(gateway.call(method, path.format(**named), _filled(body, named), key=key))
    return answers


def _filled(body: Any, named: dict[str, str]) -> Any:
    text = json.dumps(body)
    for name, thing in named.items():
        text = text.replace(f"{{{name}}}", thing)
    return json.loads(text)


def without_names(answer: Answer, *things: dict[str, str]) -> bytes:
    """What is answered, without the names that were asked for."""
    said = answer.body
    for name in {name for named in things for name in named.values()}:
        said = said.replace(name.encode(), b"it")
    return said


@pytest.mark.parametrize("name", ASKED)
def test_what_is_another_workspaces_is_answered_like_what_is_not_there(
    shared_gateway: Gateway, theirs: dict[str, str], stranger: str, name: str
) -> None:
    method, path = name.split(" ")
    foreign, unknown = both(shared_gateway, stranger, theirs, method, path, ASKED[name])
    assert (foreign.status, unknown.status) == (404, 404)
    assert foreign.body == unknown.body


@pytest.mark.parametrize("where", NAMED_ELSEWHERE)
def test_so_it_is_wherever_it_is_named(
    shared_gateway: Gateway, theirs: dict[str, str], stranger: str, where: str
) -> None:
    foreign, unknown = both(shared_gateway, stranger, theirs, *NAMED_ELSEWHERE[where])
    assert foreign.status == unknown.status
    assert foreign.status in (400, 404) or foreign.json()["data"] == []
    assert without_names(foreign, theirs, UNKNOWN) == without_names(unknown, theirs, UNKNOWN)


def test_so_it_is_with_keys_in_what_the_stranger_may_change(
    shared_gateway: Gateway, theirs: dict[str, str], stranger: str
) -> None:
    home = data_of(shared_gateway.call("GET", "/key", key=stranger))["workspace_id"]
    added = {"provider": "sim", "key": "sk-of-the-stranger-0123456789"}
    provider_key = shared_gateway.call("POST", "/byok", added, key=stranger).json()["data"]["id"]
    for path, member in (
        (f"/workspaces/{home}", "io_logging_api_key_ids"),
        (f"/byok/{provider_key}", "allowed_api_key_hashes"),
    ):
        foreign, unknown = both(shared_gateway, stranger, theirs, "PATCH", path, {member: ["{hash}"]})
        assert (foreign.status, foreign.body) == (400, unknown.body)
    assert shared_gateway.call("DELETE", f"/byok/{provider_key}", key=stranger).status == 200


def test_nothing_of_it_was_changed_and_its_own_admin_sees_all_of_it(
    shared_gateway: Gateway, theirs: dict[str, str]
) -> None:
    things = ("/presets/{slug}", "/keys/{hash}", "/byok/{id}", "/workspaces/{workspace}", "/generation?id={generation}")
    for path in things:
        row = data_of(shared_gateway.call("GET", path.format(**theirs)))
        assert row.get("name") != "taken"


def test_lists_show_the_callers_own_workspace_alone(
    shared_gateway: Gateway, theirs: dict[str, str], stranger: str
) -> None:
    for path in ("/presets", "/keys", "/byok", "/workspaces", "/activity"):
        seen = shared_gateway.call("GET", path, key=stranger)
        assert seen.status == 200
        assert not [name for name in theirs.values() if name.encode() in seen.body], path


def test_a_provider_whose_only_key_is_another_workspaces_is_not_there(shared_gateway: Gateway, stranger: str) -> None:
    capture = f"/presets/{fresh('of-groq')}/chat/completions"
    asked: list[tuple[str, str, Any]] = [
        *(("GET", path, None) for path in ("/providers", "/models", "/models/count", "/models/user", "/endpoints/zdr")),
        ("GET", "/model/groq/llama", None),
        ("GET", "/models/groq/llama/endpoints", None),
        *(
            ("POST", "/explain/chat/completions", {"model": "sim/solo", "messages": [USER], **asking})
            for asking in ({"model": "groq/llama"}, {"models": ["groq/llama"]}, {"provider": {"ignore": ["groq"]}})
        ),
    ]

    def answers(key: str | None = None) -> list[tuple[int, bytes]]:
        told = [shared_gateway.call(method, path, body, key=key) for method, path, body in asked]
        return [(answer.status, answer.body) for answer in told]

    def warnings(key: str | None = None) -> list[str]:
        made = shared_gateway.call("POST", capture, {"model": "groq/llama"}, key=key)
        return [one["code"] for one in made.json()["receipt"]["warnings"]]

    before, unknown = answers(), warnings()
    assert unknown == ["model_unknown"]
    theirs = {"provider": "groq", "key": "gsk-of-theirs-0123456789", "declared_zdr": True}
    added = shared_gateway.call("POST", "/byok", theirs, key=stranger).json()["data"]["id"]
    try:
        assert [status for status, _ in answers(stranger)][5:9] == [200] * 4
        assert b"groq" in answers(stranger)[0][1]
        assert "model_unknown" not in warnings(stranger)
        assert answers() == before
        assert warnings() == unknown
    finally:
        assert shared_gateway.call("DELETE", f"/byok/{added}", key=stranger).status == 200
    assert answers(stranger) == before
