"""A provider's own list of models: where it is, and what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct

from setpoint.errors import ProviderError
from setpoint.providers.auth import headers
from setpoint.providers.client import FetchRequest
from setpoint.records import ListedModel
from setpoint.settings.kinds import is_model_id

if TYPE_CHECKING:
    from setpoint.providers.client import HttpClient
    from setpoint.records import Provider, ProviderKey

MOST_MODELS = 2_000
"""The most models of one list that are taken, in the order of the list."""

_TOTAL_S = 30
_MOST_BYTES = 8 * 1024 * 1024
_MOST_NAME = 400
_MOST_CONTEXT = 1_000_000_000


class _List(Struct, frozen=True):
    """`{"data": [{"id": …}, …]}`; no `data` is what some say for an empty list."""

    data: list[Raw] | None


class _Meta(Struct, frozen=True):
    n_ctx: object = None
    n_ctx_train: object = None


class _Entry(Struct, frozen=True):
    """A model, with the names that lists have for its context length."""

    id: str
    max_model_len: object = None
    context_length: object = None
    context_window: object = None
    max_context_length: object = None
    max_input_tokens: object = None
    meta: object = None


def address(provider: Provider) -> str:
    """The URL of its list, in the first of its dialects."""
    if provider.dialects[0] != "messages":
        return f"{provider.base_url}/models"
    # Its pages are of 20 unless one asks for up to 1000 (the request's type in the official Python SDK, read 2026-11).
    base = provider.base_url if provider.base_url.endswith("/v1") else f"{provider.base_url}/v1"
    return f"{base}/models?limit=1000"


async def ask(client: HttpClient, provider: Provider, key: ProviderKey | None) -> bytes:
    """The body of its list. Raises: `ProviderError` when it does not come, whole and with status 200."""
    sent = headers(provider, key, dialect=provider.dialects[0], stream=False)
    answer = await client.fetch(
        FetchRequest(
            url=address(provider),
            headers=[(name, content) for name, content in sent if name != "Content-Type"],
            connect_s=provider.timeouts.connect_s,
            total_s=_TOTAL_S,
            max_bytes=_MOST_BYTES,
            proxy=provider.proxy,
            verify=provider.verify,
        )
    )
    if answer.status != 200:
        raise ProviderError("provider_unavailable", f"the provider answered with status {answer.status}")
    return answer.body


def listed(body: bytes) -> tuple[ListedModel, ...]:
    """The models of a list, each once. What cannot be a model's name is passed over.

    Raises: `ProviderError` when it is no list of models.
    """
    try:
        # Not everyone puts it under `data`.
        entries = msgspec.json.decode(body, type=_List | list[Raw])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ProviderError("provider_unavailable", "the provider's list of models cannot be read") from error
    rows = entries.data or [] if isinstance(entries, _List) else entries
    found: dict[str, ListedModel] = {}
    for row in rows:
        try:
            entry = msgspec.json.decode(row, type=_Entry)
        except (msgspec.MsgspecError, RecursionError):
            continue
        if is_model_id(entry.id) and len(entry.id) <= _MOST_NAME:
            found.setdefault(entry.id, ListedModel(id=entry.id, context_length=_context_length(entry)))
        if len(found) == MOST_MODELS:
            break
    return tuple(found.values())


def _context_length(entry: _Entry) -> int | None:
    """What lists call it; of llama.cpp's two words the one for what it runs with, before what it was made for."""
    try:
        meta = msgspec.convert(entry.meta, _Meta)
    except msgspec.ValidationError:
        meta = _Meta()
    said = (
        entry.max_model_len,
        entry.context_length,
        entry.context_window,
        entry.max_context_length,
        entry.max_input_tokens,
        meta.n_ctx,
        meta.n_ctx_train,
    )
    fitting = (one for one in said if isinstance(one, int) and not isinstance(one, bool))
    return next((one for one in fitting if 0 < one <= _MOST_CONTEXT), None)
