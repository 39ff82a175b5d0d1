"""The `provider` object of a request: which endpoints its caller wants, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from setpoint.wire.body import is_null, members, read

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.records import Endpoint
    from setpoint.wire.body import Body


class _Said(Struct, frozen=True):
    order: tuple[str, ...] | None = None
    only: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    allow_fallbacks: bool | None = None


class Preferences(_Said, frozen=True):
    """Provider slugs or display names, as the caller wrote them; None where the caller did not say."""

    not_honoured: tuple[str, ...] = ()


_NONE = Preferences()
_HONOURED = frozenset(_Said.__struct_fields__)
_decoder = msgspec.json.Decoder(_Said)


def read_preferences(body: Body) -> Preferences:
    """The preferences in a checked body. Those that routing does not follow are named as JSON pointers."""
    provider = body.get("provider")
    others = ("/route",) if "route" in body else ()
    if provider is None:
        return Preferences(not_honoured=others) if others else _NONE
    asked = {name: content for name, content in members(provider).items() if not is_null(content)}
    unmet = tuple(f"/provider/{name}" for name in asked if name not in _HONOURED)
    said = read(provider, _decoder)
    return Preferences(said.order, said.only, said.ignore, said.allow_fallbacks, unmet + others)


def matches(entry: str, endpoint: Endpoint) -> bool:
    """Whether a slug of the caller's means this endpoint.

    A provider's slug or display name means all of its endpoints but those of another service tier; a slug with a
    suffix means exactly the endpoint of that tag.
    """
    word = entry.lower()
    if word == endpoint.tag.lower():
        return True
    return endpoint.tier == "default" and word in (endpoint.provider.slug, endpoint.provider.name.lower())


def wanted(endpoints: Iterable[Endpoint], preferences: Preferences) -> list[Endpoint]:
    """The endpoints that the preferences leave, in the order in which to try them."""
    left = [
        endpoint
        for endpoint in endpoints
        if (preferences.only is None or _any(preferences.only, endpoint))
        and not (preferences.ignore is not None and _any(preferences.ignore, endpoint))
    ]
    ordered = left
    if preferences.order:
        first: list[Endpoint] = []
        for entry in preferences.order:
            first += [endpoint for endpoint in left if matches(entry, endpoint) and endpoint not in first]
        ordered = first + [endpoint for endpoint in left if endpoint not in first]
        if preferences.allow_fallbacks is False:
            return first
    return ordered[:1] if preferences.allow_fallbacks is False else ordered


def _any(entries: tuple[str, ...], endpoint: Endpoint) -> bool:
    return any(matches(entry, endpoint) for entry in entries)
