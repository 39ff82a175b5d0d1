"""nginx in front of the upstream: this machine's, else its Debian package, unpacked beside and not installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.target import UnavailableError, Up
from bench.tools import BUILD, environment
from support.processes import Process

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_PACKAGE_S = 120

_CONFIGURATION = """
worker_processes 1;
daemon off;
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  keepalive_requests 100000000; keepalive_timeout 300;
  client_body_buffer_size 256k;
  upstream behind {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
  }}
}}
"""


def program() -> str:
    """An nginx that runs. Raises: `UnavailableError` with the reason."""
    if found := shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"):
        return found
    folder = BUILD / "nginx"
    unpacked = folder / "usr" / "sbin" / "nginx"
    if not unpacked.exists():
        unpack(folder)
    try:
        subprocess.run([str(unpacked), "-v"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise UnavailableError("the package's nginx does not run here") from None
    return str(unpacked)


def unpack(folder: Path) -> None:
    """Fetch the distribution's package and unpack it, which needs no rights and changes nothing of the machine.

    Raises: `UnavailableError` with the reason.
    """
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise UnavailableError("not installed, and no apt-get to fetch it with")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        # As root apt-get would give the download to a user of its own, who may not write here.
        fetch = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", "nginx"]
        subprocess.run(fetch, cwd=folder, capture_output=True, check=True, timeout=_PACKAGE_S)
        (package,) = folder.glob("nginx_*.deb")
        subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], capture_output=True, check=True)
    except (subprocess.SubprocessError, ValueError):
        raise UnavailableError("not installed, and its package cannot be fetched") from None


@contextmanager
def running_nginx(upstream: int, folder: Path) -> Generator[Up]:
    """An nginx with one worker. Raises: `UnavailableError`."""
    command = program()
    folder.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(upstream=upstream, port=port))
    started = time.monotonic()
    process = Process(
        [command, "-p", str(folder), "-c", str(configuration)], folder=folder, environment=environment(folder)
    )
    try:
        yield Up(process.pid, port, started)
    finally:
        process.stop(5)


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]
