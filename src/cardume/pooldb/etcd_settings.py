"""What an etcd of ours is started with: its configuration file, for versions 3.4 and 3.5."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cardume.pooldb.etcd_gateway import Credentials
from cardume.pooldb.store import MAX_BYTES, MAX_OPERATIONS

CLIENT_PORT = 2379
PEER_PORT = 2380
HEARTBEAT_MS = 100
ELECTION_MS = 1000
"""Shorter, and a disk that guests keep busy for half a second would change the leader."""
ALONE_HEARTBEAT_MS, ALONE_ELECTION_MS = 20, 200
"""Of a member that forgets the others: it has nobody to wait for, and its pool waits for it."""
QUOTA_BYTES = 1 << 30
KEPT_REVISIONS = 10_000
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Voter:
    """Where a member of the cluster is found."""

    name: str  # the host's uuid: unique, and the same after a rename
    address: str
    client_port: int = CLIENT_PORT
    peer_port: int = PEER_PORT

    @property
    def client_url(self) -> str:
        return f"https://{self.address}:{self.client_port}"

    @property
    def peer_url(self) -> str:
        return f"https://{self.address}:{self.peer_port}"


@dataclass(frozen=True, slots=True)
class Settings:
    """One start of an etcd.

    What it is told of the cluster counts at the first start alone; later its data says who belongs to it.
    """

    me: Voter
    data: Path
    credentials: Credentials  # the certificate is for servers and for clients, and names `me.address` and 127.0.0.1
    cluster: str  # the pool's: members of two clusters do not talk to each other
    voters: Sequence[Voter]  # this one among them
    joins: bool = False  # an existing cluster, which has added this one as a member already
    alone: bool = False  # forget the other members; only after `raise_commit` of etcd_wal.py

    def render(self) -> str:
        """The configuration file; JSON is YAML."""
        clients = dict.fromkeys((self.me.client_url, f"https://{LOOPBACK}:{self.me.client_port}"))
        tls = {
            "cert-file": str(self.credentials.certificate),
            "key-file": str(self.credentials.key),
            "trusted-ca-file": str(self.credentials.authority),
            "client-cert-auth": True,
        }
        told = {
            "name": self.me.name,
            "data-dir": str(self.data),
            "listen-client-urls": ",".join(clients),
            "advertise-client-urls": self.me.client_url,
            "listen-peer-urls": self.me.peer_url,
            "initial-advertise-peer-urls": self.me.peer_url,
            "initial-cluster": ",".join(f"{voter.name}={voter.peer_url}" for voter in self.voters),
            "initial-cluster-token": self.cluster,
            "initial-cluster-state": "existing" if self.joins else "new",
            "client-transport-security": tls,
            "peer-transport-security": tls,
            "enable-grpc-gateway": True,  # off in a file, on as an option
            **_pace(alone=self.alone),
            "pre-vote": True,  # a member that comes back does not unseat the leader
            "snapshot-count": 10_000,
            "auto-compaction-mode": "revision",
            "auto-compaction-retention": str(KEPT_REVISIONS),
            "quota-backend-bytes": QUOTA_BYTES,
            "max-txn-ops": MAX_OPERATIONS,
            "max-request-bytes": 3 * MAX_BYTES,  # keys and compares come on top of the values
            "logger": "zap",
            "log-outputs": ["stderr"],
        }
        return _text(told)


def together(settings: str) -> str:
    """The same settings for a member that does not forget the others."""
    return _text({**json.loads(settings), **_pace(alone=False)})


def _pace(*, alone: bool) -> dict[str, object]:
    return {
        "force-new-cluster": alone,
        "heartbeat-interval": ALONE_HEARTBEAT_MS if alone else HEARTBEAT_MS,
        "election-timeout": ALONE_ELECTION_MS if alone else ELECTION_MS,
    }


def _text(told: Mapping[str, object]) -> str:
    return json.dumps(told, indent=1) + "\n"
