"""What can be done with bridges on one host."""

from typing import Protocol


class Bridges(Protocol):
    """Linux bridges of this host. Failures are `NetworkError`s."""

    async def ensure_bridge(self, name: str, *, mtu: int = 1500) -> None:
        """The bridge exists and is up; no error when it was."""
        ...

    async def remove_bridge(self, name: str) -> None:
        """The bridge is gone; refused while it has ports. One that is not there is no error."""
        ...

    async def add_port(self, bridge: str, interface: str) -> None: ...

    async def remove_port(self, bridge: str, interface: str) -> None: ...

    async def list(self) -> dict[str, tuple[str, ...]]:
        """Every bridge with its ports."""
        ...
