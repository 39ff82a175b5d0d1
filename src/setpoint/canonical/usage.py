"""Tokens: what an answer used, counted the same way for every protocol."""

from __future__ import annotations

from msgspec import Struct


class Usage(Struct, frozen=True, kw_only=True):
    """The tokens of one answer.

    `input_tokens` counts all of the prompt, cached reads and cache writes included (`cache_write_1h_tokens` are those
    of the writes that are kept for an hour); `output_tokens` all that was generated, reasoning included. `searches`
    are those of the web that were made for it, `images` the pictures of the input where each has a price. `estimated`
    means that the provider gave no count and this is our own.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0
    image_tokens: int = 0
    searches: int = 0
    images: int = 0
    estimated: bool = False

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


def estimated_tokens(text_bytes: int) -> int:
    """Our own count for so many UTF-8 bytes of text: a quarter of them, rounded up."""
    return -(-text_bytes // 4)
