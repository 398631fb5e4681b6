"""What a host is in its pool, kept in one small file: it decides what the daemon starts as."""

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cardume.hostops.durable import sync_folder, write_json


class Standing(StrEnum):
    MASTER = "master"
    MEMBER = "member"
    JOINING = "joining"  # its objects may be the pool's already, or not: the pool knows


@dataclass(frozen=True, slots=True)
class HostRole:
    """The standing of a host, and where its master is when that is another one."""

    standing: Standing = Standing.MASTER
    master_address: str = ""
    master_uuid: str = ""


def read_role(path: Path) -> HostRole:
    """The role of this host; a host without the file is the master of a pool of its own."""
    try:
        told = json.loads(path.read_text())
    except FileNotFoundError:
        return HostRole()
    return HostRole(Standing(told["standing"]), told["master_address"], told["master_uuid"])


def write_role(path: Path, role: HostRole) -> None:
    """Be that from the next start on, whatever happens."""
    if role.standing is Standing.MASTER:
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
        return
    write_json(
        path,
        {"standing": role.standing, "master_address": role.master_address, "master_uuid": role.master_uuid},
    )
