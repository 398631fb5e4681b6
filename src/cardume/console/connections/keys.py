"""Keys of servers that were accepted: what is accepted once is pinned.

As with `xe` it is the key and not the certificate, because a host renews its certificate by itself with the key it has.
"""

import os
from hashlib import sha256
from pathlib import Path
from threading import RLock

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_WRITING = RLock()
"""Files are written in threads, and two browsers may be the same person."""


def key_of_certificate(certificate: bytes) -> str:
    """The SHA-256 of the public key in a certificate (DER); ValueError when it is none."""
    public = x509.load_der_x509_certificate(certificate).public_key()
    return sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def grouped(key: str) -> str:
    """A key as people compare it: `9F:86:D0:…`."""
    return ":".join(key[place : place + 2] for place in range(0, len(key), 2)).upper()


class KnownKeys:
    """The keys that one person accepted, one line a server (`ADDRESS:PORT KEY`) in a file that only its owner reads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = dict(_pairs(path))

    @classmethod
    def of(cls, folder: Path, owner: str) -> "KnownKeys":
        """Those of one person: what one accepts, another has to look at too."""
        return cls(folder / f"{sha256(owner.encode()).hexdigest()[:32]}.keys")

    def find(self, server: str) -> str | None:
        """The key that was accepted for a server."""
        return self._known.get(server)

    def accept(self, server: str, key: str) -> None:
        """Pin a server's key; it is on the disk when this returns."""
        if self._known.get(server) == key:
            return
        with _WRITING:
            self._known = {**self._known, **dict(_pairs(self._path)), server: key}  # with what another browser accepted
            text = "".join(f"{name} {known}\n" for name, known in sorted(self._known.items()))
            write_private(self._path, text.encode())


def _pairs(path: Path) -> list[tuple[str, str]]:
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return []
    words = (line.split() for line in lines)
    return [(pair[0], pair[1]) for pair in words if len(pair) == 2]


def write_private(path: Path, content: bytes) -> None:
    """Give a file new content, whole or not at all, readable by its owner alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    with _WRITING:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
