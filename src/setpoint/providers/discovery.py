"""A provider's own list of models: where it is, and what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
from msgspec import Raw, Struct, field, structs

from setpoint.errors import ProviderError
from setpoint.providers.auth import headers
from setpoint.providers.client import FetchRequest
from setpoint.records import ListedModel
from setpoint.settings.kinds import is_model_id

if TYPE_CHECKING:
    from setpoint.providers.client import HttpClient
    from setpoint.records import Dialect, Provider, ProviderKey

MOST_MODELS = 2_000
"""The most models of one list that are taken, in the order of the list."""

# Of a whole list, all its pages together.
_TOTAL_S = 30
_MOST_BYTES = 8 * 1024 * 1024
_MOST_PAGES = 100
_MOST_CURSOR = 2_000
_MOST_NAME = 400
_MOST_CONTEXT = 1_000_000_000


class _List(Struct, frozen=True):
    """`{"data": [{"id": …}, …]}`; no `data` is what some say for an empty list. The others tell of a next page.

    `has_more` and `last_id`: https://docs.anthropic.com/en/api/models-list, which calls the cursor `after_id`, as do
    other lists of OpenAI's `after`. `next_page_token`, `nextPageToken`: Google's and those of its form
    (https://ai.google.dev/api/rest/v1/models/list). `links.next`: the gateways that are like OpenRouter
    (https://openrouter.ai/docs/client-sdks/typescript/models/modelslistresponselinks.md). All read 2026-11.
    """

    data: list[Raw] | None
    has_more: object = None
    last_id: object = None
    next_page_token: object = None
    next_page_token_in_camels: object = field(default=None, name="nextPageToken")
    links: object = None


class Page(Struct, frozen=True):
    """The models of one page of a list; `following` is what the next is asked for with, nothing behind the last."""

    models: tuple[ListedModel, ...]
    following: Mapping[str, str]


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


async def ask(client: HttpClient, provider: Provider, key: ProviderKey | None) -> tuple[ListedModel, ...]:
    """The models of its list, all pages of it, each once. Raises: `ProviderError` when it does not come whole."""
    sent = headers(provider, key, dialect=provider.dialects[0], stream=False)
    request = FetchRequest(
        url=address(provider),
        headers=[(name, content) for name, content in sent if name != "Content-Type"],
        connect_s=provider.timeouts.connect_s,
        total_s=None,
        max_bytes=_MOST_BYTES,
        proxy=provider.proxy,
        verify=provider.verify,
    )
    try:
        async with asyncio.timeout(_TOTAL_S):
            return await _all_pages(client, provider, request)
    except TimeoutError:
        raise ProviderError("timeout", "the provider did not answer in time") from None


async def _all_pages(client: HttpClient, provider: Provider, request: FetchRequest) -> tuple[ListedModel, ...]:
    found: dict[str, ListedModel] = {}
    asked = {request.url}
    while True:
        answer = await client.fetch(request)
        if answer.status != 200:
            raise ProviderError("provider_unavailable", f"the provider answered with status {answer.status}")
        page = await asyncio.to_thread(read_page, answer.body, provider.dialects[0])
        for model in page.models:
            found.setdefault(model.id, model)
        url = _with_query(address(provider), page.following)
        # A page that leads back to one that was read is the last: not everyone who says that there is more has it.
        if not page.following or url in asked or len(asked) == _MOST_PAGES or len(found) >= MOST_MODELS:
            return tuple(found.values())[:MOST_MODELS]
        asked.add(url)
        request = structs.replace(request, url=url, max_bytes=max(request.max_bytes - len(answer.body), 0))


def _with_query(url: str, more: Mapping[str, str]) -> str:
    """The same address asked for more. Only its query is ever another: the key goes nowhere else."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=urlencode(dict(parse_qsl(parts.query)) | dict(more))))


def read_page(body: bytes, dialect: Dialect) -> Page:
    """The models of a page, each once, and how the next one is asked for. What cannot be a model's name is passed over.

    Raises: `ProviderError` when it is no list of models.
    """
    try:
        # Not everyone puts it under `data`.
        page = msgspec.json.decode(body, type=_List | list[Raw])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ProviderError("provider_unavailable", "the provider's list of models cannot be read") from error
    rows = page.data or [] if isinstance(page, _List) else page
    found: dict[str, ListedModel] = {}
    for row in rows:
        try:
            entry = msgspec.json.decode(row, type=_Entry)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            continue
        if is_model_id(entry.id) and len(entry.id) <= _MOST_NAME:
            found.setdefault(entry.id, ListedModel(id=entry.id, context_length=_context_length(entry)))
        if len(found) == MOST_MODELS:
            break
    models = tuple(found.values())
    if rows and not models:
        raise ProviderError("provider_unavailable", "the provider's list names no model that could be asked for")
    return Page(models, _following(page, dialect, models) if isinstance(page, _List) else {})


def _following(page: _List, dialect: Dialect, models: tuple[ListedModel, ...]) -> dict[str, str]:
    """What the next page is asked for with; nothing when this one is the last."""
    for said, name in ((page.next_page_token, "page_token"), (page.next_page_token_in_camels, "pageToken")):
        if token := _short(said):
            return {name: token}
    if isinstance(page.links, dict) and (link := _short(cast("dict[object, object]", page.links).get("next"))):
        return dict(parse_qsl(urlsplit(link).query))
    last = _short(page.last_id) or (models[-1].id if models else None)
    if page.has_more is True and last:
        return {"after_id" if dialect == "messages" else "after": last}
    return {}


def _short(said: object) -> str | None:
    """A text that can be sent back; None for anything else."""
    return said if isinstance(said, str) and 0 < len(said) <= _MOST_CURSOR else None


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
