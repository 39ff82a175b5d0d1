"""One attempt at one endpoint, with a value in place of the client: what is sent, what comes back, what fails."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from msgspec import structs

from setpoint.canonical.usage import Usage
from setpoint.errors import ProviderError, SetpointError
from setpoint.gateway.aside import BIG_BYTES, Aside
from setpoint.gateway.exchange import Caller, Exchange
from setpoint.gateway.failed import Failed
from setpoint.gateway.live import LiveStream
from setpoint.gateway.relay import Bounds, Relay
from setpoint.protocols.registry import PROTOCOLS
from setpoint.providers.client import Answer, AnswerStream, UpstreamRequest
from setpoint.records import Cost, Endpoint, Generation, Model, Price, ProviderKey, Timeouts
from setpoint.routing.catalog import Catalog
from setpoint.routing.health import Health, Trial
from setpoint.routing.placing import Candidate
from setpoint.snapshot import SnapshotHolder
from setpoint.wire.body import split
from setpoint.wire.sse import DONE
from support import records
from support.records import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from setpoint.errors import ErrorType

PROVIDER = records.provider(
    keys=(ProviderKey(id="k1", secret="acme-7f3e9d1c5b"),),
    headers=(("X-Team", "a"),),
    timeouts=Timeouts(first_token_s=5),
)
# Dollars per million tokens: input 2, output 8.
ENDPOINT = records.endpoint(
    PROVIDER,
    "acme/sage",
    model="sage-2",
    price=Price(prompt=Decimal("0.000002"), completion=Decimal("0.000008")),
)
JSON = {"content-type": "application/json"}
SSE = {"content-type": "text/event-stream; charset=utf-8"}

BODY = '"messages":[{"role":"user","content":"Hello there"}]'
ANSWER = (
    b'{"id":"chatcmpl-7","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Hi"}}],'
    b'"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}'
)
ROLE = b'data: {"id":"chatcmpl-7","choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n'
HI = b'data: {"id":"chatcmpl-7","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
STOP = b'data: {"id":"chatcmpl-7","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
USAGE = b'data: {"id":"chatcmpl-7","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5}}\n\n'
FAILURE = b'data: {"error":{"code":"overloaded_error","message":"busy"}}\n\n'
RESET = ProviderError("provider_unavailable", "the provider is not available: reset", provider_code="reset")
HANG = "hang"


class Pieces:
    """An answer in pieces; an error among them is raised, and `HANG` waits for ever. It ends behind the last."""

    def __init__(
        self, *pieces: bytes | ProviderError | str, status: int = 200, headers: Mapping[str, str] = SSE
    ) -> None:
        self.status = status
        self.headers = headers
        self.aborted = False
        self.left = list(pieces)

    async def read(self) -> bytes:
        await asyncio.sleep(0)
        piece = self.left.pop(0) if self.left else b""
        if isinstance(piece, ProviderError):
            raise piece
        if isinstance(piece, str):
            await asyncio.get_running_loop().create_future()
        return piece if isinstance(piece, bytes) else b""

    async def read_all(self) -> bytes:
        whole = b""
        while piece := await self.read():
            whole += piece
        return whole

    def abort(self) -> None:
        self.aborted = True


class Upstream:
    """A client that gives one answer, and keeps what it was asked."""

    def __init__(self, answer: Answer | Pieces | ProviderError | None = None) -> None:
        self._answer = answer
        self.requests: list[UpstreamRequest] = []

    async def send(self, request: UpstreamRequest) -> Answer:
        self.requests.append(request)
        if isinstance(self._answer, ProviderError):
            raise self._answer
        assert isinstance(self._answer, Answer)
        return self._answer

    async def stream(self, request: UpstreamRequest) -> AnswerStream:
        self.requests.append(request)
        if isinstance(self._answer, ProviderError):
            raise self._answer
        assert isinstance(self._answer, Pieces)
        return self._answer

    async def close(self) -> None:
        """There is nothing to close."""


class Attempt:
    """One try: an exchange, a candidate, and an upstream that answers so."""

    def __init__(
        self,
        answer: Answer | Pieces | ProviderError | None,
        members: str = "",
        endpoint: Endpoint = ENDPOINT,
        aside: Aside | None = None,
        **limits: int,
    ) -> None:
        self.records: list[Generation] = []
        self.exchange = Exchange(
            "gen-1",
            skin=PROTOCOLS["chat"],
            key=records.key(),
            body=split(f"{{{BODY}{',' if members else ''}{members}}}".encode()),
            caller=Caller(referer=None, app_title=None, user_agent=None, session_id=None),
            created_at=NOW,
            begin=lambda _: None,
            record=self.records.append,
        )
        model = Model(id="acme/sage", name="Sage", endpoints=(endpoint,))
        keys = endpoint.provider.keys
        self.candidate = Candidate(model, endpoint, keys[0] if keys else None, "chat")
        self.health = Health(lambda: 0.0, lambda: 0.5, lambda _: None)
        self.upstream, self.echo = Upstream(answer), Upstream(answer)
        bounds = {"max_answer_bytes": 9_000, "max_event_bytes": 900, "max_json_depth": 20, "max_json_members": 50}
        self.relay = Relay(
            self.upstream,
            self.echo,
            Bounds(**(bounds | limits)),
            b"identity",
            lambda prefix: f"{prefix}1",
            aside or Aside(),
            Failed(SnapshotHolder(Catalog(models={}, providers={}, aliases={}, offers={}))),
        )

    async def send(self) -> bytes | LiveStream:
        trial = self.health.claim(self.candidate)
        assert isinstance(trial, Trial)
        return await self.relay.send(self.exchange, self.candidate, trial)

    def whole(self) -> Any:
        answer = asyncio.run(self.send())
        assert isinstance(answer, bytes)
        return json.loads(answer)

    async def live(self) -> LiveStream:
        answer = await self.send()
        assert isinstance(answer, LiveStream)
        return answer

    def failure(self) -> SetpointError:
        with pytest.raises(ProviderError) as caught:
            asyncio.run(self.send())
        assert self.exchange.outcome is None
        return caught.value

    def events(self) -> tuple[bytes, ProviderError | None]:
        """What a client gets of the stream, and how it broke, if it did."""
        return asyncio.run(self.drain())

    async def drain(self) -> tuple[bytes, ProviderError | None]:
        live, out, broken = await self.live(), b"", None
        try:
            async for piece in live.frames():
                out += piece
        except ProviderError as error:
            broken = error
            live.settle()
        await live.close()
        return out, broken


def streaming(*pieces: bytes | ProviderError | str, members: str = "", **more: Any) -> Attempt:
    return Attempt(Pieces(*pieces), f'"stream":true{members}', **more)


def answered(body: bytes, status: int = 200, headers: Mapping[str, str] = JSON, **more: Any) -> Attempt:
    return Attempt(Answer(status, headers, body), **more)


# --- what is sent --------------------------------------------------------------------------------------------


def test_the_request_goes_to_the_endpoints_place_with_its_key_and_its_limits() -> None:
    attempt = answered(ANSWER, members='"preset":"x","temperature":0.20')
    attempt.whole()
    [request] = attempt.upstream.requests
    assert request.url == "http://acme.test/v1/chat/completions"
    assert ("Authorization", "Bearer acme-7f3e9d1c5b") in request.headers
    assert ("X-Team", "a") in request.headers
    assert request.body == b'{"model":"sage-2",' + BODY.encode() + b',"temperature":0.20}'
    assert (request.connect_s, request.total_s, request.max_bytes) == (10, 600, 9_000)
    assert attempt.echo.requests == []


def test_a_stream_is_asked_for_its_usage() -> None:
    attempt = streaming(HI, STOP, USAGE, DONE)
    attempt.events()
    [request] = attempt.upstream.requests
    assert split(request.body)["stream_options"] == split(b'{"a":{"include_usage":true}}')["a"]


def test_the_echo_model_is_asked_without_a_socket() -> None:
    builtin = structs.replace(ENDPOINT, provider=structs.replace(PROVIDER, builtin=True))
    attempt = answered(ANSWER, endpoint=builtin)
    attempt.whole()
    assert (len(attempt.upstream.requests), len(attempt.echo.requests)) == (0, 1)


def test_what_the_endpoint_is_not_told_is_known_before_the_answer() -> None:
    attempt = answered(ANSWER, members='"service_tier":"flex"')
    attempt.whole()
    assert attempt.exchange.unsaid == ("/service_tier",)


# --- whole answers -------------------------------------------------------------------------------------------


def test_a_whole_answer_is_stamped_and_billed() -> None:
    attempt = answered(ANSWER)
    answer = attempt.whole()
    assert (answer["id"], answer["model"], answer["provider"]) == ("gen-1", "acme/sage", "Acme")
    # 10 x $2/M + 5 x $8/M
    assert answer["usage"]["cost"] == 0.00006
    bill = attempt.exchange.bill
    assert bill is not None
    assert bill.cost == Cost(prompt=Decimal("0.00002"), completion=Decimal("0.00004"), total=Decimal("0.00006"))
    attempt.exchange.finish("completed")
    [record] = attempt.records
    assert (record.usage, record.upstream_id) == (Usage(input_tokens=10, output_tokens=5), "chatcmpl-7")
    assert [(one.status, one.error) for one in record.attempts] == [(200, None)]


def test_without_a_price_the_cost_is_null_unless_the_provider_names_one() -> None:
    unpriced = structs.replace(ENDPOINT, price=None)
    assert answered(ANSWER, endpoint=unpriced).whole()["usage"]["cost"] is None
    named = ANSWER.replace(b'"total_tokens":15', b'"total_tokens":15,"cost":0.25')
    assert answered(named, endpoint=unpriced).whole()["usage"]["cost"] == 0.25


def test_what_is_no_answer_costs_what_the_tier_does_that_has_served_it() -> None:
    dear = Price(prompt=Decimal("0.000004"), completion=Decimal("0.000016"))
    body = ANSWER.replace(b'"choices":[', b'"service_tier":"priority","choices":[],"x":[')
    for endpoint, cost in (
        (structs.replace(ENDPOINT, tier_prices={"priority": dear}), Decimal("0.00012")),
        (ENDPOINT, None),
    ):
        attempt = answered(body, endpoint=endpoint)
        attempt.failure()
        assert attempt.exchange.spent is not None
        assert attempt.exchange.spent.amount == cost


def test_an_answer_without_a_count_gets_our_own_marked_as_such() -> None:
    attempt = answered(b'{"choices":[{"message":{"content":"Hello"}}]}')
    usage = attempt.whole()["usage"]
    # 11 bytes of prompt and 5 of answer, a quarter of each, rounded up
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["cost"]) == (3, 2, None)
    assert attempt.exchange.bill is not None
    assert attempt.exchange.bill.usage.estimated


def test_a_prompt_of_any_content_can_be_counted() -> None:
    attempt = answered(b'{"choices":[{"message":{"content":"Hello"}}]}', members='"messages":[{"content":["x",1]}]')
    assert attempt.whole()["usage"]["prompt_tokens"] == 0


HTML = {"content-type": "text/html"}
REFUSALS: list[tuple[int, dict[str, str], bytes, ErrorType]] = [
    (200, HTML, b"<html>busy</html>", "provider_unavailable"),
    (200, HTML, ANSWER, "provider_unavailable"),
    (200, {"content-type": "text/plain"}, b'{"error":{"code":429}}', "rate_limit_exceeded"),
    (204, {}, b"", "provider_unavailable"),
    (307, {"location": "http://169.254.169.254/"}, b"", "provider_unavailable"),
    (400, JSON, b'{"error":{"message":"bad","type":"invalid_request_error"}}', "invalid_request"),
    (401, JSON, b'{"error":{"message":"bad key"}}', "provider_unavailable"),
    (429, JSON, b"\xff", "rate_limit_exceeded"),
    (500, HTML, b"<html>", "provider_unavailable"),
    (503, {}, b"", "provider_overloaded"),
]


@pytest.mark.parametrize(("status", "headers", "body", "type_"), REFUSALS)
def test_a_refusal_is_a_failed_try_streamed_or_not(
    status: int, headers: dict[str, str], body: bytes, type_: ErrorType
) -> None:
    assert answered(body, status, headers).failure().type == type_
    assert Attempt(Pieces(body, status=status, headers=headers), '"stream":true').failure().type == type_


@pytest.mark.parametrize(
    "body",
    [
        *(b"", ANSWER[:-1], b"\xff" + ANSWER, ANSWER.replace(b"Hi", b"\xff"), b"[]", b'{"choices":[]}'),
        b'{"choices":[{"message":{"tool_calls":[1]}}]}',
        b'{"x":' + b"[" * 30 + b"]" * 30 + b"," + ANSWER[1:],
        b'{"x":[' + b"1," * 60 + b"1]," + ANSWER[1:],
        b'{"error":"broken"}',
    ],
)
def test_what_is_no_answer_is_a_failed_try(body: bytes) -> None:
    assert answered(body).failure().type == "provider_unavailable"


def test_an_error_inside_a_200_is_what_it_says() -> None:
    assert answered(b'{"error":{"code":429,"message":"slow"}}').failure().type == "rate_limit_exceeded"


def test_an_answer_without_a_content_type_is_taken_for_what_it_should_be() -> None:
    assert answered(ANSWER, headers={}).whole()["choices"]
    out, broken = Attempt(Pieces(HI, STOP, USAGE, DONE, headers={}), '"stream":true').events()
    assert (out[-len(DONE) :], broken) == (DONE, None)


def test_a_client_that_finds_nobody_is_a_failed_try() -> None:
    assert Attempt(RESET).failure() is RESET
    assert Attempt(RESET, '"stream":true').failure() is RESET


def test_no_key_is_quoted_from_an_upstreams_error() -> None:
    body = b'{"error":{"message":"wrong: acme-7f3e9d1c5b","code":"acme-7f3e9d1c5b"}}'
    error = answered(body, 400).failure()
    assert isinstance(error, ProviderError)
    assert "7f3e9d1c5b" not in f"{error.message} {error.provider_code} {error.raw}"
    assert "wrong: [redacted]" in error.message


# --- streams, before the first event -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pieces", "type_"),
    [
        ((), "provider_unavailable"),
        ((b": wait\n\n",), "provider_unavailable"),
        ((ROLE, USAGE, DONE), "provider_unavailable"),
        ((ROLE, FAILURE), "provider_overloaded"),
        ((ROLE + FAILURE + HI,), "provider_overloaded"),
        ((ROLE, b"data: {\n\n"), "provider_unavailable"),
        ((ROLE, RESET), "provider_unavailable"),
        ((b"data: " + b"x" * 2_000,), "provider_unavailable"),
        ((b"<html>\n\n",), "provider_unavailable"),
    ],
)
def test_a_stream_that_fails_before_its_first_event_is_a_failed_try(pieces: tuple[Any, ...], type_: str) -> None:
    answer = Pieces(*pieces)
    attempt = Attempt(answer, '"stream":true')
    assert attempt.failure().type == type_
    assert answer.aborted


def test_a_whole_answer_where_a_stream_was_asked_for_is_a_failed_try() -> None:
    answer = Pieces(ANSWER, headers=JSON)
    assert Attempt(answer, '"stream":true').failure().type == "provider_unavailable"
    assert answer.aborted


@pytest.mark.parametrize("pieces", [(HANG,), (ROLE, HANG), (b": wait\n\n", HANG)])
def test_a_stream_that_does_not_begin_in_time_is_a_failed_try(pieces: tuple[Any, ...]) -> None:
    hasty = structs.replace(ENDPOINT, timeouts=Timeouts(first_token_s=0.01))
    answer = Pieces(*pieces)
    assert Attempt(answer, '"stream":true', endpoint=hasty).failure().type == "timeout"
    assert answer.aborted


def test_a_stream_that_never_comes_to_its_answer_is_not_kept_for_ever() -> None:
    roles = b'data: {"x":"' + b"y" * 400 + b'","choices":[]}\n\n'
    answer = Pieces(*[roles] * 10)
    assert Attempt(answer, '"stream":true').failure().type == "provider_unavailable"
    assert len(answer.left) > 5


def test_a_client_that_goes_away_aborts_a_stream_that_has_not_begun() -> None:
    answer = Pieces(ROLE, HANG)
    attempt = Attempt(answer, '"stream":true')

    async def leave() -> None:
        task = asyncio.create_task(attempt.send())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(leave())
    assert answer.aborted


# --- streams, from the first event on ------------------------------------------------------------------------

WHOLE = (ROLE, HI, STOP, USAGE, DONE)


def test_the_attempt_is_committed_with_the_first_event_and_nothing_is_lost_before_it() -> None:
    attempt = streaming(*WHOLE)

    async def begin() -> tuple[bool, bytes]:
        live = await attempt.live()
        committed = attempt.exchange.outcome is live.edited.outcome
        return committed, await anext(live.frames())

    committed, first = asyncio.run(begin())
    assert committed
    assert first.count(b"data: ") == 2
    assert b'"role":"assistant"' in first
    assert b'"content":"Hi"' in first


def test_a_stream_is_relayed_to_its_end_wherever_it_is_cut() -> None:
    stream = b"".join(WHOLE)
    expected, broken = streaming(stream).events()
    assert broken is None
    assert expected.count(b'"usage":{') == 1
    assert b'"cost":0.00006' in expected
    assert expected.endswith(DONE)
    for cut in range(1, len(stream)):
        assert streaming(stream[:cut], stream[cut:]).events() == (expected, None), f"cut at {cut}"


def test_the_record_is_there_before_the_last_events() -> None:
    attempt = streaming(*WHOLE)

    async def read() -> list[int]:
        live = await attempt.live()
        return [len(attempt.records) async for _ in live.frames()]

    counts = asyncio.run(read())
    assert counts[-1] == 1
    assert set(counts[:-1]) == {0}
    [record] = attempt.records
    assert (record.status, record.streamed, record.finish_reason) == ("completed", True, "stop")
    assert record.cost is not None
    assert record.cost.total == Decimal("0.00006")


@pytest.mark.parametrize(
    ("pieces", "type_"),
    [
        ((ROLE, HI), "provider_unavailable"),
        ((HI + b'data: {"choices":[{"in',), "provider_unavailable"),
        ((HI, RESET), "provider_unavailable"),
        ((HI, FAILURE), "provider_overloaded"),
        ((HI + FAILURE,), "provider_overloaded"),
        ((HI, b"data: {\n\n"), "provider_unavailable"),
        ((HI + b"data: {\n\n" + HI,), "provider_unavailable"),
        ((HI, b"data: \xff\n\n"), "provider_unavailable"),
        ((HI, b"data: " + b"x" * 2_000), "provider_unavailable"),
    ],
)
def test_a_stream_that_breaks_gives_what_came_before_and_never_an_end(pieces: tuple[Any, ...], type_: str) -> None:
    attempt = streaming(*pieces)
    out, broken = attempt.events()
    assert out.count(b'"content":"Hi"') == 1
    assert DONE not in out
    assert b"usage" not in out
    assert broken is not None
    assert broken.type == type_
    assert attempt.records == []
    bill = attempt.exchange.bill
    assert bill is not None
    assert (bill.usage, bill.amount) == (Usage(input_tokens=3, output_tokens=1, estimated=True), None)


def test_a_broken_stream_is_billed_for_what_the_provider_has_counted() -> None:
    attempt = streaming(HI, USAGE, RESET)
    _, broken = attempt.events()
    assert broken is RESET
    assert attempt.exchange.bill is not None
    assert attempt.exchange.bill.amount == Decimal("0.00006")


@pytest.mark.parametrize(
    "pieces",
    [(HI, STOP, USAGE), (HI, STOP + USAGE, RESET), (HI + STOP + USAGE + DONE + FAILURE,), (HI, USAGE, DONE, RESET)],
)
def test_an_answer_that_is_complete_is_not_undone_by_how_its_stream_ends(pieces: tuple[Any, ...]) -> None:
    attempt = streaming(*pieces)
    out, broken = attempt.events()
    assert broken is None
    assert out.endswith(DONE)
    assert [record.status for record in attempt.records] == ["completed"]
    assert attempt.records[0].usage == Usage(input_tokens=10, output_tokens=5)


def test_a_usage_behind_the_end_still_counts() -> None:
    out, _ = streaming(HI, STOP, DONE, USAGE).events()
    assert out.count(DONE) == 1
    assert b'"prompt_tokens":10' in out
    assert b'"cost":0.00006' in out


def test_a_stream_that_is_left_open_behind_its_end_is_closed_soon() -> None:
    waiting, ending = Pieces(HI, STOP, DONE, HANG), Pieces(HI, STOP, USAGE, DONE, HANG)
    attempts = [Attempt(answer, '"stream":true') for answer in (waiting, ending)]

    async def both() -> list[tuple[bytes, ProviderError | None]]:
        async with asyncio.timeout(20):
            return await asyncio.gather(*(attempt.drain() for attempt in attempts))

    for out, broken in asyncio.run(both()):
        assert broken is None
        assert out.endswith(DONE)
    assert waiting.aborted
    assert ending.aborted
    estimated, counted = (attempt.records[0].usage for attempt in attempts)
    assert estimated == Usage(input_tokens=3, output_tokens=1, estimated=True)
    assert counted == Usage(input_tokens=10, output_tokens=5)


def test_what_went_upstream_is_kept_for_each_try_that_asks_to_see_it() -> None:
    debug = ',"debug":{"echo_upstream_body":true},"user":"sk-abcdefghijklmnop"'
    attempt = streaming(*WHOLE, members=debug)
    attempt.events()
    [(stamp, body)] = attempt.exchange.debug_bodies
    assert (stamp.id, stamp.model, stamp.provider) == ("gen-1", "acme/sage", "Acme")
    assert bytes(body) == attempt.upstream.requests[0].body
    assert b"debug" not in bytes(body)
    plain = streaming(*WHOLE)
    plain.events()
    assert plain.exchange.debug_bodies == []


def test_debug_is_ignored_without_a_stream() -> None:
    attempt = answered(ANSWER, members='"debug":{"echo_upstream_body":true}')
    attempt.whole()
    assert attempt.exchange.debug_bodies == []


T = TypeVar("T")


class Noting(Aside):
    """Notes how big each piece of work was said to be."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    async def run(self, size: int, work: Callable[[], T]) -> T:
        self.sizes.append(size)
        return await super().run(size, work)


def test_the_first_events_and_the_last_may_repeat_the_request_so_they_are_as_big_as_it_is() -> None:
    noting = Noting()
    attempt = Attempt(Pieces(b": here\n\n", HI, HI, STOP, USAGE, DONE), '"stream":true', aside=noting)
    attempt.exchange.size = BIG_BYTES + 1
    attempt.events()
    lowering, comment, first, *others, last = noting.sizes
    assert min(lowering, comment, first, last) > BIG_BYTES >= max(others)
    noting.close()
