"""`setpoint check`: all that is wrong with what the user wrote, and with `--show` what all of it comes to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from setpoint.providers.known import known
from setpoint.server.configuration import Source
from setpoint.settings import OPTIONS, ConfigError, masked

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping

    from setpoint.providers.known import KnownProvider
    from setpoint.routing.catalog import Catalog
    from setpoint.server.configuration import Configuration
    from setpoint.settings import Loaded


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="the file to check (default: ./setpoint.yaml)")
    parser.add_argument("--show", action="store_true", help="print every effective value and where it came from")


def run(args: Namespace) -> int:
    """Print what is wrong and return 1; else print warnings, with `--show` every effective value, and return 0."""
    try:
        found = Source(args.config, os.environ, {}).read()
    except ConfigError as error:
        print("\n".join(map(str, error.problems)))
        return 1
    for warning in found.warnings:
        print(f"warning: {warning}")
    if args.show:
        print("\n".join([*_settings(found.loaded), *_providers(found, known()), *_models(found.catalog)]))
    else:
        print(f"{found.loaded.config or 'no file'}: nothing is wrong")
    return 0


def _settings(loaded: Loaded) -> list[str]:
    rows = [
        (name, masked(name, getattr(loaded.settings, name)), str(loaded.origins.get(name, "default")))
        for name in OPTIONS
    ]
    return ["settings", *_columns(rows)]


def _providers(found: Configuration, rows: Mapping[str, KnownProvider]) -> list[str]:
    """A line for each provider: its URL, its keys by their ids, where it came from."""
    places = {key.text: str(key.place) for key, _ in found.loaded.providers.entries}
    lines: list[tuple[str, str, str]] = []
    for slug, provider in found.catalog.providers.items():
        keys = ", ".join(f"key {key.id}" for key in provider.keys) or "no key"
        use = keys if provider.enabled else f"{keys}, disabled"
        origin = places.get(slug) or ("built in" if provider.builtin else rows[slug].variable or "")
        lines.append((slug, f"{provider.base_url} ({use})" if provider.base_url else "-", origin))
    return ["providers", *_columns(lines)]


def _models(made: Catalog) -> list[str]:
    """A line for each model that is named: its endpoints in their order."""
    lines = [
        (model.id, ", ".join(one.tag for one in model.endpoints), "" if model.enabled else "disabled")
        for model in made.models.values()
    ]
    return ["models", *_columns(lines)]


def _columns(rows: list[tuple[str, str, str]]) -> list[str]:
    first = max(len(row[0]) for row in rows)
    second = max(len(row[1]) for row in rows)
    return [f"  {a:{first}}  {b:{second}}  {c}".rstrip() for a, b, c in rows]
