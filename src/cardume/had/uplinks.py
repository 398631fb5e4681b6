"""Which of this host's uplinks have no carrier, so that others may take its guests over when theirs have."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MOST = 16
_NETWORKS = Path("/sys/class/net")


@dataclass(frozen=True, slots=True)
class WatchUplinks:
    """The core tells the network process: from now on it is these."""

    interfaces: tuple[str, ...]


def uplinks_watched(interfaces: Sequence[str]) -> int:
    """Bits of the interfaces that there are here, in their order."""
    return sum(1 << bit for bit, name in enumerate(interfaces[:MOST]) if name)


def uplinks_down(interfaces: Sequence[str], networks: Path = _NETWORKS) -> int:
    """Bits of the interfaces without a carrier, in their order; one without a name is of no concern to this host."""
    return sum(1 << bit for bit, name in enumerate(interfaces[:MOST]) if name and not _has_carrier(networks / name))


def _has_carrier(interface: Path) -> bool:
    try:
        return (interface / "carrier").read_text().strip() == "1"
    except OSError:  # it is switched off, or not there
        return False
