"""nginx beside Setpoint: from its package when it is not installed, and else a reason why it is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.nginx import unpack
from bench.target import UnavailableError

if TYPE_CHECKING:
    from pathlib import Path


def test_machine_without_apt_says_why_there_is_no_nginx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match="no apt-get to fetch it with"):
        unpack(tmp_path / "nginx")


def test_package_that_cannot_be_fetched_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("apt-get", "dpkg-deb"):
        (programs / name).write_text("#!/bin/sh\nexit 100\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/bin:/usr/bin")
    with pytest.raises(UnavailableError, match="its package cannot be fetched"):
        unpack(tmp_path / "nginx")
