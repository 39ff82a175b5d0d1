"""Where a request may go, in order: its models, each with the endpoints that may serve it. A pure function.

Endpoints are tried in the order of the file, unless the caller orders them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from setpoint.errors import DOCS_URL, RequestError
from setpoint.records import Dialect, Endpoint, Model, ProviderKey
from setpoint.routing.preferences import wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.errors import ProviderError
    from setpoint.routing.catalog import Catalog
    from setpoint.routing.preferences import Preferences

_SORTS = frozenset({"nitro", "floor", "exacto"})
_DYNAMIC = _SORTS | {"online"}
_STATIC = frozenset({"free", "extended", "thinking", "batch"})
# After these statuses another credential of the same endpoint may do better.
_KEY_STATUSES = frozenset({401, 402, 403, 429})


class Candidate(Struct, frozen=True):
    """One thing to try: an endpoint with one of its provider's keys, in the dialect to speak there."""

    model: Model
    endpoint: Endpoint
    key: ProviderKey | None
    dialect: Dialect


class Plan(Struct, frozen=True):
    """The candidates in order; the models whose variants ask for a way of routing, and for a search, unmet both."""

    candidates: tuple[Candidate, ...]
    unfollowed: tuple[str, ...] = ()
    unsearched: tuple[str, ...] = ()


def plan(models: Sequence[str], preferences: Preferences, catalog: Catalog, skin: Dialect) -> Plan:
    """The candidates for these models, the first being the one that was asked for.

    An endpoint of several dialects is spoken to in the skin's own where it has that, else in its first.

    Raises: `RequestError` for a model that does not exist, or when no endpoint of any model is left.
    """
    candidates: list[Candidate] = []
    asked: dict[str, set[str]] = {}
    for text in models:
        model, endpoints, asked[text] = _resolve(text, catalog)
        for endpoint in wanted(endpoints, preferences):
            dialect = skin if skin in endpoint.dialects else endpoint.dialects[0]
            keys: tuple[ProviderKey | None, ...] = endpoint.provider.keys or (None,)
            found = (Candidate(model, endpoint, key, dialect) for key in keys)
            # A model may be named twice, once by an alias or with a variant.
            candidates += [one for one in found if one not in candidates]
        if preferences.allow_fallbacks is False:  # the first choice or none, and its error as it is
            break
    if not candidates:
        raise _no_endpoints(models, preferences, catalog)
    return Plan(
        tuple(candidates),
        unfollowed=tuple(text for text in asked if asked[text] & _SORTS),
        unsearched=tuple(text for text in asked if "online" in asked[text]),
    )


class Route:
    """One request's way through a plan: what comes next, given how the last try failed."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self._left = list(candidates)
        self._current: Candidate | None = None
        self._repeated = False

    def next(self, failure: ProviderError | None) -> Candidate | None:
        """The next candidate, None when there is none that may be tried. `failure` is that of the last one."""
        current = self._current
        if current is not None and failure is not None:
            if self.repeats(failure):
                self._repeated = True
                return current
            if failure.permanent and current.key is not None:  # a refused key is refused for every model
                self._left = [other for other in self._left if other.key != current.key]
            match failure.retry:
                case "stop":
                    self._left = []
                case "next_model":
                    self._left = [other for other in self._left if _is_worth_it(other, current, failure)]
                case _:
                    if failure.upstream_status not in _KEY_STATUSES:
                        self._left = [other for other in self._left if other.endpoint is not current.endpoint]
        self._current = self._left.pop(0) if self._left else None
        self._repeated = False
        return self._current

    def repeats(self, failure: ProviderError) -> bool:
        """Whether this failure of the current candidate is no more than a reason to try it again."""
        return failure.retry == "same" and not self._repeated


def _is_worth_it(other: Candidate, failed: Candidate, failure: ProviderError) -> bool:
    """Whether a candidate may do better where another of its model would not: one with more room for a long prompt."""
    if other.model.id != failed.model.id:
        return True
    room, needed = other.endpoint.context_length, failed.endpoint.context_length
    return failure.type == "context_length_exceeded" and room is not None and needed is not None and room > needed


def _resolve(text: str, catalog: Catalog) -> tuple[Model, list[Endpoint], set[str]]:
    """A model by what the caller wrote: its enabled endpoints, and the variants that ask for something beside it.

    The whole text comes first, since ids of local models contain colons themselves.
    """
    model = catalog.named(text)
    variants: set[str] = set()
    if model is None:
        base, words = _split_variants(text)
        model, variants = catalog.named(base) or _unnamed(text, base, catalog), set(words)
    if model is None or not model.enabled:
        raise RequestError(
            "invalid_request",
            f"{text} is not a valid model ID",
            availability=_availability("model_not_found", [text]),
        )
    if model.id == text:
        variants = set()
    static = variants & _STATIC
    enabled = [one for one in model.endpoints if one.enabled and one.provider.enabled]
    endpoints = [one for one in enabled if static <= set(one.variants)]
    if static and not endpoints:
        raise RequestError(
            "invalid_request",
            f"{text} is not a valid model ID",
            availability=_availability("model_not_found", [text]),
        )
    return model, endpoints, variants & _DYNAMIC


def _unnamed(text: str, base: str, catalog: Catalog) -> Model | None:
    """A model that nothing names, at its provider: a gateway knows its own variants, any other only the plain name."""
    whole = catalog.find(text)
    if whole is not None and whole.endpoints[0].provider.server_tools:
        return whole
    return catalog.find(base)


def _split_variants(text: str) -> tuple[str, list[str]]:
    base, words = text, list[str]()
    while True:
        rest, colon, word = base.rpartition(":")
        if not colon or word not in _DYNAMIC | _STATIC:
            return base, words
        base = rest
        words.append(word)


def _no_endpoints(models: Sequence[str], preferences: Preferences, catalog: Catalog) -> RequestError:
    """What to tell a caller whose preferences leave nothing: who serves the model, and what ruled them out."""
    asked = [name for name in ("order", "only", "ignore") if getattr(preferences, name) is not None]
    served = [one.provider.slug for text in models for one in _resolve(text, catalog)[1]]
    if asked and served:
        return RequestError(
            "not_found",
            f"No endpoints found for {models[0]}: it is served by {', '.join(dict.fromkeys(served))}, "
            f"and provider.{', provider.'.join(asked)} leaves none of them",
            availability=_availability("constraint_filtered", models) | {"excluded_by": ["allowed_providers"]},
        )
    return RequestError(
        "not_found", f"No endpoints found for {models[0]}", availability=_availability("no_endpoints", models)
    )


def constraint_filtered(models: Sequence[str], candidates: Sequence[Candidate], constraint: str) -> RequestError:
    """What to tell a caller when a constraint of the request leaves no candidate of those that would serve it."""
    served = ", ".join(dict.fromkeys(candidate.endpoint.provider.slug for candidate in candidates))
    return RequestError(
        "not_found",
        f"No endpoints found for {models[0]}: it is served by {served}, and provider.{constraint} leaves none of them",
        availability=_availability("constraint_filtered", models) | {"excluded_by": [constraint]},
    )


def _availability(code: str, models: Sequence[str]) -> dict[str, object]:
    return {"code": code, "retryable": False, "requested_models": list(models), "docs_url": DOCS_URL}
