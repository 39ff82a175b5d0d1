"""The HTTP clients of the official SDKs, with every answer that they get held against the document of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import httpx

from support.contract import CONTRACT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openrouter import OpenRouter


class _Request(Protocol):
    method: str
    url: object

    @property
    def content(self) -> bytes: ...


class _Response(Protocol):
    """What both libraries under the SDKs say of an answer."""

    status_code: int

    @property
    def request(self) -> _Request: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    def read(self) -> bytes: ...


def _held(response: _Response) -> None:
    request, kind = response.request, response.headers.get("content-type")
    # A stream is the SDK's to read: of it only the status and the type are seen here.
    body = b"" if (kind or "").startswith("text/event-stream") else response.read()
    CONTRACT.check(request.method, str(request.url), response.status_code, kind, body, asked=request.content)


HOOKS: dict[str, list[Any]] = {"response": [_held]}
"""For any client of either library."""


def held(sdk: OpenRouter) -> OpenRouter:
    """The same SDK of OpenRouter, with the hooks in the client that it made for itself."""
    client = sdk.sdk_configuration.client
    assert isinstance(client, httpx.Client)
    client.event_hooks = HOOKS
    return sdk
