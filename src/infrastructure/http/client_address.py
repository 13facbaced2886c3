"""Who asks: the peer of the connection, or whom a trusted proxy names."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias

from aiohttp import web

Network: TypeAlias = IPv4Network | IPv6Network


def client_address(request: web.Request, trusted: Sequence[Network]) -> str:
    """The last address that is no trusted proxy's. What proxies that are not trusted say of it is not believed."""
    chain = [*",".join(request.headers.getall("X-Forwarded-For", [])).split(","), request.remote or ""]
    believed = "unknown"
    for text in reversed(chain):
        address = _address(text.strip())
        if address is None:
            return believed
        believed = str(address)
        if not any(address in network for network in trusted):
            return believed
    return believed


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
