"""What an upstream's failure becomes, and how far its retry reaches: one table for every dialect.

`read_error` says what an answer reports, `failure` what that means.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import quote

from setpoint.errors import ErrorType, ProviderError, Retry
from setpoint.wire.body import NULL, MalformedError, is_null, is_object, is_string, raw, split, value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from msgspec import Raw

    from setpoint.wire.body import Body

RETRY_AFTER_CAP_S = 60
"""No provider may keep callers away for longer than this with one Retry-After, in seconds."""

_MESSAGE_CHARACTERS = 1000
_CODE_CHARACTERS = 100


class Reported(NamedTuple):
    """What an upstream's error body says: its code or type word, and its message. None: it does not say."""

    code: str | None = None
    message: str | None = None


def read_error(data: bytes) -> Reported | None:
    """What the `error` member of an upstream's JSON body reports, None when the body has none."""
    try:
        return reported_in(split(data))
    except MalformedError:
        return None


def reported_in(body: Body) -> Reported | None:
    """The same for a body, or an event, that has been taken apart; all three dialects write errors alike.

    Raises: `MalformedError`.
    """
    error = body.get("error", NULL)
    if is_null(error):
        return None
    if is_string(error):
        return Reported(message=str(value(error)))
    if not is_object(error):
        return Reported()
    said = value(error)
    return Reported(code=_word(said.get("code")) or _word(said.get("type")), message=_word(said.get("message")))


def _word(content: Any) -> str | None:
    if isinstance(content, bool) or not isinstance(content, str | int):
        return None
    return str(content) or None


class _Outcome(NamedTuple):
    type: ErrorType
    retry: Retry
    permanent: bool = False


_UNAVAILABLE = _Outcome("provider_unavailable", "next_endpoint")
_OVERLOADED = _Outcome("provider_overloaded", "next_endpoint")
_REFUSED_KEY = _Outcome("provider_unavailable", "next_endpoint", permanent=True)
_NO_QUOTA = _REFUSED_KEY

_BY_STATUS: dict[int, _Outcome] = {
    400: _Outcome("invalid_request", "next_model"),
    401: _REFUSED_KEY,
    402: _NO_QUOTA,
    403: _REFUSED_KEY,
    404: _Outcome("not_found", "next_endpoint"),
    408: _Outcome("timeout", "next_endpoint"),
    413: _Outcome("payload_too_large", "next_endpoint"),
    422: _Outcome("unprocessable", "next_model"),
    429: _Outcome("rate_limit_exceeded", "next_endpoint"),
    503: _OVERLOADED,
    529: _OVERLOADED,
}

_CONTEXT = _Outcome("context_length_exceeded", "next_model")
_CONTENT = _Outcome("content_policy_violation", "next_model")
_PARAMETER = _Outcome("invalid_request", "next_endpoint")

_IMAGES: dict[ErrorType, tuple[str, ...]] = {
    "invalid_image": (
        *("invalid_image", "invalid_base64_image", "invalid_image_url", "invalid_image_mode", "image_parse_error"),
        "empty_image_file",
    ),
    "image_too_large": ("image_too_large", "image_file_too_large"),
    "image_too_small": ("image_too_small",),
    "unsupported_image_format": ("invalid_image_format", "unsupported_image_media_type"),
    "image_download_failed": ("failed_to_download_image",),
    "image_not_found": ("image_file_not_found",),
}
"""What the codes of the Responses reference say of an image (read 2026-11)."""

# What a 400 is about, where its code or type says it.
_BY_400_WORD: dict[str, _Outcome] = {
    "context_length_exceeded": _CONTEXT,
    "max_tokens_exceeded": _Outcome("max_tokens_exceeded", "next_model"),
    "token_limit_exceeded": _Outcome("token_limit_exceeded", "next_model"),
    **dict.fromkeys(("string_too_long", "string_above_max_length"), _Outcome("string_too_long", "next_model")),
    **{code: _Outcome(type_, "next_model") for type_, codes in _IMAGES.items() for code in codes},
    **dict.fromkeys(
        ("content_filter", "content_policy_violation", "refusal", "image_content_policy_violation"), _CONTENT
    ),
    **dict.fromkeys(("bio_policy", "cyber_policy", "misalignment_policy_violation"), _CONTENT),
    "unsupported_parameter": _PARAMETER,
    "unsupported_value": _PARAMETER,
    "unknown_parameter": _PARAMETER,
}

# The status that a code or type stands for in an error inside a 200.
_STATUS_OF_WORD: dict[str, int] = {
    **dict.fromkeys(_BY_400_WORD, 400),
    "invalid_request_error": 400,
    "invalid_prompt": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "insufficient_quota": 402,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "timeout_error": 408,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "request_too_large": 413,
    "timeout": 408,
    "overloaded": 529,
    "overloaded_error": 529,
}

# A 400 that is about the length of the prompt is told apart by its words where the code does not say it.
_CONTEXT_WORDS = re.compile(r"context[ _]length|context window|maximum context|prompt is too long", re.IGNORECASE)

# Gateways and clouds refuse content with 403 too ("Your input was flagged", OpenRouter, read 2026-11). That is the
# caller's affair: taken for a refused key, one caller's words would bar everybody else for minutes.
_CONTENT_WORDS = re.compile(r"\bmoderation\b|\bflagged\b|content[ _]polic", re.IGNORECASE)

# Behind `key` stand words as well, such as the name of a wrong parameter: those have no digit.
_KEY_SHAPED = re.compile(
    r"\b(?:sk|pk|gsk|xai|Bearer)[-_ ][A-Za-z0-9*_\-.]{8,}"
    r"|\bkey[-_ ](?=[A-Za-z_\-.]*[0-9*]|[A-Za-z_\-.]{24})[A-Za-z0-9*_\-.]{8,}"
)


def failure(
    status: int,
    reported: Reported,
    headers: Mapping[str, str],
    *,
    provider: str,
    secrets: Iterable[str] = (),
    now: datetime | None = None,
    raw: str | None = None,
) -> ProviderError:
    """The error that an upstream's answer of this status and content stands for.

    `provider` is the display name; `secrets` are taken out of whatever is quoted from the provider.
    """
    outcome = _outcome(status, reported)
    message = _message(status, outcome, reported, provider, secrets)
    availability = None
    if outcome.type == "not_found":
        availability = {"code": "model_unavailable_upstream", "retryable": False}
    return ProviderError(
        outcome.type,
        message,
        retry=outcome.retry,
        permanent=outcome.permanent,
        free=True,
        provider_code=_code(status, reported, secrets),
        upstream_status=status,
        raw=scrub(raw, secrets) if raw else None,
        availability=availability,
        retry_after_s=retry_after_s(headers, now or datetime.now(UTC)) if status in (429, 503, 529) else None,
    )


def reported_status(reported: Reported) -> int:
    """The HTTP status that an error inside a 200 names by its code or type, 502 when it names none."""
    code = reported.code or ""
    if code.isascii() and code.isdigit() and 400 <= int(code[:4]) <= 599:
        return int(code)
    return _STATUS_OF_WORD.get(code, 502)


def _is_quota(status: int, reported: Reported) -> bool:
    return status == 402 or reported.code in ("insufficient_quota", "billing_error")


def _outcome(status: int, reported: Reported) -> _Outcome:
    if _is_quota(status, reported):
        return _NO_QUOTA
    word = reported.code or ""
    if status == 400 and word in _BY_400_WORD:
        return _BY_400_WORD[word]
    if status == 400 and _CONTEXT_WORDS.search(reported.message or ""):
        return _CONTEXT
    if status == 403 and (_BY_400_WORD.get(word) is _CONTENT or _CONTENT_WORDS.search(reported.message or "")):
        return _CONTENT
    if status >= 500 and _STATUS_OF_WORD.get(word) == 529:
        return _OVERLOADED
    return _BY_STATUS.get(status, _UNAVAILABLE)


def _code(status: int, reported: Reported, secrets: Iterable[str]) -> str | None:
    if _is_quota(status, reported):
        return "insufficient_quota"
    return scrub(reported.code or "", secrets)[:_CODE_CHARACTERS] or None


def _message(status: int, outcome: _Outcome, reported: Reported, provider: str, secrets: Iterable[str]) -> str:
    if outcome.permanent:
        if _is_quota(status, reported):
            return f"provider {provider} has no quota left"
        return f"provider {provider} refuses the configured key"
    said = scrub(reported.message or "", secrets).strip()
    if 300 <= status < 400:
        return f"{provider} answered with a redirect, which is not followed"
    if said:
        return f"{provider}: {said}"
    return f"{provider} answered with status {status}"


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without these secrets and without anything shaped like a key, cut to a sensible length."""
    for secret in secrets:
        for form in _forms(secret):
            text = text.replace(form, "[redacted]")
    return _KEY_SHAPED.sub("[redacted]", text[: 4 * _MESSAGE_CHARACTERS])[:_MESSAGE_CHARACTERS]


def _forms(secret: str) -> Iterable[str]:
    """How a secret may be written: as it is, and inside JSON, a URL and HTML."""
    in_json = json.dumps(secret)[1:-1]
    every = (secret, in_json, in_json.replace("/", "\\/"), quote(secret, safe=""), quote(secret), escape(secret))
    return dict.fromkeys(every) if secret else ()


def scrubbed(content: Raw, scrub: Callable[[str], str]) -> Raw:
    """What a provider says of a failure inside an answer that goes on, every text in it scrubbed."""
    try:
        return raw(_each_text(value(content), scrub))
    except MalformedError:
        return NULL


def _each_text(said: Any, scrub: Callable[[str], str]) -> Any:
    if isinstance(said, str):
        return scrub(said)
    if isinstance(said, list):
        return [_each_text(one, scrub) for one in cast("list[Any]", said)]
    if isinstance(said, dict):
        return {scrub(name): _each_text(one, scrub) for name, one in cast("dict[str, Any]", said).items()}
    return said


def retry_after_s(headers: Mapping[str, str], now: datetime) -> int | None:
    """The wait that an answer asks for, in whole seconds rounded up, at most the cap; None when it makes no sense.

    `retry-after-ms` comes before `retry-after` (seconds or an HTTP date), as clients read them. Names are lower case.
    """
    wait = _seconds(headers.get("retry-after-ms"), 1000)
    if wait is None:
        wait = _seconds(headers.get("retry-after"), 1)
    if wait is None:
        try:
            at = parsedate_to_datetime(headers.get("retry-after", ""))
            wait = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now.timestamp()
        except (ValueError, TypeError, OverflowError):
            return None
    if wait < 0:
        return None
    return min(RETRY_AFTER_CAP_S, -int(-wait // 1))


def _seconds(text: str | None, unit: int) -> float | None:
    if text is None or not re.fullmatch(r"\d{1,15}(\.\d{1,9})?", text.strip(), re.ASCII):
        return None
    return float(text) / unit
