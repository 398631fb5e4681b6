"""Members that live by the HA daemon's word and whose cardumed does not come: how long, and what is told of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

UNMANAGED_S = 60.0
"""A daemon that starts anew, also after a boot, is there long before."""


@dataclass(slots=True)
class UnmanagedHosts:
    """Which members have not been connected for long, and which were told of."""

    _since_s: dict[str, float] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    def look(self, connected: Mapping[str, bool], now_s: float) -> frozenset[str]:
        """Given each member's uuid and whether it is connected: those that have not been for long."""
        here = {uuid for uuid, is_there in connected.items() if is_there}
        self._since_s = {uuid: self._since_s.get(uuid, now_s) for uuid in connected.keys() - here}
        return frozenset(uuid for uuid, since_s in self._since_s.items() if now_s - since_s >= UNMANAGED_S)

    def untold(self, long: frozenset[str]) -> frozenset[str]:
        """Of those that have not been connected for long: whom nobody was told of."""
        return long - self._told

    def tell(self, uuid: str) -> None:
        """It was told of."""
        self._told.add(uuid)

    def end(self, managed: frozenset[str], members: frozenset[str]) -> frozenset[str]:
        """Those that were told of and are connected again; one that is no member is told of by other words."""
        back = self._told & managed
        self._told = (self._told & members) - managed
        return frozenset(back)


def unmanaged(name: str, vms: int, *, are_over: bool) -> str:
    """The body of HA_HOST_UNMANAGED. `are_over`: its VMs ran in an earlier life, and are started elsewhere."""
    begins = f"Server '{name}' lives, but its cardumed has not been connected to the master for {UNMANAGED_S:.0f} s."
    if are_over or not vms:
        return f"{begins} It can run no VM. Start cardumed there, or restart the server."
    return (
        f"{begins} What is recorded there ({vms} VM{'s' if vms > 1 else ''}) may run, so it is not started elsewhere."
        " Start cardumed there; if that does not help, cut the server's power: then protected VMs are started again."
    )


def managed_again(name: str) -> str:
    """The body of its twin."""
    return f"The cardumed of server '{name}' is connected to the master again."
