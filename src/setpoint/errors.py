"""The error vocabulary: one closed set of types, each with its HTTP status, split by whose fault it is.

Nothing here knows an envelope: each protocol's `errors.py` writes these in its own words, and `server/respond.py`
is the only place that turns one into a response. Source: the error reference in `docs/errors.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

ErrorType = Literal[
    "context_length_exceeded",
    "max_tokens_exceeded",
    "token_limit_exceeded",
    "string_too_long",
    "authentication",
    "payment_required",
    "permission_denied",
    "rate_limit_exceeded",
    "provider_overloaded",
    "provider_unavailable",
    "invalid_request",
    "invalid_prompt",
    "not_found",
    "method_not_allowed",
    "conflict",
    "unavailable",
    "payload_too_large",
    "headers_too_large",
    "request_timeout",
    "unsupported_encoding",
    "expectation_failed",
    "http_version_unsupported",
    "unprocessable",
    "content_policy_violation",
    "refusal",
    "invalid_image",
    "image_too_large",
    "image_too_small",
    "unsupported_image_format",
    "image_download_failed",
    "image_not_found",
    "server",
    "timeout",
    "unmapped",
]

STATUS: dict[ErrorType, int] = {
    "context_length_exceeded": 400,
    "max_tokens_exceeded": 400,
    "token_limit_exceeded": 400,
    "string_too_long": 400,
    "authentication": 401,
    "payment_required": 402,
    "permission_denied": 403,
    "rate_limit_exceeded": 429,
    "provider_overloaded": 503,
    "provider_unavailable": 502,
    "invalid_request": 400,
    "invalid_prompt": 400,
    "not_found": 404,
    "method_not_allowed": 405,
    "conflict": 409,
    "unavailable": 503,
    "payload_too_large": 413,
    "headers_too_large": 431,
    "request_timeout": 408,
    "unsupported_encoding": 415,
    "expectation_failed": 417,
    "http_version_unsupported": 505,
    "unprocessable": 422,
    "content_policy_violation": 400,
    "refusal": 400,
    "invalid_image": 400,
    "image_too_large": 400,
    "image_too_small": 400,
    "unsupported_image_format": 400,
    "image_download_failed": 400,
    "image_not_found": 404,
    "server": 500,
    "timeout": 504,
    "unmapped": 500,
}

DOCS_URL = "docs/errors.md"
"""The page of our documentation that explains an `availability` code."""

Retry = Literal["same", "next_endpoint", "next_model", "stop"]
"""How far a failure reaches: the same endpoint once more, the next candidate, the next model, or nowhere."""


class SetpointError(Exception):
    """Anything that ends a request, in the vocabulary above.

    `metadata` holds what the caller may see beside the message; `availability` the model availability object;
    `headers` what goes out as HTTP headers. `retry_after_s` is in seconds.
    """

    def __init__(
        self,
        type_: ErrorType,
        message: str,
        *,
        metadata: Mapping[str, Any] | None = None,
        availability: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.type: ErrorType = type_
        self.message = message
        self.metadata = dict(metadata or {})
        self.availability = dict(availability) if availability else None
        self.headers = dict(headers or {})
        self.retry_after_s = retry_after_s

    @property
    def status(self) -> int:
        """The HTTP status of this type."""
        return STATUS[self.type]


class RequestError(SetpointError):
    """The caller's fault: what was sent cannot be answered."""


class FieldError(RequestError):
    """One member of the body is wrong. `path` is dots for members, `[i]` for entries; the message starts with it."""

    def __init__(self, path: str, problem: str, **more: Any) -> None:
        super().__init__("invalid_request", f"{path}: {problem}" if path else problem, **more)
        self.path = path


class ProviderError(SetpointError):
    """The provider's fault: `retry` says how far it reaches, `permanent` that repeating it cannot help.

    `free` is true when the provider cannot have charged for it: nothing was sent, or it has refused.
    """

    def __init__(
        self,
        type_: ErrorType,
        message: str,
        *,
        retry: Retry = "next_endpoint",
        permanent: bool = False,
        free: bool = False,
        provider_code: str | None = None,
        upstream_status: int | None = None,
        raw: str | None = None,
        **more: Any,
    ) -> None:
        super().__init__(type_, message, **more)
        self.retry: Retry = retry
        self.permanent = permanent
        self.free = free
        self.provider_code = provider_code
        self.upstream_status = upstream_status
        self.raw = raw


class GatewayError(SetpointError):
    """Our fault. For the type `server` the caller reads a generic message; the cause goes to the log."""
