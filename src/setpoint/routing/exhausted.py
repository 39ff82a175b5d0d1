"""One plain error for all that was tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from setpoint.errors import DOCS_URL, ProviderError, SetpointError

if TYPE_CHECKING:
    from collections.abc import Sequence

E = TypeVar("E", bound=SetpointError)

_PASSING = frozenset({"provider_unavailable", "provider_overloaded", "timeout"})
_NOBODY = "No provider can answer at the moment"


def exhausted(
    failures: Sequence[tuple[str, ProviderError]],
    models: Sequence[str],
    *,
    passed: Sequence[tuple[str, ProviderError]] = (),
    cut_short: bool = False,
) -> ProviderError:
    """The error for a request whose every candidate failed, in order of trying: (provider's display name, error).

    `passed` are those that were not tried, for what was known of them. One failure is returned as it is. All refused by
    rate: 429. All for a bad key or no quota: a 502 that clients are told not to repeat. A mixture of passing troubles,
    and whenever a breaker is open: 503. Else the last one, as when they were `cut_short`. All name what was before.
    """
    everything = [*failures, *passed]
    providers = list(dict.fromkeys(provider for provider, _ in everything))
    errors = [error for _, error in everything]
    shown, last = (failures or passed)[-1]
    others = [one for one in everything if one[1] is not last]
    waits = [error.retry_after_s for error in errors if error.retry_after_s is not None]
    wait = min(waits, default=None)
    metadata = {**last.metadata, "provider_name": shown}
    if last.provider_code:
        metadata["provider_code"] = last.provider_code
    if others:
        metadata["previous_errors"] = [_previous(provider, error) for provider, error in others]

    def end(type_: Any, message: str, code: str | None = None, headers: dict[str, str] | None = None) -> ProviderError:
        availability: dict[str, Any] | None = last.availability
        if code is not None:
            availability = {"code": code, "retryable": True, "affected_providers": providers}
            availability |= {} if wait is None else {"retry_after": wait}
        if availability is not None:
            availability = {"requested_models": list(models), "docs_url": DOCS_URL, **availability}
        return ProviderError(
            type_,
            message,
            retry="stop",
            permanent=last.permanent,
            provider_code=last.provider_code,
            upstream_status=last.upstream_status,
            raw=last.raw,
            metadata=metadata,
            availability=availability,
            headers=headers,
            retry_after_s=wait,
        )

    if cut_short:
        return end(last.type, last.message)
    if all(error.type == "rate_limit_exceeded" for error in errors):
        return end("rate_limit_exceeded", last.message, "capacity_exhausted")
    if all(error.permanent for error in errors):
        return end(last.type, last.message, headers={"x-should-retry": "false"})
    if any(error.provider_code == "breaker_open" for error in errors) and all(map(_passes, errors)):
        metadata["previous_errors"] = [_previous(provider, error) for provider, error in everything]
        return end("provider_overloaded", _NOBODY, "temporarily_unavailable")
    if len({error.type for error in errors}) > 1 and all(error.type in _PASSING for error in errors):
        return end("provider_overloaded", _NOBODY, "temporarily_unavailable")
    return end(last.type, last.message)


def behind(error: E, failures: Sequence[tuple[str, ProviderError]]) -> E:
    """An error that ends a request behind these failures, naming them."""
    if failures:
        error.metadata["previous_errors"] = [_previous(provider, failure) for provider, failure in failures]
    return error


def _passes(error: ProviderError) -> bool:
    """Whether a failure may be gone when another provider is back."""
    return error.permanent or error.type == "rate_limit_exceeded" or error.type in _PASSING


def _previous(provider: str, error: ProviderError) -> dict[str, Any]:
    return {
        "provider": provider,
        "code": error.provider_code or error.type,
        "status": error.upstream_status or error.status,
    }
