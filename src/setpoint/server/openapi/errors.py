"""The three error envelopes, and what each status means."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from setpoint.errors import ErrorType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.records import Dialect


class Availability(TypedDict):
    """Why no model could answer, and whether it is worth asking again."""

    code: str
    retryable: bool
    requested_models: list[str]
    docs_url: str
    retry_after: NotRequired[int]
    affected_providers: NotRequired[list[str]]
    excluded_by: NotRequired[list[str]]
    fallback_models: NotRequired[list[str]]
    constraint: NotRequired[dict[str, Any]]


class ErrorDetail(TypedDict):
    """What went wrong. `code` is the HTTP status; `metadata.error_type` is the word to switch on."""

    code: int
    message: str
    metadata: dict[str, Any]
    error_type: NotRequired[ErrorType]
    http_status: NotRequired[int]
    availability: NotRequired[Availability]


class Error(TypedDict):
    """The error of chat completions, of presets and of all management routes."""

    error: ErrorDetail
    user_id: None
    openrouter_metadata: Any


class ResponsesError(TypedDict):
    """The error of responses, before an answer is accepted."""

    error: ErrorDetail
    user_id: None
    openrouter_metadata: Any
    error_type: ErrorType


class MessagesErrorDetail(TypedDict):
    """What went wrong. `error_type` is the word to switch on, `type` the word of the Messages API."""

    type: str
    message: str
    error_type: ErrorType
    details: NotRequired[dict[str, Any]]
    http_status: NotRequired[int]
    availability: NotRequired[Availability]


class MessagesError(TypedDict):
    """The error of messages."""

    type: str
    error: MessagesErrorDetail
    request_id: str | None
    metadata: NotRequired[dict[str, Any]]
    openrouter_metadata: NotRequired[Any]


ENVELOPES: Mapping[Dialect | None, object] = MappingProxyType(
    {"chat": Error, "messages": MessagesError, "responses": ResponsesError, None: Error}
)
"""The envelope of each skin; None: of the routes of presets and management."""

MEANINGS: Mapping[int, str] = MappingProxyType(
    {
        400: "The request is not right: the message says where.",
        401: "The key is missing, unknown, disabled or expired.",
        402: "The key's limit is reached.",
        403: "The key may not do this, or a budget of its workspace is used up.",
        404: "There is no such thing, or it is not for this key to see.",
        408: "The body did not arrive in time.",
        409: "It is in the way of something that is there.",
        413: "The body is too large.",
        415: "The body is packed in a way that is not known here.",
        417: "What the Expect header asks for is not done here.",
        422: "A provider cannot process the request.",
        429: "Too many requests; `Retry-After` says when to ask again.",
        500: "A fault of this server's.",
        502: "The provider's answer could not be used.",
        503: "This server or the provider cannot answer now; `Retry-After` says when to ask again.",
        504: "The provider took too long.",
        529: "This server or the provider cannot answer now; `Retry-After` says when to ask again.",
    }
)
"""What an error's status means."""
