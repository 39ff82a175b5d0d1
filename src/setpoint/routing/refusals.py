"""What a caller is told whose request has nowhere to go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.errors import DOCS_URL, RequestError
from setpoint.records import Exclusion

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from setpoint.records import Excluded

# The word of the caller's wish, and the constraint as the error's metadata calls it, where it has a word for it.
_WISHES: dict[Exclusion, tuple[str, str | None]] = {
    "zdr": ("provider.zdr", "data_policy:zdr"),
    "data_collection": ("provider.data_collection", "data_policy:training"),
    "only": ("provider.only", "allowed_providers"),
    "ignored": ("provider.ignore", "allowed_providers"),
    "distillable": ("provider.enforce_distillable_text", None),
    "quantization": ("provider.quantizations", "quantization"),
    "max_price": ("provider.max_price", "max_price"),
    "require_parameters": ("provider.require_parameters", "require_parameters"),
    "dialect": ("provider.require_parameters", "require_parameters"),
    "tier": ("service_tier", None),
    "context_length": ("the length of the prompt", "context_length"),
    "no_fallbacks": ("provider.order", "allowed_providers"),
    "no_price": ("a limit of money", None),
}
_PRIVACY = frozenset[Exclusion]({"zdr", "data_collection"})


def unknown_model(text: str) -> RequestError:
    """The error for a model that does not exist, or not in this variant."""
    return RequestError(
        "invalid_request",
        f"{text} is not a valid model ID",
        availability=_availability("model_not_found", [text]),
    )


def nothing_left(models: Sequence[str], excluded: Iterable[Excluded]) -> RequestError:
    """The error for a request whose every endpoint was ruled out: who serves the model, and what ruled them out."""
    served = [one for one in excluded if one.tag is not None and one.reason in _WISHES]
    if not served:
        return RequestError(
            "not_found", f"No endpoints found for {models[0]}", availability=_availability("no_endpoints", models)
        )
    if all(one.reason == "no_price" for one in served):
        return RequestError(
            "payment_required",
            f"The price of {models[0]} is not known, and there is a limit to what may be spent: give the model a price",
        )
    providers = ", ".join(dict.fromkeys(one.provider for one in served))
    by = dict.fromkeys(_WISHES[one.reason] for one in served)
    said = list(dict.fromkeys(wish for wish, _ in by))
    constraints = list(dict.fromkeys(constraint for _, constraint in by if constraint is not None))
    private = all(one.reason in _PRIVACY for one in served)
    return RequestError(
        "not_found",
        f"No endpoints found for {models[0]}: it is served by {providers}, "
        f"and {' and '.join(said)} {'leaves' if len(said) == 1 else 'leave'} none of them",
        availability=_availability("privacy_restricted" if private else "constraint_filtered", models)
        | ({"excluded_by": constraints} if constraints else {}),
    )


def out_of_bounds(models: Sequence[str]) -> RequestError:
    """The error for a request all of whose endpoints the lists of its key leave out."""
    return RequestError(
        "permission_denied",
        f"This key may not use {models[0]}: its allowed_models or allowed_providers leave out all that serve it",
    )


def _availability(code: str, models: Sequence[str]) -> dict[str, object]:
    return {"code": code, "retryable": False, "requested_models": list(models), "docs_url": DOCS_URL}
