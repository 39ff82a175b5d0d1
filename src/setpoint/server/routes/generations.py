"""Generation records over HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.ids import generation_age_s, timestamp
from setpoint.protocols.money import money
from setpoint.server.guard import missing
from setpoint.server.operation import described
from setpoint.server.respond import Response, json_response
from setpoint.server.routes.generation_filters import (
    FILTERS,
    NAMED,
    cursor_behind,
    read_cursor,
    read_filters,
    read_id,
    sees_all,
)
from setpoint.server.routes.generation_shapes import GenerationList, ShownAttempt, ShownGeneration
from setpoint.server.routes.kinds import One
from setpoint.server.routes.paging import integer
from setpoint.server.routes.soon import soon
from setpoint.storage.away import away
from setpoint.storage.generations import get
from setpoint.storage.listing import page

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from setpoint.coordination.board import Seat
    from setpoint.records import Attempt, Generation, Key
    from setpoint.server.request import Request
    from setpoint.server.routes.desk import Desk
    from setpoint.storage.database import Connection
    from setpoint.storage.recorder import Recorder


# A record that has waited this long, in seconds, waits for a storage that is away.
_AWAY_S = 0.25
# How long ago its request may have come, in seconds: longer than an answer takes.
_YOUNG_S = 3_600


class Generations:
    """The handlers of the generation routes. `siblings` are the workers that have records of their own, if any."""

    def __init__(self, desk: Desk, recorder: Recorder, siblings: Seat | None) -> None:
        self._desk = desk
        self._recorder = recorder
        self._siblings = siblings

    @described("The record of an answer", group="Records", query=NAMED, errors=(404,), answer=One[ShownGeneration])
    async def get(self, request: Request) -> Response:
        """GET /generation?id=: there with the answer, also while it is not yet written."""
        id_, key = read_id(request.query()), request.key
        found = await self._find(id_, key)
        if found is None:
            raise missing()
        return json_response({"data": _generation(found)})

    @described(
        "The records of answers, newest first", group="Records", query=FILTERS, errors=(404,), answer=GenerationList
    )
    async def list(self, request: Request) -> Response:
        """GET /generations: newest first. What a moment ago was answered is there a moment later."""
        query = request.query()
        wanted, before = read_filters(query, request.key), read_cursor(query)
        limit = integer(query, "limit", default=50, least=1, most=100)

        def read(connection: Connection) -> GenerationList:
            found = page(connection, wanted, before=before, limit=limit + 1)
            shown = found[:limit]
            following = cursor_behind(shown[-1]) if len(found) > limit else None
            return {"data": [_generation(one) for one in shown], "next_cursor": following}

        return json_response(await self._desk.store.read(read))

    async def _find(self, id_: str, key: Key) -> Generation | None:
        """The record: from memory, else from the spool, else from the database. Raises: `GatewayError`.

        One that the key may not see is looked for as long as one that is not there.
        """
        found = self._recorder.find(id_)
        if found is None and self._recorder.has_parked(id_):
            found = await asyncio.to_thread(self._recorder.read_parked, id_)
        if found is not None and _visible(found, key):
            return found
        found = await self._stored(id_, key)
        age_s = generation_age_s(id_, self._desk.clock())
        if found is None and self._siblings is not None and age_s is not None and age_s < _YOUNG_S:
            return await self._elsewhere(id_, key, self._siblings)
        return found

    async def _elsewhere(self, id_: str, key: Key, siblings: Seat) -> Generation | None:
        """A record that another worker may have. Raises: `GatewayError` while that cannot be told."""
        held_s = 0.0

        def look() -> Awaitable[Generation | None]:
            nonlocal held_s
            held_s = siblings.held_s()  # before the look: what is let go meanwhile is found by it
            return self._stored(id_, key)

        found = await soon(look)
        if found is None and held_s >= _AWAY_S:
            raise away()
        return found

    async def _stored(self, id_: str, key: Key) -> Generation | None:
        found = await self._desk.store.read(lambda connection: get(connection, id_, key.workspace_id))
        return found if found is not None and _visible(found, key) else None


def _visible(generation: Generation, key: Key) -> bool:
    """Whether a key may see this record, as it would in the list."""
    return generation.workspace_id == key.workspace_id and (sees_all(key) or generation.key_digest == key.digest)


def _generation(one: Generation) -> ShownGeneration:
    usage = one.usage
    amount = one.total_cost
    return {
        "id": one.id,
        "created_at": timestamp(one.created_at),
        "api_type": "completions",
        "skin": one.skin,
        "model": one.model,
        "provider_name": one.provider_name,
        "router": None,
        "preset_id": one.preset_id,
        "preset_slug": one.preset_slug,
        "preset_version": one.preset_version,
        "workspace_id": one.workspace_id,
        "request_id": one.id,
        "session_id": one.session_id,
        "upstream_id": one.upstream_id,
        "app_id": None,
        "origin": one.http_referer or "",
        "http_referer": one.http_referer,
        "app_title": one.app_title,
        "user_agent": one.user_agent,
        "external_user": one.external_user,
        "user_id": one.user_id,
        "metadata": Raw(one.metadata) if one.metadata is not None else None,
        "trace": Raw(one.trace) if one.trace is not None else None,
        "data_region": "global",
        "tokens_prompt": usage.input_tokens if usage else None,
        "tokens_completion": usage.output_tokens if usage else None,
        "native_tokens_prompt": usage.input_tokens if usage else None,
        "native_tokens_completion": usage.output_tokens if usage else None,
        "native_tokens_reasoning": usage.reasoning_tokens if usage else None,
        "native_tokens_cached": usage.cached_tokens if usage else None,
        "native_tokens_completion_images": usage.image_tokens if usage else None,
        "num_media_prompt": None,
        "num_media_completion": None,
        "num_input_audio_prompt": None,
        "num_search_results": None,
        "num_fetches": None,
        "total_cost": money(amount),
        "usage": money(amount),
        "upstream_inference_cost": money(amount),
        "cache_discount": None,
        "is_byok": True,
        "provider_cost": money(one.provider_cost),
        "cost_drift": one.cost_drift,
        "usage_estimated": usage.estimated if usage else False,
        "latency": one.latency_ms,
        "generation_time": one.generation_ms,
        "moderation_latency": None,
        "status": one.status,
        "finish_reason": one.finish_reason,
        "native_finish_reason": one.native_finish_reason,
        "error_type": one.error_type,
        "streamed": one.streamed,
        "cancelled": one.cancelled,
        "service_tier": one.service_tier,
        "web_search_engine": None,
        "provider_responses": [_attempt(attempt) for attempt in one.attempts],
        "response_cache_source_id": None,
        "system_prompt_from": one.system_prompt_from,
        "unsaid": one.unsaid,
        "not_honoured": one.not_honoured,
        "endpoints": one.endpoints,
        "excluded": one.excluded,
        "zero_completion": one.zero_completion,
    }


def _attempt(attempt: Attempt) -> ShownAttempt:
    return {
        "provider_name": attempt.provider_name,
        "endpoint_id": f"{attempt.tag}/{attempt.upstream_model}",
        "model": attempt.model,
        "status": attempt.status,
        "error_type": attempt.error,
        "latency": attempt.latency_ms,
        "usage": attempt.usage,
        "cost": money(attempt.cost),
        "provider_cost": money(attempt.provider_cost),
        "key_id": attempt.key_id,
        "is_byok": True,
    }
