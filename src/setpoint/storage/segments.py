"""The files of a spool: folders that belong to whoever holds their lock, and in them lines that each are one record.

A line is whole when it has its end. Whatever else stands in a file is passed over and counted.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from typing import TYPE_CHECKING

import msgspec

from setpoint.records import Generation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = "spool"
"""The folder of all spools, inside the data folder."""

MAX_LINE_BYTES = 1 << 20
"""The longest line that is written or believed."""

_SUFFIX = ".jsonl"

_encoder = msgspec.json.Encoder()
# A member that `Generation` gains must have a default, else the lines that an older Setpoint left are unreadable.
_decoder = msgspec.json.Decoder(Generation)


def write_line(record: Generation) -> bytes | None:
    """The line of a record; None for one that no line can hold."""
    try:
        line = _encoder.encode(record)
    except (ValueError, OverflowError):  # text that is no Unicode, a number beyond 64 bits
        return None
    return line + b"\n" if len(line) < MAX_LINE_BYTES else None


def read_lines(path: Path) -> Iterator[Generation | None]:
    """The records of a segment, in order; None for each line that is not one. Raises: `OSError`."""
    with path.open("rb") as file:
        whole = True  # whether the next piece begins a line
        while piece := file.readline(MAX_LINE_BYTES):
            begins, whole = whole, piece.endswith(b"\n")
            if begins:
                yield _record(piece) if whole else None


def _record(line: bytes) -> Generation | None:
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def segment_path(folder: Path, number: int) -> Path:
    """Where the segment of this number lies. Names sort as numbers do."""
    return folder / f"{number:010}{_SUFFIX}"


def segment_paths(folder: Path) -> list[Path]:
    """The segments in a folder, in the order in which they were written. Raises: `OSError`."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    return [folder / name for name in sorted(names) if name.endswith(_SUFFIX)]


def folders(root: Path) -> list[Path]:
    """The folders of all spools, whoever they belong to. None when there are none yet. Raises: `OSError`."""
    try:
        with os.scandir(root) as entries:
            return [root / entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def make_folder(root: Path) -> tuple[Path, int]:
    """A new folder, for its owner only, and its lock. Raises: `OSError`."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        folder = root / uuid.uuid4().hex
        folder.mkdir(mode=0o700)
        lock = take(folder)
        if lock is not None:
            return folder, lock


def take(folder: Path) -> int | None:
    """The lock of this folder, a descriptor to be closed; None when someone has it, or the folder is gone.

    The operating system gives it back when its holder ends, however that ends. Raises: `OSError`.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever had it until now may have taken the folder away.
        if folder.stat().st_ino == os.fstat(descriptor).st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None
