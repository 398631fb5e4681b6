"""What the toolstacks of the others say of the pool database, as far as it can be gone by now."""

from collections.abc import Mapping

from cardume.ha.records import Aside
from cardume.ha.state import State

_FRESH_S = 2.0


def heard(state: State, now_s: float) -> Mapping[int, Aside]:
    """What each member says in its newest slot; nothing of one that has not been seen to write just now.

    What a slot says that lies there since its host has lost the disk, or its power, may be true no more. Nor is it when
    the read took long: meanwhile another slot may have been written.
    """
    limit_s = max(_FRESH_S, 3 * state.config.profile.cycle_s)
    return {
        host: peer.aside
        for host, peer in enumerate(state.peers)
        if state.epoch.lists(host, peer.disk_life) and now_s - peer.aside_s <= limit_s
    }
