"""The record of an answer as it is shown."""

from __future__ import annotations

from typing import Literal, TypedDict

from setpoint.canonical.usage import Usage
from setpoint.records import Dialect, Excluded, GenerationStatus, Planned
from setpoint.server.routes.kinds import Anything, MaybeDollars, Time


class ShownAttempt(TypedDict):
    """One try at one endpoint. `error_type` is null for the one that answered; what is not known is null."""

    provider_name: str
    endpoint_id: str
    model: str
    status: int | None
    error_type: str | None
    latency: int | None
    usage: Usage | None
    cost: MaybeDollars
    provider_cost: MaybeDollars
    key_id: str | None
    is_byok: bool


class ShownGeneration(TypedDict):
    """The record of one answer. Null: it does not apply, or is not known; an unknown cost is never 0.

    Times are in milliseconds. `unsaid` and `not_honoured` are JSON pointers into the request.
    """

    id: str
    created_at: Time
    api_type: Literal["completions"]
    skin: Dialect
    model: str
    provider_name: str | None
    router: None
    preset_id: str | None
    preset_slug: str | None
    preset_version: int | None
    workspace_id: str
    request_id: str
    session_id: str | None
    upstream_id: str | None
    app_id: None
    origin: str
    http_referer: str | None
    app_title: str | None
    user_agent: str | None
    external_user: str | None
    user_id: str
    metadata: Anything | None
    trace: Anything | None
    data_region: Literal["global"]
    tokens_prompt: int | None
    tokens_completion: int | None
    native_tokens_prompt: int | None
    native_tokens_completion: int | None
    native_tokens_reasoning: int | None
    native_tokens_cached: int | None
    native_tokens_completion_images: int | None
    num_media_prompt: None
    num_media_completion: None
    num_input_audio_prompt: None
    num_search_results: None
    num_fetches: None
    total_cost: MaybeDollars
    usage: MaybeDollars
    upstream_inference_cost: MaybeDollars
    cache_discount: None
    is_byok: bool
    provider_cost: MaybeDollars
    cost_drift: bool
    usage_estimated: bool
    latency: int | None
    generation_time: int | None
    moderation_latency: None
    status: GenerationStatus
    finish_reason: str | None
    native_finish_reason: str | None
    error_type: str | None
    streamed: bool
    cancelled: bool
    service_tier: str | None
    web_search_engine: None
    provider_responses: list[ShownAttempt]
    response_cache_source_id: None
    system_prompt_from: Literal["preset", "request", "both"] | None
    unsaid: tuple[str, ...]
    not_honoured: tuple[str, ...]
    endpoints: tuple[Planned, ...]
    excluded: tuple[Excluded, ...]
    zero_completion: bool


class GenerationList(TypedDict):
    """A page of records; `next_cursor` is the `cursor` of the next one, null behind the last."""

    data: list[ShownGeneration]
    next_cursor: str | None
