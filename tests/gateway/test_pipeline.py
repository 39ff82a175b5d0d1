"""The story of a request, with a value in place of the client: preset, plan, attempts, one error at the end."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any, Literal

import pytest
from msgspec import structs

from setpoint.errors import ProviderError, RequestError, SetpointError
from setpoint.gateway.admission import Admission
from setpoint.gateway.aside import Aside
from setpoint.gateway.exchange import Caller, Exchange
from setpoint.gateway.failed import Failed
from setpoint.gateway.pipeline import Pipeline, Policy
from setpoint.gateway.relay import Bounds, Relay
from setpoint.gateway.versions import Versions
from setpoint.protocols.registry import PROTOCOLS
from setpoint.providers.client import Answer, AnswerStream, UpstreamRequest
from setpoint.records import Endpoint, Generation, Price, ProviderKey, Version, Workspace
from setpoint.routing.budget import RetryBudget
from setpoint.routing.catalog import Catalog
from setpoint.routing.health import Health
from setpoint.routing.sessions import Sessions
from setpoint.snapshot import SnapshotHolder
from setpoint.wire.body import split
from support import records
from support.limits import UNLIMITED
from support.records import NOW, preset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.gateway.explain import Explained
    from setpoint.gateway.live import LiveStream
    from setpoint.records import Preset


def endpoint(slug: str, model: str, *keys: str, server_tools: bool = False) -> Endpoint:
    carried = tuple(ProviderKey(id=key, secret=f"{slug}-{key}-secret", weight=int(key == "k1")) for key in keys)
    at = records.provider(slug, keys=carried, server_tools=server_tools)
    return records.endpoint(at, model, model=model.partition("/")[2], weight=0 if slug == "bolt" else 1)


SAGE = records.model("acme/sage", endpoint("acme", "acme/sage", "k1", "k2"), endpoint("bolt", "acme/sage"))
MINT = records.model("acme/mint", endpoint("cora", "acme/mint", server_tools=True))
CACHING = Price(prompt=Decimal("0.02"), completion=Decimal("0.02"), input_cache_read=Decimal("0.01"))
RUNE = records.model(
    "acme/rune", *(structs.replace(endpoint(slug, "acme/rune"), price=CACHING) for slug in ("acme", "cora"))
)
CATALOG = Catalog(
    models={model.id: model for model in (SAGE, MINT, RUNE)},
    providers={},
    aliases={},
    offers={one.provider.slug: one for model in (SAGE, MINT) for one in model.endpoints},
)

OLD = records.version(1, system_prompt=b'"Be old."', config=b'{"model":"acme/sage"}')
NEW = records.version(
    2,
    system_prompt=b'"Be brief."',
    config=b'{"model":"acme/mint","models":["acme/sage"],"temperature":0.20,"min_p":0.1}',
)
PRESET = preset(NEW)


def ok(text: str = "Hi") -> Answer:
    body = {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": text}}]}
    return Answer(200, {"content-type": "application/json"}, json.dumps(body).encode())


def no(status: int, code: str | None = None, message: str = "no", **headers: str) -> Answer:
    return Answer(status, headers, json.dumps({"error": {"code": code, "message": message}}).encode())


STALE = ProviderError("provider_unavailable", "the connection was closed", retry="same", provider_code="stale")
RESET = ProviderError("provider_unavailable", "reset", provider_code="reset")


class Upstreams:
    """A client that gives these answers in order, None being silence without end, and keeps who was asked what."""

    def __init__(self, *answers: Answer | ProviderError | None) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, str | None]] = []
        self.bodies: list[dict[str, Any]] = []

    async def send(self, request: UpstreamRequest) -> Answer:
        host = request.url.split("/")[2].removesuffix(".test")
        key = dict(request.headers).get("Authorization")
        self.asked.append((host, key.split("-")[1] if key else None))
        self.bodies.append(json.loads(request.body))
        answer = self._answers.pop(0)
        if answer is None:
            answer = await asyncio.get_running_loop().create_future()
        if isinstance(answer, ProviderError):
            raise answer
        return answer

    async def stream(self, request: UpstreamRequest) -> AnswerStream:
        raise AssertionError(request.url)

    async def close(self) -> None:
        """There is nothing to close."""


class Gateway:
    """The hot path in front of these answers."""

    def __init__(
        self,
        *answers: Answer | ProviderError | None,
        merge: Literal["override", "prepend"] = "override",
        default_model: str | None = None,
        places: int = 10,
        home: Workspace | None = None,
    ) -> None:
        self.upstreams = Upstreams(*answers)
        self.records: list[Generation] = []
        self.begun: list[Generation] = []
        self.admission = Admission(places, lambda: 0.0)
        snapshots = SnapshotHolder(CATALOG)
        snapshots.apply(1, [PRESET], (), workspaces=[home] if home is not None else ())
        limits = Bounds(max_answer_bytes=9_999, max_event_bytes=9_999, max_json_depth=99, max_json_members=999)
        aside, failed = Aside(), Failed(snapshots)
        relay = Relay(self.upstreams, self.upstreams, limits, b"identity", lambda prefix: f"{prefix}1", aside, failed)
        policy = Policy(system_prompt_merge=merge, default_model=default_model)
        self.now = 0.0
        self.health = Health(lambda: self.now, lambda: 0.5, lambda _: None)
        self.budget = RetryBudget(0.2, lambda: 0.0)
        self.sessions = Sessions(lambda: self.now)
        self._pipeline = Pipeline(
            snapshots,
            Versions(self._stored),
            relay,
            policy,
            aside,
            Random(1).random,
            self.health,
            self.budget,
            self.sessions,
            self.admission,
            UNLIMITED,
        )

    @staticmethod
    async def _stored(_: Preset, number: int) -> Version | None:
        return OLD if number == 1 else None

    def exchange(self, body: Mapping[str, Any]) -> Exchange:
        said = {"messages": [{"role": "user", "content": "Hi"}], **body}
        return Exchange(
            "gen-1",
            skin=PROTOCOLS["chat"],
            key=records.key(),
            body=split(json.dumps(said).encode()),
            caller=Caller(referer=None, app_title=None, user_agent=None, session_id=None),
            created_at=NOW,
            begin=self.begun.append,
            record=self.records.append,
        )

    def answer(self, **body: Any) -> tuple[dict[str, Any], Exchange]:
        """The answer to a request that says this beside its message, and its exchange."""
        exchange = self.exchange(body)
        answer = asyncio.run(self._answer(exchange))
        assert isinstance(answer, bytes)
        return json.loads(answer), exchange

    async def begin(self, **body: Any) -> None:
        """Such a request, in a loop that runs."""
        await self._answer(self.exchange(body))

    def explanation(self, **body: Any) -> tuple[Explained, Exchange]:
        """What would become of such a request, and its exchange."""
        exchange = self.exchange(body)
        return asyncio.run(self._pipeline.explain(exchange)), exchange

    def failure(self, **body: Any) -> tuple[SetpointError, Exchange]:
        """The error that such a request ends with."""
        exchange = self.exchange(body)
        with pytest.raises(SetpointError) as caught:
            asyncio.run(self._answer(exchange))
        return caught.value, exchange

    async def _answer(self, exchange: Exchange) -> bytes | LiveStream:
        with self.admission.enter() as place:
            return await self._pipeline.answer(exchange, place)


def models_asked(gateway: Gateway) -> list[str]:
    return [body["model"] for body in gateway.upstreams.bodies]


# --- presets -------------------------------------------------------------------------------------------------


def test_a_preset_is_put_under_the_request_and_its_version_is_remembered() -> None:
    gateway = Gateway(ok())
    answer, exchange = gateway.answer(model="@preset/triage", temperature=1)
    [sent] = gateway.upstreams.bodies
    assert sent == {
        "model": "mint",
        "temperature": 1,
        "min_p": 0.1,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
    }
    assert answer["model"] == "acme/mint"
    exchange.finish("completed")
    [record] = gateway.records
    assert (record.requested_model, record.model) == ("@preset/triage", "acme/mint")
    assert (record.preset_id, record.preset_slug, record.preset_version, record.version_id) == ("p1", "triage", 2, "v2")
    assert record.system_prompt_from == "preset"


def test_a_pinned_version_is_the_one_that_answers() -> None:
    gateway = Gateway(ok())
    _, exchange = gateway.answer(model="@preset/triage@1")
    assert gateway.upstreams.bodies[0]["messages"][0] == {"role": "system", "content": "Be old."}
    assert exchange.version == OLD


def test_the_requests_model_comes_before_the_presets_which_stay_as_fallbacks() -> None:
    gateway = Gateway(no(400), no(400))
    gateway.failure(model="acme/mint", preset="triage")
    assert models_asked(gateway) == ["mint", "sage"]


@pytest.mark.parametrize("merge", ["override", "prepend"])
def test_a_system_prompt_of_the_request_displaces_the_presets_or_stands_behind_it(
    merge: Literal["override", "prepend"],
) -> None:
    gateway = Gateway(ok(), merge=merge)
    own = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]
    _, exchange = gateway.answer(model="@preset/triage", messages=own)
    told = gateway.upstreams.bodies[0]["messages"][0]["content"]
    expected = ("Be kind.", "request") if merge == "override" else ("Be brief.\n\nBe kind.", "both")
    assert (told, exchange.system_prompt_from) == expected


def test_an_unknown_preset_is_not_found_and_no_other_model_is_asked() -> None:
    gateway = Gateway(default_model="acme/sage")
    error, exchange = gateway.failure(model="acme/sage@preset/nobody")
    assert (error.type, error.message) == ("not_found", "Preset not found: nobody")
    exchange.finish("failed", error)
    assert (gateway.upstreams.asked, gateway.records) == ([], [])


# --- what a workspace says for its requests ------------------------------------------------------------------


def test_a_workspaces_model_is_asked_where_nobody_names_one_and_comes_before_the_servers() -> None:
    home = records.workspace(default_text_model="acme/sage")
    gateway = Gateway(*[ok()] * 3, default_model="acme/rune", home=home)
    gateway.answer()
    gateway.answer(model="acme/mint")
    gateway.answer(model="@preset/triage")
    assert models_asked(gateway) == ["sage", "mint", "mint"]
    told, _ = gateway.explanation()
    assert told.origin["/model"] == "default"
    elsewhere = Gateway(ok(), default_model="acme/rune", home=records.workspace("w2", default_text_model="acme/sage"))
    elsewhere.answer()
    assert models_asked(elsewhere) == ["rune"]


@pytest.mark.parametrize(
    ("said", "expected", "by_default"),
    [
        ({}, "price", True),
        ({"provider": {"sort": None}}, "price", True),
        ({"provider": {"sort": "latency"}}, "latency", False),
        ({"provider": {"sort": {"by": "latency"}}}, "latency", False),
        ({"model": "acme/rune:nitro"}, "throughput", False),
        ({"service_tier": "priority"}, "drawn", False),
    ],
)
def test_a_workspaces_order_is_that_of_requests_that_ask_for_none(
    said: dict[str, Any], expected: str, *, by_default: bool
) -> None:
    gateway = Gateway(home=records.workspace(default_provider_sort="price"))
    told, _ = gateway.explanation(**{"model": "acme/rune", **said})
    assert told.endpoints[0].reason == expected
    effective = json.loads(bytes(told.effective))
    if by_default:
        assert told.origin["/provider/sort"] == "default"
        assert effective["provider"]["sort"] == "price"
    else:
        assert "default" not in told.origin.values()
        assert effective.get("provider") == said.get("provider")
    [plain, _] = Gateway(home=records.workspace()).explanation(model="acme/rune")
    assert (plain.endpoints[0].reason, "default" in plain.origin.values()) == ("drawn", False)


def test_where_a_workspaces_order_stands_is_said_beside_what_the_request_says_of_it() -> None:
    gateway = Gateway(home=records.workspace(default_provider_sort="price"))
    provider = {"sort": {"partition": "none"}, "only": ["acme"]}
    told, _ = gateway.explanation(model="acme/rune", provider=provider)
    assert told.origin["/provider"] == "request"
    assert told.origin["/provider/sort/by"] == "default"
    assert json.loads(bytes(told.effective))["provider"] == {
        "sort": {"partition": "none", "by": "price"},
        "only": ["acme"],
    }


# --- asking first --------------------------------------------------------------------------------------------


def test_what_is_explained_is_not_begun_sent_or_recorded() -> None:
    gateway = Gateway()
    told, exchange = gateway.explanation(model="@preset/triage", top_k=1)
    assert (told.preset, told.system_prompt_from) == (("triage", 2), "preset")
    assert (told.origin["/top_k"], told.origin["/messages/0"]) == ("request", "preset")
    assert (exchange.routed, exchange.attempts) == (False, ())
    assert (gateway.upstreams.asked, gateway.records, gateway.begun) == ([], [], [])


def test_what_is_explained_leaves_it_to_a_request_to_find_out_how_an_endpoint_does() -> None:
    gateway = Gateway(no(500), no(500), no(500), ok())
    for _ in range(3):
        gateway.failure(model="acme/mint")
    told, _ = gateway.explanation(model="acme/mint")
    assert [(one.tag, one.reason) for one in told.excluded] == [("cora", "breaker_open")]
    gateway.now += 31
    for _ in range(2):
        told, _ = gateway.explanation(model="acme/mint")
        assert ([one.reason for one in told.endpoints], told.excluded) == (["drawn"], ())
    gateway.answer(model="acme/mint")
    assert len(gateway.upstreams.asked) == 4


def test_what_is_explained_leaves_a_conversation_where_it_was_and_as_long_as_it_was() -> None:
    gateway = Gateway(ok())
    _, exchange = gateway.answer(model="acme/rune", session_id="s")
    exchange.finish("completed")
    assert exchange.session is not None
    [(slug, _)] = gateway.upstreams.asked

    def explained() -> tuple[str, str]:
        told, _ = gateway.explanation(model="acme/rune", session_id="s")
        return told.endpoints[0].tag, told.endpoints[0].reason

    gateway.now += 599
    assert explained() == (slug, "sticky")
    gateway.now += 2
    assert explained() == (slug, "drawn"), "it had rested for ten minutes, whatever was explained"
    assert gateway.sessions.find(exchange.session) is None


def test_what_is_explained_neither_earns_nor_spends_further_tries() -> None:
    gateway = Gateway(ok())
    left = gateway.budget.left
    gateway.explanation(model="acme/sage", models=["acme/mint"])
    assert (gateway.budget.left, gateway.admission.held) == (left, {})
    gateway.answer(model="acme/sage")
    assert gateway.budget.left > left


def test_what_is_explained_is_refused_as_the_request_would_be() -> None:
    with pytest.raises(RequestError, match="not a valid model ID"):
        Gateway().explanation(model="nobody/sage")


# --- models --------------------------------------------------------------------------------------------------


def test_a_request_that_names_nothing_goes_to_the_default_model_if_there_is_one() -> None:
    gateway = Gateway(ok(), default_model="acme/mint")
    assert gateway.answer()[0]["model"] == "acme/mint"
    assert Gateway().failure()[0].message == "No model specified"


def test_without_a_model_the_first_of_the_list_answers() -> None:
    gateway = Gateway(ok())
    answer, exchange = gateway.answer(models=["acme/mint", "acme/sage"])
    assert answer["model"] == "acme/mint"
    assert (exchange.models, exchange.requested_model) == (("acme/mint", "acme/sage"), None)


def test_a_model_that_does_not_exist_asks_nobody() -> None:
    gateway = Gateway()
    error, exchange = gateway.failure(model="nobody/sage")
    assert error.message == "nobody/sage is not a valid model ID"
    assert not exchange.routed


def test_what_routing_does_not_follow_is_in_the_exchange() -> None:
    _, exchange = Gateway(ok()).answer(model="acme/mint:nitro", provider={"sort": "price", "mood": "good"})
    assert exchange.not_honoured == ("/provider/mood",)


# --- attempts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (no(500), ("bolt", None)),
        (no(503), ("bolt", None)),
        (no(404), ("bolt", None)),
        (RESET, ("bolt", None)),
        (no(429), ("acme", "k2")),
        (no(401), ("acme", "k2")),
        (no(402), ("acme", "k2")),
        (no(400), ("cora", None)),
        (no(400, "context_length_exceeded"), ("cora", None)),
        (no(400, "unsupported_parameter"), ("bolt", None)),
        (no(422), ("cora", None)),
    ],
)
def test_a_failure_reaches_as_far_as_its_cause(first: Answer | ProviderError, then: tuple[str, str | None]) -> None:
    gateway = Gateway(first, ok())
    answer, exchange = gateway.answer(model="acme/sage", models=["acme/mint"])
    assert gateway.upstreams.asked == [("acme", "k1"), then]
    assert answer["provider"] == then[0].title()
    exchange.finish("completed")
    [record] = gateway.records
    assert (record.status, record.error_type, len(record.attempts)) == ("completed", None, 2)
    assert record.attempts[0].error is not None
    assert record.attempts[1].error is None


def test_a_connection_that_was_closed_before_anything_was_sent_is_no_attempt() -> None:
    gateway = Gateway(STALE, ok())
    _, exchange = gateway.answer(model="acme/sage")
    assert gateway.upstreams.asked == [("acme", "k1"), ("acme", "k1")]
    exchange.finish("completed")
    [record] = gateway.records
    assert [one.status for one in record.attempts] == [200]


def test_the_second_time_it_is_a_failure_like_any_other() -> None:
    gateway = Gateway(STALE, STALE, ok())
    _, exchange = gateway.answer(model="acme/sage")
    assert gateway.upstreams.asked == [("acme", "k1"), ("acme", "k1"), ("bolt", None)]
    exchange.finish("completed")
    [record] = gateway.records
    assert [(one.provider, one.error) for one in record.attempts] == [("acme", "provider_unavailable"), ("bolt", None)]


def test_without_fallbacks_the_first_endpoints_error_is_the_answer() -> None:
    gateway = Gateway(no(500, "boom", "it broke"))
    error, _ = gateway.failure(model="acme/sage", provider={"allow_fallbacks": False})
    assert (error.type, error.message) == ("provider_unavailable", "Acme: it broke")
    assert gateway.upstreams.asked == [("acme", "k1")]


def test_when_all_are_tried_one_error_lists_what_was_tried() -> None:
    gateway = Gateway(no(429, None, "slow", **{"retry-after": "9"}), no(500, "boom"), RESET, no(503))
    error, exchange = gateway.failure(model="acme/sage", models=["acme/mint"])
    assert gateway.upstreams.asked == [("acme", "k1"), ("acme", "k2"), ("bolt", None), ("cora", None)]
    assert error.metadata["previous_errors"] == [
        {"provider": "Acme", "code": "rate_limit_exceeded", "status": 429},
        {"provider": "Acme", "code": "boom", "status": 500},
        {"provider": "Bolt", "code": "reset", "status": 502},
    ]
    assert error.metadata["provider_name"] == "Cora"
    exchange.finish("failed", error)
    [record] = gateway.records
    assert (record.status, record.error_type, record.provider) == ("failed", "provider_overloaded", "cora")
    assert [one.status for one in record.attempts] == [429, 500, None, 503]
    assert (record.usage, record.cost) == (None, None)


def test_no_provider_key_is_in_the_error() -> None:
    gateway = Gateway(no(400, "acme-k1-secret", "bad key acme-k1-secret"))
    error, _ = gateway.failure(model="acme/sage", provider={"only": ["acme"]})
    assert isinstance(error, ProviderError)
    assert "k1-secret" not in f"{error.message}{error.metadata}{error.raw}"


# --- tools that cannot be said -------------------------------------------------------------------------------

SEARCH = {"type": "openrouter:web_search"}


def test_an_endpoint_that_cannot_be_told_a_forced_tool_is_passed_over() -> None:
    gateway = Gateway(ok())
    _, exchange = gateway.answer(model="acme/sage", models=["acme/mint"], tools=[SEARCH], tool_choice="required")
    assert gateway.upstreams.asked == [("cora", None)]
    assert (exchange.unsaid, exchange.failures) == ((), [])


def test_when_no_endpoint_can_be_told_it_is_the_callers_error_and_nobody_is_asked() -> None:
    gateway = Gateway()
    error, exchange = gateway.failure(model="acme/sage", tools=[SEARCH], tool_choice="required")
    assert isinstance(error, RequestError)
    assert (error.status, error.metadata) == (400, {"reason": "unsupported"})
    assert gateway.upstreams.asked == []
    assert not exchange.routed


def test_when_the_endpoint_that_could_be_told_fails_its_failure_is_the_answer() -> None:
    gateway = Gateway(no(500, "boom"))
    error, _ = gateway.failure(model="acme/mint", models=["acme/sage"], tools=[SEARCH], tool_choice="required")
    assert isinstance(error, ProviderError)
    assert error.provider_code == "boom"


def test_what_each_endpoint_is_not_told_is_said_of_the_one_that_answers() -> None:
    gateway = Gateway(no(500), no(500), ok())
    _, exchange = gateway.answer(model="acme/sage", models=["acme/mint"], tools=[SEARCH])
    assert [("tools" in body) for body in gateway.upstreams.bodies] == [False, False, True]
    assert exchange.unsaid == ()


# --- providers that have failed ------------------------------------------------------------------------------


def rests(gateway: Gateway) -> bool:
    """Whether the one endpoint of the mint is not asked."""
    error, _ = gateway.failure(model="acme/mint")
    assert error.availability is not None
    assert error.availability["code"] == "temporarily_unavailable"
    return not gateway.upstreams.asked


def test_an_endpoint_rests_behind_three_failures_and_one_request_finds_out_how_it_does() -> None:
    gateway = Gateway(no(500), no(500), no(500), no(500), ok(), ok())
    for _ in range(3):
        gateway.failure(model="acme/mint")
    gateway.upstreams.asked.clear()
    assert rests(gateway)
    gateway.now += 31
    assert gateway.failure(model="acme/mint")[0].type == "provider_unavailable"
    gateway.upstreams.asked.clear()
    assert rests(gateway)
    gateway.now += 31
    for _ in range(2):
        gateway.answer(model="acme/mint")


def test_a_request_that_was_to_find_out_and_is_given_up_leaves_it_to_the_next() -> None:
    gateway = Gateway(no(500), no(500), no(500), None, ok())
    for _ in range(3):
        gateway.failure(model="acme/mint")
    gateway.now += 31

    async def given_up() -> None:
        async with asyncio.timeout(0.01):
            await gateway.begin(model="acme/mint")

    with pytest.raises(TimeoutError):
        asyncio.run(given_up())
    gateway.answer(model="acme/mint")


# --- providers that are busy ---------------------------------------------------------------------------------


def busy_with(gateway: Gateway, provider: str, places: int) -> None:
    for _ in range(places):
        assert gateway.admission.enter().go_to(endpoint(provider, "m"), alone=False) is None


def test_a_provider_that_has_its_share_of_all_places_is_passed_over() -> None:
    gateway = Gateway(ok())
    busy_with(gateway, "acme", 8)
    _, exchange = gateway.answer(model="acme/sage")
    assert gateway.upstreams.asked == [("bolt", None)]
    assert exchange.failures == []
    assert exchange.plan is not None
    assert [one.tag for one in exchange.plan.endpoints] == ["bolt"]
    assert [(one.tag, one.reason) for one in exchange.plan.excluded] == [("acme", "concurrency")]


def test_when_all_providers_of_a_model_are_busy_the_caller_may_come_again() -> None:
    gateway = Gateway(places=10)
    busy_with(gateway, "cora", 8)
    error, exchange = gateway.failure(model="acme/mint")
    assert (error.type, error.retry_after_s) == ("unavailable", 1)
    assert not exchange.routed


def test_the_failure_of_the_one_that_was_asked_comes_before_the_others_being_busy() -> None:
    gateway = Gateway(no(500, "boom"), places=10)
    busy_with(gateway, "acme", 8)
    error, _ = gateway.failure(model="acme/sage")
    assert isinstance(error, ProviderError)
    assert error.provider_code == "boom"


def test_an_attempt_counts_for_the_provider_it_is_made_at() -> None:
    gateway = Gateway(no(500), ok())
    gateway.answer(model="acme/sage", models=["acme/mint"])
    assert (gateway.admission.in_work, gateway.admission.held) == (0, {})
