"""What a host knows of its pool when nobody answers: who is in it, who is the master, who keeps the pool database.

One small file, of which the master's copy also decides where the objects are: in its own file, or in a cluster.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cardume.hostops.durable import sync_folder, write_json
from cardume.pooldb.etcd_settings import Voter


@dataclass(frozen=True, slots=True)
class KnownHost:
    """A host of the pool."""

    uuid: str
    address: str
    hostname: str


@dataclass(frozen=True, slots=True)
class PoolMap:
    """The pool as its master last told."""

    generation: int = 0  # one more at every change of master, and of the database's place
    master: str = ""  # its uuid
    cluster: str = ""  # the etcd cluster that has the objects; empty: the file of a pool of one
    voters: tuple[str, ...] = ()  # uuids of the hosts that keep it
    hosts: tuple[KnownHost, ...] = ()
    copied_from: int = 0  # the last change of the copy that this cluster was made of, until the master has told it
    ha: bool = False  # two hosts keep two voters, and a verdict may have one of them go on alone
    settled: bool = False  # all of the voters have together decided something: each has all that was acknowledged

    @property
    def rank(self) -> tuple[int, str]:
        """Of two masters the one of higher rank is the master."""
        return self.generation, self.master

    def find(self, uuid: str) -> KnownHost | None:
        return next((host for host in self.hosts if host.uuid == uuid), None)

    def address(self, uuid: str) -> str:
        """Where a host is found; empty when that is not known."""
        host = self.find(uuid)
        return host.address if host is not None else ""

    def voters_of(self, *more: str) -> list[Voter]:
        """The members of the cluster, and others that are to be."""
        uuids = dict.fromkeys((*self.voters, *more))
        return [Voter(uuid, self.address(uuid)) for uuid in uuids if self.address(uuid)]

    def endpoints(self, nearest: str) -> list[str]:
        """Where the cluster is asked, this host's own member first."""
        voters = sorted(self.voters_of(), key=lambda voter: voter.name != nearest)
        return [voter.client_url for voter in voters]

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return dataclasses.asdict(self)


def parse(told: Mapping[str, Any]) -> PoolMap:
    """The map that `told` told."""
    return PoolMap(
        generation=int(told["generation"]),
        master=str(told["master"]),
        cluster=str(told["cluster"]),
        voters=tuple(str(uuid) for uuid in told["voters"]),
        hosts=tuple(KnownHost(**host) for host in told["hosts"]),
        copied_from=int(told["copied_from"]),
        ha=bool(told.get("ha", False)),
        settled=bool(told.get("settled", False)),
    )


def read_map(path: Path) -> PoolMap:
    """What this host knows; a host without the file is a pool of one, and keeps its objects in a file."""
    try:
        return parse(json.loads(path.read_text()))
    except FileNotFoundError:
        return PoolMap()


def write_map(path: Path, known: PoolMap) -> None:
    """Know that from now on, over every crash."""
    write_json(path, known.told())


def forget_map(path: Path) -> None:
    path.unlink(missing_ok=True)
    sync_folder(path.parent)
