"""The official `openrouter` client as an operator's: whatever it can ask for here, it must read what it is answered."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openrouter
import pytest
from openrouter import OpenRouter, errors
from openrouter.components.generationcontentdata import Input1, Input2
from openrouter.operations import GetUserActivityRequest

from api.api_support import data_of, fresh, new_key
from api.skins_support import ROUTES, SKINS, least
from simulator.script import ok, status
from support.processes import Gateway, config_file, simulated
from support.sdk import HOOKS, held
from support.table import route_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from setpoint.records import Dialect
    from simulator.client import Simulator

SAID: list[Any] = [{"role": "user", "content": "hi"}]
HI = {"role": "user", "content": "Hi there"}
_OPERATION = re.compile(r'method="(\w+)",\s*path="(/[^"]+)"')
_DEPRECATED = r"ignore:.*DEPRECATED:DeprecationWarning"


def shape(method: str, path: str) -> str:
    """A method and a path whatever its parameters are called."""
    return f"{method} {re.sub(r'{[^}]+}', '{}', path)}"


def operations() -> set[str]:
    """All that the client has a method for."""
    folder = Path(openrouter.__file__).parent
    sources = [file.read_text("utf-8") for file in folder.glob("*.py")]
    return {shape(*found) for source in sources for found in _OPERATION.findall(source)}


def served() -> set[str]:
    """All that is there under the base paths."""
    return {shape(route.method, route.path) for route in route_table() if route.based}


@pytest.fixture(scope="module")
def keeping(simulator_process: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that keeps prompts and answers, too."""
    folder = tmp_path_factory.mktemp("keeping")
    config = config_file(folder, **simulated(simulator_process), settings={"record_content": True})
    gateway = Gateway(folder, config=config)
    yield gateway
    assert gateway.stop() == 0, gateway.log_text()


@pytest.mark.filterwarnings(_DEPRECATED)
def test_it_reads_whatever_it_can_ask_for_here(keeping: Gateway, simulator: Simulator) -> None:
    del simulator
    client = held(OpenRouter(api_key=keeping.key, server_url=keeping.url, retry_config=None))
    paths: list[str] = []
    http: Any = client.sdk_configuration.client

    def note(sent: httpx.Request) -> None:
        paths.append(f"{sent.method} {sent.url.path}")

    http.event_hooks = {**HOOKS, "request": [note]}
    for wanted, ask in calls(client, keeping.key).items():
        paths.clear()
        ask()
        (asked,) = paths
        assert re.fullmatch(wanted.replace(" ", " /api/v1").replace("{}", "[^/]+"), asked)
    assert set(calls(client, keeping.key)) == operations() & served(), "none is left out"


def calls(client: OpenRouter, key: str) -> dict[str, Callable[[], Any]]:
    """A call of each operation, in an order in which they can be made."""
    made: dict[str, Any] = {}

    def make(name: str, kept: Any) -> None:
        made[name] = kept

    preset: Any = {"slug": fresh(), "model": "sim/solo"}
    home: Any = {"workspace_ref": fresh("home"), "interval": "daily"}
    slug = home["workspace_ref"]
    return {
        "POST /chat/completions": lambda: make(
            "answer", client.chat.send(model="sim/solo", messages=SAID, stream=False)
        ),
        "POST /responses": lambda: client.responses.send(model="sim/solo", input="hi", stream=False),
        "GET /generation": lambda: client.generations.get_generation(id=made["answer"].id),
        "GET /generation/content": lambda: client.generations.list_generation_content(id=made["answer"].id),
        "GET /activity": lambda: client.analytics.get_user_activity(request=GetUserActivityRequest()),
        "GET /credits": client.credits.get_credits,
        "POST /presets/{}/chat/completions": lambda: client.presets.create_presets_chat_completions(
            **preset, messages=SAID
        ),
        "POST /presets/{}/messages": lambda: client.presets.create_presets_messages(
            **preset, messages=SAID, max_tokens=7
        ),
        "POST /presets/{}/responses": lambda: client.presets.create_presets_responses(**preset, input="hi"),
        "GET /presets": client.presets.list,
        "GET /presets/{}": lambda: client.presets.get(slug=preset["slug"]),
        "GET /presets/{}/versions": lambda: client.presets.list_versions(slug=preset["slug"]),
        "GET /presets/{}/versions/{}": lambda: client.presets.get_version(slug=preset["slug"], version="1"),
        "GET /models": client.models.list,
        "GET /models/count": client.models.count,
        "GET /models/user": lambda: client.models.list_for_user(security={"bearer": key}),
        "GET /model/{}/{}": lambda: client.models.get(author="sim", slug="solo"),
        "GET /models/{}/{}/endpoints": lambda: client.endpoints.list(author="sim", slug="solo"),
        "GET /endpoints/zdr": client.endpoints.list_zdr_endpoints,
        "GET /providers": client.providers.list,
        "POST /workspaces": lambda: make("home", client.workspaces.create(name="A home", slug=slug)),
        "GET /workspaces": client.workspaces.list,
        "GET /workspaces/{}": lambda: client.workspaces.get(id=slug),
        "PATCH /workspaces/{}": lambda: client.workspaces.update(id=slug, name="Another"),
        "PUT /workspaces/{}/budgets/{}": lambda: client.workspaces.set_budget(**home, limit_usd=2),
        "GET /workspaces/{}/budgets": lambda: client.workspaces.list_budgets(workspace_ref=slug),
        "GET /workspaces/{}/budgets/{}": lambda: client.workspaces.get_budget(**home),
        "DELETE /workspaces/{}/budgets/{}": lambda: client.workspaces.delete_budget(**home),
        "POST /keys": lambda: make("key", client.api_keys.create(name="a", workspace_id=made["home"].data.id)),
        "GET /keys": client.api_keys.list,
        "GET /keys/{}": lambda: client.api_keys.get(hash=made["key"].data.hash),
        "PATCH /keys/{}": lambda: client.api_keys.update(hash=made["key"].data.hash, name="b"),
        "GET /key": client.api_keys.get_current_key_metadata,
        "DELETE /keys/{}": lambda: client.api_keys.delete(hash=made["key"].data.hash),
        "POST /byok": lambda: make("lent", client.byok.create(provider="openai", key="sk-lent-0123456789abcdef")),
        "GET /byok": client.byok.list,
        "GET /byok/{}": lambda: client.byok.get(id=made["lent"].data.id),
        "PATCH /byok/{}": lambda: client.byok.update(id=made["lent"].data.id, name="lent"),
        "DELETE /byok/{}": lambda: client.byok.delete(id=made["lent"].data.id),
        "DELETE /workspaces/{}": lambda: client.workspaces.delete(id=slug),
    }


# --- keys ----------------------------------------------------------------------------------------------------


def test_it_finds_keys_by_what_they_are(keeping: Gateway) -> None:
    client = held(OpenRouter(api_key=keeping.key, server_url=keeping.url, retry_config=None))
    home = client.workspaces.create(name="A home", slug=fresh("home")).data.id
    past = datetime.now(UTC) - timedelta(days=1)
    made = [
        client.api_keys.create(name=name, workspace_id=home, expires_at=expires_at).data.hash
        for name, expires_at in (("first", None), ("resting", None), ("ended", past), ("last", None))
    ]
    client.api_keys.update(hash=made[1], disabled=True)

    def names(**query: Any) -> list[str]:
        return [key.name for key in client.api_keys.list(workspace_id=home, **query).data]

    assert names() == ["last", "first"]
    assert names(include_disabled=True) == ["last", "resting", "first"]
    assert names(include_expired=True) == ["last", "ended", "first"]
    assert names(include_disabled=True, include_expired=True, offset=1) == ["ended", "resting", "first"]
    assert names(offset=2) == []
    assert not {*made} & {key.hash for key in client.api_keys.list().data}, "those are the caller's own workspace's"
    with pytest.raises(errors.NotFoundResponseError):
        client.api_keys.list(workspace_id=made[0])


def test_it_changes_each_member_of_a_key_by_itself(keeping: Gateway) -> None:
    client = held(OpenRouter(api_key=keeping.key, server_url=keeping.url, retry_config=None))
    _, told = new_key(keeping, name="before", limit=1, role="read_only", requests_per_minute=7, allowed_models=["a/b"])

    def known() -> dict[str, Any]:
        return client.api_keys.get(hash=told["hash"]).data.model_dump()

    changes: list[dict[str, Any]] = [
        {"name": "after"},
        {"disabled": True},
        {"include_byok_in_limit": not told["include_byok_in_limit"]},
        {"limit": 2.5},
        {"limit_reset": "monthly"},
        {"limit": None},
        {"limit_reset": None},
        {"disabled": False},
    ]
    for change in changes:
        before = known()
        client.api_keys.update(hash=told["hash"], **change)
        after = known()
        expected = {**before, **change}
        moved = ("updated_at", "limit_remaining")
        assert {**after, **dict.fromkeys(moved)} == {**expected, **dict.fromkeys(moved)}
        assert after["limit_remaining"] == after["limit"]
    own = data_of(keeping.call("GET", f"/keys/{told['hash']}"))
    assert (own["role"], own["requests_per_minute"], own["allowed_models"]) == ("read_only", 7, ["a/b"])
    refused: list[dict[str, Any]] = [{"name": ""}, {"limit": -1}, {"workspace_id": told["workspace_id"]}]
    for wrong in refused:
        with pytest.raises(errors.BadRequestResponseError, match=rf"^{next(iter(wrong))}: "):
            client.api_keys.update(hash=told["hash"], **wrong)
    with pytest.raises(errors.BadRequestResponseError, match=r"^external: is not a member of a key"):
        client.api_keys.create(name="of a partner", external={"user": "somebody"})


# --- what was asked and answered -----------------------------------------------------------------------------


@pytest.mark.filterwarnings(_DEPRECATED)
def test_it_reads_what_is_kept_of_answers_and_of_failures(keeping: Gateway, simulator: Simulator) -> None:
    client = held(OpenRouter(api_key=keeping.key, server_url=keeping.url, retry_config=None))
    read = client.generations.list_generation_content

    def content(skin: Dialect, **fields: Any) -> Any:
        answer = keeping.call("POST", ROUTES[skin], least(skin, model="sim/model", **fields))
        return read(id=answer.header("x-generation-id") or "").data

    for skin in SKINS:
        simulator.script(ok("Hello."))
        kept = content(skin)
        assert (kept.output.completion, kept.output.reasoning, kept.error) == ("Hello.", None, None)
        assert kept.input == (Input1(prompt="Hi there") if skin == "responses" else Input2(messages=[HI]))
        simulator.script(ok("y" * 1_500_000))
        kept = content(skin)
        assert (kept.output.completion, kept.output.reasoning) == (None, None), "it is longer than what is kept"
    simulator.script(status(503), prefix="/a")
    simulator.script(status(400, {"error": {"message": "That is wrong."}}), prefix="/b")
    failed = content("chat")
    assert (failed.output.completion, failed.output.reasoning) == (None, None)
    assert (failed.error.status, failed.error.message, failed.error.provider_name) == (
        400,
        "other: That is wrong.",
        "other",
    )
    assert failed.error.raw is None
    assert [(one.code, one.message, one.provider_name, one.raw) for one in failed.error.previous_errors] == [
        (503, "sim: simulated 503", "sim", None)
    ]
    long = content("chat", messages=[{"role": "user", "content": "x " * 600_000}])
    assert long.input == Input2(messages=[]), "likewise"
