"""What is sealed: opened by the same secret for the same row, and by nothing else."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from random import Random, SystemRandom

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.storage.sealing import Sealer, SealError
from support.sealed import SEALER

PLAIN, ROW = "sk-proj-0123456789abcdef", "openai\x001"


@given(st.text(st.characters(codec="utf-8"), max_size=200), st.text(st.characters(codec="utf-8"), max_size=40))
def test_what_is_sealed_comes_out_as_it_was(plain: str, row: str) -> None:
    sealed = SEALER.seal(plain, row)
    assert SEALER.open(sealed, row) == plain
    assert len(plain) < 4 or plain not in sealed


def test_the_same_text_is_never_sealed_twice_alike() -> None:
    assert SEALER.seal(PLAIN, ROW) != SEALER.seal(PLAIN, ROW)


def test_another_row_does_not_open_it() -> None:
    with pytest.raises(SealError, match="another row's"):
        SEALER.open(SEALER.seal(PLAIN, ROW), "openai\x002")


def test_another_secret_does_not_open_it_and_is_told_apart() -> None:
    with pytest.raises(SealError, match="another secret key"):
        Sealer(b"another secret", SystemRandom()).open(SEALER.seal(PLAIN, ROW), ROW)


def test_no_changed_bit_goes_unnoticed() -> None:
    version, mark, content = SEALER.seal(PLAIN, ROW).split(".")
    both = urlsafe_b64decode(content)
    for at in range(len(both)):
        spoilt = bytearray(both)
        spoilt[at] ^= 1
        with pytest.raises(SealError):
            SEALER.open(f"{version}.{mark}.{urlsafe_b64encode(spoilt).decode()}", ROW)


@pytest.mark.parametrize("cut", range(0, 60, 3))
def test_a_piece_of_it_is_refused(cut: int) -> None:
    with pytest.raises(SealError):
        SEALER.open(SEALER.seal(PLAIN, ROW)[:cut], ROW)


@pytest.mark.parametrize("text", ["", "v1", "v2.00000000.", "v1..", "\u00e9", "v1.\u00e9.\u00e9"])
def test_what_was_never_sealed_is_refused(text: str) -> None:
    with pytest.raises(SealError):
        SEALER.open(text, ROW)


def test_text_behind_the_mark_that_is_no_base64_is_refused() -> None:
    version, mark, _ = SEALER.seal(PLAIN, ROW).split(".")
    for content in ("", "a", "\u00e9", "AAAA"):
        with pytest.raises(SealError):
            SEALER.open(f"{version}.{mark}.{content}", ROW)


def test_the_mark_of_a_secret_stays_and_does_not_tell_it() -> None:
    again = Sealer(b"a secret of tests", Random(7))
    assert again.seal(PLAIN, ROW).split(".")[:2] == SEALER.seal(PLAIN, ROW).split(".")[:2]
    assert again.open(SEALER.seal(PLAIN, ROW), ROW) == PLAIN
