"""What the body of a create or an update says of a provider key, checked member by member."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct, structs

from setpoint.errors import FieldError
from setpoint.routing.catalog import MAX_MADE_ID
from setpoint.server.routes.members import said_by, unknown_member
from setpoint.settings.kinds import is_credential, is_model_id
from setpoint.wire.body import is_null

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.records import KeyTerms
    from setpoint.wire.body import Body

_NAME_CHARACTERS = 255
_KEY_CHARACTERS = 4_000
_MOST_ENTRIES = 100
_REGIONS = ("global", "europe", "us")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_FIXED = frozenset({"provider", "workspace_id"})
_CLEARED_BY_NULL = frozenset(
    {"name", "allowed_models", "allowed_api_key_hashes", "allowed_user_ids", "declared_region", "declared_zdr"}
)


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
    """What the body says. A null clears what may be absent, and says nothing elsewhere. Raises: `FieldError`."""
    said: dict[str, Any] = {}
    for name, content in body.items():
        check = _CHECKS.get(name)
        if check is None:
            raise unknown_member(name, "is not a member of a provider key")
        if name in _FIXED and not creating:
            raise FieldError(name, "cannot be changed")
        if not is_null(content):
            said[name] = check(name, said_by(name, content))
        elif name in _CLEARED_BY_NULL:
            said[name] = None
    if creating:
        for name in ("provider", "key"):
            if name not in said:
                raise FieldError(name, "is required")
    key = said.pop("key", None)
    fixed = {name: said.pop(name) for name in _FIXED & said.keys()}
    return Wanted(key=key, fixed=fixed, terms=said)


def _text(name: str, said: Any) -> str:
    if not isinstance(said, str):
        raise FieldError(name, "must be a string")
    return said


def _key(name: str, said: Any) -> str:
    text = _text(name, said)
    if len(text) > _KEY_CHARACTERS or not is_credential(text):
        raise FieldError(name, f"must be a string of 1 to {_KEY_CHARACTERS} visible ASCII characters")
    if text.startswith("{"):  # where a provider is stands in the file, and never in a key
        raise FieldError(name, "must be the key alone: what else a provider needs is said in the configuration")
    return text


def _name(name: str, said: Any) -> str:
    text = _text(name, said)
    if not 1 <= len(text) <= _NAME_CHARACTERS or not text.isprintable():
        raise FieldError(name, f"must be a string of 1 to {_NAME_CHARACTERS} printable characters")
    return text


def _flag(name: str, said: Any) -> bool:
    if not isinstance(said, bool):
        raise FieldError(name, "must be true or false")
    return said


def _region(name: str, said: Any) -> str:
    if said not in _REGIONS:
        raise FieldError(name, f"must be one of {', '.join(_REGIONS)}, or null")
    return said


def _listed(fits: Callable[[str], object], words: str) -> Callable[[str, Any], tuple[str, ...]]:
    def check(name: str, said: Any) -> tuple[str, ...]:
        entries = cast("list[object]", said) if isinstance(said, list) else []
        if not 1 <= len(entries) <= _MOST_ENTRIES:
            raise FieldError(name, f"must be a list of 1 to {_MOST_ENTRIES} {words}, or null for no restriction")
        for at, entry in enumerate(entries):
            if not isinstance(entry, str) or not fits(entry):
                raise FieldError(f"{name}[{at}]", f"is none of the {words}")
        return tuple(map(str, entries))

    return check


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "provider": _text,
    "workspace_id": _text,
    "key": _key,
    "name": _name,
    "disabled": _flag,
    "is_fallback": _flag,
    "is_byok_only": _flag,
    "is_required": _flag,
    "allowed_models": _listed(lambda entry: is_model_id(entry) and len(entry) <= MAX_MADE_ID, "model ids"),
    "allowed_api_key_hashes": _listed(_DIGEST.fullmatch, "hashes of API keys, 64 lower-case hex digits each"),
    "allowed_user_ids": _listed(lambda entry: entry.isprintable() and 1 <= len(entry) <= _NAME_CHARACTERS, "user ids"),
    "declared_region": _region,
    "declared_zdr": _flag,
}
