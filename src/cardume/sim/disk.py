"""The statefile on the shared LUN: blocks that are written whole, and never lost once they were acknowledged.

Which of a host's writes lands when is the room's choice (world.py); here is what a read finds.
"""

from cardume.ha.merging import merged_block, newest_slot
from cardume.ha.records import BallotBlock, Slot


class Disk:
    """Slots and ballots by host and sector."""

    def __init__(self, hosts: int) -> None:
        self.hosts = hosts
        self._slots: list[dict[int, Slot]] = [{} for _ in range(hosts)]
        self._ballots: list[dict[int, BallotBlock]] = [{} for _ in range(hosts)]
        self.is_up = True
        self.cut: set[int] = set()
        """Hosts that do not reach it."""

    def reaches(self, host: int) -> bool:
        """Whether an I/O of this host would get through now."""
        return self.is_up and host not in self.cut

    def land(self, host: int, block: Slot | BallotBlock) -> None:
        """A write reaches the medium."""
        if isinstance(block, Slot):
            self._slots[host][block.sector] = block
        else:
            self._ballots[host][block.sector] = block

    def slot(self, host: int) -> Slot | None:
        """The newest slot of a host's area, as it is read now."""
        return newest_slot(self._slots[host].values())

    def ballot(self, host: int) -> BallotBlock | None:
        """A host's ballot sectors, merged, as they are read now."""
        return merged_block(self._ballots[host].values())
