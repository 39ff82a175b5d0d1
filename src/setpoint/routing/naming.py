"""A model by what the caller wrote: an id or an alias, with variants behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from setpoint.records import Endpoint, Model, Sort
from setpoint.routing.refusals import unknown_model

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.routing.catalog import Catalog
    from setpoint.routing.keyring import KeyRing

Strategy = Literal["direct", "alias", "latest"]

_SORTS: dict[str, Sort] = {"nitro": "throughput", "floor": "price", "exacto": "exacto"}
_DYNAMIC = _SORTS.keys() | {"online"}
_STATIC = frozenset({"free", "extended", "thinking", "batch"})


class Named(Struct, frozen=True):
    """A model and the variants that it was asked for in: those that are listed, and those that ask for something.

    `strategy` is how the text led to the model: by its id, by another, or by one that means the newest of a family.
    """

    model: Model
    static: frozenset[str] = frozenset()
    dynamic: frozenset[str] = frozenset()
    strategy: Strategy = "direct"

    def serves(self, endpoint: Endpoint) -> bool:
        """Whether an endpoint of the model serves every variant that must be listed; what costs nothing is free."""
        listed = frozenset(endpoint.variants)
        if endpoint.per_token == 0:
            listed |= {"free"}
        if endpoint.tier == "batch":
            listed |= {"batch"}
        return self.static <= listed

    @property
    def sort(self) -> Sort | None:
        """The order that a variant asks for."""
        return next((sort for word, sort in _SORTS.items() if word in self.dynamic), None)


def named(text: str, catalog: Catalog) -> Named:
    """The model that a caller means by this text.

    The whole text comes first, since ids of local models contain colons themselves.

    Raises: `RequestError` for a model that does not exist, or that no endpoint serves in these variants.
    """
    model = catalog.named(text)
    if model is not None:
        found = Named(model, strategy=_strategy(text, model))
    else:
        base, words = _split_variants(text)
        model = catalog.named(base) or _unnamed(text, base, catalog)
        if model is None:
            raise unknown_model(text)
        own = model.id == text
        strategy = _strategy(base, model)
        found = Named(model, strategy=strategy) if own else Named(model, words & _STATIC, words & _DYNAMIC, strategy)
    if not model.enabled or not any(map(found.serves, filter(_is_enabled, model.endpoints)) if found.static else (1,)):
        raise unknown_model(text)
    return found


def known(text: str, catalog: Catalog, keys: KeyRing) -> Named:
    """The model that a caller with these keys means.

    Raises: as `named`, and alike for a model that is there for those alone who have other keys.
    """
    found = named(text, catalog)
    if not keys.knows_model(found.model):
        raise unknown_model(text)
    return found


def means(text: str, model: Model) -> bool:
    """Whether a text asks for this model: by its id or an alias, in whatever variant."""
    return any(text == name or text.startswith(f"{name}:") for name in (model.id, *model.aliases))


def is_latest(texts: Iterable[str], model: Model) -> bool:
    """Whether a model is asked for by the name of its family (`~author/family-latest`), by the first text that does."""
    for text in texts:
        base = text if text in model.aliases else _split_variants(text)[0]
        if base == model.id or base in model.aliases:
            return base.startswith("~")
    return False


def _strategy(text: str, model: Model) -> Strategy:
    if text == model.id or text not in model.aliases:
        return "direct"
    return "latest" if text.startswith("~") and text.endswith("-latest") else "alias"


def _is_enabled(endpoint: Endpoint) -> bool:
    return endpoint.enabled and endpoint.provider.enabled


def _unnamed(text: str, base: str, catalog: Catalog) -> Model | None:
    """A model that nothing names, at its provider: a gateway knows its own variants, any other only the plain name."""
    whole = catalog.find(text)
    if whole is not None and whole.endpoints[0].provider.server_tools:
        return whole
    return catalog.find(base)


def _split_variants(text: str) -> tuple[str, frozenset[str]]:
    base, words = text, set[str]()
    while True:
        rest, colon, word = base.rpartition(":")
        if not colon or word not in _DYNAMIC | _STATIC:
            return base, frozenset(words)
        base = rest
        words.add(word)
