"""What the daemon starts from at boot, alone: one file, written when HA is enabled, readable by root only.

It holds what the superblock says as well, and how to reach the LUN: nothing else of this host is asked.
"""

import json
import os
import stat
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cardume.ha.profile import PROFILES, Profile
from cardume.ha.records import HostEntry, Superblock

DEFAULT_PORT = 7694
VERSION = 1


class ConfigError(Exception):
    """The file cannot be used; the sentence says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class ChapFacts:
    """A CHAP account."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StatefileFacts:
    """How the statefile is reached: a range of a LUN, by iSCSI (`portal` and what follows) or as a device (`path`)."""

    offset_bytes: int
    size_bytes: int
    scsi_id: str
    portal: str = ""
    iqn: str = ""
    lun: int = 0
    initiator: str = ""
    chap: ChapFacts | None = None
    mutual: ChapFacts | None = None
    path: str = ""


@dataclass(frozen=True, slots=True)
class HadConfig:
    """One host's part in the HA of its pool."""

    generation: str
    host_uuid: str
    profile_name: str
    hosts: tuple[HostEntry, ...]
    secret: bytes = field(repr=False)
    statefile: StatefileFacts
    watchdog: str = "/dev/watchdog"
    port: int = DEFAULT_PORT
    uplinks: tuple[str, ...] = ()
    """Interfaces without whose carrier guests shall run elsewhere, in the order that all hosts have; "": none here."""

    @property
    def me(self) -> int:
        """This host's index in the table."""
        return [host.uuid for host in self.hosts].index(self.host_uuid)

    @property
    def profile(self) -> Profile:
        return PROFILES[self.profile_name]

    def superblock(self, unit_bytes: int) -> Superblock:
        """What the superblock of this generation says."""
        return Superblock(self.generation, self.statefile.scsi_id, unit_bytes, self.profile_name, self.hosts)


def read_config(path: Path) -> HadConfig | None:
    """What the file says; None when there is none: HA is off. ConfigError."""
    try:
        with path.open() as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read()
    except FileNotFoundError:
        return None
    if mode & 0o077:
        raise ConfigError(f"{path} holds secrets, and its mode {mode:o} lets others read it")
    try:
        return _parse(json.loads(text))
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{path}: {error!r}") from None


def write_config(path: Path, config: HadConfig) -> None:
    """Put the file in place, durably; a crash leaves the old or the new one."""
    facts = asdict(config)
    facts["version"] = VERSION
    facts["secret"] = config.secret.hex()
    facts["hosts"] = [asdict(host) for host in config.hosts]
    write_durably(path, json.dumps(facts, indent=1))


def write_durably(path: Path, text: str) -> None:
    """Replace a file that only root reads."""
    fresh = path.with_name(f".{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(folder)
    os.close(folder)


def _parse(facts: dict[str, Any]) -> HadConfig:
    if facts["version"] != VERSION:
        raise ValueError(f"version {facts['version']}, not {VERSION}")
    statefile = dict(facts["statefile"])
    for account in ("chap", "mutual"):
        if statefile.get(account) is not None:
            statefile[account] = ChapFacts(**statefile[account])
    config = HadConfig(
        generation=str(facts["generation"]),
        host_uuid=str(facts["host_uuid"]),
        profile_name=str(facts["profile_name"]),
        hosts=tuple(HostEntry(str(one["uuid"]), tuple(map(str, one["addresses"]))) for one in facts["hosts"]),
        secret=bytes.fromhex(facts["secret"]),
        statefile=StatefileFacts(**statefile),
        watchdog=str(facts["watchdog"]),
        port=int(facts["port"]),
        uplinks=tuple(map(str, facts.get("uplinks", ()))),
    )
    if config.profile_name not in PROFILES:
        raise ValueError(f"no profile {config.profile_name}")
    if len(config.secret) < 16:
        raise ValueError("the secret is shorter than 16 bytes")
    assert config.me >= 0  # ValueError when this host is not in the table
    return config
