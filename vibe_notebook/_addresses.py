"""Classify internet addresses: this machine, its network segment, a private network, or public.

At the bottom of the package: imports nothing of it. Remote streams use it: a public server must not redirect a
reader to a private address.
"""

from __future__ import annotations

import ipaddress
import socket
from enum import IntEnum
from typing import Final

__all__ = ["Reach", "is_loopback", "reach_of"]

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


class Reach(IntEnum):
    """Rank addresses by their distance; a larger rank is nearer to this machine."""

    PUBLIC = 0
    PRIVATE = 1
    LINK = 2
    """The same network segment; clouds serve a machine's own credentials at such an address."""
    LOOPBACK = 3


def is_loopback(host: str) -> bool:
    """Return whether *host*, a name or an address, is this machine; of names, only ``localhost`` ones are."""
    return reach_of(host) is Reach.LOOPBACK


def reach_of(host: str) -> Reach | None:
    """Return the reach of an address or of a name for this machine; ``None`` for any other name."""
    name = host.lower().strip("[]").removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return Reach.LOOPBACK
    address = _parsed(name)
    return None if address is None else _reach(address)


def _parsed(name: str) -> _Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        pass
    if not name or not set(name) <= set("0123456789abcdefx."):
        return None
    try:
        # Resolvers read "127.1", "0x7f000001" and "2130706433" as addresses too.
        return ipaddress.IPv4Address(socket.inet_aton(name))
    except OSError:
        return None


def _reach(address: _Address) -> Reach:
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return _reach(inner)
    if address.is_loopback or address.is_unspecified:  # a connection to 0.0.0.0 reaches this machine
        return Reach.LOOPBACK
    if address.is_link_local:
        return Reach.LINK
    return Reach.PUBLIC if address.is_global and not address.is_multicast else Reach.PRIVATE
