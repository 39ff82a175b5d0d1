"""Whose address a request came from, when proxies stand between."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_HOPS = 32


class Proxies:
    """The proxies whose word is believed about who called them. X-Forwarded-Host and -Proto are nobody's to say."""

    def __init__(self, trusted: Sequence[str]) -> None:
        self._trusted = tuple(map(ip_network, trusted))

    def client(self, peer: str, forwarded_for: Sequence[str]) -> str:
        """The client's address: the peer's own, unless that is a trusted proxy.

        Each trusted proxy has added, on the right, whom it heard from; so the first from the right that is no trusted
        proxy is the client, and what stands left of it may be anybody's invention.
        """
        if not self._trusted:
            return peer
        address = _address(peer)
        if address is None or not self._trusts(address):
            return peer
        hops = [hop for value in forwarded_for for hop in value.split(",")]
        for hop in reversed(hops[-_HOPS:]):
            said = _address(hop.strip())
            if said is None:
                break
            address = said
            if not self._trusts(address):
                break
        return str(address)

    def _trusts(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address as proxies write it, with or without a port; None for anything else."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
