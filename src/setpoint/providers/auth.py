"""The headers of a request to a provider: its credential and what its row adds; and what of them nobody may see."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.records import Dialect, Provider, ProviderKey

# A header's value that is shorter is a word or a number, and would be taken out of every sentence.
_LEAST_SECRET = 8

# "When making API requests, you must send an anthropic-version request header. For example, anthropic-version:
# 2023-06-01." (https://platform.claude.com/docs/en/api/versioning, read 2026-11)
_DEFAULT_VERSION = "2023-06-01"

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


class AnthropicHeaders(Struct, frozen=True):
    """What the caller's own request says to a messages upstream in headers: its version, and its betas, joined.

    None: it says nothing. The values are as they came from outside.
    """

    version: str | None = None
    beta: str | None = None


_SAYS_NOTHING = AnthropicHeaders()


def headers(
    provider: Provider,
    key: ProviderKey | None,
    *,
    dialect: Dialect,
    stream: bool,
    anthropic: AnthropicHeaders = _SAYS_NOTHING,
) -> list[tuple[str, str]]:
    """The headers that go to this provider. Of the caller's own request only what `anthropic` has is among them."""
    sent = [
        ("Content-Type", "application/json"),
        ("Accept", "text/event-stream" if stream else "application/json"),
        # What is not compressed needs no bound on decompression; providers that compress all the same are capped.
        ("Accept-Encoding", "identity"),
        ("User-Agent", "setpoint"),
        *provider.headers,
    ]
    if dialect == "messages":
        named = {name.lower() for name, _ in provider.headers}
        sent += [(name, content) for name, content in _versions(anthropic) if name not in named]
    if key is not None:
        match provider.auth:
            case "bearer":
                sent.append(("Authorization", f"Bearer {key.secret}"))
            case "x-api-key" | "api-key":
                sent.append((provider.auth, key.secret))
    return sent


def secrets(provider: Provider, key: ProviderKey | None, others: Iterable[str] = ()) -> list[str]:
    """What a provider is sent and nobody else may be told, should it quote it, the longest first.

    The key that it was sent, whatever became of it meanwhile; its other keys, those of the file and `others`; the
    headers of its row.
    """
    sent = {key.secret} if key is not None else set[str]()
    sent.update(other.secret for other in provider.keys)
    sent.update(others)
    sent.update(content for _, content in provider.headers if len(content) >= _LEAST_SECRET)
    return sorted(sent, key=len, reverse=True)  # of two that begin alike, the shorter leaves nothing of the longer


def _versions(anthropic: AnthropicHeaders) -> list[tuple[str, str]]:
    said = [("anthropic-version", _printable(anthropic.version) or _DEFAULT_VERSION)]
    if beta := _printable(anthropic.beta):
        said.append(("anthropic-beta", beta))
    return said


def _printable(text: str | None) -> str:
    """The text without control characters; nothing of one that is not ASCII, which no header can say."""
    return _CONTROLS.sub("", text).strip() if text and text.isascii() else ""
