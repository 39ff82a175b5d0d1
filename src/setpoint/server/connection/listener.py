"""The one listening socket: bound here, served by every worker."""

from __future__ import annotations

import socket

BACKLOG = 2048
"""Connections that wait to be accepted, at most."""


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to this address. Ends the program with a plain message when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SystemExit(f"setpoint: cannot listen on {host}:{port}: {error.strerror}") from None
    listener.setblocking(False)
    return listener


def address(listener: socket.socket) -> str:
    """Where it can be reached, as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
