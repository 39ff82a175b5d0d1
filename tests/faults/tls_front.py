"""A process that ends TLS in front of a simulator: `python -m faults.tls_front CERTIFICATE KEY PORT` says its port."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import trustme

from support.processes import TESTS, Process, clean_environment

if TYPE_CHECKING:
    from pathlib import Path


class Authority:
    """A certificate authority of the test's own. `file` is what has to be trusted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ca = trustme.CA()
        self.file = folder / "authority.pem"
        self._ca.cert_pem.write_to_path(str(self.file))

    def issue(self, name: str, *, whose: str = "127.0.0.1", days: int = 2) -> tuple[Path, Path]:
        """A certificate for that address or host name, and its key; with -1 days it ended yesterday."""
        ends = datetime.now(UTC) + timedelta(days=days)
        made = self._ca.issue_cert(whose, not_before=ends - timedelta(days=10), not_after=ends)
        certificate, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        made.cert_chain_pems[0].write_to_path(str(certificate))
        made.private_key_pem.write_to_path(str(key))
        return certificate, key


class TlsFront:
    """The running process. Behind its origin is what listens on `port`."""

    def __init__(self, folder: Path, certificate: Path, key: Path, port: int) -> None:
        command = [sys.executable, "-m", "faults.tls_front", str(certificate), str(key), str(port)]
        environment = {**clean_environment(folder), "PYTHONPATH": str(TESTS)}
        self._process = Process(command, folder=folder, environment=environment)
        listening = self._process.wait_for_output(r"^(\d+)$")
        self.origin = f"https://127.0.0.1:{listening[1]}"

    def stop(self) -> None:
        """End it."""
        self._process.kill()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _serve(certificate: str, key: str, port: int) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pump(reader, behind_writer), _pump(behind_reader, writer))

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], sys.argv[2], int(sys.argv[3])))
