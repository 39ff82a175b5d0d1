"""Providers, models and endpoints as records, made of what the tables of `setpoint.yaml` and the known list say.

What an endpoint does not say its provider does; what neither says about time, the settings do.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import UNSET, structs

from setpoint.records import RATES, Dialect, Endpoint, Model, ModelReasoning, Price, Provider, ProviderKey, Timeouts
from setpoint.routing.facts import informed
from setpoint.routing.rates import with_tier_prices
from setpoint.settings.kinds import CREDENTIAL, read_as
from setpoint.settings.nodes import Place, Report, Scalar, member, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.routing.facts import Facts
    from setpoint.routing.tables import (
        DefaultParametersTable,
        EndpointTable,
        Limit,
        ModelTable,
        PricingTable,
        ProviderTable,
        ReasoningTable,
    )
    from setpoint.settings import Settings

FREE = structs.replace(Price(), **dict.fromkeys(RATES, Decimal(0)))
"""What costs nothing, at every rate."""

BUILTIN = Provider(
    slug="setpoint",
    name="Setpoint",
    dialects=("chat", "messages", "responses"),
    base_url="",
    auth="bearer",
    timeouts=Timeouts(connect_s=None, first_token_s=None, idle_s=None, total_s=None),
    own_machine=True,
    builtin=True,
)
"""The provider of the echo model: no socket leads to it."""

_AUTH: dict[Dialect, Literal["bearer", "x-api-key"]] = {
    "chat": "bearer",
    "messages": "x-api-key",
    "responses": "bearer",
}


class Known(Protocol):
    """A provider of the known list: its row, the environment's usual name for its key, the fields that it takes."""

    @property
    def provider(self) -> Provider:
        """Its defaults, without a key."""
        ...

    @property
    def variable(self) -> str | None:
        """The environment's usual name for its key; None when no variable makes it there."""
        ...

    @property
    def parameters(self) -> frozenset[str] | None:
        """The fields that its endpoints take, where its reference lists them all."""
        ...


# --- providers -----------------------------------------------------------------------------------------------


def named_provider(
    slug: str,
    table: ProviderTable,
    known: Known | None,
    settings: Settings,
    environ: Mapping[str, str],
    report: Report,
) -> Provider | None:
    """The provider that the file names, None when it lacks what it must have, which is then in the report."""
    path = f"providers.{slug}"
    base = known.provider if known else None
    dialects = table.dialect or (base.dialects if base else None)
    base_url = table.base_url or (base.base_url if base else "") or None
    for name, value in (("dialect", dialects), ("base_url", base_url)):
        # A key that is written and wrong is reported already.
        if value is None and name not in table.places:
            why = "it is not on the list of known providers" if base is None else "each of its users has another"
            report.wrong(table.place(), f"{path}: needs the key {name}, as {why}")
    if dialects is None or base_url is None:
        return None
    if table.verify is False:
        report.warn(table.place("verify"), f"{path}.verify: TLS is not verified; anyone on the way can read the key")
    base = base or Provider(slug=slug, name=slug, dialects=dialects, base_url=base_url)
    return structs.replace(
        base,
        name=table.name or base.name,
        dialects=dialects,
        base_url=base_url,
        auth=table.auth or (base.auth if known else _AUTH[dialects[0]]),
        keys=_keys(slug, table, known, environ, report),
        headers=table.headers,
        timeouts=Timeouts(
            connect_s=_limit(table.connect_timeout_s, settings.connect_timeout_s),
            first_token_s=_limit(table.first_token_timeout_s, settings.first_token_timeout_s),
            idle_s=_limit(table.idle_timeout_s, settings.idle_timeout_s),
            total_s=_limit(table.total_timeout_s, settings.total_timeout_s),
        ),
        proxy=table.proxy,
        verify=table.verify if isinstance(table.verify, bool) else str(table.verify),
        server_tools=base.server_tools if table.server_tools is None else table.server_tools,
        data_collection=table.data_collection,
        zdr=table.zdr,
        region=table.region,
        enabled=table.enabled,
        concurrency=table.concurrency,
        discover=base.discover if table.discover is None else table.discover,
        discover_every_s=table.discover_every_s or base.discover_every_s,
    )


def environment_provider(
    known: Known, settings: Settings, environ: Mapping[str, str], report: Report
) -> Provider | None:
    """A known provider that the file does not name, when the environment holds its key under the usual name."""
    key = _environment_key(known, environ, report) if known.provider.base_url else None
    if key is None:
        return None
    return structs.replace(known.provider, keys=(key,), timeouts=default_timeouts(settings))


def default_timeouts(settings: Settings) -> Timeouts:
    """The time limits of a provider that says nothing about them."""
    return Timeouts(
        connect_s=settings.connect_timeout_s,
        first_token_s=settings.first_token_timeout_s,
        idle_s=settings.idle_timeout_s,
        total_s=settings.total_timeout_s,
    )


def _limit(said: Limit, otherwise: float | None) -> float | None:
    return otherwise if said is UNSET else said


def _keys(
    slug: str, table: ProviderTable, known: Known | None, environ: Mapping[str, str], report: Report
) -> tuple[ProviderKey, ...]:
    path = f"providers.{slug}"
    if "api_key" in table.places and "api_keys" in table.places:
        report.wrong(table.place("api_keys"), f"{path}: api_key and api_keys are both there; write one of the two")
        return ()
    if table.api_key is not None:
        return (_key(slug, table.api_key),)
    keys = [
        _key(slug, entry)
        if isinstance(entry, str)
        else structs.replace(_key(slug, entry.key), name=entry.name, weight=entry.weight, models=entry.models)
        for entry in table.api_keys
    ]
    if len({key.secret for key in keys}) < len(keys):
        report.wrong(table.place("api_keys"), f"{path}.api_keys: the same key is there twice")
    if keys or known is None or {"api_key", "api_keys"} & set(table.places):
        return tuple(keys)
    # The usual variable's key is for the usual place only: elsewhere it would be handed to a stranger.
    usual = "base_url" not in table.places or not known.provider.base_url
    found = _environment_key(known, environ, report) if usual else None
    if found is None and table.enabled and not known.provider.own_machine:
        report.warn(table.place(), f"{path}: has no api_key, so its requests carry no credential")
    return (found,) if found else ()


def _environment_key(known: Known, environ: Mapping[str, str], report: Report) -> ProviderKey | None:
    text = environ.get(known.variable) if known.variable else None
    if not text or not known.variable:
        return None
    secret = read_as(CREDENTIAL, Scalar(text, Place(known.variable), "given"), "the key", report)
    return _key(known.provider.slug, secret) if isinstance(secret, str) else None


def _key(slug: str, secret: str) -> ProviderKey:
    """The key with an id that stays the same and does not tell the secret."""
    return ProviderKey(id=f"{slug}:{hashlib.sha256(secret.encode()).hexdigest()[:8]}", secret=secret)


# --- endpoints -----------------------------------------------------------------------------------------------


def offer(provider: Provider, known: Known | None, model_id: str = "", model: str = "") -> Endpoint:
    """The provider's endpoint for a model about which nothing else is said: its price and context are unknown."""
    return Endpoint(
        key=f"{provider.slug}/*",
        provider=provider,
        model_id=model_id,
        model=model,
        tag=provider.slug,
        dialects=provider.dialects,
        base_url=provider.base_url,
        timeouts=provider.timeouts,
        price=FREE if provider.own_machine else None,
        parameters=known.parameters if known else None,
        data_collection=provider.data_collection,
        zdr=provider.zdr,
        region=provider.region,
        concurrency=provider.concurrency,
        enabled=provider.enabled,
    )


def unnamed_model(base: Endpoint, facts: Facts, model_id: str, model: str) -> Model:
    """A model that nothing names, at the provider whose offer `base` is, under this name: all that is known of it."""
    endpoint = informed(structs.replace(base, model_id=model_id, model=model), facts)
    return Model(id=model_id, name=model_id, endpoints=(endpoint,), context_length=endpoint.context_length)


def echo_model() -> Model:
    """The built-in model, which answers without any provider."""
    return Model(id="setpoint/echo", name="Setpoint Echo", endpoints=(offer(BUILTIN, None, "setpoint/echo", "echo"),))


def _endpoint(model_id: str, table: EndpointTable, model: ModelTable, base: Endpoint, facts: Facts) -> Endpoint:
    """An endpoint of the file; what it does not say stays as `base`, its provider's offer, has it, or is as known."""
    timeouts = base.timeouts
    tag = table.tag or base.tag
    made = structs.replace(
        base,
        key=f"{model_id} {tag}",
        model_id=model_id,
        model=table.model or model_id.split("/", 1)[-1],
        tag=tag,
        dialects=(table.dialect,) if table.dialect else base.dialects,
        base_url=table.base_url or base.base_url,
        timeouts=Timeouts(
            connect_s=table.connect_timeout_s or timeouts.connect_s,
            first_token_s=table.first_token_timeout_s or timeouts.first_token_s,
            idle_s=table.idle_timeout_s or timeouts.idle_s,
            total_s=table.total_timeout_s or timeouts.total_s,
        ),
        tier=table.tier,
        price=_price(table.pricing) if table.pricing else base.price,
        context_length=table.context_length or model.context_length,
        max_output_tokens=table.max_output_tokens,
        max_prompt_tokens=table.max_prompt_tokens,
        parameters=base.parameters if table.parameters is None else frozenset(table.parameters),
        quantization=table.quantization,
        data_collection=table.data_collection or base.data_collection,
        zdr=base.zdr if table.zdr is None else table.zdr,
        region=table.region or base.region,
        weight=table.weight,
        variants=table.variants,
        concurrency=table.concurrency or base.concurrency,
        moderated=model.moderated if table.moderated is None else table.moderated,
        enabled=table.enabled and base.enabled,
    )
    return informed(made, facts)


def _price(table: PricingTable) -> Price:
    return Price(**{name: getattr(table, name) for name in RATES})


# --- models --------------------------------------------------------------------------------------------------


def named_model(
    model_id: str,
    table: ModelTable,
    offers: Mapping[str, Endpoint],
    unavailable: Mapping[str, str],
    facts: Facts,
    report: Report,
) -> Model:
    """The model that the file names; an endpoint that cannot be is in the report.

    `offers` is each provider's, by slug; `unavailable` says why others cannot be had, nothing where that is reported.
    """
    endpoints: list[Endpoint] = []
    for at, row in enumerate(table.endpoints):
        path = f"{member('models', model_id)}.endpoints[{at}]"
        base = offers.get(row.provider)
        if base is None:
            why = unavailable.get(row.provider, f"there is no such provider{nearest(row.provider, offers)}")
            if why:
                report.wrong(row.place("provider"), f"{path}.provider: {why}")
            continue
        if row.tag is not None and row.tag.split("/", 1)[0] != row.provider:
            report.wrong(row.place("tag"), f"{path}.tag: must be {row.provider} or {row.provider}/…")
        endpoint = _endpoint(model_id, row, table, base, facts)
        alike = sum(other.tag == endpoint.tag for other in endpoints)
        endpoints.append(structs.replace(endpoint, key=f"{endpoint.key} {alike + 1}") if alike else endpoint)
    lengths = [endpoint.context_length for endpoint in endpoints if endpoint.context_length is not None]
    modalities = table.modalities
    defaults = table.default_parameters
    return Model(
        id=model_id,
        name=table.name or model_id,
        endpoints=with_tier_prices(endpoints),
        description=table.description,
        context_length=table.context_length or max(lengths, default=None) or facts.context_length(model_id),
        created=table.created,
        modalities_said=modalities is not None,
        input_modalities=modalities.input if modalities else ("text",),
        output_modalities=modalities.output if modalities else ("text",),
        tokenizer=table.tokenizer,
        instruct_type=table.instruct_type,
        aliases=table.aliases,
        default_parameters=_defaults(defaults) if defaults else (),
        reasoning=_reasoning(table.reasoning) if table.reasoning else None,
        distillable=table.distillable,
        moderated=table.moderated,
        enabled=table.enabled,
    )


def _defaults(table: DefaultParametersTable) -> tuple[tuple[str, float], ...]:
    said = ((name, getattr(table, name)) for name in table.__struct_fields__ if name != "places")
    return tuple((name, value) for name, value in said if isinstance(value, float))


def _reasoning(table: ReasoningTable) -> ModelReasoning:
    return ModelReasoning(**{name: getattr(table, name) for name in ModelReasoning.__struct_fields__})
