"""The official `openrouter` client, unchanged but for its address: presets, chat, models, keys, records, errors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from openrouter import OpenRouter, errors
from openrouter.components import ChatResult

from api.api_support import USER, create, data_of, fresh, new_key, sent
from simulator.script import cut, ok, status, stream
from support.sdk import held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.client import Simulator
    from support.processes import Gateway, StartGateway

MESSAGES: list[Any] = [{"role": "system", "content": "Be short."}, USER]


@pytest.fixture
def client(shared_gateway: Gateway) -> Iterator[OpenRouter]:
    with client_of(shared_gateway) as made:
        yield made


# The client warns of two of its own fields, whatever a server sends.
_DEPRECATED = r"ignore:.*DEPRECATED:DeprecationWarning"


def client_of(gateway: Gateway, key: str | None = None) -> OpenRouter:
    # Without its retries: it would repeat every 5XX for an hour.
    return held(OpenRouter(api_key=key or gateway.key, server_url=gateway.url, retry_config=None))


def walk(page: Any) -> Iterator[Any]:
    """Every row behind one of its pagers."""
    while page is not None:
        yield from page.result.data
        page = page.next()


# --- presets -------------------------------------------------------------------------------------------------


def test_all_seven_preset_operations(client: OpenRouter) -> None:
    slug = fresh()
    made = client.presets.create_presets_chat_completions(
        slug=slug, messages=MESSAGES, model="sim/solo", temperature=0.5, top_p=None
    ).data
    version = made.designated_version
    assert version is not None
    assert (made.slug, made.name, made.status, made.status_updated_at) == (slug, slug, "active", None)
    assert (version.version, version.system_prompt) == (1, "Be short.")
    assert version.config == {"model": "sim/solo", "temperature": 0.5}

    made = client.presets.create_presets_messages(
        slug=slug, model="sim/solo", messages=[{"role": "user", "content": "hi"}], max_tokens=7, stop_sequences=["X"]
    ).data
    assert made.designated_version is not None
    assert made.designated_version.config == {"model": "sim/solo", "max_tokens": 7, "stop": ["X"]}

    made = client.presets.create_presets_responses(slug=slug, input="hi", instructions="Be kind.").data
    assert made.designated_version is not None
    assert made.designated_version.config == {}, "what the client adds by itself is no setting that anyone made"
    assert made.designated_version.system_prompt == "Be kind."

    assert client.presets.get(slug=slug).data == made
    listed = client.presets.list(limit=1)
    assert listed is not None
    assert listed.result.data[0].id == made.id
    versions: Any = client.presets.list_versions(slug=slug)
    assert [one.version for one in versions.result.data] == [1, 2, 3]
    assert versions.result.total_count == 3
    assert client.presets.get_version(slug=slug, version="1").data == version


def test_its_pagers_walk_every_page_once(start_gateway: StartGateway) -> None:
    gateway = start_gateway()
    slugs = [fresh() for _ in range(7)]
    for slug in [*slugs, *slugs[:1] * 6]:
        create(gateway, slug, {})
    with client_of(gateway) as client:
        seen = [preset.slug for preset in walk(client.presets.list(limit=3))]
        numbers = [version.version for version in walk(client.presets.list_versions(slug=slugs[0], limit=2))]
    assert sorted(seen) == sorted(slugs)
    assert numbers == [1, 2, 3, 4, 5, 6, 7]


def test_errors_are_its_typed_classes(shared_gateway: Gateway, client: OpenRouter) -> None:
    archived = fresh("archived")
    create(shared_gateway, archived, {})
    data_of(shared_gateway.call("DELETE", f"/presets/{archived}"))
    with pytest.raises(errors.NotFoundResponseError) as not_found:
        client.presets.get(slug="nobody-made-this")
    assert (not_found.value.message, not_found.value.data.error.code) == ("Resource not found", 404)
    with pytest.raises(errors.NotFoundResponseError):
        client.presets.get_version(slug=archived, version="2")
    for slug in ("a b", "caf\u00e9", "a%2Fb"):
        with pytest.raises(errors.BadRequestResponseError):
            client.presets.get(slug=slug)
    with pytest.raises(errors.NotFoundResponseError):
        client.presets.get(slug="a/b")  # it does not escape a slash, so this is another path
    with pytest.raises(errors.BadRequestResponseError) as bad:
        client.presets.list(limit=101)
    assert bad.value.message.startswith("limit: ")
    with pytest.raises(errors.BadRequestResponseError):
        client.presets.list_versions(slug=archived, offset=-1)
    with pytest.raises(errors.ConflictResponseError):
        client.presets.create_presets_chat_completions(slug=archived, messages=MESSAGES)
    reader, _ = new_key(shared_gateway, role="read_only")
    with client_of(shared_gateway, reader) as reading, pytest.raises(errors.ForbiddenResponseError):
        reading.presets.create_presets_responses(slug=fresh(), input="x")
    with client_of(shared_gateway, "sk-sp-v1-nobody") as nobody, pytest.raises(errors.UnauthorizedResponseError):
        nobody.presets.list()


# --- chat ----------------------------------------------------------------------------------------------------


def test_chat_answers_whole(shared_gateway: Gateway, client: OpenRouter, simulator: Simulator) -> None:
    create(shared_gateway, slug := fresh(), {"model": "sim/solo", "temperature": 0.5})
    simulator.script(ok("Hello."))
    answer = client.chat.send(model=f"@preset/{slug}", messages=[{"role": "user", "content": "hi"}], stream=False)
    assert isinstance(answer, ChatResult)
    assert (answer.model, answer.choices[0].message.content) == ("sim/solo", "Hello.")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.total_tokens, answer.usage.cost) == (16, 0.000021)
    assert sent(simulator)["temperature"] == 0.5


def test_chat_streams(shared_gateway: Gateway, client: OpenRouter, simulator: Simulator) -> None:
    create(shared_gateway, slug := fresh(), {"model": "sim/solo"})
    simulator.script(stream(["Hel", "lo", "."]))
    with client.chat.send(model=f"@preset/{slug}", messages=[{"role": "user", "content": "hi"}], stream=True) as events:
        chunks = list(events)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello."
    assert {chunk.model for chunk in chunks} == {"sim/solo"}
    assert len({chunk.id for chunk in chunks}) == 1
    assert [chunk.usage.total_tokens for chunk in chunks if chunk.usage] == [16]


def test_chat_errors_are_its_typed_classes(client: OpenRouter, simulator: Simulator) -> None:
    def send(model: str, **more: Any) -> Any:
        call: Any = client.chat.send
        return call(model=model, messages=MESSAGES, **more)

    for streaming in (False, True):
        with pytest.raises(errors.NotFoundResponseError, match="nobody-made-this"):
            send("@preset/nobody-made-this", stream=streaming)
        with pytest.raises(errors.BadRequestResponseError, match="is not a valid model ID"):
            send("nobody/model", stream=streaming)
        with pytest.raises(errors.BadRequestResponseError, match=r"^temperature: "):
            send("sim/solo", stream=streaming, temperature=3)
        simulator.script(status(429, headers={"Retry-After": "1"}))
        with pytest.raises(errors.TooManyRequestsResponseError):
            send("sim/solo", stream=streaming)
        simulator.script(status(500))
        with pytest.raises(errors.BadGatewayResponseError):
            send("sim/solo", stream=streaming)
    simulator.script(cut(stream(["Hel", "lo"]), after=600))
    with send("sim/solo", stream=True) as events:
        last = list(events)[-1]
    assert last.error is not None, "a stream that breaks says so in its last event"
    assert last.error.code == 502


# --- models, keys, records -----------------------------------------------------------------------------------


def test_models_are_listed(client: OpenRouter) -> None:
    ids = [model.id for model in walk(client.models.list(limit=2))]
    assert ids == ["sim/model", "sim/solo", "other/solo", "setpoint/echo"]
    whole = client.models.list()
    assert whole is not None
    assert whole.result.total_count == 4
    prices = {model.id: (model.pricing.prompt, model.pricing.completion) for model in whole.result.data}
    assert prices["sim/solo"] == ("0.000001", "0.000002")
    assert prices["other/solo"] == ("-1", "-1")


def test_keys_are_made_changed_and_deleted(shared_gateway: Gateway, client: OpenRouter) -> None:
    expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    made = client.api_keys.create(name="from the client", expires_at=expires_at)
    assert made.data.expires_at == expires_at
    with client_of(shared_gateway, made.key) as caller:
        assert caller.presets.list() is not None
    assert made.data.hash in [key.hash for key in client.api_keys.list().data]
    assert client.api_keys.get(hash=made.data.hash).data.name == "from the client"
    assert client.api_keys.update(hash=made.data.hash, disabled=True).data.disabled
    with client_of(shared_gateway, made.key) as caller, pytest.raises(errors.UnauthorizedResponseError):
        caller.presets.list()
    assert made.data.hash not in [key.hash for key in client.api_keys.list(include_disabled=False).data]
    assert made.data.hash in [key.hash for key in client.api_keys.list(include_disabled=True).data]
    assert client.api_keys.delete(hash=made.data.hash).DELETED is True
    with pytest.raises(errors.NotFoundResponseError):
        client.api_keys.get(hash=made.data.hash)


def test_workspaces_and_their_budgets_are_made_changed_and_deleted(client: OpenRouter) -> None:
    slug = fresh("from-the-client")
    made = client.workspaces.create(
        name="From the client",
        slug=slug,
        description=None,
        default_provider_sort="latency",
        default_image_model=None,
        is_observability_broadcast_enabled=False,
        disabled_server_tools=[],
        io_logging_sampling_rate=0.5,
    ).data
    assert (made.slug, made.default_provider_sort, made.io_logging_sampling_rate) == (slug, "latency", 0.5)
    assert made in list(walk(client.workspaces.list(limit=2)))
    assert client.workspaces.get(id=slug).data == client.workspaces.get(id=made.id).data == made
    changed = client.workspaces.update(id=slug, default_text_model="sim/solo", default_provider_sort=None).data
    assert (changed.default_text_model, changed.default_provider_sort, changed.name) == ("sim/solo", None, made.name)

    def put(interval: Any, limit: float) -> Any:
        return client.workspaces.set_budget(workspace_ref=slug, interval=interval, limit_usd=limit)

    day, ever = put("daily", 2.5).data, put("lifetime", 100).data
    assert (day.limit_usd, day.reset_interval, ever.reset_interval) == (2.5, "daily", None)
    assert client.workspaces.list_budgets(workspace_ref=made.id).data == [ever, day]
    one = client.workspaces.get_budget(workspace_ref=slug, interval="daily")
    assert (one.data, one.include_byok_in_budgets) == (day, True)
    with pytest.raises(errors.BadRequestResponseError, match="lifetime budget"):
        put("daily", 100)
    for _ in range(2):
        assert client.workspaces.delete_budget(workspace_ref=slug, interval="daily").DELETED is True
    with pytest.raises(errors.NotFoundResponseError):
        client.workspaces.get_budget(workspace_ref=slug, interval="daily")
    assert client.workspaces.delete(id=slug).DELETED is True
    with pytest.raises(errors.NotFoundResponseError):
        client.workspaces.get(id=made.id)


@pytest.mark.filterwarnings(_DEPRECATED)
def test_what_a_key_may_spend_is_said_and_changed(shared_gateway: Gateway, client: OpenRouter) -> None:
    own = client.api_keys.get_current_key_metadata().data
    home, owner = own.workspace_id, own.creator_user_id
    assert home is not None
    made = client.api_keys.create(
        name="bounded",
        limit=12.5,
        limit_reset="weekly",
        include_byok_in_limit=True,
        workspace_id=home,
        creator_user_id=owner,
    )
    row = made.data
    assert (row.limit, row.limit_remaining, row.limit_reset) == (12.5, 12.5, "weekly")
    assert (row.include_byok_in_limit, row.workspace_id, row.creator_user_id) == (True, home, owner)
    with client_of(shared_gateway, made.key) as caller:
        seen = caller.api_keys.get_current_key_metadata().data
    [layer] = seen.budgets
    assert (layer.scope, layer.limit_usd, layer.spend_usd, layer.reset_interval) == ("key_limit", 12.5, 0, "weekly")
    assert layer.resets_at is not None
    assert layer.resets_at.weekday() == 0
    assert seen.effective_budget == layer
    assert row.hash in [key.hash for key in client.api_keys.list(workspace_id=home, offset=0).data]
    more = client.api_keys.update(hash=row.hash, limit=20, limit_reset="daily").data
    assert (more.limit, more.limit_reset, more.name) == (20, "daily", "bounded")
    free = client.api_keys.update(hash=row.hash, limit=None, limit_reset=None).data
    assert (free.limit, free.limit_remaining, free.limit_reset) == (None, None, None)
    with pytest.raises(errors.BadRequestResponseError):
        client.api_keys.create(name="wrong", limit=-1)
    with pytest.raises(errors.OpenRouterDefaultError) as unknown:
        client.api_keys.create(name="wrong", workspace_id="00000000-0000-0000-0000-000000000000")
    assert unknown.value.status_code == 404


def test_provider_keys_are_managed(shared_gateway: Gateway, client: OpenRouter) -> None:
    _, told = new_key(shared_gateway)
    hashes: list[str] = [told["hash"]]
    made = client.byok.create(
        provider="openai", key="sk-sdk-0123456789abcdef", name="of the SDK", allowed_api_key_hashes=hashes
    ).data
    assert (made.provider, made.name, made.label, made.sort_order) == ("openai", "of the SDK", "sk...def", 0)
    assert (made.workspace_id, made.allowed_models, made.declared_zdr) == (None, None, None)
    assert client.byok.get(id=made.id).data == made
    second = client.byok.create(provider="openai", key="sk-another-0123456789", is_fallback=True, disabled=True).data
    assert (second.sort_order, second.is_fallback, second.disabled) == (1, True, True)
    ids = [row.id for row in walk(client.byok.list(limit=1))]
    whole = client.byok.list()
    assert whole is not None
    assert [row.id for row in whole.result.data] == ids
    assert whole.result.total_count == len(ids) == 4
    of_openai = client.byok.list(provider="openai")
    assert of_openai is not None
    assert [row.id for row in of_openai.result.data] == [made.id, second.id]
    changed = client.byok.update(id=made.id, name=None, allowed_api_key_hashes=None, key="sk-rotated-0123456789").data
    assert (changed.id, changed.name, changed.allowed_api_key_hashes) == (made.id, None, None)
    with pytest.raises(errors.OpenRouterDefaultError) as kept:  # it has no class of its own for this one
        client.byok.delete(id=ids[0])
    assert kept.value.status_code == 409
    with pytest.raises(errors.BadRequestResponseError):
        client.byok.create(provider="ai21", key="sk-0123456789")  # which nobody has told us of
    for row in (made, second):
        assert client.byok.delete(id=row.id).DELETED is True
    with pytest.raises(errors.NotFoundResponseError):
        client.byok.get(id=made.id)
    reader, _ = new_key(shared_gateway, role="read_only")
    with client_of(shared_gateway, reader) as reading:
        assert reading.byok.list() is not None
        with pytest.raises(errors.ForbiddenResponseError):
            reading.byok.create(provider="openai", key="sk-0123456789")


@pytest.mark.filterwarnings(_DEPRECATED)
def test_a_key_can_look_at_itself(shared_gateway: Gateway) -> None:
    plain, told = new_key(shared_gateway, role="admin", inference=False)
    with client_of(shared_gateway, plain) as manager:
        seen = manager.api_keys.get_current_key_metadata().data
    assert (seen.label, seen.is_management_key, seen.is_free_tier) == (told["label"], True, False)
    assert (seen.limit, seen.budgets, seen.effective_budget) == (None, [], None)


def test_a_generation_is_read(client: OpenRouter, simulator: Simulator) -> None:
    simulator.script(ok(tokens=(100, 20)))
    answer = client.chat.send(
        model="sim/solo", messages=[{"role": "user", "content": "hi"}], stream=False, user="someone", session_id="s-1"
    )
    assert isinstance(answer, ChatResult)
    record = client.generations.get_generation(id=answer.id).data
    assert (record.id, record.model, record.provider_name) == (answer.id, "sim/solo", "sim")
    assert (record.tokens_prompt, record.tokens_completion, record.total_cost) == (100, 20, 0.00014)
    assert (record.external_user, record.session_id, record.streamed, record.cancelled) == (
        "someone",
        "s-1",
        False,
        False,
    )
    with pytest.raises(errors.NotFoundResponseError):
        client.generations.get_generation(id="gen-1700000000-aaaaaaaaaaaaaaaaaaaa")


def test_its_attribution_headers_reach_the_record_and_not_the_provider(
    shared_gateway: Gateway, simulator: Simulator
) -> None:
    with OpenRouter(
        api_key=shared_gateway.key,
        server_url=shared_gateway.url,
        retry_config=None,
        http_referer="https://app.example",
        x_open_router_title="App",
    ) as client:
        answer = client.chat.send(model="sim/solo", messages=[{"role": "user", "content": "hi"}], stream=False)
        assert isinstance(answer, ChatResult)
        record = client.generations.get_generation(id=answer.id).data
    assert (record.http_referer, record.origin) == ("https://app.example", "https://app.example")
    assert record.user_agent is not None
    assert record.user_agent.startswith("speakeasy-sdk/python")
    (received,) = simulator.requests()
    assert b"app.example" not in received.head
    assert b"speakeasy" not in received.head
    assert shared_gateway.key.encode() not in received.head
