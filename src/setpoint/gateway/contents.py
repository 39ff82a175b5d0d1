"""What of prompts and answers is kept, where that is wanted: gathered as it goes by, read later and elsewhere."""

from __future__ import annotations

import hashlib
from threading import Lock
from typing import TYPE_CHECKING

from msgspec import Struct

from setpoint.gateway.transcript import transcript

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.gateway.transcript import Said
    from setpoint.records import Content, Key, Workspace

MOST_ANSWER_BYTES = 8 << 20
"""How much of one answer is kept, as the client gets it, in bytes."""

MOST_HELD_BYTES = 64 << 20
"""How much of all requests and answers together may wait to be written, in bytes."""


class Sampling(Struct, frozen=True, kw_only=True):
    """Whether contents are kept, and of which share of the conversations."""

    on: bool = False
    share: float = 1


OFF = Sampling()
"""None are kept."""


def own_sampling(home: Workspace | None, key: Key) -> Sampling:
    """What a workspace has kept of requests with this key, whatever the server keeps."""
    if home is None or not home.is_observability_io_logging_enabled:
        return OFF
    listed = home.io_logging_api_key_ids
    return Sampling(on=listed is None or key.digest in listed, share=home.io_logging_sampling_rate)


def keeps_content(sampling: Sampling, id_: str, session: str | None) -> bool:
    """Whether the content of this request is kept: of a conversation always all or nothing."""
    if not sampling.on:
        return False
    if sampling.share >= 1:
        return True
    drawn = hashlib.blake2b((session or id_).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(drawn) < sampling.share * 2**64


class Contents:
    """All that is held of contents in this process. `keep` takes one to where it is written, and says whether it will.

    It is given a function that reads the content, which is to be called elsewhere, and one to call when it is written.
    """

    def __init__(self, keep: Callable[[str, Callable[[], Content], Callable[[], None]], bool]) -> None:
        self.sampling = Sampling()
        self.dropped = 0
        self._keep = keep
        self._held_bytes = 0
        self._lock = Lock()  # held for moments only: what is written is let go by another thread

    def begin(self, id_: str, session: str | None, own: Sampling = OFF) -> Gathered | None:
        """What gathers the answer to this request; None when neither the server nor its workspace has it kept.

        One draw is behind both: of two shares the larger one counts.
        """
        kept = keeps_content(self.sampling, id_, session) or keeps_content(own, id_, session)
        return Gathered(self) if kept else None

    def take(self, size: int) -> bool:
        """Whether so many bytes more may be held; then they are."""
        with self._lock:
            fits = self._held_bytes + size <= MOST_HELD_BYTES
            if fits:
                self._held_bytes += size
            return fits

    def let_go(self, size: int) -> None:
        """So many bytes are not held any more."""
        with self._lock:
            self._held_bytes -= size

    def hand_over(self, said: Said, held: int) -> None:
        """Bring what was said to where it is written, or drop it."""
        if not self._keep(said.id, lambda: transcript(said), lambda: self.let_go(held)):
            self.let_go(held)

    def drop(self, held: int) -> None:
        """Give one up."""
        self.let_go(held)
        self.dropped += 1


class Gathered:
    """The answer of one exchange as its client gets it, so far."""

    __slots__ = ("_contents", "_cut", "_held", "_pieces")

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._pieces: list[bytes] = []
        self._held = 0
        self._cut = False

    def restart(self) -> None:
        """Another try begins: what the last one gave is no answer."""
        self._contents.let_go(self._held)
        self._pieces, self._held, self._cut = [], 0, False

    def add(self, piece: bytes) -> None:
        """A piece of the answer."""
        size = len(piece)
        if self._cut or not size:
            return
        if self._held + size > MOST_ANSWER_BYTES or not self._contents.take(size):
            self._cut = True
            return
        self._held += size
        self._pieces.append(piece)

    def finish(self, size: int, said: Callable[[tuple[bytes, ...], bool], Said]) -> None:
        """The exchange has ended: hand over what was said in it, which `said` makes of the answer.

        `size` is that of the request, in bytes.
        """
        if self._contents.take(size):
            self._contents.hand_over(said(tuple(self._pieces), self._cut), self._held + size)
        else:
            self._contents.drop(self._held)
