"""The `provider` object of a request: which endpoints its caller wants, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw, Struct

from setpoint.wire.body import as_object, as_pointer, as_text, is_null, items

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.records import Endpoint
    from setpoint.wire.body import Body


class Preferences(Struct, frozen=True):
    """Provider slugs or display names, as the caller wrote them; None where the caller did not say."""

    order: tuple[str, ...] | None = None
    only: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    allow_fallbacks: bool | None = None
    require_parameters: bool = False
    not_honoured: tuple[str, ...] = ()


_NONE = Preferences()
# Options are handed on, or named, where the body for the endpoint is made.
_HONOURED = frozenset({"order", "only", "ignore", "allow_fallbacks", "require_parameters", "options"})


def read_preferences(body: Body) -> Preferences:
    """The preferences in a checked body. Those that routing does not follow are named as JSON pointers."""
    provider = body.get("provider")
    others = ("/route",) if "route" in body else ()
    if provider is None:
        return Preferences(not_honoured=others) if others else _NONE
    asked = {name: content for name, content in as_object(provider).items() if not is_null(content)}
    unmet = tuple(as_pointer("provider", name) for name in asked if name not in _HONOURED)
    return Preferences(
        order=_slugs(asked.get("order")),
        only=_slugs(asked.get("only")),
        ignore=_slugs(asked.get("ignore")),
        allow_fallbacks=asked["allow_fallbacks"] == Raw(b"true") if "allow_fallbacks" in asked else None,
        require_parameters=asked.get("require_parameters") == Raw(b"true"),
        not_honoured=unmet + others,
    )


def _slugs(listed: Raw | None) -> tuple[str, ...] | None:
    return None if listed is None else tuple(as_text(entry) or "" for entry in items(listed))


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
