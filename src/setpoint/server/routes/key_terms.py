"""What the body of a create or an update says of a provider key, checked member by member."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from setpoint.errors import FieldError
from setpoint.server.routes.members import (
    Check,
    Members,
    flag,
    key_hashes,
    line,
    listed,
    model_ids,
    one_of,
    read_text,
    text,
)
from setpoint.settings.kinds import is_credential

if TYPE_CHECKING:
    from msgspec import Raw

    from setpoint.records import KeyTerms
    from setpoint.wire.body import Body

_NAME_CHARACTERS = 255
_KEY_CHARACTERS = 4_000


class Wanted(Struct, frozen=True, kw_only=True):
    """What a body says. None: it does not. `terms` are the members of `KeyTerms` that it has, `fixed` what only a
    create may say: the provider's slug, and the workspace's id."""

    key: str | None
    fixed: dict[str, str]
    terms: dict[str, Any]

    def applied(self, terms: KeyTerms) -> KeyTerms:
        """The terms with what the body says. Raises: `FieldError` for members that exclude each other."""
        made = structs.replace(terms, **self.terms)
        if made.is_fallback and made.is_byok_only:
            raise FieldError("is_byok_only", "cannot be true of a key with is_fallback")
        return made

    def __repr__(self) -> str:
        return "Wanted()"


def read_wanted(body: Body, *, creating: bool) -> Wanted:
    """What the body says. Raises: `FieldError`."""
    said = MEMBERS.read(body, creating=creating)
    key = said.pop("key", None)
    fixed = {name: said.pop(name) for name in MEMBERS.fixed & said.keys()}
    return Wanted(key=key, fixed=fixed, terms=said)


def _key(name: str, content: Raw) -> str:
    key = read_text(name, content)
    if len(key) > _KEY_CHARACTERS or not is_credential(key):
        raise FieldError(name, f"must be a string of 1 to {_KEY_CHARACTERS} visible ASCII characters")
    if key.startswith("{"):  # where a provider is stands in the file, and never in a key
        raise FieldError(name, "must be the key alone: what else a provider needs is said in the configuration")
    return key


def _is_user_id(entry: str) -> bool:
    return entry.isprintable() and 1 <= len(entry) <= _NAME_CHARACTERS


MEMBERS = Members(
    noun="a provider key",
    checks={
        "provider": text,
        "workspace_id": text,
        "key": Check(_key, {"type": "string", "minLength": 1, "maxLength": _KEY_CHARACTERS, "writeOnly": True}),
        "name": line(_NAME_CHARACTERS),
        "disabled": flag,
        "is_fallback": flag,
        "is_byok_only": flag,
        "is_required": flag,
        "allowed_models": model_ids,
        "allowed_api_key_hashes": key_hashes,
        "allowed_user_ids": listed(_is_user_id, "user ids"),
        "declared_region": one_of("global", "europe", "us", or_null=True),
        "declared_zdr": flag,
    },
    required=("provider", "key"),
    fixed=frozenset({"provider", "workspace_id"}),
    cleared_by_null=frozenset(
        {"name", "allowed_models", "allowed_api_key_hashes", "allowed_user_ids", "declared_region", "declared_zdr"}
    ),
)
