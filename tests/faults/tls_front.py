"""A process that ends TLS in front of a simulator: `python -m faults.tls_front CERTIFICATE KEY PORT` says its port."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

from support.processes import TESTS, Process, clean_environment

if TYPE_CHECKING:
    from pathlib import Path

_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Authority:
    """A certificate authority of the test's own. `file` is what has to be trusted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.file = folder / "authority.pem"
        self._key = folder / "authority.key"
        _openssl("req", "-x509", *_EC, "-keyout", self._key, "-out", self.file, "-subj", "/CN=Authority", "-days", "2")

    def issue(self, name: str, *, alternative: str = "IP:127.0.0.1", days: int = 2) -> tuple[Path, Path]:
        """A certificate for that alternative name, and its key; with -1 days it ended yesterday."""
        certificate, key, request, extensions = (
            self._folder / f"{name}.{kind}" for kind in ("pem", "key", "csr", "ext")
        )
        extensions.write_text(f"subjectAltName={alternative}\n")
        _openssl("req", *_EC, "-keyout", key, "-out", request, "-subj", "/CN=upstream")
        signed = ("-CA", self.file, "-CAkey", self._key, "-CAcreateserial", "-days", str(days))
        _openssl("x509", "-req", "-in", request, *signed, "-extfile", extensions, "-out", certificate)
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


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=30)


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
