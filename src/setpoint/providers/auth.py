"""The headers of a request to a provider: its credential and what its row adds; and what of them nobody may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from setpoint.records import Provider, ProviderKey

# A header's value that is shorter is a word or a number, and would be taken out of every sentence.
_LEAST_SECRET = 8


def headers(provider: Provider, key: ProviderKey | None, *, stream: bool) -> list[tuple[str, str]]:
    """The headers that go to this provider. Nothing of the caller's own request is among them."""
    sent = [
        ("Content-Type", "application/json"),
        ("Accept", "text/event-stream" if stream else "application/json"),
        # What is not compressed needs no bound on decompression; providers that compress all the same are capped.
        ("Accept-Encoding", "identity"),
        ("User-Agent", "setpoint"),
        *provider.headers,
    ]
    if key is not None:
        match provider.auth:
            case "bearer":
                sent.append(("Authorization", f"Bearer {key.secret}"))
            case "x-api-key" | "api-key":
                sent.append((provider.auth, key.secret))
    return sent


def secrets(provider: Provider) -> list[str]:
    """What a provider is sent and nobody else may be told, should it quote it: its keys and the headers of its row."""
    added = [content for _, content in provider.headers if len(content) >= _LEAST_SECRET]
    return [*(key.secret for key in provider.keys), *added]
