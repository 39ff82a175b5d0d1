"""The catalog of a file as tests write it: what it becomes, or what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from setpoint.providers.known import KnownProvider, known
from setpoint.records import Provider
from setpoint.routing.catalog import Catalog, build
from setpoint.routing.facts import Facts, NoFacts
from setpoint.settings import ConfigError, load

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SECRET = "canary-secret"
OWN = "providers:\n  own: {dialect: chat, base_url: 'http://own.test/v1'}\n"
LOCAL = KnownProvider(
    provider=Provider(
        slug="local", name="Local", dialects=("chat",), base_url="http://127.0.0.1:1/v1", own_machine=True
    ),
    variable="LOCAL_KEY",
)
KNOWN = {**known(), "local": LOCAL}
NO_FACTS = NoFacts()


def catalog_of(
    text: str, folder: Path, environ: Mapping[str, str] | None = None, facts: Facts = NO_FACTS
) -> tuple[Catalog, list[str]]:
    """The catalog of a file, and the warnings, with the folder taken out."""
    file = folder / "f.yaml"
    file.write_text(text)
    made, warnings = build(load(file, environ or {}, {}), KNOWN, environ or {}, facts)
    return made, [str(warning).replace(f"{folder}/", "") for warning in warnings]


def problems(text: str, folder: Path, environ: Mapping[str, str] | None = None) -> list[str]:
    """What is wrong with a file, with the folder taken out."""
    with pytest.raises(ConfigError) as caught:
        catalog_of(text, folder, environ)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]
