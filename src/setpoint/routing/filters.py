"""Why an endpoint may not serve a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.records import Excluded
from setpoint.routing.preferences import matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from setpoint.records import Endpoint, Exclusion, Provider
    from setpoint.routing.naming import Named
    from setpoint.routing.preferences import Preferences


def exclusion(endpoint: Endpoint, named: Named, preferences: Preferences) -> Exclusion | None:
    """The first reason that rules this endpoint out, None when it may serve the request."""
    if not (endpoint.enabled and endpoint.provider.enabled):
        return "disabled"
    if not named.serves(endpoint):
        return "variant"
    if preferences.only is not None and not _any(preferences.only, endpoint):
        return "only"
    if preferences.ignore is not None and _any(preferences.ignore, endpoint):
        return "ignored"
    return None


def unknown_slugs(preferences: Preferences, providers: Iterable[Provider], tags: Iterable[str]) -> Iterator[Excluded]:
    """What the preferences name and neither a provider nor one of these tags is called: a typing error, perhaps."""
    listed = dict.fromkeys((*(preferences.order or ()), *(preferences.only or ()), *(preferences.ignore or ())))
    if not listed:
        return
    words = {tag.lower() for tag in tags}
    for provider in providers:
        words |= {provider.slug, provider.name.lower()}
    for entry in listed:
        if entry.lower() not in words:
            yield Excluded(provider=entry, model=None, tag=None, reason="unknown_provider")


def _any(entries: Iterable[str], endpoint: Endpoint) -> bool:
    return any(matches(entry, endpoint) for entry in entries)
