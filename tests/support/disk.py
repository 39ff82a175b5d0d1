"""Disks that fail: small ones that get full, and files that become slow, broken or read-only while a program runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

_SOURCE = Path(__file__).with_name("disk.c")


class State(IntEnum):
    """What a disk does with the calls that reach it."""

    WORKS = 0
    SLOW = 1
    BROKEN = 2
    READ_ONLY = 3


class Disk:
    """The files with this word in their path, for a program that is started in `environment`.

    Skips the test where there is no C compiler.
    """

    def __init__(self, folder: Path, word: str) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("no C compiler: `cc` on the PATH would make a disk that fails")
        folder.mkdir(parents=True, exist_ok=True)
        library, self._control = folder / "disk.so", folder / "control"
        command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE), "-ldl"]
        subprocess.run(command, check=True, capture_output=True)
        self._control.write_bytes(bytes([State.WORKS]))
        self.environment = {"LD_PRELOAD": str(library), "DISK_CONTROL": str(self._control), "DISK_WORD": word}

    @contextmanager
    def state(self, state: State) -> Generator[None]:
        """The disk does this for so long."""
        self._set(state)
        try:
            yield
        finally:
            self._set(State.WORKS)

    def _set(self, state: State) -> None:
        with self._control.open("r+b") as control:
            control.write(bytes([state]))


@contextmanager
def small_disk(folder: Path, size: str) -> Generator[Path]:
    """A disk of its own at this folder, of a size such as `8m`. Skips the test where it cannot be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    options = ["-o", f"size={size},mode=0700"]
    mounted = subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", str(folder)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted: it takes root, and a container that may mount tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def filled(folder: Path) -> Generator[None]:
    """The disk under this folder, full to the last byte for so long."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65_536, 512, 1):
            while _written(file.fileno(), size):
                pass
    try:
        yield
    finally:
        filler.unlink()


def _written(file: int, size: int) -> bool:
    try:
        return os.write(file, b"\0" * size) > 0
    except OSError:
        return False
