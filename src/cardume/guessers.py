"""Who tries passwords, seen by the address: for everything that people log in to."""

import ipaddress


def guesser(address: str) -> str:
    """Who counts as one: an IPv4 address, or the /64 of an IPv6 one, all of which a single guesser may have."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((found, 64), strict=False))
