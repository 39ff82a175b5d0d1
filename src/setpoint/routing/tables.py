"""The tables of `setpoint.yaml` under `providers:` and `models:`, a row each key.

UNSET is where null says something and nothing said says something else.
"""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from msgspec import UNSET, UnsetType

from setpoint.canonical.config import EFFORTS
from setpoint.records import Dialect
from setpoint.routing.words import BASE_URL, FIELD_NAME, HEADERS, PRICE, PROXY, SLUG, TAG
from setpoint.settings.kinds import (
    BOOLEAN,
    CREDENTIAL,
    MODEL_ID,
    NAME,
    PATH,
    SECONDS,
    STRING,
    either,
    integer,
    list_of,
    number,
    one_or_many,
    or_null,
    word,
)
from setpoint.settings.rows import Row, Table, table

_DIALECT = word("chat", "messages", "responses")
_POLICY = word("allow", "deny")
_COUNT = integer(1)
_MOST_SECONDS = 253_402_300_799  # the last one of the year 9999; milliseconds are more
_EFFORT = word(*EFFORTS)
_SHARE = number("a number of at least 0", lambda weight: weight >= 0)
_QUANTIZATION = word(
    *("int4", "int8", "fp4", "mxfp4", "nvfp4", "fp6", "fp8", "mxfp8", "fp16", "bf16", "fp32", "unknown")
)

_DEFAULT = Row(number("a number", lambda _: True), "used when a request says nothing")
_CONNECT = Row(or_null(SECONDS), "to connect; null: no limit")
_FIRST_TOKEN = Row(or_null(SECONDS), "to a stream's first event; null: no limit")
_IDLE = Row(or_null(SECONDS), "between the bytes of a stream; null: no limit")
_TOTAL = Row(or_null(SECONDS), "for an answer that is not streamed; null: no limit")

Limit = float | UnsetType | None


class KeyTable(Table, frozen=True, kw_only=True):
    """One of several keys of a provider."""

    key: Annotated[str, Row(CREDENTIAL, "the credential")]
    name: Annotated[str | None, Row(or_null(NAME), "what people call it")] = None
    weight: Annotated[float, Row(_SHARE, "its share of the load")] = 1
    models: Annotated[tuple[str, ...] | None, Row(or_null(list_of(MODEL_ID)), "the models it is for")] = None


class ProviderTable(Table, frozen=True, kw_only=True):
    """`providers.<slug>`: who runs models. For a provider that is known, what is not said comes from the known list."""

    dialect: Annotated[
        tuple[Dialect, ...] | None, Row(one_or_many(_DIALECT), "what it speaks; required unless the provider is known")
    ] = None
    auth: Annotated[
        Literal["bearer", "x-api-key", "api-key"] | None,
        Row(word("bearer", "x-api-key", "api-key"), "the header of its key; x-api-key for messages, else bearer"),
    ] = None
    base_url: Annotated[str | None, Row(BASE_URL, "where it is; required unless the provider is known")] = None
    name: Annotated[str | None, Row(NAME, "what people call it; the slug when nothing is said")] = None
    api_key: Annotated[str | None, Row(CREDENTIAL, "its key; none: requests carry no credential")] = None
    api_keys: Annotated[
        tuple[str | KeyTable, ...], Row(list_of(either(CREDENTIAL, table(KeyTable)), least=1), "several keys")
    ] = ()
    headers: Annotated[tuple[tuple[str, str], ...], Row(HEADERS, "added to every request")] = ()
    connect_timeout_s: Annotated[Limit, _CONNECT] = UNSET
    first_token_timeout_s: Annotated[Limit, _FIRST_TOKEN] = UNSET
    idle_timeout_s: Annotated[Limit, _IDLE] = UNSET
    total_timeout_s: Annotated[Limit, _TOTAL] = UNSET
    concurrency: Annotated[int | None, Row(or_null(_COUNT), "most requests at once, over all workers")] = None
    discover: Annotated[
        bool | None, Row(BOOLEAN, "whether its own model list is asked for; true for software of one's own, else false")
    ] = None
    discover_every_s: Annotated[float | None, Row(SECONDS, "how often it is asked; 300 when nothing is said")] = None
    proxy: Annotated[str | None, Row(or_null(PROXY), "the HTTP proxy on the way to it")] = None
    verify: Annotated[bool | Path, Row(either(BOOLEAN, PATH), "whether TLS is verified, or the file of a CA")] = True
    server_tools: Annotated[bool | None, Row(BOOLEAN, "whether it takes `openrouter:*` tools")] = None
    data_collection: Annotated[Literal["allow", "deny"], Row(_POLICY, "deny: it stores nothing for training")] = "allow"
    zdr: Annotated[bool, Row(BOOLEAN, "whether it retains nothing")] = False
    region: Annotated[str | None, Row(or_null(NAME), "where it runs, for people and for `/models`")] = None
    enabled: Annotated[bool, Row(BOOLEAN, "whether it is used")] = True


class PricingTable(Table, frozen=True, kw_only=True):
    """`pricing`: US dollars per single token; `request`, `image` and `web_search` per piece."""

    prompt: Annotated[Decimal | None, Row(PRICE, "input")] = None
    completion: Annotated[Decimal | None, Row(PRICE, "output")] = None
    request: Annotated[Decimal | None, Row(PRICE, "each request")] = None
    image: Annotated[Decimal | None, Row(PRICE, "each image of the input")] = None
    web_search: Annotated[Decimal | None, Row(PRICE, "each search of the web")] = None
    internal_reasoning: Annotated[Decimal | None, Row(PRICE, "reasoning")] = None
    input_cache_read: Annotated[Decimal | None, Row(PRICE, "input read from a cache")] = None
    input_cache_write: Annotated[Decimal | None, Row(PRICE, "input written to a cache")] = None
    input_cache_write_1h: Annotated[Decimal | None, Row(PRICE, "input written to a cache for an hour")] = None
    audio: Annotated[Decimal | None, Row(PRICE, "audio of the input")] = None
    audio_output: Annotated[Decimal | None, Row(PRICE, "audio of the output")] = None
    input_audio_cache: Annotated[Decimal | None, Row(PRICE, "audio of the input read from a cache")] = None


class EndpointTable(Table, frozen=True, kw_only=True):
    """`models.<id>.endpoints[]`: one provider's offer of the model. Null is as the provider or the model says."""

    provider: Annotated[str, Row(SLUG, "the provider's slug")]
    model: Annotated[str | None, Row(NAME, "the name sent upstream; the model id behind its author")] = None
    tag: Annotated[str | None, Row(TAG, "what `order`, `only` and `ignore` match; the provider's slug")] = None
    tier: Annotated[
        Literal["default", "priority", "flex", "batch"],
        Row(word("default", "priority", "flex", "batch"), "its service tier"),
    ] = "default"
    dialect: Annotated[Dialect | None, Row(or_null(_DIALECT), "what it speaks")] = None
    base_url: Annotated[str | None, Row(or_null(BASE_URL), "where it is")] = None
    pricing: Annotated[
        PricingTable | None,
        Row(or_null(table(PricingTable)), "what it costs; what is bundled with the release when nothing is said"),
    ] = None
    context_length: Annotated[int | None, Row(or_null(_COUNT), "tokens of prompt and answer together")] = None
    max_output_tokens: Annotated[int | None, Row(or_null(_COUNT), "the longest answer")] = None
    max_prompt_tokens: Annotated[int | None, Row(or_null(_COUNT), "the longest prompt")] = None
    parameters: Annotated[
        tuple[str, ...] | None, Row(or_null(list_of(FIELD_NAME)), "the fields it takes, in chat names")
    ] = None
    quantization: Annotated[str, Row(_QUANTIZATION, "how its weights are stored")] = "unknown"
    data_collection: Annotated[
        Literal["allow", "deny"] | None, Row(or_null(_POLICY), "deny: it stores nothing for training")
    ] = None
    zdr: Annotated[bool | None, Row(or_null(BOOLEAN), "whether it retains nothing")] = None
    region: Annotated[str | None, Row(or_null(NAME), "where it runs, for people and for `/models`")] = None
    connect_timeout_s: Annotated[float | None, Row(or_null(SECONDS), "to connect")] = None
    first_token_timeout_s: Annotated[float | None, Row(or_null(SECONDS), "to a stream's first event")] = None
    idle_timeout_s: Annotated[float | None, Row(or_null(SECONDS), "between the bytes of a stream")] = None
    total_timeout_s: Annotated[float | None, Row(or_null(SECONDS), "for an answer that is not streamed")] = None
    concurrency: Annotated[int | None, Row(or_null(_COUNT), "most requests at once, over all workers")] = None
    weight: Annotated[float, Row(_SHARE, "its share of the draw; 0: only when nothing else is left")] = 1
    variants: Annotated[
        tuple[str, ...], Row(list_of(word("free", "extended", "thinking", "batch")), "the static variants it serves")
    ] = ()
    moderated: Annotated[bool | None, Row(or_null(BOOLEAN), "whether it moderates")] = None
    enabled: Annotated[bool, Row(BOOLEAN, "whether it is used")] = True


class ModalitiesTable(Table, frozen=True, kw_only=True):
    """`modalities`: what goes in and what comes out."""

    input: Annotated[tuple[str, ...], Row(list_of(NAME, least=1), "what it reads")] = ("text",)
    output: Annotated[tuple[str, ...], Row(list_of(NAME, least=1), "what it writes")] = ("text",)


class DefaultParametersTable(Table, frozen=True, kw_only=True):
    """`default_parameters`: what the model list says is used when a request says nothing."""

    temperature: Annotated[float | None, _DEFAULT] = None
    top_p: Annotated[float | None, _DEFAULT] = None
    top_k: Annotated[float | None, _DEFAULT] = None
    frequency_penalty: Annotated[float | None, _DEFAULT] = None
    presence_penalty: Annotated[float | None, _DEFAULT] = None
    repetition_penalty: Annotated[float | None, _DEFAULT] = None


class ReasoningTable(Table, frozen=True, kw_only=True):
    """`reasoning`: how the model reasons, also as the model list says it."""

    mandatory: Annotated[bool, Row(BOOLEAN, "whether it cannot be switched off; who tries gets an error")] = False
    supported_efforts: Annotated[
        tuple[str, ...] | UnsetType | None,
        Row(or_null(list_of(_EFFORT)), "the efforts it knows; others become the nearest of these"),
    ] = UNSET
    default_effort: Annotated[str | UnsetType | None, Row(or_null(_EFFORT), "the effort when nothing is said")] = UNSET
    default_enabled: Annotated[bool | UnsetType, Row(BOOLEAN, "whether it reasons when nothing is said")] = UNSET
    supports_max_tokens: Annotated[bool | UnsetType, Row(BOOLEAN, "whether it takes a budget of tokens")] = UNSET


class ModelTable(Table, frozen=True, kw_only=True):
    """`models.<id>`: a model by the id that clients write."""

    endpoints: Annotated[tuple[EndpointTable, ...], Row(list_of(table(EndpointTable), least=1), "who offers it")]
    name: Annotated[str | None, Row(NAME, "what people call it; the id when nothing is said")] = None
    description: Annotated[str, Row(STRING, "what the model list says of it")] = ""
    context_length: Annotated[
        int | None,
        Row(_COUNT, "tokens of prompt and answer together; the largest of its endpoints', or what is bundled"),
    ] = None
    created: Annotated[int, Row(integer(0, _MOST_SECONDS), "when it came out, in Unix seconds")] = 0
    modalities: Annotated[ModalitiesTable | None, Row(table(ModalitiesTable), "what goes in and what comes out")] = None
    tokenizer: Annotated[str | None, Row(or_null(NAME), "as in the model list")] = None
    instruct_type: Annotated[str | None, Row(or_null(NAME), "as in the model list")] = None
    aliases: Annotated[tuple[str, ...], Row(list_of(MODEL_ID), "other ids for it")] = ()
    default_parameters: Annotated[
        DefaultParametersTable | None, Row(table(DefaultParametersTable), "as in the model list; never sent upstream")
    ] = None
    reasoning: Annotated[ReasoningTable | None, Row(or_null(table(ReasoningTable)), "how it reasons")] = None
    distillable: Annotated[bool, Row(BOOLEAN, "whether its author permits distillation")] = False
    moderated: Annotated[bool, Row(BOOLEAN, "whether its endpoints moderate")] = False
    enabled: Annotated[bool, Row(BOOLEAN, "whether it can be asked for")] = True
