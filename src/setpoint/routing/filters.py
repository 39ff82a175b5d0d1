"""Why an endpoint may not serve a request, whatever the others can: the conditions that hold for each alone."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from setpoint.records import Excluded
from setpoint.routing.keys import retaining_nothing
from setpoint.wire.shown import brief, first_of, readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from setpoint.records import Exclusion, Provider
    from setpoint.routing.choice import Option
    from setpoint.routing.naming import Named
    from setpoint.routing.preferences import Preferences

    Passes = Callable[[Option], bool]
    Condition = tuple[Exclusion, Passes]

_MILLION = Decimal(1_000_000)
_PER_MILLION = frozenset({"prompt", "completion"})


def conditions(preferences: Preferences, *, priced: bool) -> list[Condition]:
    """What every endpoint must pass, in the order of asking, each with the reason for those that do not.

    `priced`: only what has a known price may be used.
    """
    found: list[Condition] = []
    if priced:
        found.append(("no_price", lambda option: option.endpoint.per_token is not None))
    if preferences.zdr:
        found.append(("zdr", _retains_nothing))
    if preferences.data_collection_denied:
        found.append(("data_collection", lambda option: option.endpoint.data_collection == "deny"))
    if preferences.only is not None:
        only = preferences.only_words
        found.append(("only", lambda option: not only.isdisjoint(option.endpoint.words)))
    if preferences.ignore:
        ignored = preferences.ignore_words
        found.append(("ignored", lambda option: ignored.isdisjoint(option.endpoint.words)))
    if preferences.distillable:
        found.append(("distillable", lambda option: option.model.distillable))
    quantizations = preferences.quantizations
    if quantizations is not None:
        found.append(("quantization", lambda option: option.endpoint.quantization in quantizations))
    if preferences.max_price:
        found.append(("max_price", _within(preferences.max_price)))
    return found


def exclusion(option: Option, named: Named, rules: Iterable[Condition]) -> Exclusion | None:
    """The first reason that rules this endpoint out, None when it may serve the request."""
    endpoint = option.endpoint
    if not (endpoint.enabled and endpoint.provider.enabled):
        return "disabled"
    if named.static and not named.serves(endpoint):
        return "variant"
    for reason, passes in rules:
        if not passes(option):
            return reason
    return None


def _retains_nothing(option: Option) -> bool:
    """Whether it retains nothing with one of its keys, or would with one that the request could carry."""
    return bool(retaining_nothing(option.keys, option.endpoint)) if option.keys else option.endpoint.zdr


def _within(most: tuple[tuple[str, Decimal], ...]) -> Passes:
    """Whether no rate is above its cap. One that is not known may be, and a cap that may be broken is none."""
    caps = [(name, cap / _MILLION if name in _PER_MILLION else cap) for name, cap in most]

    def passes(option: Option) -> bool:
        for name, cap in caps:
            rate: Decimal | None = getattr(option.endpoint.price, name, None)
            if rate is None or rate > cap:
                return False
        return True

    return passes


def unknown_slugs(preferences: Preferences, providers: Iterable[Provider], tags: Iterable[str]) -> Iterator[Excluded]:
    """What the preferences name and neither a provider nor one of these tags is called: a typing error, perhaps."""
    listed = dict.fromkeys((*(preferences.order or ()), *(preferences.only or ()), *(preferences.ignore or ())))
    if not listed:
        return
    words = {tag.lower() for tag in tags}
    for provider in providers:
        words |= {provider.slug, provider.name.lower()}
    unknown = [entry for entry in listed if entry.lower() not in words]
    for entry in first_of(unknown):
        yield Excluded(provider=readable(brief(entry)), model=None, tag=None, reason="unknown_provider")
