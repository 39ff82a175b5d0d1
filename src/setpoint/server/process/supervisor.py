"""The supervisor: starts the workers of a server, replaces one that dies or stands still, and ends them all.

It serves nothing and has no event loop: it waits for signals, for words of its workers, and for their ends. Workers
are forked from it, so that they share the listening socket, the board and what was loaded before the fork.
"""

from __future__ import annotations

import gc
import logging
import os
import selectors
import signal
import socket
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from setpoint.coordination.board import Happening
from setpoint.server.process.channel import Channel, Order, Word
from setpoint.server.process.handover import Succession, Successor, notify
from setpoint.server.respond import without_values

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from setpoint.coordination.board import Board
    from setpoint.server.process.reload import Change, Reloader
    from setpoint.settings import Settings

_log = logging.getLogger("setpoint.supervisor")

_LEAST_STARTS = 5
"""So many workers in a row must die before they are ready, while none is, for the server to give up."""

_STEADY_S = 5.0
"""A worker that lived this long is replaced at once; the pause before others doubles up to as much."""

_FIRST_PAUSE_S = 0.1
_LOOK_S = 1.0
_CLOSE_S = 15.0
"""How long a worker may take behind the grace period, to bring its records home from a storage that is slow."""

_CUT_S = 5.0
"""How long it may take when it is to end at once."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP, signal.SIGUSR2)


@dataclass(slots=True)
class _Worker:
    """One forked process. `started` is in monotonic seconds; `ready` once it answers requests."""

    index: int
    pid: int
    channel: Channel
    started: float
    ready: bool = False


class Supervisor:
    """Keeps as many workers running as the board has places.

    `work` is what a worker does: it is called in the forked process, with its index and its end of the channel, and
    returns when the worker is to end. `ready` is called once all of them answer. `listener` is closed when the server
    stops.
    """

    def __init__(
        self,
        work: Callable[[int, Channel], None],
        board: Board,
        *,
        listener: socket.socket,
        reloader: Reloader,
        ready: Callable[[], None],
    ) -> None:
        self._work = work
        self._board = board
        self._listener = listener
        self._reloader = reloader
        self._succession = Succession(listener)
        self._tell_ready = ready
        self._workers: dict[int, _Worker] = {}  # by index
        self._due: dict[int, float] = {}  # when to start the worker of an index
        self._pauses = dict.fromkeys(range(board.workers), 0.0)  # the last pause before a start
        self._failed_starts = 0
        self._all_ready = False
        self._ending: Order | None = None
        self._kill_at = float("inf")
        self._looked = 0.0
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()

    def run(self) -> int:
        """Run the server until SIGTERM or SIGINT. Returns the exit code: 1 when the workers cannot be kept running."""
        gc.freeze()  # what is loaded by now is shared by all; the collector's marks would make copies of it
        with self._signals():
            self._looked = time.monotonic()
            self._due = dict.fromkeys(range(self._board.workers), self._looked)
            while self._workers or self._due:
                self._start_due()
                self._wait()
                self._reap()
                self._watch()
                if self._failed_starts >= _LEAST_STARTS and self._ending is None:
                    return self._give_up()
        return 0

    # --- starting --------------------------------------------------------------------------------------------

    def _start_due(self) -> None:
        now = time.monotonic()
        for index in [index for index, at in self._due.items() if at <= now]:
            del self._due[index]
            self._start(index)

    def _start(self, index: int) -> None:
        ours, theirs = Channel.pair()
        sys.stdout.flush()
        sys.stderr.flush()
        self._board.beat(index)
        pid = os.fork()
        if pid == 0:
            self._become_worker(index, ours, theirs)
        theirs.close()
        worker = self._workers[index] = _Worker(index, pid, ours, time.monotonic())
        self._selector.register(ours, selectors.EVENT_READ, worker)

    def _become_worker(self, index: int, ours: Channel, theirs: Channel) -> None:
        """The life of the forked process, from its first line to its last."""
        code = 1
        try:
            ours.close()
            self._forget()
            self._work(index, theirs)
            code = 0
        except BaseException as error:
            _log.critical("worker %d cannot go on: %s", index, type(error).__name__, exc_info=without_values(error))
        finally:
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _forget(self) -> None:
        """Let go of what is the supervisor's alone."""
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        # A terminal sends some of them to all; the supervisor says what they mean.
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)
        self._selector.close()
        self._woken.close()
        self._waker.close()
        for worker in self._workers.values():
            worker.channel.close()

    # --- waiting ---------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Hear what happens, until the next thing is due."""
        now = time.monotonic()
        until = min(self._looked + _LOOK_S, self._kill_at, *self._due.values())
        for key, _ in self._selector.select(max(0.0, until - now)):
            match key.data:
                case _Worker():
                    self._hear(key.data)
                case Successor():
                    self._settle(key.data)
                case _:
                    self._heed()

    def _hear(self, worker: _Worker) -> None:
        for word in worker.channel.received():
            if word == Word.READY:
                worker.ready = True
                self._failed_starts = 0
        if worker.channel.ended:
            self._selector.unregister(worker.channel)
        if not self._all_ready and len(self._workers) == self._board.workers:
            self._all_ready = all(one.ready for one in self._workers.values())
            if self._all_ready:
                self._tell_ready()

    def _heed(self) -> None:
        """Do what the signals that came ask for."""
        with suppress(BlockingIOError):
            for number in self._woken.recv(256):
                if number in (signal.SIGTERM, signal.SIGINT):
                    notify("STOPPING=1")
                    self._end(Order.CUT if self._ending in (Order.STOP, Order.CUT) else Order.STOP)
                elif number == signal.SIGHUP:
                    self._reload(self._reloader.read())
                elif number == signal.SIGUSR2 and self._ending is None:
                    self._begin_succession()

    def _begin_succession(self) -> None:
        successor = self._succession.begin()
        if successor is not None:
            self._selector.register(successor, selectors.EVENT_READ, successor)

    def _settle(self, successor: Successor) -> None:
        self._selector.unregister(successor)
        if self._succession.settle(successor) and self._ending is None:
            self._end(Order.LEAVE)

    def _end(self, order: Order) -> None:
        """Tell all workers to end; they are killed when they have not in time."""
        self._ending = order
        self._due.clear()
        self._listener.close()  # each worker has its own hold of it, and lets go once it has taken in who waits there
        for worker in self._workers.values():
            worker.channel.send(order)
        most_s = _CUT_S if order == Order.CUT else self._settings.shutdown_grace_s + _CLOSE_S
        self._kill_at = time.monotonic() + most_s

    def _reload(self, change: Change | None) -> None:
        """Have the workers use a newer configuration; those that start later are made from it."""
        if change is None or self._ending is not None:
            return
        self._board.configuration.write(change.content)
        for worker in self._workers.values():
            worker.channel.send(Order.RELOAD)

    @property
    def _settings(self) -> Settings:
        return self._reloader.found.loaded.settings

    # --- ends ------------------------------------------------------------------------------------------------

    def _reap(self) -> None:
        for worker in list(self._workers.values()):
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                self._bury(worker, status)

    def _bury(self, worker: _Worker, status: int) -> None:
        del self._workers[worker.index]
        with suppress(KeyError):
            self._selector.unregister(worker.channel)
        worker.channel.close()
        if self._ending is not None:
            return
        lived_s = time.monotonic() - worker.started
        if any(one.ready for one in self._workers.values()):
            self._failed_starts = 0
        elif not worker.ready:
            self._failed_starts += 1
        pause_s = self._pause(worker, lived_s)
        self._due[worker.index] = time.monotonic() + pause_s
        self._board.count(Happening.RESTART)
        _log.error(
            "worker %d (process %d) %s after %.1f s%s; another starts %s",
            worker.index,
            worker.pid,
            _said(status),
            lived_s,
            "" if worker.ready else ", before it was ready",
            f"in {pause_s:.1f} s" if pause_s else "at once",
        )

    def _pause(self, worker: _Worker, lived_s: float) -> float:
        """How long to wait before a worker is replaced, in seconds: the longer, the oftener it dies young."""
        if worker.ready and lived_s >= _STEADY_S:
            self._pauses[worker.index] = 0.0
            return 0.0
        last_s = self._pauses[worker.index]
        self._pauses[worker.index] = min(max(last_s * 2, _FIRST_PAUSE_S), _STEADY_S)
        return last_s

    def _watch(self) -> None:
        """See to the workers and the file, once a second; kill what has not ended in time."""
        now = time.monotonic()
        if now >= self._kill_at:
            self._kill_at = float("inf")
            for worker in self._workers.values():
                _log.error("worker %d (process %d) does not end: it is killed", worker.index, worker.pid)
                os.kill(worker.pid, signal.SIGKILL)
        if now - self._looked < _LOOK_S:
            return
        asleep = now - self._looked > 2 * _LOOK_S  # the whole machine may have been: then nobody is to blame
        self._looked = now
        if self._ending is None:
            self._reload(self._reloader.look())
            if not asleep:
                self._watch_beats()

    def _watch_beats(self) -> None:
        """Kill whoever stands still."""
        most_s = self._settings.watchdog_s
        if most_s is None:
            return
        for worker in self._workers.values():
            silence_s = self._board.silence_s(worker.index)
            if silence_s > most_s:
                _log.error(
                    "worker %d (process %d) has stood still for %.0f s: it is killed",
                    worker.index,
                    worker.pid,
                    silence_s,
                )
                os.kill(worker.pid, signal.SIGKILL)

    def _give_up(self) -> int:
        """Say that the workers cannot be started, and why nothing more is tried."""
        for worker in self._workers.values():
            os.kill(worker.pid, signal.SIGKILL)
            os.waitpid(worker.pid, 0)
        _log.critical(
            "gave up: workers died %d times in a row before they were ready; what they said of it stands above",
            self._failed_starts,
        )
        return 1

    @contextmanager
    def _signals(self) -> Generator[None]:
        """Have signals wake the loop instead of doing what they do."""
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        before = signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        handlers = {number: signal.signal(number, lambda _number, _frame: None) for number in _SIGNALS}
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            for number, handler in handlers.items():
                signal.signal(number, handler)


def _said(status: int) -> str:
    """How a process ended, by its wait status."""
    if os.WIFSIGNALED(status):
        return f"was ended by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"ended with code {os.waitstatus_to_exitcode(status)}"
