"""The credentials of each provider, in the order of trying: those of the file, then those that were added."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct

from setpoint.records import AddedKey, Key, ProviderKey
from setpoint.routing.bounds import is_bounded, is_named, may_go

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.records import Model, Provider

# How many keys of a provider are remembered behind their time, so that nobody is shown them.
_FORMER = 64


class Ring(Struct, frozen=True, kw_only=True):
    """The added keys of one provider.

    `rows` are all of them by id, deleted ones as well: an older state of a row may still arrive. `usable` are those
    that requests may carry, in the order of trying, and `everybodys` their keys where each is for any request, else
    None. `former` are what rows once had and have no more, the last ones.
    """

    rows: Mapping[str, AddedKey]
    usable: tuple[AddedKey, ...]
    everybodys: tuple[ProviderKey, ...] | None
    former: tuple[ProviderKey, ...]

    def secrets(self) -> list[str]:
        """What nobody may be shown, should the provider quote it: used, disabled, rotated away or deleted."""
        return [key.secret for key in (*(row.key for row in self.rows.values()), *self.former) if key is not None]


class KeyRing(Struct, frozen=True):
    """The keys that requests of one caller may carry upstream. `added` is by provider. Without a caller: of nobody."""

    added: Mapping[str, Ring] = MappingProxyType({})
    caller: Key | None = None

    def of(self, provider: Provider, model: Model) -> tuple[ProviderKey | None, ...]:
        """The keys for this provider and model; a lone None for a provider that is asked without any.

        Nothing at all where the caller's workspace has keys and none of them is for this: nobody goes there without.
        """
        ring = self.added.get(provider.slug)
        if ring is None or not ring.usable:
            return provider.keys or _WITHOUT
        if ring.everybodys is not None and not provider.keys and self.caller is not None:
            return ring.everybodys
        here = [row for row in ring.usable if self._has(row)]
        if not here and not provider.needs_key:
            return provider.keys or _WITHOUT
        keys = list(provider.keys)
        seen = {key.secret for key in keys}
        for row in here:
            if row.key is not None and row.key.secret not in seen and self._may_carry(row, model):
                keys.append(row.key)
                seen.add(row.key.secret)
        return tuple(keys)

    @property
    def is_bounded(self) -> bool:
        """Whether the caller has lists of where its requests may go."""
        return self.caller is not None and is_bounded(self.caller)

    def may_go(self, provider: Provider, model: Model) -> bool:
        """Whether the caller's requests may go to this provider and model, whatever they carry."""
        return self.caller is None or may_go(self.caller, model, provider)

    def knows(self, provider: Provider) -> bool:
        """Whether the provider is there for the caller: one that needs a key is for those alone who have one."""
        if not provider.needs_key:
            return True
        ring = self.added.get(provider.slug)
        return ring is not None and any(map(self._has, ring.usable))

    def knows_model(self, model: Model) -> bool:
        """Whether the model is there for the caller, whoever offers it: not by those alone who are not."""
        return not model.endpoints or any(self.knows(endpoint.provider) for endpoint in model.endpoints)

    def are_shared(self, model: Model) -> bool:
        """Whether whoever has a caller's ring carries the same keys to this model."""
        rings = (self.added.get(endpoint.provider.slug) for endpoint in model.endpoints)
        return all(ring is None or ring.everybodys is not None for ring in rings)

    def _has(self, row: AddedKey) -> bool:
        """Whether the caller's workspace has this key."""
        return row.workspace_id is None or (self.caller is not None and row.workspace_id == self.caller.workspace_id)

    def _may_carry(self, row: AddedKey, model: Model) -> bool:
        terms, caller = row.terms, self.caller
        return caller is not None and (
            (terms.allowed_models is None or is_named(model, terms.allowed_models))
            and (terms.allowed_api_key_hashes is None or caller.digest in terms.allowed_api_key_hashes)
            and (terms.allowed_user_ids is None or caller.creator_user_id in terms.allowed_user_ids)
        )


_WITHOUT = (None,)


def with_changes(rings: Mapping[str, Ring], rows: Iterable[AddedKey]) -> Mapping[str, Ring]:
    """The rings with these rows in them; the same rings where none of the rows is newer than the one that is known."""
    changed = dict(rings)
    for row in rows:
        ring = changed.get(row.provider, _EMPTY)
        known = ring.rows.get(row.id)
        if known is None or row.revision > known.revision:
            changed[row.provider] = _with_row(ring, row, known)
    return rings if all(changed[slug] is rings.get(slug) for slug in changed) else changed


_EMPTY = Ring(rows={}, usable=(), everybodys=None, former=())


def _with_row(ring: Ring, row: AddedKey, known: AddedKey | None) -> Ring:
    rows = {**ring.rows, row.id: row}
    usable = [one for one in rows.values() if one.key is not None and not one.terms.disabled]
    usable.sort(key=lambda one: (one.terms.is_fallback, one.sort_order, one.id))
    former = ring.former
    if known is not None and known.key is not None and (row.key is None or row.key.secret != known.key.secret):
        former = (*former, known.key)[-_FORMER:]
    return Ring(rows=rows, usable=tuple(usable), everybodys=_everybodys(usable), former=former)


def _everybodys(usable: Iterable[AddedKey]) -> tuple[ProviderKey, ...] | None:
    """The keys of these rows, each secret once; None where one of them is not for every request."""
    keys: dict[str, ProviderKey] = {}
    for row in usable:
        terms = row.terms
        lists = (row.workspace_id, terms.allowed_models, terms.allowed_api_key_hashes, terms.allowed_user_ids)
        if row.key is None or any(one is not None for one in lists):
            return None
        keys.setdefault(row.key.secret, row.key)
    return tuple(keys.values())
