"""A throw-away etcd: certificates of its own, one or more members on 127.0.0.1, started, killed and ended by a test."""

import atexit
import ipaddress
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cardume.pooldb.etcd_gateway import Credentials, Gateway, b64
from cardume.pooldb.etcd_settings import Settings, Voter

PROGRAM = os.environ.get("CARDUME_CONTRACT_ETCD", "")
"""The etcd to run."""
READY_S = 120.0
VALID = timedelta(days=2)


def make_credentials(directory: Path, address: str, authority: "Authority") -> Credentials:
    """Files with which a host at an address belongs to the authority's pool."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName("localhost"), *(x509.IPAddress(ipaddress.ip_address(a)) for a in {address, "127.0.0.1"})]
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = _builder(f"host {address}", key.public_key(), "pool authority")
    certificate = (
        builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage(both), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    directory.mkdir(parents=True, exist_ok=True)
    made = Credentials(directory / "authority.pem", directory / "host.pem", directory / "host.key")
    made.authority.write_bytes(authority.pem)
    made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key.touch(mode=0o600)
    made.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made


class Authority:
    """A pool's certificate authority, for as long as a test runs."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder("pool authority", self.key.public_key(), "pool authority")
        made = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
        self.pem = made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _builder(subject: str, key: ec.EllipticCurvePublicKey, issuer: str) -> x509.CertificateBuilder:
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer)).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + VALID)


@dataclass
class Room:
    """A directory, and the members that live in it."""

    directory: Path
    credentials: Credentials
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    gateways: list[Gateway] = field(default_factory=list)

    @classmethod
    def make(cls, directory: Path) -> "Room":
        return cls(directory, make_credentials(directory / "tls", "127.0.0.1", Authority()))

    def voter(self, name: str) -> Voter:
        """A member to be, on ports that nobody uses now."""
        return Voter(name, "127.0.0.1", *_free_ports(2))

    def data(self, voter: Voter) -> Path:
        return self.directory / voter.name

    def start(
        self, voter: Voter, *voters: Voter, joins: bool = False, alone: bool = False, changed: Mapping[str, Any] = {}
    ) -> None:
        """Start a member. `voters`: the whole cluster, when it is not this one by itself."""
        settings = Settings(voter, self.data(voter), self.credentials, "contract", voters or (voter,), joins, alone)
        file = self.directory / f"{voter.name}.json"
        file.write_text(json.dumps({**json.loads(settings.render()), **changed}))
        with (self.directory / f"{voter.name}.log").open("ab") as output:
            command = [PROGRAM, f"--config-file={file}"]
            self.running[voter.name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def end(self, voter: Voter, how: signal.Signals = signal.SIGKILL) -> int:
        """End a member by a signal; its exit status."""
        child = self.running.pop(voter.name)
        child.send_signal(how)
        return child.wait(20)

    def wait_end(self, voter: Voter, timeout_s: float = 90.0) -> int:
        """The exit status of a member that ends by itself."""
        return self.running.pop(voter.name).wait(timeout_s)

    def wipe(self, voter: Voter) -> None:
        """Forget a member's data, as a host does that is to join anew."""
        shutil.rmtree(self.data(voter))

    async def leave(self) -> None:
        """End the gateways and every member, and remove what they wrote."""
        for gateway in self.gateways:
            await gateway.close()
        self.close()
        shutil.rmtree(self.directory)  # each member has taken 128 MB for its log

    def close(self) -> None:
        """End every member."""
        for child in self.running.values():
            child.kill()
            child.wait(20)

    def gateway(self, *voters: Voter) -> Gateway:
        """A way to these members, which ends with the room."""
        made = Gateway([voter.client_url for voter in voters], self.credentials)
        self.gateways.append(made)
        return made


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


@cache
def shared() -> tuple[Room, Voter]:
    """One etcd for all tests that need no more than an empty store; it ends with the test run."""
    directory = tempfile.TemporaryDirectory(prefix="contract-etcd-")
    room = Room.make(Path(directory.name))
    voter = room.voter("shared")
    room.start(voter)
    atexit.register(directory.cleanup)
    atexit.register(room.close)
    return room, voter


async def empty(gateway: Gateway) -> None:
    """Wait until a cluster takes writes, and remove every key."""
    everything = {"key": b64(b"\0"), "range_end": b64(b"\0")}
    await gateway.ask("/v3/kv/deleterange", everything, timeout_s=READY_S)
