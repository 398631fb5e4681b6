"""What a member does with the map that its master tells: who is in the pool, who keeps the database, who has a vote."""

from cardume.daemons.etcd_here import EtcdHere
from cardume.daemons.mirroring import Mirroring
from cardume.daemons.place import Place
from cardume.daemons.pool_map import PoolMap
from cardume.daemons.vote import Vote
from cardume.hostops.errors import HostError
from cardume.hostops.host_names import names_of


async def take_map(told: PoolMap, place: Place, mirroring: Mirroring, etcd: EtcdHere, vote: Vote) -> None:
    """Know it, and have the vote that it gives, or none. HostError: this host knows a newer master."""
    if told.rank < place.map.rank:
        raise HostError("this host knows a newer master")
    if place.know(told):
        await mirroring.look_again()
        await etcd.leave_behind(told.cluster)
    known = place.map  # it may have been told of more meanwhile, such as that its vote is gone
    if etcd.cluster == known.cluster:
        vote.note(known)
    else:
        vote.drop()
    await names_of([(host.address, host.hostname) for host in told.hosts])
