"""The catalog: every model that can be asked for, and every provider, frozen at the start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import get_args

from msgspec import UNSET, Struct, structs

from setpoint.records import Dialect, Endpoint, Model, Provider
from setpoint.routing.facts import Facts, NoFacts
from setpoint.routing.offers import (
    BUILTIN,
    Known,
    default_timeouts,
    echo_model,
    environment_provider,
    named_model,
    named_provider,
    offer,
    unnamed_model,
)
from setpoint.routing.tables import ModelTable, ProviderTable
from setpoint.routing.usual import Usuals
from setpoint.routing.words import SLUG
from setpoint.settings import ConfigError, Loaded, Problem
from setpoint.settings.kinds import MODEL_ID, is_model_id, read_as
from setpoint.settings.nodes import Place, Report, Scalar, member, shown
from setpoint.settings.rows import table

PROVIDER = table(ProviderTable)
MODEL = table(ModelTable)

MAX_MADE_ID = 512

MOST_MADE = 1_000
"""Of how many models that nothing names something is kept: their names are of the callers' making."""


class Catalog(Struct, frozen=True, kw_only=True, dict=True):
    """Models by id, providers by slug, both in the order of the file; the built-in ones come last.

    `aliases` is other ids of the models. `offers` is each usable provider's endpoint for a model that nothing names,
    `facts` what is known of such a model all the same. `dormant` is the same as `offers`, of the known providers that
    are not there for want of a key, and `sleeping` are the models that they list themselves, by provider and id.
    """

    models: Mapping[str, Model]
    providers: Mapping[str, Provider]
    aliases: Mapping[str, Model]
    offers: Mapping[str, Endpoint]
    dormant: Mapping[str, Endpoint] = {}
    sleeping: Mapping[str, Mapping[str, Model]] = {}
    facts: Facts = NoFacts()

    @cached_property
    def usuals(self) -> Usuals:
        """What the plans of its models usually are, in each skin."""
        return Usuals(len(get_args(Dialect)) * (len(self.models) + MOST_MADE))

    def named(self, model_id: str) -> Model | None:
        """The model that is named so, by its id or an alias."""
        return self.models.get(model_id) or self.aliases.get(model_id)

    def awake(self, slugs: Iterable[str]) -> Catalog:
        """This catalog with these of its dormant providers among the others: somebody has brought them a key."""
        woken = {slug: self.dormant[slug] for slug in slugs if slug in self.dormant}
        if not woken:
            return self
        providers = {slug: base.provider for slug, base in woken.items()}
        awake = structs.replace(self, providers={**providers, **self.providers}, offers={**self.offers, **woken})
        return awake.with_models({key: model for slug in woken for key, model in self.sleeping.get(slug, {}).items()})

    def with_models(self, listed: Mapping[str, Model]) -> Catalog:
        """This catalog with these models as well, by id: behind those that are named, before the built-in ones."""
        if not listed:
            return self
        builtin = {model.id: model for model in self.models.values() if _is_builtin(model)}
        named = {model_id: model for model_id, model in self.models.items() if model_id not in builtin}
        return structs.replace(self, models={**named, **listed, **builtin})

    def endpoint_keys(self) -> frozenset[str]:
        """The keys of all endpoints, those for models that nothing names included."""
        named = (endpoint.key for model in self.models.values() for endpoint in model.endpoints)
        return frozenset(named) | {one.key for offers in (self.offers, self.dormant) for one in offers.values()}

    def find(self, model_id: str) -> Model | None:
        """The model of this id: one that is named, else `<provider>/<name>` at a provider that is configured.

        The id is taken as it stands, `:` and further `/` included. A model that nothing names goes to its provider
        under the rest of the id, with the price and context length that are known of it; never to one that is disabled.
        """
        model = self.named(model_id)
        if model is not None:
            return model
        slug, _, name = model_id.partition("/")
        base = self.offers.get(slug)
        if base is None or len(model_id) > MAX_MADE_ID or not is_model_id(name):
            return None
        return unnamed_model(base, self.facts, model_id, name)


def build(
    loaded: Loaded, known: Mapping[str, Known], environ: Mapping[str, str], facts: Facts
) -> tuple[Catalog, tuple[Problem, ...]]:
    """The catalog of what the user wrote, and what the user should be warned about.

    A known provider that the file does not name is there when the environment holds its key under the usual name,
    with or without a file; `enabled: false` in the file keeps one out. Raises: `ConfigError` with all that is wrong.
    """
    report = Report()
    providers, unavailable = _providers(loaded, known, environ, report)
    offers = {slug: offer(provider, known.get(slug)) for slug, provider in providers.items()}
    models, aliases = _models(loaded, offers, unavailable, facts, report)
    if report.problems:
        raise ConfigError(report.problems)
    usable = {slug: base for slug, base in offers.items() if base.enabled and not base.provider.builtin}
    dormant = {
        slug: offer(structs.replace(row.provider, timeouts=default_timeouts(loaded.settings), needs_key=True), row)
        for slug, row in known.items()
        if slug not in providers and row.provider.base_url
    }
    made = Catalog(models=models, providers=providers, aliases=aliases, offers=usable, dormant=dormant, facts=facts)
    return made, report.warnings


def _providers(
    loaded: Loaded, known: Mapping[str, Known], environ: Mapping[str, str], report: Report
) -> tuple[dict[str, Provider], dict[str, str]]:
    """The providers, and for each that cannot be had why: nothing where that is in the report already."""
    providers: dict[str, Provider] = {}
    unavailable: dict[str, str] = {}
    for key, node in loaded.providers.entries:
        slug = key.text
        path = member("providers", slug)
        unavailable[slug] = ""
        if slug == BUILTIN.slug:
            report.wrong(key.place, f"{path}: is built in, and cannot be named here")
        elif read_as(SLUG, Scalar(slug, key.place, "quoted"), path, report) is not UNSET:
            row = read_as(PROVIDER, node, path, report)
            if isinstance(row, ProviderTable):
                made = named_provider(slug, row, known.get(slug), loaded.settings, environ, report)
                if made is not None:
                    providers[slug] = made
    for slug, default in known.items():
        if slug not in unavailable:
            made = environment_provider(default, loaded.settings, environ, report)
            if made is not None:
                providers[slug] = made
            else:
                variable = default.variable
                if variable is None or not default.provider.base_url:
                    unavailable[slug] = f"{slug} is not there by itself: name it under providers"
                else:
                    missing = f"{slug} has no key: set {variable}, or name it under providers"
                    unavailable[slug] = "" if environ.get(variable) else missing
    return providers | {BUILTIN.slug: BUILTIN}, unavailable


def _models(
    loaded: Loaded, offers: Mapping[str, Endpoint], unavailable: Mapping[str, str], facts: Facts, report: Report
) -> tuple[dict[str, Model], dict[str, Model]]:
    """The models by id, and by alias."""
    echo = echo_model()
    models: dict[str, Model] = {}
    places: dict[str, Place] = {}
    for key, node in loaded.models.entries:
        path = member("models", key.text)
        if key.text == echo.id:
            report.wrong(key.place, f"{path}: is built in, and cannot be named here")
        elif read_as(MODEL_ID, Scalar(key.text, key.place, "quoted"), path, report) is not UNSET:
            row = read_as(MODEL, node, path, report)
            if isinstance(row, ModelTable):
                models[key.text] = named_model(key.text, row, offers, unavailable, facts, report)
                places[key.text] = row.place("aliases")
    models[echo.id] = echo
    aliases: dict[str, Model] = {}
    for model in models.values():
        for alias in model.aliases:
            taken = models.get(alias) or aliases.get(alias)
            if taken is not None:
                where = member("models", model.id)
                report.wrong(places[model.id], f"{where}.aliases: {shown(alias)} names {shown(taken.id)} already")
            aliases[alias] = model
    return models, aliases


def _is_builtin(model: Model) -> bool:
    return any(endpoint.provider.builtin for endpoint in model.endpoints)
