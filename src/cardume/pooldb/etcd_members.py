"""The cluster itself: who belongs to it, how each member fares, joins and leaves, and upkeep.

Every change may be asked for twice: one that has happened already is no error.
"""

import asyncio
from dataclasses import dataclass

from cardume.pooldb.etcd_gateway import Gateway, Message, Refused, number
from cardume.pooldb.store import StoreError

CHANGE_TIMEOUT_S = 15.0
"""For a change of members: for some seconds after one connects etcd refuses the next ("unhealthy cluster")."""
STATUS_TIMEOUT_S = 2.0
DEFRAGMENT_TIMEOUT_S = 120.0
_PAUSE_S = 0.1
_ADDED = frozenset({"Peer URLs already exists", "member ID already exist"})
_PROMOTED = frozenset({"can only promote a learner member"})
_REMOVED = frozenset({"member not found"})
_NOT_YET = frozenset(
    {
        "can only promote a learner member which is in sync with leader",
        "re-configuration failed due to not enough started members",
    }
)


@dataclass(frozen=True, slots=True)
class Member:
    """One member of the cluster. `name` is empty until it has come up for the first time."""

    id: int
    name: str
    peer_url: str
    client_url: str
    votes: bool


@dataclass(frozen=True, slots=True)
class Status:
    """How one member fares. `leader` is 0 when it knows none."""

    member: int
    leader: int
    version: str
    size_bytes: int
    used_bytes: int  # less than the size: defragmenting gives the rest back
    applied: int  # index of the last change that it has
    votes: bool
    errors: tuple[str, ...]


class Members:
    """Operations on the cluster that a gateway leads to."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def list(self) -> tuple[Member, ...]:
        """The members as the one that answers knows them; works without a majority, too."""
        answer = await self._gateway.ask("/v3/cluster/member/list", {}, leader=False)
        return tuple(sorted((_member(told) for told in answer["members"]), key=lambda member: member.id))

    async def find(self, peer_url: str) -> Member | None:
        """The member with this address, if it belongs to the cluster."""
        return next((member for member in await self.list() if member.peer_url == peer_url), None)

    async def add_learner(self, peer_url: str, *, timeout_s: float = CHANGE_TIMEOUT_S) -> Member:
        """Make room for a member that follows without a vote; only then may its etcd be started, on no data."""
        await self._change("add", {"peerURLs": [peer_url], "isLearner": True}, _ADDED, timeout_s)
        added = await self.find(peer_url)
        if added is None:
            raise StoreError(f"the member {peer_url} was removed while it was added")
        return added

    async def promote(self, member: int, *, timeout_s: float = CHANGE_TIMEOUT_S) -> None:
        """Give a learner its vote, as soon as it has caught up."""
        await self._change("promote", {"ID": str(member)}, _PROMOTED, timeout_s)

    async def remove(self, member: int, *, timeout_s: float = CHANGE_TIMEOUT_S) -> None:
        """Take a member out; its etcd, if it runs, ends by itself, and never belongs to the cluster again."""
        await self._change("remove", {"ID": str(member)}, _REMOVED, timeout_s)

    async def status(self) -> Status:
        """How the member fares that the gateway asks first; works without a majority, too."""
        told = await self._gateway.ask("/v3/maintenance/status", {}, timeout_s=STATUS_TIMEOUT_S, leader=False)
        return Status(
            member=number(told["header"], "member_id"),
            leader=number(told, "leader"),
            version=told.get("version", ""),
            size_bytes=number(told, "dbSize"),
            used_bytes=number(told, "dbSizeInUse"),
            applied=number(told, "raftAppliedIndex"),
            votes=not told.get("isLearner", False),
            errors=tuple(told.get("errors", ())),
        )

    async def move_leader(self, member: int) -> None:
        """Have another voter lead; the gateway's first member must be the leader."""
        await self._gateway.ask("/v3/maintenance/transfer-leadership", {"targetID": str(member)})

    async def defragment(self) -> None:
        """Give unused space of the gateway's first member back to its disk. It answers nobody meanwhile."""
        limit_s = DEFRAGMENT_TIMEOUT_S
        await self._gateway.ask("/v3/maintenance/defragment", {}, timeout_s=limit_s, attempt_s=limit_s, leader=False)

    async def clear_alarms(self) -> tuple[str, ...]:
        """Allow writes again after the quota was reached and room was made; the alarms that were on."""
        told = await self._gateway.ask("/v3/maintenance/alarm", {"action": "GET"})
        alarms = tuple(told.get("alarms", ()))
        for alarm in alarms:
            body = {"action": "DEACTIVATE", "memberID": alarm.get("memberID", "0"), "alarm": alarm["alarm"]}
            await self._gateway.ask("/v3/maintenance/alarm", body)
        return tuple(alarm["alarm"] for alarm in alarms)

    async def _change(self, what: str, body: Message, done_already: frozenset[str], timeout_s: float) -> None:
        deadline = asyncio.get_running_loop().time() + timeout_s
        while True:
            left_s = deadline - asyncio.get_running_loop().time()
            try:
                await self._gateway.ask(f"/v3/cluster/member/{what}", body, timeout_s=max(left_s, 0.1))
                return
            except Refused as refused:
                text = refused.text.removeprefix("etcdserver: ")
                if text in done_already:
                    return
                if text not in _NOT_YET or left_s <= _PAUSE_S:
                    raise
            await asyncio.sleep(_PAUSE_S)


def _member(told: Message) -> Member:
    clients = told.get("clientURLs") or [""]
    return Member(number(told, "ID"), told.get("name", ""), told["peerURLs"][0], clients[0], not told.get("isLearner"))
