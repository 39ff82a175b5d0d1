"""One attempt at one endpoint: send the body, and return with the first meaningful event of the answer in hand."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from setpoint.errors import ProviderError
from setpoint.gateway.aside import BIG_BYTES
from setpoint.gateway.failed import is_type
from setpoint.gateway.live import LiveStream
from setpoint.gateway.metadata import router_metadata
from setpoint.gateway.meter import bill, spent
from setpoint.gateway.reservation import quote
from setpoint.protocols.allowance import ALL, Allowance
from setpoint.protocols.answer import Opening, Outcome, Stamp, StreamFailedError
from setpoint.protocols.attached import media_in
from setpoint.protocols.debug import redacted, wants_echo
from setpoint.protocols.failures import reported_in
from setpoint.protocols.forward import lower
from setpoint.protocols.registry import PROTOCOLS
from setpoint.protocols.translate import read_answer, read_stream
from setpoint.providers.auth import headers
from setpoint.providers.client import UpstreamRequest
from setpoint.routing.naming import is_latest
from setpoint.wire.body import NULL, MalformedError, join, split

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.gateway.aside import Aside
    from setpoint.gateway.exchange import Exchange
    from setpoint.gateway.failed import Failed
    from setpoint.gateway.reservation import Quote
    from setpoint.protocols.answer import Bill
    from setpoint.protocols.base import EditedResult
    from setpoint.protocols.forward import Lowered
    from setpoint.providers.client import Answer, AnswerStream, UpstreamClient
    from setpoint.records import Dialect, Endpoint
    from setpoint.routing.health import Trial
    from setpoint.routing.placing import Candidate
    from setpoint.wire.body import Body


# What a messages request has and the counting of its tokens does not take.
_NOT_COUNTED = (
    *("max_tokens", "stream", "temperature", "top_p", "top_k", "stop_sequences", "metadata", "service_tier"),
    *("user", "store", "context_management"),
)


class Bounds(Struct, frozen=True, kw_only=True):
    """Bounds on what an upstream may send, in bytes and levels."""

    max_answer_bytes: int
    max_event_bytes: int
    max_json_depth: int
    max_json_members: int


class Relay:
    """The way of a request to an endpoint and back. `new_id` makes an id with the prefix that it is given."""

    def __init__(
        self,
        client: UpstreamClient,
        echo: UpstreamClient,
        bounds: Bounds,
        identity_key: bytes,
        new_id: Callable[[str], str],
        aside: Aside,
        failed: Failed,
    ) -> None:
        self._client = client
        self._echo = echo
        self._bounds = bounds
        self._identity_key = identity_key
        self._new_id = new_id
        self._aside = aside
        self._failed = failed

    def told(self, exchange: Exchange, candidate: Candidate) -> Lowered:
        """The request as this candidate is told of it, within what its model and its endpoint allow.

        Raises: `RequestError` for what cannot be said there, and may not be left out.
        """
        return self.lower(exchange, candidate.endpoint, candidate.dialect, allowance(exchange, candidate))

    def lower(self, exchange: Exchange, endpoint: Endpoint, dialect: Dialect, allowance: Allowance = ALL) -> Lowered:
        """The request in this endpoint's words. Raises: as `told`."""
        return lower(
            exchange.body,
            endpoint,
            skin=exchange.skin,
            dialect=PROTOCOLS[dialect],
            stream=exchange.stream,
            identity_key=self._identity_key,
            own=exchange.own_fields,
            allowance=allowance,
        )

    async def send(self, exchange: Exchange, candidate: Candidate, trial: Trial) -> bytes | LiveStream:
        """The whole answer for the client, or a stream whose first meaningful event has come.

        `trial` is told of the answer from there on; of how the attempt failed before, by whoever tries it.
        Raises: `ProviderError` when the attempt failed; it is not yet booked with the exchange. Whatever ends it before
        anything is sent, limits among it, is no attempt.
        """
        lowered, body, quoted = await self._aside.run(exchange.size, lambda: self._written(exchange, candidate))
        limited = exchange.limited
        now = exchange.now()
        reserved = await limited.set_aside(quoted, now) if limited is not None and quoted is not None else None
        exchange.begin_attempt(candidate, lowered.unsaid, reserved)
        request = self._request(exchange, candidate, body)
        if exchange.stream:
            if wants_echo(exchange.body):
                exchange.debug_bodies.append((stamp(exchange, candidate), redacted(body)))
            return await self._stream(exchange, candidate, trial, request, lowered)
        return await self._whole(exchange, candidate, trial, request, lowered)

    def _written(self, exchange: Exchange, candidate: Candidate) -> tuple[Lowered, bytes, Quote | None]:
        """What the endpoint is told, its bytes, and what it may need of limits, None where there are none."""
        if exchange.size > BIG_BYTES:
            exchange.estimated_input()  # here and now: it may be wanted when there is no time for it
        lowered = self.told(exchange, candidate)
        body, endpoint = join(lowered.body), candidate.endpoint
        exchange.images = media_in(body).count("image") if endpoint.prices_images else 0
        limited = exchange.limited is not None
        return lowered, body, quote(lowered.body, body, endpoint, candidate.dialect) if limited else None

    async def count_tokens(self, exchange: Exchange, candidate: Candidate) -> int:
        """The input tokens of a messages request by this provider's own count. Raises: `ProviderError`."""

        def written() -> bytes:
            body = self.told(exchange, candidate).body
            return join({name: content for name, content in body.items() if name not in _NOT_COUNTED})

        body = await self._aside.run(exchange.size, written)
        request = self._request(exchange, candidate, body, path="/count_tokens")
        answer = await self._way(candidate).send(request)
        told = self._split(candidate, answer)
        self._check_reported(candidate, answer, told)
        counted = bytes(told.get("input_tokens", b""))
        if not counted.isdigit():
            raise _malformed()
        return int(counted)

    def _way(self, candidate: Candidate) -> UpstreamClient:
        return self._echo if candidate.endpoint.provider.builtin else self._client

    def _request(self, exchange: Exchange, candidate: Candidate, body: bytes, path: str = "") -> UpstreamRequest:
        endpoint, provider = candidate.endpoint, candidate.endpoint.provider
        dialect = PROTOCOLS[candidate.dialect]
        return UpstreamRequest(
            url=endpoint.base_url + dialect.path(endpoint.base_url) + path,
            headers=headers(
                provider,
                candidate.key,
                dialect=candidate.dialect,
                stream=exchange.stream,
                anthropic=exchange.caller.anthropic,
            ),
            body=body,
            connect_s=endpoint.timeouts.connect_s,
            total_s=endpoint.timeouts.total_s,
            max_bytes=self._bounds.max_answer_bytes,
            proxy=provider.proxy,
            verify=provider.verify,
        )

    async def _whole(
        self, exchange: Exchange, candidate: Candidate, trial: Trial, request: UpstreamRequest, lowered: Lowered
    ) -> bytes:
        answer = await self._way(candidate).send(request)
        size = max(len(answer.body), exchange.size)  # an answer may repeat what was asked
        result = await self._aside.run(size, lambda: self._result(exchange, candidate, answer, lowered))
        exchange.commit_attempt(answer.status, result.outcome)
        exchange.bill = bill(result.outcome, candidate.endpoint, exchange.estimated_input, exchange.images)
        trial.ended(exchange.bill.usage.output_tokens)
        told = self._opening(exchange, candidate), exchange.bill, router_metadata(exchange)
        written = await self._aside.run(size, lambda: result.write(*told))
        if exchange.gathered is not None:
            exchange.gathered.add(written)
        return written

    def _result(self, exchange: Exchange, candidate: Candidate, answer: Answer, lowered: Lowered) -> EditedResult:
        try:
            body = self._split(candidate, answer)
            self._check_reported(candidate, answer, body)
            return read_answer(body, skin=exchange.skin, dialect=PROTOCOLS[candidate.dialect], names=lowered.names)
        except StreamFailedError as failed:
            exchange.spent = self._spent(exchange, candidate, answer.body)
            raise self._failed.reported(candidate, failed.reported, answer.headers, answer.body) from None
        except ProviderError:
            exchange.spent = self._spent(exchange, candidate, answer.body)
            raise

    def _spent(self, exchange: Exchange, candidate: Candidate, data: bytes) -> Bill | None:
        """The bill of a whole answer that is none, an error included, by what it says that it used."""
        try:
            body = self._taken_apart(data)
        except MalformedError:
            return None
        dialect = PROTOCOLS[candidate.dialect]
        usage, cost = dialect.read_usage(body.get("usage", NULL)) or (None, None)
        outcome = Outcome(usage=usage, provider_cost=cost, service_tier=dialect.read_tier(body))
        return spent(outcome, candidate.endpoint, exchange.images)

    def _taken_apart(self, data: bytes) -> Body:
        return split(data, max_depth=self._bounds.max_json_depth, max_members=self._bounds.max_json_members)

    def _split(self, candidate: Candidate, answer: Answer) -> Body:
        self._failed.check_status(candidate, answer.status, answer.headers, answer.body)
        self._failed.check_type(candidate, answer.headers, "application/json", answer.body)
        try:
            return self._taken_apart(answer.body)
        except MalformedError as error:
            raise _malformed() from error

    def _check_reported(self, candidate: Candidate, answer: Answer, body: Body) -> None:
        """Raises: `ProviderError` for an error inside the answer."""
        try:
            reported = reported_in(body)
        except MalformedError as error:
            raise _malformed() from error
        if reported is not None:
            raise self._failed.reported(candidate, reported, answer.headers, answer.body)

    async def _stream(
        self, exchange: Exchange, candidate: Candidate, trial: Trial, request: UpstreamRequest, lowered: Lowered
    ) -> LiveStream:
        first_token_s = candidate.endpoint.timeouts.first_token_s
        answer: AnswerStream | None = None
        live: LiveStream | None = None
        try:
            async with asyncio.timeout(first_token_s):
                answer = await self._way(candidate).stream(request)
                if answer.status != 200 or not is_type(answer.headers, "text/event-stream"):
                    whole = await answer.read_all()
                    exchange.spent = await self._aside.run(len(whole), partial(self._spent, exchange, candidate, whole))
                    self._failed.check_status(candidate, answer.status, answer.headers, whole)
                    self._failed.check_type(candidate, answer.headers, "text/event-stream", whole)
                edited = read_stream(
                    self._opening(exchange, candidate),
                    skin=exchange.skin,
                    dialect=PROTOCOLS[candidate.dialect],
                    names=lowered.names,
                )
                live = LiveStream(
                    exchange, candidate, trial, answer, edited, self._bounds.max_event_bytes, self._aside, self._failed
                )
                await live.first()
        except BaseException as error:
            if answer is not None:
                answer.abort()
            if live is not None:
                exchange.spent = spent(live.edited.outcome, candidate.endpoint, exchange.images)
            if isinstance(error, TimeoutError):
                raise ProviderError("timeout", "the provider did not begin to answer in time") from None
            raise
        exchange.commit_attempt(answer.status, live.edited.outcome)
        trial.began()
        return live

    def _opening(self, exchange: Exchange, candidate: Candidate) -> Opening:
        made = opening(exchange, stamp(exchange, candidate), self._new_id)
        return structs.replace(made, scrub=partial(self._failed.scrub, candidate))


def allowance(exchange: Exchange, candidate: Candidate) -> Allowance:
    """What the candidate's model and endpoint allow of this request."""
    model, endpoint = candidate.model, candidate.endpoint
    limited = exchange.limited
    default_output = limited.default_output_tokens if limited is not None else None
    plain = model.reasoning is None and candidate.max_output is None and default_output is None
    if plain and "service_tier" not in exchange.body and "speed" not in exchange.body:
        return ALL
    return Allowance(
        max_output=candidate.max_output,
        default_output=default_output and (endpoint.max_output_tokens or default_output),
        reasoning=model.reasoning,
        latest=is_latest(exchange.models, model),
        tiers=frozenset(one.tier for one in model.endpoints if one.provider.slug == endpoint.provider.slug),
    )


def stamp(exchange: Exchange, candidate: Candidate | None) -> Stamp:
    """What an answer of this candidate is stamped with; before there is one, what is known of the request."""
    if candidate is None:
        return Stamp(exchange.id, exchange.requested_model or "", "", exchange.created)
    return Stamp(exchange.id, candidate.model.id, candidate.endpoint.provider.name, exchange.created)


def opening(exchange: Exchange, of: Stamp, new_id: Callable[[str], str]) -> Opening:
    """What the skin knows when it begins to write this exchange's answer."""
    return Opening(stamp=of, request=exchange.body, new_id=new_id, debug=tuple(exchange.debug_bodies))


def _malformed() -> ProviderError:
    return ProviderError("provider_unavailable", "the provider's answer is malformed")
