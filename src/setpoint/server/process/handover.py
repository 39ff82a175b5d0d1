"""The listening socket, from one process to the next: taken from whoever started this one, given to a successor.

Both ways are those of socket activation: descriptors from 3 on, and the environment says how many and which. So a
service manager can hold the socket while nothing runs, and a running server can start the next one beside itself.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_log = logging.getLogger("setpoint.handover")

_FIRST = 3
_ABOVE = 10
_PREDECESSOR = "predecessor"
_READY = b"ready"
_VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


class Inherited(Struct, frozen=True):
    """What this process was started with: a listening socket or none, and a way to whoever served before it."""

    listener: socket.socket | None = None
    predecessor: socket.socket | None = None

    def tell_ready(self) -> None:
        """Tell the predecessor, if there is one, that it may leave."""
        if self.predecessor is not None:
            with suppress(OSError):
                self.predecessor.send(_READY)
            self.predecessor.close()


def inherited(environ: MutableMapping[str, str]) -> Inherited:
    """What the environment says that this process was given. What says so is taken away: it is for one process only.

    Ends the program with a plain message when that is nothing to listen on.
    """
    said = {name: environ.pop(name, "") for name in _VARIABLES}
    if not said["LISTEN_FDS"].isdecimal() or said["LISTEN_PID"] not in ("", str(os.getpid())):
        return Inherited()
    names = said["LISTEN_FDNAMES"].split(":")
    try:
        given = [_given(_FIRST + at) for at in range(int(said["LISTEN_FDS"]))]
    except OSError:
        given = []
    predecessor = given.pop() if len(given) == len(names) and names[-1] == _PREDECESSOR else None
    if len(given) != 1 or not _listens(given[0]):
        raise SystemExit("setpoint: LISTEN_FDS: one listening TCP socket is expected")
    given[0].setblocking(False)
    return Inherited(given[0], predecessor)


def _given(descriptor: int) -> socket.socket:
    """The socket that this descriptor is, for this process alone. Raises: `OSError` when it is none."""
    os.set_inheritable(descriptor, False)
    return socket.socket(fileno=descriptor)


def _listens(one: socket.socket) -> bool:
    if one.family not in (socket.AF_INET, socket.AF_INET6) or one.type != socket.SOCK_STREAM:
        return False
    return bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


class Successor:
    """A process that was started as this one was, with the listening socket; readable once it is ready or has ended."""

    def __init__(self, listener: socket.socket) -> None:
        """Start it. Raises: `OSError` when it cannot be started."""
        self._end, theirs = socket.socketpair()
        self._end.setblocking(False)
        # Out of the way of the numbers that they are to have.
        given = [fcntl.fcntl(one.fileno(), fcntl.F_DUPFD_CLOEXEC, _ABOVE) for one in (listener, theirs)]
        environ = {**os.environ, "LISTEN_FDS": "2", "LISTEN_FDNAMES": f"http:{_PREDECESSOR}"}
        try:
            self.pid = os.posix_spawn(
                sys.executable,
                [sys.executable, *sys.orig_argv[1:]],
                environ,
                file_actions=[(os.POSIX_SPAWN_DUP2, one, _FIRST + at) for at, one in enumerate(given)],
                setsigmask=(),
                setsigdef=(signal.SIGINT, signal.SIGHUP),
            )
        except OSError:
            self._end.close()
            raise
        finally:
            theirs.close()
            for one in given:
                os.close(one)

    def fileno(self) -> int:
        """The descriptor, for whoever waits until there is word."""
        return self._end.fileno()

    def took_over(self) -> bool:
        """Whether it is ready; False when it has ended instead. To be asked once, when there is word."""
        try:
            word = self._end.recv(len(_READY))
        except OSError:
            word = b""
        self._end.close()
        if word != _READY:
            with suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
        return word == _READY


class Succession:
    """The way to a successor: there is one at a time, and what comes of it is said in the log."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._next: Successor | None = None

    def begin(self) -> Successor | None:
        """A successor that has just been started; None when one is starting already, or none can be started."""
        if self._next is not None:
            _log.warning("a successor is starting already: process %d", self._next.pid)
            return None
        try:
            self._next = Successor(self._listener)
        except OSError as error:
            _log.error("a successor cannot be started: %s", error.strerror)
            return None
        _log.info("a successor is starting: process %d", self._next.pid)
        return self._next

    def settle(self, successor: Successor) -> bool:
        """Whether the successor has taken over, now that there is word of it."""
        if successor.took_over():
            notify(f"MAINPID={successor.pid}")
            _log.info("process %d has taken over: this one ends with its last request", successor.pid)
            return True
        self._next = None
        _log.error("the successor, process %d, has ended before it was ready: this one goes on", successor.pid)
        return False


def notify(state: str) -> None:
    """Tell the service manager, where there is one, how it stands: as `sd_notify` does."""
    where = os.environ.get("NOTIFY_SOCKET", "")
    if not where:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.connect("\0" + where[1:] if where.startswith("@") else where)
        to.send(state.encode())
