"""What a host's certificate is for: the names and addresses under which clients reach it."""

from collections.abc import Iterable

from cardume.hostops.host_parsers import NIC


def certificate_names(hostname: str) -> list[str]:
    """The host's names."""
    return [hostname, "localhost"]


def certificate_addresses(nics: Iterable[NIC]) -> list[str]:
    """The host's addresses."""
    return ["127.0.0.1", *(nic.ipv4.address for nic in nics if nic.ipv4 is not None)]
