"""Networks without which VMs shall not stay on a host: which ones ask for it, and each host's interface of them."""

from collections.abc import Sequence

from cardume.datamodel.host import Host
from cardume.datamodel.network import Network
from cardume.datamodel.refs import Ref
from cardume.messages.ha_plan import the_pool
from cardume.pooldb.db import Reader, Transaction

UPLINK_KEY = "ha_uplink"
"""In `other_config` of a network: without carrier there its VMs shall run on another host."""
PLACES_KEY = "uplink_networks"
"""In the pool's `ha_configuration`: the networks' uuids, in the order of the bits by which hosts tell of them."""
MOST = 16


def uplink_places(db: Reader) -> tuple[str, ...]:
    """The networks that ask for it, each in a place of its own for as long as HA is on; by uuid.

    A place is never given to another network: a host that has not heard of it would mean the one before.
    """
    _, pool = the_pool(db)
    before = tuple(uuid for uuid in pool.ha_configuration.get(PLACES_KEY, "").split(",") if uuid)
    new = sorted(network.uuid for network in db.all(Network).values() if _asks(network) and network.uuid not in before)
    return (*before, *new)[:MOST]


def are_kept(db: Reader, places: Sequence[str]) -> bool:
    """Whether it is written down already."""
    return the_pool(db)[1].ha_configuration.get(PLACES_KEY, "") == ",".join(places)


def keep_places(txn: Transaction, places: Sequence[str]) -> None:
    """Write down which network has which place."""
    if not are_kept(txn, places):
        ref, pool = the_pool(txn)
        txn.update(ref, ha_configuration={**pool.ha_configuration, PLACES_KEY: ",".join(places)})


def uplinks_of(db: Reader, host: Ref[Host], places: Sequence[str]) -> tuple[str, ...]:
    """A host's interface of each of these networks; "": it has none that is in use, or the network does not ask now."""
    networks = {network.uuid: network for network in db.all(Network).values() if _asks(network)}
    return tuple(_device(db, host, networks[uuid]) if uuid in networks else "" for uuid in places)


def _asks(network: Network) -> bool:
    return network.other_config.get(UPLINK_KEY) == "true"


def _device(db: Reader, host: Ref[Host], network: Network) -> str:
    pifs = [db.get(pif) for pif in network.PIFs]
    return min((pif.device for pif in pifs if pif.host == host and pif.currently_attached), default="")
