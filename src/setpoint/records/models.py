"""Models, and who offers them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from setpoint.records.prices import Price
from setpoint.records.providers import Dialect, Provider, Timeouts, mark_of

Sort = Literal["price", "throughput", "latency", "exacto"]


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
        return mark_of(self.key)


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
