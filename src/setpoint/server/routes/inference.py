"""Inference over HTTP, in three skins: from a request to the exchange that answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from setpoint.gateway.contents import own_sampling
from setpoint.gateway.exchange import Caller, Exchange
from setpoint.protocols import messages
from setpoint.protocols.registry import PROTOCOLS
from setpoint.providers.auth import AnthropicHeaders
from setpoint.server.guard import credentials
from setpoint.server.operation import Named, described
from setpoint.server.respond import Response, json_response
from setpoint.server.routes.inference_shapes import ANSWERS, EVENTS, SUMMARIES, TokenCount
from setpoint.wire.body import as_array, as_text, raw

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from setpoint.gateway.admission import Admission
    from setpoint.gateway.contents import Contents
    from setpoint.gateway.pipeline import Pipeline
    from setpoint.protocols.base import Room
    from setpoint.records import Dialect, Generation
    from setpoint.server.proxies import Proxies
    from setpoint.server.request import Request
    from setpoint.server.router import Handler
    from setpoint.server.routes.answering import Answering
    from setpoint.snapshot import SnapshotHolder
    from setpoint.wire.body import Body


_CALLER_CHARACTERS = 256
_BETA_CHARACTERS = 4_000


class Exchanges:
    """Makes exchanges of the requests that come in."""

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[datetime], str],
        begin: Callable[[Generation], None],
        record: Callable[[Generation, str], None],
        proxies: Proxies,
        contents: Contents,
        snapshots: SnapshotHolder,
    ) -> None:
        self._clock = clock
        self._contents = contents
        self._snapshots = snapshots
        self._new_id = new_id
        self._begin = begin
        self._record = record
        self._proxies = proxies

    async def read(self, request: Request, skin: Room, data: bytes) -> Exchange:
        """The exchange of a request with this body. Raises: `SetpointError` for a body that is not right."""
        return await request.aside(len(data), lambda: self._exchange(request, skin, data))

    def _exchange(self, request: Request, skin: Room, data: bytes) -> Exchange:
        body = request.parsed(data)
        skin.check(body, creating=False)
        now = self._clock()
        client = self._proxies.client(request.peer, request.header_values(b"x-forwarded-for"))
        id_ = self._new_id(now)
        exchange = Exchange(
            id_,
            skin=skin,
            key=request.key,
            body=_with_messages(body),
            caller=_caller(request, client),
            created_at=now,
            begin=self._begin,
            record=lambda generation: self._record(generation, client),
        )
        home = self._snapshots.current.workspaces.get(request.key.workspace_id)
        exchange.gathered = self._contents.begin(id_, exchange.session_id, own_sampling(home, request.key))
        return exchange


class Inference:
    """The handlers of the inference routes."""

    def __init__(self, pipeline: Pipeline, answering: Answering, admission: Admission, exchanges: Exchanges) -> None:
        self._pipeline = pipeline
        self._answering = answering
        self._admission = admission
        self._exchanges = exchanges

    def skin(self, name: Dialect) -> Handler:
        """The handler of a skin's route: POST /chat/completions, /messages or /responses."""
        skin = PROTOCOLS[name]

        @described(
            SUMMARIES[name],
            group="Inference",
            body=Named(f"{name.capitalize()}Request", skin.schema(creating=False)),
            answer=ANSWERS[name],
            events=EVENTS[name],
            forwards=True,
        )
        async def handle(request: Request) -> Response | None:
            self._admission.check()
            data = await request.read()
            with self._admission.enter() as place:
                exchange = await self._exchanges.read(request, skin, data)
                await self._answering.answer(request, exchange, place)
            return None

        return handle

    @described(
        "How many tokens the input of this request has",
        group="Inference",
        body=Named("MessagesRequest", messages.schema(creating=False)),
        answer=TokenCount,
    )
    async def count_tokens(self, request: Request) -> Response:
        """POST /messages/count_tokens: the provider's own count where it has one, else our estimate."""
        self._admission.check()
        data = await request.read()
        with self._admission.enter() as place:
            exchange = await self._exchanges.read(request, PROTOCOLS["messages"], data)
            exchange.stream = False
            counted = json_response({"input_tokens": await self._pipeline.count_tokens(exchange, place)})
        return structs.replace(counted, headers=(("X-Generation-Id", exchange.id),))


def _with_messages(body: Body) -> Body:
    """The legacy plain `prompt` of chat as one user message. In responses a `prompt` is an object."""
    if as_text(body.get("prompt")) is None or as_array(body.get("messages")):
        return body
    return {**body, "messages": raw([{"role": "user", "content": body["prompt"]}])}


def _caller(request: Request, client: str) -> Caller:
    def said(*names: bytes) -> str | None:
        text = next((text for name in names if (text := request.header(name))), None)
        return text[:_CALLER_CHARACTERS] if text else None

    return Caller(
        referer=said(b"http-referer", b"referer"),
        app_title=said(b"x-openrouter-title", b"x-title"),
        user_agent=said(b"user-agent"),
        session_id=said(b"x-session-id", b"x-session-affinity", b"session-id", b"thread-id"),
        client=client,
        credentials=credentials(request),
        anthropic=_anthropic(request),
        wants_metadata=_wants_metadata(request),
    )


def _anthropic(request: Request) -> AnthropicHeaders:
    """The caller's API version, and the betas it asks for in either header, each once."""
    asked = [*request.header_values(b"anthropic-beta"), *request.header_values(b"x-anthropic-beta")]
    words = dict.fromkeys(word for text in asked for entry in text.split(",") if (word := entry.strip()))
    beta = ",".join(words)
    return AnthropicHeaders(request.header(b"anthropic-version"), beta[:_BETA_CHARACTERS] or None)


def _wants_metadata(request: Request) -> bool:
    asked = request.header(b"x-openrouter-metadata") or request.header(b"x-openrouter-experimental-metadata")
    return asked is not None and asked.strip().lower() == "enabled"
