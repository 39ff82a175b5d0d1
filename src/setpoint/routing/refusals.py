"""What a caller is told whose request has nowhere to go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.errors import DOCS_URL, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from setpoint.records import Excluded, Exclusion

# The word of the caller's preference, and the constraint as the error's metadata calls it.
_PREFERENCES: dict[Exclusion, tuple[str, str]] = {
    "only": ("provider.only", "allowed_providers"),
    "ignored": ("provider.ignore", "allowed_providers"),
    "no_fallbacks": ("provider.order", "allowed_providers"),
    "require_parameters": ("provider.require_parameters", "require_parameters"),
}


def unknown_model(text: str) -> RequestError:
    """The error for a model that does not exist, or not in this variant."""
    return RequestError(
        "invalid_request",
        f"{text} is not a valid model ID",
        availability=_availability("model_not_found", [text]),
    )


def nothing_left(models: Sequence[str], excluded: Iterable[Excluded]) -> RequestError:
    """The error for a request whose every endpoint was ruled out: who serves the model, and what ruled them out."""
    served = [one for one in excluded if one.tag is not None and one.reason in _PREFERENCES]
    if not served:
        return RequestError(
            "not_found", f"No endpoints found for {models[0]}", availability=_availability("no_endpoints", models)
        )
    providers = ", ".join(dict.fromkeys(one.provider for one in served))
    by = dict.fromkeys(_PREFERENCES[one.reason] for one in served)
    said = list(dict.fromkeys(preference for preference, _ in by))
    return RequestError(
        "not_found",
        f"No endpoints found for {models[0]}: it is served by {providers}, "
        f"and {' and '.join(said)} {'leaves' if len(said) == 1 else 'leave'} none of them",
        availability=_availability("constraint_filtered", models)
        | {"excluded_by": list(dict.fromkeys(constraint for _, constraint in by))},
    )


def _availability(code: str, models: Sequence[str]) -> dict[str, object]:
    return {"code": code, "retryable": False, "requested_models": list(models), "docs_url": DOCS_URL}
