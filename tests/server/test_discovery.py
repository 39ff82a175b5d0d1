"""Models that providers list themselves: real lists, two workers, a provider that dies, a restart."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from api.api_support import data_of
from setpoint.providers.client import HttpClient
from setpoint.records import AddedKey, KeyTerms, ListedModel, Provider, ProviderKey
from setpoint.routing.catalog import Catalog
from setpoint.routing.offers import offer
from setpoint.server.discovery import Discovery
from setpoint.server.model_lists import ModelLists
from setpoint.snapshot import SnapshotHolder
from simulator.script import body, ok, status
from support.processes import Gateway, SimulatorProcess, config_file
from support.waiting import children, until

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    import pytest

    from simulator.client import Simulator
    from simulator.steps import Script
    from support.processes import StartGateway


def a_list(*names: str, **more: Any) -> Script:
    return body({"object": "list", "data": [{"id": name, "object": "model", **more} for name in names]})


def ids(gateway: Gateway) -> list[str]:
    """The models of the list that a worker of the gateway shows."""
    return [row["id"] for row in data_of(gateway.call("GET", "/models"))]


def shows(gateway: Gateway, wanted: Sequence[str]) -> bool:
    """Whether the list of whoever answers is this."""
    return ids(gateway) == [*wanted, "setpoint/echo"]


@contextmanager
def standing_still(pid: int) -> Generator[None]:
    """Have a worker stand still, so that its siblings answer all that comes."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_what_a_provider_lists_can_be_asked_for_on_every_worker(
    simulator: Simulator, start_gateway: StartGateway
) -> None:
    simulator.script(a_list("llama3:8b", "named", "a b", max_model_len=8_192), prefix="/o/v1/models")
    simulator.script(status(307, "", headers={"Location": simulator.url("/elsewhere")}), prefix="/moved/v1/models")
    gateway = start_gateway(
        arguments=["--workers", "2"],
        settings={"watchdog_s": 120},
        providers={
            "ollama": {"base_url": simulator.url("/o/v1"), "api_key": "sk-of-ollama"},
            "vllm": {"base_url": simulator.url("/quiet/v1"), "discover": False},
            "acme": {
                "dialect": "chat",
                "base_url": simulator.url("/moved/v1"),
                "api_key": "sk-of-acme-0123456789",
                "discover": True,
                "discover_every_s": 0.2,
            },
        },
        models={"ollama/named": {"context_length": 7, "endpoints": [{"provider": "ollama", "model": "elsewhere"}]}},
    )
    until(lambda: shows(gateway, ["ollama/named", "ollama/llama3:8b"]))
    for worker in children(gateway.pid):
        with standing_still(worker):
            until(lambda: shows(gateway, ["ollama/named", "ollama/llama3:8b"]))
    rows = {row["id"]: row for row in data_of(gateway.call("GET", "/models"))}
    assert (rows["ollama/llama3:8b"]["context_length"], rows["ollama/named"]["context_length"]) == (8_192, 7)
    assert rows["ollama/llama3:8b"]["pricing"]["prompt"] == "0"
    simulator.script(ok(), prefix="/o/v1/chat")
    content = {"model": "ollama/llama3:8b", "messages": [{"role": "user", "content": "?"}]}
    assert gateway.call("POST", "/chat/completions", content).status == 200
    [asked] = simulator.requests("/o/v1/chat")
    assert asked.json()["model"] == "llama3:8b"
    looks = simulator.requests("/o/v1/models")
    assert [(one.method, one.header("authorization"), one.body) for one in looks] == [
        ("GET", "Bearer sk-of-ollama", b"")
    ], "one worker looks, once in five minutes"
    until(lambda: len(simulator.requests("/moved")) > 1)
    assert simulator.requests("/elsewhere") == simulator.requests("/quiet") == []
    log = gateway.settled_log_text()
    assert log.count("the model list of acme cannot be had, the last one stays") == 1
    assert "sk-of-acme" not in log


def test_the_last_good_list_outlives_its_provider_and_a_restart(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    upstream = SimulatorProcess(tmp_path / "upstream")
    simulator = upstream.handle
    simulator.script(a_list("a", "b"), prefix="/v1/models")
    folder = tmp_path_factory.mktemp("gateway")
    local = {"base_url": simulator.url("/v1"), "discover_every_s": 0.1}
    config = config_file(folder, providers={"lmstudio": local})
    gateway = Gateway(folder, config=config)
    try:
        until(lambda: shows(gateway, ["lmstudio/a", "lmstudio/b"]))
        simulator.script(a_list("b", "c"), prefix="/v1/models")
        until(lambda: shows(gateway, ["lmstudio/b", "lmstudio/c"]))
        for nonsense in (status(500), body("<html>"), body({"data": "none"}), body({"data": [{"name": "b"}]})):
            simulator.script(nonsense, prefix="/v1/models")
            simulator.forget_requests()
            simulator.wait_for_requests(3)
            assert shows(gateway, ["lmstudio/b", "lmstudio/c"])
        upstream.stop()
        config_file(folder, providers={"lmstudio": local}, models={"x/y": {"endpoints": [{"provider": "lmstudio"}]}})
        gateway.process.send_signal(signal.SIGHUP)
        until(lambda: shows(gateway, ["x/y", "lmstudio/b", "lmstudio/c"]))
    finally:
        gateway.stop()
        upstream.stop()
    again = Gateway(folder, config=config)
    try:
        assert shows(again, ["x/y", "lmstudio/b", "lmstudio/c"]), "before anyone could have been asked"
        config_file(folder, providers={"lmstudio": {**local, "discover": False}})
        again.process.send_signal(signal.SIGHUP)
        until(lambda: shows(again, []))
    finally:
        again.stop()


def test_a_list_is_of_one_address(tmp_path: Path) -> None:
    one, other = (
        Provider(slug="p", name="P", dialects=("chat",), base_url=f"http://{host}/v1") for host in ("one", "other")
    )
    lists = ModelLists(tmp_path / "discovered")
    assert (lists.read([one]), lists.newer([one])) == ({}, {})
    models = (ListedModel(id="m", context_length=5), ListedModel(id="n"))
    assert lists.write(one, models)
    assert lists.newer([one]) == {"p": models}
    assert lists.newer([one]) == {}
    assert lists.read([other]) == {}
    assert [path.name for path in (tmp_path / "discovered").iterdir()] == ["p.json"]


def test_a_file_that_is_none_of_ours_is_no_list(tmp_path: Path) -> None:
    provider = Provider(slug="p", name="P", dialects=("chat",), base_url="http://h/v1")
    for content in (b"", b"[]", b'{"address": 7}', b'{"address": "http://h/v1/models", "models": [{"id": 1}]}'):
        (tmp_path / "p.json").write_bytes(content)
        assert ModelLists(tmp_path).read([provider]) == {}


def test_where_nothing_can_be_written_the_list_is_not_kept(tmp_path: Path) -> None:
    provider = Provider(slug="p", name="P", dialects=("chat",), base_url="http://h/v1")
    (tmp_path / "discovered").write_text("a file where the folder should be")
    assert not ModelLists(tmp_path / "discovered").write(provider, ())


def test_a_provider_that_only_an_added_key_wakes_is_asked_for_its_list(tmp_path: Path, simulator: Simulator) -> None:
    simulator.script(a_list("llama3:8b"), prefix="/v1/models")
    sleeper = Provider(
        slug="sleeper", name="Sleeper", dialects=("chat",), base_url=simulator.url("/v1"), own_machine=True,
        discover=True,
    )  # fmt: skip
    written = Catalog(models={}, providers={}, aliases={}, offers={}, dormant={"sleeper": offer(sleeper, None)})
    holder = SnapshotHolder(written)

    def key(provider: Provider) -> ProviderKey | None:
        ring = holder.current.provider_keys.get(provider.slug)
        return next((row.key for row in ring.usable), None) if ring is not None else None

    async def lived() -> None:
        client = HttpClient()
        lists = ModelLists(tmp_path / "discovered")
        discovery = Discovery(client, lists, written, holder.replace_catalog, key=key, dice=lambda: 0.1, asks=True)
        running = asyncio.create_task(discovery.run())
        try:
            await asyncio.sleep(0.2)
            assert not simulator.requests("/v1/models"), "it sleeps"
            holder.apply(1, [], [], [added_key(1)])
            await asyncio.to_thread(until, lambda: "sleeper/llama3:8b" in holder.current.catalog.models)
            holder.apply(2, [], [], [added_key(2, deleted=True)])
            assert not holder.current.catalog.models, "and with its last key its models are gone"
        finally:
            running.cancel()
            await client.close()

    asyncio.run(lived())
    [asked] = simulator.requests("/v1/models")
    assert asked.header("authorization") == "Bearer s3cret"


def added_key(revision: int, *, deleted: bool = False) -> AddedKey:
    return AddedKey(
        id="k1",
        provider="sleeper",
        label="...",
        key=None if deleted else ProviderKey(id="k1", secret="s3cret"),
        terms=KeyTerms(),
        deleted=deleted,
        sort_order=0,
        workspace_id=None,
        creator_user_id="u",
        created_at=datetime.now(UTC),
        updated_at=None,
        revision=revision,
    )
