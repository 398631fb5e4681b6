"""The superblock's bytes: a line of JSON that a person with `dd` can read, its length and CRC-32C in front."""

import json
import struct
from typing import Any
from uuid import UUID

from cardume.ha.codec import BadBlock
from cardume.ha.crc32c import crc32c
from cardume.ha.layout import SUPERBLOCK_BYTES
from cardume.ha.profile import PROFILES
from cardume.ha.records import MAX_HOSTS, HostEntry, Superblock

MAGIC = b"CARDHA01"
_HEAD = struct.Struct("<8sII")


def encode_superblock(superblock: Superblock) -> bytes:
    """All bytes of one copy."""
    _check(superblock)
    fields = {
        "generation": superblock.generation,
        "scsi_id": superblock.scsi_id,
        "unit_bytes": superblock.unit_bytes,
        "profile": superblock.profile,
        "hosts": [[host.uuid, *host.addresses] for host in superblock.hosts],
    }
    text = json.dumps(fields, separators=(",", ":")).encode() + b"\n"
    if len(text) > SUPERBLOCK_BYTES - _HEAD.size:
        raise BadBlock(f"superblock: {len(text)} bytes are too many")
    return (_HEAD.pack(MAGIC, len(text), crc32c(text)) + text).ljust(SUPERBLOCK_BYTES, b"\0")


def decode_superblock(data: bytes) -> Superblock:
    """What one copy says; BadBlock."""
    if len(data) < _HEAD.size or not data.startswith(MAGIC):
        raise BadBlock("superblock: not one of this format")
    _, length, crc = _HEAD.unpack_from(data)
    text = data[_HEAD.size : _HEAD.size + length]
    if len(text) != length or crc32c(text) != crc:
        raise BadBlock("superblock: its checksum is wrong")
    try:
        fields: dict[str, Any] = json.loads(text)
        superblock = Superblock(
            generation=str(UUID(fields["generation"])),
            scsi_id=str(fields["scsi_id"]),
            unit_bytes=int(fields["unit_bytes"]),
            profile=str(fields["profile"]),
            hosts=tuple(HostEntry(str(UUID(uuid)), tuple(map(str, addresses))) for uuid, *addresses in fields["hosts"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadBlock(f"superblock: {error!r}") from error
    _check(superblock)
    return superblock


def _check(superblock: Superblock) -> None:
    uuids = [host.uuid for host in superblock.hosts]
    if not 1 <= len(uuids) <= MAX_HOSTS:
        raise BadBlock(f"superblock: {len(uuids)} hosts")
    if uuids != sorted(set(uuids)):
        raise BadBlock("superblock: the hosts are not sorted by UUID, or one is there twice")
    if superblock.profile not in PROFILES:
        raise BadBlock(f"superblock: no profile is called {superblock.profile!r}")
