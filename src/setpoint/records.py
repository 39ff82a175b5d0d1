"""What Setpoint remembers: presets, keys, providers, models, generations. Frozen values, no behaviour.

Times are aware datetimes in UTC. JSON that came from outside is kept as the bytes it was (`config`, `system_prompt`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from decimal import Context, Decimal, localcontext
from functools import cached_property
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from setpoint.canonical.usage import Usage

EXACT = Context(prec=100)
"""More digits than any price times any count has, or any sum of such, so that money is never rounded."""

Dialect = Literal["chat", "messages", "responses"]
PresetStatus = Literal["active", "disabled", "archived"]
Role = Literal["admin", "editor", "caller", "read_only"]
GenerationStatus = Literal["completed", "failed", "cancelled", "interrupted"]
Reset = Literal["daily", "weekly", "monthly"]
"""After what time a limit is whole again: at 00:00 UTC, on Mondays, on the first."""
Interval = Literal["lifetime", "monthly", "weekly", "daily"]
"""What a budget is for, the broadest first."""
Exclusion = Literal[
    "unknown_provider",
    "disabled",
    "dialect",
    "only",
    "ignored",
    "key_not_allowed",
    "data_collection",
    "zdr",
    "quantization",
    "max_price",
    "context_length",
    "output_limit",
    "require_parameters",
    "tools",
    "modality",
    "tier",
    "variant",
    "distillable",
    "no_fallbacks",
    "no_price",
    "breaker_open",
    "concurrency",
    "key_refused",
]
"""Why an endpoint cannot serve a request."""
Sort = Literal["price", "throughput", "latency", "exacto"]
Order = Literal[
    "sticky",
    "order",
    "price",
    "throughput",
    "latency",
    "exacto",
    "tier",
    "drawn",
    "fallback",
    "unpriced",
    "spare",
    "unstable",
    "slow",
    "cooling",
]
"""Why an endpoint stands where it does among those that can."""


class Version(Struct, frozen=True, kw_only=True):
    """One immutable state of a preset.

    `system_prompt` is the prompt as a raw JSON string (with its quotes and escapes), None when there is none.
    `config` is a raw JSON object in canonical field names.
    """

    id: str
    preset_id: str
    creator_id: str
    version: int
    system_prompt: bytes | None
    config: bytes
    created_at: datetime


class Preset(Struct, frozen=True, kw_only=True):
    """A named configuration of one workspace, with the version that its name means now.

    `latest_version` is the number of the newest version. `revision` is the number of the last write that touched it.
    """

    id: str
    workspace_id: str
    creator_user_id: str
    slug: str
    name: str
    description: str | None
    status: PresetStatus
    designated: Version
    latest_version: int
    created_at: datetime
    updated_at: datetime
    status_updated_at: datetime | None
    revision: int


class Key(Struct, frozen=True, kw_only=True):
    """An API key, without the key: only the SHA-256 `digest` (lower-case hex) is ever kept.

    `label` is the masked form for people. `inference` false takes calling away from any role. `deleted` marks a key
    that is gone but whose row stays, so that every snapshot hears of it and old generations keep their owner.
    `limit` is in US dollars, for as long as `limit_reset` says, None for ever. All spend is on the team's own provider
    keys, so it counts whatever `include_byok_in_limit` says, which is kept for its owner. An `allowed_` list that is
    None allows everything. None of the rest: no limit.
    """

    digest: str
    name: str
    label: str
    role: Role
    inference: bool = True
    disabled: bool = False
    deleted: bool = False
    workspace_id: str
    creator_user_id: str
    created_at: datetime
    updated_at: datetime | None = None
    expires_at: datetime | None = None
    revision: int = 0
    limit: Decimal | None = None
    limit_reset: Reset | None = None
    include_byok_in_limit: bool = True
    allowed_presets: tuple[str, ...] | None = None
    allowed_models: tuple[str, ...] | None = None
    allowed_providers: tuple[str, ...] | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


class Budget(Struct, frozen=True, kw_only=True):
    """What a workspace may spend in each `interval`, in US dollars."""

    id: str
    workspace_id: str
    interval: Interval
    limit: Decimal
    created_at: datetime
    updated_at: datetime


class Workspace(Struct, frozen=True, kw_only=True):
    """Who keys, presets, provider keys and records belong to. A deleted one's row stays, as a key's does.

    `default_text_model` is for requests that name no model, `default_provider_sort` for those that ask for no order;
    None: as the settings of the server have it. Where `is_observability_io_logging_enabled`, what is asked and answered
    is kept of a share of requests, the `io_logging_sampling_rate`, with the keys that are listed by digest, None: all.
    All spend is on the team's own provider keys, so budgets count it whatever `include_byok_in_budgets` says, which is
    kept for its owner. The broadest budget is first.
    """

    id: str
    slug: str
    name: str
    is_default: bool
    owner_id: str
    created_at: datetime
    updated_at: datetime
    revision: int
    deleted: bool = False
    description: str | None = None
    default_text_model: str | None = None
    default_provider_sort: Sort | None = None
    include_byok_in_budgets: bool = True
    is_observability_io_logging_enabled: bool = False
    io_logging_sampling_rate: float = 1
    io_logging_api_key_ids: tuple[str, ...] | None = None
    budgets: tuple[Budget, ...] = ()


class Timeouts(Struct, frozen=True, kw_only=True):
    """Time limits towards one upstream, in seconds; None means no limit.

    `first_token_s` holds for streams; `total_s` only for answers that are not streamed.
    """

    connect_s: float | None = 10
    first_token_s: float | None = 60
    idle_s: float | None = 120
    total_s: float | None = 600


class Price(Struct, frozen=True, kw_only=True, dict=True):
    """US dollars per single token (`request`, `image`, `web_search`: per piece). An absent rate is unknown, never 0.

    `long` are other prices for longer prompts, the shortest first.
    """

    prompt: Decimal | None = None
    completion: Decimal | None = None
    request: Decimal | None = None
    image: Decimal | None = None
    web_search: Decimal | None = None
    internal_reasoning: Decimal | None = None
    input_cache_read: Decimal | None = None
    input_cache_write: Decimal | None = None
    input_cache_write_1h: Decimal | None = None
    audio: Decimal | None = None
    input_audio_cache: Decimal | None = None
    long: tuple[LongPrice, ...] = ()

    @cached_property
    def per_token(self) -> float | None:
        """US dollars for a token of input and one of output together; None when either rate is unknown."""
        if self.prompt is None or self.completion is None:
            return None
        return float(self.prompt + self.completion)


RATES = tuple(name for name in Price.__struct_fields__ if name != "long")
"""The names of the rates of a price."""


class LongPrice(Struct, frozen=True, kw_only=True):
    """The price of a request whose prompt has more than so many tokens, cached ones included: of all its tokens."""

    above_tokens: int
    price: Price


class ListedModel(Struct, frozen=True, kw_only=True):
    """A model on a provider's own list: its name there, and its context length in tokens, None when it says none."""

    id: str
    context_length: int | None = None


class EndpointFacts(Struct, frozen=True, kw_only=True):
    """What is known of a model at a provider without anyone's saying so; None where nothing is.

    `tier_prices` are what it costs by the service tier that has served, `default` and `fast` among them.
    """

    tier_prices: Mapping[str, Price] = {}
    context_length: int | None = None

    @property
    def price(self) -> Price | None:
        """What it costs at the tier that everybody gets."""
        return self.tier_prices.get("default")


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
        return _mark(self.id)

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


class Endpoint(Struct, frozen=True, kw_only=True, dict=True):
    """One provider's offer of one model: price, limits, what it takes.

    `model` is the name sent upstream; `tag` the slug that `order`, `only` and `ignore` match, possibly with a suffix.
    `parameters` are the fields it takes, in chat names; None means all that its dialect has a word for. `key` is the
    name under which its health is known: no other endpoint of a named model has it, all unnamed ones of a provider do.
    `price` is that of its own service tier, `tier_prices` are those of the tiers that may serve a request instead.
    """

    key: str
    provider: Provider
    model_id: str
    model: str
    tag: str
    dialects: tuple[Dialect, ...]
    base_url: str
    timeouts: Timeouts
    tier: Literal["default", "priority", "flex", "batch"] = "default"
    price: Price | None = None
    tier_prices: Mapping[str, Price] = {}
    context_length: int | None = None
    max_output_tokens: int | None = None
    max_prompt_tokens: int | None = None
    parameters: frozenset[str] | None = None
    quantization: str = "unknown"
    data_collection: Literal["allow", "deny"] = "allow"
    zdr: bool = False
    region: str | None = None
    weight: float = 1
    variants: tuple[str, ...] = ()
    concurrency: int | None = None
    moderated: bool = False
    enabled: bool = True

    @cached_property
    def caches(self) -> bool:
        """Whether input that is read from a cache is known to cost less than any other."""
        read, prompt = (self.price.input_cache_read, self.price.prompt) if self.price else (None, None)
        return read is not None and prompt is not None and read < prompt

    @cached_property
    def per_token(self) -> float | None:
        """US dollars for a token of input and one of output together; None when that is not known."""
        return self.price.per_token if self.price else None

    @cached_property
    def prices_images(self) -> bool:
        """Whether an image of the input costs something by itself, at whichever tier."""
        return any(price is not None and price.image for price in (self.price, *self.tier_prices.values()))

    @cached_property
    def pull(self) -> float:
        """Its share of the draw: the weight over the square of the price; 0 where there is no price to divide by."""
        return self.weight / self.per_token**2 if self.per_token else 0

    @cached_property
    def limited(self) -> bool:
        """Whether it may have only so many requests at once, or its provider."""
        return self.concurrency is not None or self.provider.concurrency is not None

    @cached_property
    def words(self) -> frozenset[str]:
        """What in a caller's list means it, in lower case: its tag; unless it is of a service tier, its provider."""
        tag, provider = self.tag.lower(), self.provider
        return frozenset({tag} if self.tier != "default" else {tag, provider.slug, provider.name.lower()})

    @cached_property
    def room(self) -> int | None:
        """The longest prompt that it can take, in tokens; None when that is not known."""
        known = [most for most in (self.context_length, self.max_prompt_tokens) if most is not None]
        return min(known, default=None)

    @cached_property
    def mark(self) -> int:
        """A number of 64 bits for its key, the same in every process."""
        return _mark(self.key)


def _mark(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


class ModelReasoning(Struct, frozen=True, kw_only=True):
    """How a model reasons: whether it cannot help it, which efforts it knows. UNSET: nothing is said of that.

    `supported_efforts` are in the words of requests (`high`), in any order.
    """

    mandatory: bool = False
    supported_efforts: tuple[str, ...] | UnsetType | None = UNSET
    default_effort: str | UnsetType | None = UNSET
    default_enabled: bool | UnsetType = UNSET
    supports_max_tokens: bool | UnsetType = UNSET


class Model(Struct, frozen=True, kw_only=True, dict=True):
    """A model by the id that clients write, with the endpoints that offer it, in the order of the file.

    `modalities_said`: what goes in and comes out is the operator's own word, and not a guess.
    """

    id: str
    name: str
    endpoints: tuple[Endpoint, ...]
    description: str = ""
    context_length: int | None = None
    created: int = 0
    input_modalities: tuple[str, ...] = ("text",)
    modalities_said: bool = False
    output_modalities: tuple[str, ...] = ("text",)
    tokenizer: str | None = None
    instruct_type: str | None = None
    aliases: tuple[str, ...] = ()
    default_parameters: tuple[tuple[str, float], ...] = ()
    reasoning: ModelReasoning | None = None
    distillable: bool = False
    moderated: bool = False
    enabled: bool = True

    @cached_property
    def keeps_conversations(self) -> bool:
        """Whether it matters where the next turn of a conversation goes: some of its endpoints cache what was said."""
        return len(self.endpoints) > 1 and any(endpoint.caches for endpoint in self.endpoints)

    @cached_property
    def longest_base(self) -> int | None:
        """The longest prompt, in tokens, that has the base price at all of its endpoints; None where every one has."""
        steps = (long.above_tokens for one in self.endpoints if one.price is not None for long in one.price.long)
        return min(steps, default=None)


class Cost(Struct, frozen=True, kw_only=True):
    """What one answer cost, in US dollars, exactly."""

    prompt: Decimal
    completion: Decimal
    total: Decimal


class Planned(Struct, frozen=True, kw_only=True, gc=False):
    """An endpoint that a request could go to, by provider slug, model id and tag, and why it stood where it did."""

    provider: str
    model: str
    tag: str
    reason: Order


class Excluded(Struct, frozen=True, kw_only=True, gc=False):
    """An endpoint that a request could not go to, and why. Without model and tag: a provider that nobody here is."""

    provider: str
    model: str | None
    tag: str | None
    reason: Exclusion


class Reservation(Struct, frozen=True, kw_only=True):
    """US dollars that were set aside for one try, and out of which allowances: their names."""

    amount: Decimal
    out_of: tuple[str, ...]


class Attempt(Struct, frozen=True, kw_only=True):
    """One try at one endpoint. `status` is the upstream's HTTP status, None when none came.

    `error` is the error type it ended with, None for the attempt that answered. `latency_ms` runs from the start of
    the try to its first meaningful event, or to its end when none came; None when nobody saw the end. `usage` and
    `cost` in US dollars are of this try alone, None where nothing is known of it; `provider_cost` is the provider's own
    figure. `charged` is what limits count of it: the cost, or an estimate where that is not known. It was sent at `at`.
    `uncounted`: it may have cost something, and nobody has said what.
    """

    provider: str
    provider_name: str
    model: str
    upstream_model: str
    tag: str
    key_id: str | None
    status: int | None
    error: str | None
    latency_ms: int | None
    usage: Usage | None = None
    cost: Decimal | None = None
    at: datetime | None = None
    provider_cost: Decimal | None = None
    charged: Decimal | None = None
    reserved: Reservation | None = None
    uncounted: bool = False

    @property
    def is_booked(self) -> bool:
        """Whether the ledger has it: it cost something, or may have."""
        return self.usage is not None or self.cost is not None or self.uncounted


class Generation(Struct, frozen=True, kw_only=True):
    """The record of one answer. None means that it does not apply or is not known; an unknown cost is never 0.

    `status` is `interrupted` when the process that answered did not live to see the end.
    `unsaid` and `not_honoured` are JSON pointers into the request in the skin's own field names. `endpoints` are those
    of its plan in their order, `excluded` those left out; both are known once the answer has ended. `zero_completion`:
    it was paid for, and gave nothing. `metadata` and `trace` are the caller's own, as raw JSON objects. `cost_drift`:
    the provider's own figure is more than a hundredth off ours.
    """

    id: str
    created_at: datetime
    skin: Dialect
    status: GenerationStatus
    workspace_id: str
    key_digest: str
    requested_model: str | None
    model: str
    provider: str | None
    provider_name: str | None
    preset_id: str | None
    preset_slug: str | None
    preset_version: int | None
    version_id: str | None
    system_prompt_from: Literal["preset", "request", "both"] | None
    streamed: bool
    cancelled: bool
    finish_reason: str | None
    native_finish_reason: str | None
    error_type: str | None
    upstream_id: str | None
    usage: Usage | None
    cost: Cost | None
    provider_cost: Decimal | None
    latency_ms: int | None
    generation_ms: int | None
    unsaid: tuple[str, ...]
    not_honoured: tuple[str, ...]
    attempts: tuple[Attempt, ...]
    session_id: str | None = None
    external_user: str | None = None
    http_referer: str | None = None
    app_title: str | None = None
    user_agent: str | None = None
    service_tier: str | None = None
    endpoints: tuple[Planned, ...] = ()
    excluded: tuple[Excluded, ...] = ()
    zero_completion: bool = False
    user_id: str = ""
    metadata: bytes | None = None
    trace: bytes | None = None
    cost_drift: bool = False

    @property
    def total_cost(self) -> Decimal | None:
        """US dollars for all its tries together; None when what one of them cost is not known, or none can have."""
        costs = [attempt.cost for attempt in self.attempts if attempt.is_booked]
        known = [cost for cost in costs if cost is not None]
        if not known or len(known) < len(costs):
            return None
        with localcontext(EXACT):
            return sum(known, Decimal(0))


class Content(Struct, frozen=True, kw_only=True):
    """What was asked and answered in one generation, as raw JSON objects. None: there was none."""

    generation_id: str
    workspace_id: str
    created_at: datetime
    input: bytes
    output: bytes | None
    error: bytes | None
