"""The server's own secret: made once, kept for its owner only, and never guessable."""

from __future__ import annotations

from stat import S_IMODE
from typing import TYPE_CHECKING

import pytest

from setpoint.errors import GatewayError
from setpoint.storage.secret import derived, secret_key

if TYPE_CHECKING:
    from pathlib import Path


def test_a_secret_is_made_once_and_found_again(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there"
    made = secret_key(folder, None)
    assert len(made) == 32
    assert secret_key(folder, None) == made
    assert secret_key(tmp_path / "another", None) != made


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    made = secret_key(folder, None)
    [file] = folder.iterdir()
    assert S_IMODE(file.stat().st_mode) == 0o600
    assert S_IMODE(folder.stat().st_mode) == 0o700
    assert bytes.fromhex(file.read_text()) == made


def test_a_configured_secret_counts_and_nothing_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    assert secret_key(folder, "our own") == b"our own"
    assert not folder.exists()


@pytest.mark.parametrize("content", ["", "\n", "00", "ab" * 31, "no hex" * 20])
def test_a_file_that_was_cut_short_or_damaged_is_refused_and_kept(content: str, tmp_path: Path) -> None:
    secret_key(tmp_path, None)
    [file] = tmp_path.iterdir()
    file.write_text(content)
    with pytest.raises(GatewayError) as caught:
        secret_key(tmp_path, None)
    assert caught.value.type == "unavailable"
    assert str(file) in caught.value.message
    assert file.read_text() == content


def test_a_folder_that_cannot_be_used_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(GatewayError) as caught:
        secret_key(tmp_path / "file", None)
    assert caught.value.type == "unavailable"


def test_each_purpose_has_a_key_of_its_own() -> None:
    keys = {derived(secret, purpose) for secret in (b"a", b"b" * 100, b"") for purpose in ("identity", "seal", "")}
    assert len(keys) == 9
    assert {len(key) for key in keys} == {32}
    assert derived(b"a", "identity") == derived(b"a", "identity")
