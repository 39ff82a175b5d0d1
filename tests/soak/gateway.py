"""A gateway in front of the bench's upstream, and what the operating system says of it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from bench.machine import memory, open_files, threads, tree
from bench.setpoint import running_setpoint
from bench.tools import Tools, running_upstream, tools

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

    from support.processes import Gateway

MIB = 1024 * 1024


class Size(NamedTuple):
    """How large a gateway is: resident bytes, open files and threads, of all its processes."""

    rss: int
    files: int
    threads: int


class Under(NamedTuple):
    """A gateway under test, its port, and what loads it."""

    gateway: Gateway
    port: int
    tools: Tools

    def size(self) -> Size:
        """How large it is now."""
        pids = tree(self.gateway.pid)
        return Size(memory(pids).now, sum(map(open_files, pids)), sum(map(threads, pids)))


@contextmanager
def gateway_under_test(folder: Path, behaviours: Sequence[str], settings: Mapping[str, Any]) -> Generator[Under]:
    """A gateway with these models of the upstream and these settings, until the end of the block."""
    chosen = tools()
    with ExitStack() as stack:
        upstream = stack.enter_context(running_upstream(chosen, folder / "upstream"))
        gateway = stack.enter_context(
            running_setpoint(upstream.port, folder / "gateway", behaviours=behaviours, settings=settings)
        )
        port = urlsplit(gateway.origin).port
        assert port is not None
        yield Under(gateway, port, chosen)
