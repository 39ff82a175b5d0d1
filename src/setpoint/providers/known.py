"""The known providers: a row each in `known.toml`, so that a key is all that a user must bring."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from setpoint.records import Dialect, Provider

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE = Path(__file__).with_name("known.toml")


class KnownProvider(Struct, frozen=True, kw_only=True):
    """A known provider, without a key: its row, and the environment's usual name for its key.

    `variable` is None when no variable makes it there: the file must name it, as it must where the row's `base_url` is
    empty, because every user has an own one. `parameters` is the fields that its endpoints take, in chat names, where
    its reference is a closed list; None when all that its dialects have a word for.
    """

    provider: Provider
    variable: str | None = None
    parameters: frozenset[str] | None = None


class _Row(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The columns of the file; the head of `known.toml` says what they mean."""

    name: str
    dialects: tuple[Dialect, ...]
    base_url: str = ""
    variable: str | None = None
    auth: Literal["bearer", "x-api-key", "api-key"] = "bearer"
    takes: frozenset[str] = frozenset()
    parameters: frozenset[str] | None = None
    reasoning_form: Literal["object", "effort"] | None = None
    reasoning_back: Literal["details", "content", "none"] = "details"
    lacks: frozenset[str] = frozenset()
    server_tools: bool = False
    own_machine: bool = False


def known() -> Mapping[str, KnownProvider]:
    """The known providers by slug, in the order of the file."""
    rows = msgspec.convert(tomllib.loads(_FILE.read_text("utf-8")), dict[str, _Row])
    return {slug: _provider(slug, row) for slug, row in rows.items()}


def _provider(slug: str, row: _Row) -> KnownProvider:
    provider = Provider(
        slug=slug,
        name=row.name,
        dialects=row.dialects,
        base_url=row.base_url,
        auth=row.auth,
        server_tools=row.server_tools,
        own_machine=row.own_machine,
        discover=row.own_machine,
        takes=row.takes,
        reasoning_form=row.reasoning_form,
        reasoning_back=row.reasoning_back,
        lacks=row.lacks,
    )
    return KnownProvider(provider=provider, variable=row.variable, parameters=row.parameters)
