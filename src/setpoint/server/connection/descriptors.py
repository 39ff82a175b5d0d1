"""How many connections the system's limit on open files leaves room for.

A server that runs out of descriptors can neither accept, nor call a provider, nor open its database. It must refuse
before that, so the number of connections is cut to what is there.
"""

from __future__ import annotations

import logging
import resource

_log = logging.getLogger("setpoint.server")

_KEPT = 64
"""For the database, the spool, the loop, and what else is open whatever the load."""
_CLIENTS_PERCENT = 75
"""Of the rest; what remains is for connections to providers, since not every client is waiting for one at once."""
_LEAST = 8


def connection_limit(wanted: int) -> int:
    """How many client connections there may be: `wanted`, or fewer when the limit on open files is too low for that.

    Raises the process's own limit as far as the system lets it. The cut is logged.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    needed = wanted * 100 // _CLIENTS_PERCENT + _KEPT + 1
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    fits = max(_LEAST, (soft - _KEPT) * _CLIENTS_PERCENT // 100)
    if fits >= wanted:
        return wanted
    _log.warning("at most %d connections, not %d: the limit on open files (ulimit -n) is %d", fits, wanted, soft)
    return fits
