"""Every operation of the official `openrouter` client that has a path here, once: it must read what it is answered."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openrouter
import pytest
from openrouter import OpenRouter
from openrouter.components.generationcontentdata import Input1, Input2
from openrouter.operations import GetUserActivityRequest

from api.api_support import fresh
from api.skins_support import ROUTES, SKINS, least
from simulator.script import ok, status
from support.processes import Gateway, config_file, simulated
from support.sdk import HOOKS, held
from support.table import route_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


@pytest.fixture
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
    http.event_hooks = {**HOOKS, "request": [lambda sent: paths.append(f"{sent.method} {sent.url.path}")]}
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
