"""Who runs models, and with which credentials."""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import cached_property
from typing import Literal

from msgspec import Struct

Dialect = Literal["chat", "messages", "responses"]


class Timeouts(Struct, frozen=True, kw_only=True):
    """Time limits towards one upstream, in seconds; None means no limit.

    `first_token_s` holds for streams; `total_s` only for answers that are not streamed.
    """

    connect_s: float | None = 10
    first_token_s: float | None = 60
    idle_s: float | None = 120
    total_s: float | None = 600


class Provider(Struct, frozen=True, kw_only=True):
    """Who runs models: where, in which dialects, with which credentials.

    `base_url` has no trailing slash. `verify` is True, False or the path of a CA file. `own_machine` marks software
    that people run themselves, whose endpoints cost nothing unless the file says otherwise. `takes` lists fields
    beyond the dialect's plain words that it is known to take, `lacks` those that only one of its dialects does without
    (`responses.stop`). `reasoning_form` is how it wants reasoning to be asked for (None: as it came), `reasoning_back`
    how it wants its own back in a later turn (`reasoning_details`, `reasoning_content`, not at all). `discover` has its
    own model list asked for, every so many seconds. `needs_key`: it is there for those alone who have brought it one.
    `builtin` is the echo model's provider, which no socket leads to.
    """

    slug: str
    name: str
    dialects: tuple[Dialect, ...]
    base_url: str
    auth: Literal["bearer", "x-api-key", "api-key"] = "bearer"
    keys: tuple[ProviderKey, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    timeouts: Timeouts = Timeouts()
    proxy: str | None = None
    verify: bool | str = True
    server_tools: bool = False
    data_collection: Literal["allow", "deny"] = "allow"
    zdr: bool = False
    region: str | None = None
    enabled: bool = True
    concurrency: int | None = None
    own_machine: bool = False
    takes: frozenset[str] = frozenset()
    reasoning_form: Literal["object", "effort"] | None = None
    reasoning_back: Literal["details", "content", "none"] = "details"
    lacks: frozenset[str] = frozenset()
    discover: bool = False
    discover_every_s: float = 300
    needs_key: bool = False
    builtin: bool = False

    def __repr__(self) -> str:
        # Headers and the proxy may hold credentials.
        return f"Provider(slug={self.slug!r})"


class ProviderKey(Struct, frozen=True, kw_only=True, dict=True):
    """A credential for a provider. `id` names it in records and logs without telling it.

    `zdr` is whether the account behind it retains nothing, by its owner's word; None: as the endpoint says.
    """

    id: str
    secret: str
    name: str | None = None
    weight: float = 1
    models: tuple[str, ...] | None = None
    zdr: bool | None = None

    @cached_property
    def mark(self) -> int:
        """A number of 64 bits for it, the same in every process."""
        return mark_of(self.id)

    def __repr__(self) -> str:
        return f"ProviderKey(id={self.id!r})"


class KeyTerms(Struct, frozen=True, kw_only=True):
    """What whoever adds a provider key says of it beside the key. None: no restriction, or nothing said.

    Where nobody shares their capacity, as here, `is_byok_only` and `is_required` are so of every key. The `declared_`
    members are its owner's word about the account behind it.
    """

    name: str | None = None
    disabled: bool = False
    is_fallback: bool = False
    allowed_models: tuple[str, ...] | None = None
    allowed_api_key_hashes: tuple[str, ...] | None = None
    allowed_user_ids: tuple[str, ...] | None = None
    declared_region: str | None = None
    declared_zdr: bool | None = None
    is_byok_only: bool = False
    is_required: bool = False


class AddedKey(Struct, frozen=True, kw_only=True):
    """A provider key that was added by the API. `label` is the masked form for people.

    `key` is what requests carry, None for one that is deleted or cannot be opened with this server's secret. Keys are
    tried by `sort_order`. `workspace_id` None: in every workspace. A deleted one's row stays, as an API key's does.
    """

    id: str
    provider: str
    label: str
    key: ProviderKey | None
    terms: KeyTerms
    deleted: bool
    sort_order: int
    workspace_id: str | None
    creator_user_id: str
    created_at: datetime
    updated_at: datetime | None
    revision: int


def mark_of(text: str) -> int:
    """A number of 64 bits for a name, the same in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
