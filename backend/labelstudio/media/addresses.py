"""Which network addresses may be connected to, and how a host name becomes one of them."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress

from backend.errors import MediaError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Whether `address` lies on the public internet: not private, loopback, link-local, shared, multicast, reserved.

    IPv6 addresses that carry an IPv4 address (mapped, NAT64, 6to4) are as public as what they carry.
    """
    if isinstance(address, ipaddress.IPv6Address):
        carried = _carried(address)
        if carried is not None:
            return is_public(carried)
        if address.is_site_local or address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def resolve(host: str, port: int, timeout: float) -> Sequence[Address]:
    """The addresses of `host` within `timeout` seconds. Raises `MediaError`."""
    with suppress(ValueError):
        return [ipaddress.ip_address(host)]
    found: list[Address] = []
    failure: list[Exception] = []

    def look_up() -> None:
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.extend(dict.fromkeys(ipaddress.ip_address(row[4][0]) for row in rows))
        except (OSError, ValueError) as error:  # ValueError: a name that IDNA or the C library cannot take.
            failure.append(error)

    # getaddrinfo has no time-out of its own: a dead name server would hold the caller for half a minute.
    thread = threading.Thread(target=look_up, name="media-dns", daemon=True)
    thread.start()
    thread.join(timeout)
    if failure or not found:
        reason = str(failure[0]) if failure else f"no answer within {timeout:.0f} s"
        raise MediaError(f"The host {host} has no address ({reason}). Correct the address in the task's data.")
    return found
