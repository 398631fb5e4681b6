"""Everything that can be done on one host, gathered: what a message asks for when it needs a host to act."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cardume.hostops.guests.interface import Guests
from cardume.hostops.ha.absent import AbsentHa
from cardume.hostops.ha.interface import HaAgent
from cardume.hostops.machine.interface import Machine
from cardume.hostops.metrics.interface import Meter
from cardume.hostops.network.host_network import HostNetwork
from cardume.hostops.network.interface import Bridges
from cardume.hostops.storage.driver import Copier, StorageDriver


@dataclass(frozen=True, slots=True)
class Hands:
    """The hands of one host."""

    guests: Guests
    storage: Mapping[str, StorageDriver]  # by SR type
    copier: Copier
    bridges: Bridges
    network: HostNetwork
    machine: Machine
    meter: Meter
    ha: HaAgent = field(default_factory=AbsentHa)
