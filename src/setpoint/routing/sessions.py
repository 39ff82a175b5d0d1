"""Where conversations went: the next turn goes there first, where its prompt may still be in a cache."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from msgspec import Struct

from setpoint.wire.body import as_array, as_object, as_text, is_object, is_string

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from msgspec import Raw

    from setpoint.wire.body import Body

KEPT_S = 600.0
"""How long a conversation that rests is remembered, in seconds."""

MOST = 100_000
"""How many conversations are remembered; beyond them those are forgotten that have rested longest."""

_BYTES = 16
_ORDERS = frozenset({"system", "developer"})


class Session(Struct, frozen=True):
    """A conversation of one account with one model, as a digest. `named`: by the caller, not by how it begins."""

    digest: bytes
    named: bool


def session(account: str, model: str, name: str | None, body: Body) -> Session:
    """The conversation that a request belongs to: the one that the caller names so, else the one that begins so."""
    digest = blake2b(f"{account}\0{model}\0{name is not None}\0".encode("utf-8", "surrogatepass"), digest_size=_BYTES)
    for part in (name.encode("utf-8", "surrogatepass"),) if name is not None else _beginning(body):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return Session(digest.digest(), named=name is not None)


def _beginning(body: Body) -> Iterator[bytes]:
    """What a conversation begins with, and keeps: its first order, and the first message that is none."""
    orders = [bytes(body[name]) for name in ("system", "instructions") if name in body][:1]
    turns = body.get("messages", body.get("input"))
    first = bytes(turns) if turns is not None and is_string(turns) else b""
    for turn in as_array(turns):
        if _is_order(turn):
            orders.append(bytes(turn))
        else:
            first = bytes(turn)
            break
    yield orders[0] if orders else b""
    yield first


def _is_order(turn: Raw) -> bool:
    return is_object(turn) and as_text(as_object(turn).get("role")) in _ORDERS


class Sessions:
    """The endpoint that each conversation went to, of this worker. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float], most: int = MOST) -> None:
        self._clock = clock
        self._most = most
        self._kept: dict[bytes, tuple[str, float]] = {}  # the one that has rested longest first

    def find(self, one: Session) -> str | None:
        """The key of the endpoint that a conversation went to; None when that is not known any more."""
        kept = self._kept.get(one.digest)
        return kept[0] if kept is not None and self._clock() < kept[1] else None

    def succeeded(self, one: Session, endpoint: str, *, cached: bool) -> None:
        """An endpoint has answered; `cached` says that it read some of the prompt from a cache, or wrote it there.

        A conversation that nobody has named is only worth keeping where there is something in a cache.
        """
        kept = self._kept
        if one.named or cached or kept.get(one.digest, ("",))[0] == endpoint:
            kept.pop(one.digest, None)
            kept[one.digest] = endpoint, self._clock() + KEPT_S
            if len(kept) > self._most:
                del kept[next(iter(kept))]
