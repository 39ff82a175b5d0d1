"""The upstream and the load generator: compiled when a C compiler is there, else the same two in Python."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from support.processes import Process, clean_environment

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "bench"
_NATIVE = Path(__file__).resolve().parent / "native"
_LAST_ANSWERS_S = 60


class Tools(NamedTuple):
    """How the two are started, and whether they are the compiled ones."""

    upstream: tuple[str, ...]
    load: tuple[str, ...]
    native: bool


class Order(NamedTuple):
    """One kind of request: its bytes in a file, and what must come back.

    `pieces` is how many pieces of text the answer holds; behind `cancel` of them the client hangs up (0: never).
    """

    file: Path
    status: int
    pieces: int
    cancel: int = 0


class Load(msgspec.Struct, frozen=True):
    """What the load generator saw. Latencies in microseconds, of answers that were as ordered."""

    seconds: float
    cpu_s: float
    answered: int
    failed: int
    cancelled: int
    connections: int
    pieces: int
    p50_us: float
    p99_us: float
    first_piece_p50_us: float
    first_piece_p99_us: float
    first_failure: str


def end_in_order() -> None:
    """From now on SIGTERM ends this process like an error would: what it has started is stopped."""

    def end(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, end)


def compiler() -> str | None:
    """The C compiler, if there is one."""
    return shutil.which(os.environ.get("CC", "cc"))


def native_tools(folder: Path = BUILD) -> Tools | None:
    """The tools in C, compiled when their sources are newer. None: no compiler. Raises: `CalledProcessError`."""
    cc = compiler()
    if cc is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    programs: list[str] = []
    for name in ("upstream", "load"):
        source, program = _NATIVE / f"{name}.c", folder / name
        if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
            subprocess.run([cc, "-O2", "-o", str(program), str(source)], check=True)
        programs.append(str(program))
    return Tools((programs[0],), (programs[1],), native=True)


def python_tools() -> Tools:
    """The tools in Python: slower, so what they can do by themselves must be shown beside."""
    python = (sys.executable, "-m")
    return Tools((*python, "bench.fallback.upstream"), (*python, "bench.fallback.load"), native=False)


def tools() -> Tools:
    """The best that this machine can have."""
    return native_tools() or python_tools()


def environment(folder: Path) -> dict[str, str]:
    """What our own Python processes need to find this package."""
    return {**clean_environment(folder), "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}


class Upstream(NamedTuple):
    """A running upstream."""

    pid: int
    port: int


@contextmanager
def running_upstream(chosen: Tools, folder: Path) -> Generator[Upstream]:
    """An upstream, until the end of the block."""
    process = Process(chosen.upstream, folder=folder, environment=environment(folder))
    try:
        port = int(process.wait_for_output(r"\A(\d+)\n")[1])
        yield Upstream(process.pid, port)
    finally:
        process.stop(5)


def run_load(
    chosen: Tools,
    port: int,
    orders: Sequence[Order],
    *,
    connections: int,
    seconds: float = 0,
    requests: int = 0,
    timeout_s: float | None = None,
) -> Load:
    """Load a port with these orders, until the seconds or the requests are over, whichever is first."""
    arguments = [f"{order.file}:{order.status}:{order.pieces}:{order.cancel}" for order in orders]
    done = subprocess.run(
        [*chosen.load, str(port), str(connections), str(seconds), str(requests), *arguments],
        env=environment(ROOT),
        capture_output=True,
        text=True,
        timeout=timeout_s or seconds + _LAST_ANSWERS_S,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the load generator ended with {done.returncode}: {done.stderr.strip()}")
    return msgspec.json.decode(done.stdout, type=Load)
