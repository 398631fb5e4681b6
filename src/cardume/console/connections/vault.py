"""A person's saved servers with their passwords, encrypted by the password that opened the console.

Whoever has the file and not the password has nothing. A person whose password changed begins with an empty one.
"""

import base64
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import scrypt, sha256
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from cardume.console.connections.keys import write_private

_SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Saved:
    """A server to connect to, and as whom."""

    address: str
    username: str
    password: str


class Vault:
    """The file of one person: who logged in where, by which password. Slow on purpose, so off the event loop."""

    def __init__(self, folder: Path, owner: str, password: str) -> None:
        self._path = folder / f"{sha256(owner.encode()).hexdigest()[:32]}.vault"
        self._password = password

    def read(self) -> tuple[Saved, ...]:
        """The saved servers; none when there is no file, or another password made it."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return ()
        salt, sealed = content[:_SALT_BYTES], content[_SALT_BYTES:]
        try:
            plain = json.loads(self._cipher(salt).decrypt(sealed))
        except (InvalidToken, ValueError):
            return ()
        return tuple(Saved(one["address"], one["username"], one["password"]) for one in plain)

    def write(self, servers: Sequence[Saved]) -> None:
        """Save these servers in place of what was saved."""
        salt = os.urandom(_SALT_BYTES)
        sealed = self._cipher(salt).encrypt(json.dumps([asdict(server) for server in servers]).encode())
        write_private(self._path, salt + sealed)

    def _cipher(self, salt: bytes) -> Fernet:
        key = scrypt(self._password.encode(), salt=salt, n=1 << 14, r=8, p=1, dklen=32)
        return Fernet(base64.urlsafe_b64encode(key))
