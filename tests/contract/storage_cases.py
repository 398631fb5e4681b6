"""The drivers that the storage contract is run on, each with a fresh repository."""

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from cardume.hostops.storage.copy import QemuCopier
from cardume.hostops.storage.driver import Copier, Repository, StorageDriver
from cardume.hostops.storage.ext import ExtDriver
from cardume.hostops.storage.memory_copier import MemoryCopier
from cardume.hostops.storage.memory_driver import MemoryDriver
from cardume.hostops.storage.nfs import parse_location
from cardume.hostops.storage.nfs_disks import NfsDriver
from cardume.hostops.storage.nfs_session import nfs_session

NFS_DISKS = "CARDUME_CONTRACT_NFS_DISKS"
"""`server:/path` of an export that disks may be made in."""
needs_qemu_img = pytest.mark.inside_host("CARDUME_CONTRACT_STORAGE")
needs_nfs = pytest.mark.inside_host(NFS_DISKS)

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Case:
    """A driver, an empty repository made with it, and its copier."""

    driver: StorageDriver
    repo: Repository
    copier: Copier


def new_uuid() -> str:
    return str(uuid.uuid4())


def repository(type: str, device_config: Mapping[str, str], content_type: str = "user") -> Repository:
    return Repository(new_uuid(), type, content_type, device_config)


async def make_case(kind: str, tmp_path: Path) -> Case:
    if kind == "memory":
        memory = MemoryDriver()
        case = Case(memory, repository("memory", {}), MemoryCopier(memory.shelf))
    elif kind == "nfs":
        case = Case(NfsDriver(), repository("nfs", new_export_folder()), QemuCopier())
    else:
        case = Case(ExtDriver(), repository("ext", {"location": str(tmp_path / "sr")}), QemuCopier())
    await case.driver.create(case.repo)
    await case.driver.attach(case.repo)
    return case


def new_export_folder() -> dict[str, str]:
    """The device_config of an empty folder of its own in the export."""
    exported = parse_location(os.environ[NFS_DISKS])
    name = f"contract-{uuid.uuid4()}"
    with nfs_session(exported) as files:
        files.make_folder(name)
    return {"server": exported.server, "serverpath": f"{exported.path}/{name}"}
