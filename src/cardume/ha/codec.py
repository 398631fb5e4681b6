"""Bytes of slots, ballot blocks and datagrams. Little endian; what is not understood is refused, never guessed.

A sector is 512 bytes with a CRC-32C at its end, followed by zeros up to the unit. A datagram has no check of its own:
whoever sends it puts an HMAC behind it.
"""

import struct
from collections.abc import Callable, Iterable
from typing import TypeVar
from uuid import UUID

from cardume.ha.crc32c import crc32c
from cardume.ha.merging import merged_block, newest_slot
from cardume.ha.records import (
    MAX_HOSTS,
    NO_BALLOT,
    SECTORS,
    Aside,
    Ballot,
    BallotBlock,
    Datagram,
    EpochKind,
    EpochRecord,
    Heard,
    Reason,
    Slot,
    SlotState,
)

SECTOR_BYTES = 512
SLOT_MAGIC = b"CARDslt1"
BALLOT_MAGIC = b"CARDblt1"
DATAGRAM_MAGIC = b"CHB1"
MAX_DATAGRAM_BYTES = 1440
"""With an HMAC of 32 bytes it goes into one packet of any Ethernet."""

_EPOCH = struct.Struct("<QBBBBxxxxQQQ")  # number, kind, master, witness, reason, live, unproven, about
_SLOT = struct.Struct("<8s16sBBBBBxxx16sIQI")
_BALLOT = struct.Struct("<8s16sBBBBxxxxQIIIIII")
_DATAGRAM = struct.Struct("<4s16sBBBB16sIQQI")
_HEARD = struct.Struct("<IQI")
_ASIDE = struct.Struct("<QQ")
_CRC = struct.Struct("<I")
_NOBODY = 0xFF

T = TypeVar("T")
E = TypeVar("E", SlotState, EpochKind, Reason)


class BadBlock(ValueError):
    """These bytes are not what was looked for; the text says why."""


def encode_slot(slot: Slot, unit_bytes: int = SECTOR_BYTES) -> bytes:
    """The sector that says this."""
    head = _SLOT.pack(
        SLOT_MAGIC,
        UUID(slot.generation).bytes,
        slot.host,
        slot.sector,
        slot.doubtful,
        slot.state,
        slot.storage_ok,
        UUID(slot.boot_id).bytes,
        slot.life,
        slot.number,
        slot.uplinks_down,
    )
    ages = bytes(slot.ages).ljust(MAX_HOSTS, b"\0")
    aside = _ASIDE.pack(slot.aside.asked, slot.aside.done)
    return _sealed(head + _encode_epoch(slot.epoch, MAX_HOSTS) + ages + aside, unit_bytes)


def decode_slot(data: bytes, hosts: int) -> Slot:
    """What the sector says, in a table of so many hosts; BadBlock."""
    body = _opened(data, SLOT_MAGIC)
    _, generation, host, sector, doubtful, state, storage_ok, boot_id, life, number, uplinks = _SLOT.unpack_from(body)
    epoch, end = _decode_epoch(body, _SLOT.size, hosts, MAX_HOSTS)
    return Slot(
        generation=str(UUID(bytes=generation)),
        host=_host(host, hosts),
        boot_id=str(UUID(bytes=boot_id)),
        life=life,
        number=number,
        state=_enum(SlotState, state),
        epoch=epoch,
        sector=sector,
        doubtful=doubtful,
        storage_ok=bool(storage_ok),
        uplinks_down=uplinks,
        ages=tuple(body[end : end + hosts]),
        aside=Aside(*_ASIDE.unpack_from(body, end + MAX_HOSTS)),
    )


def encode_ballot(block: BallotBlock, unit_bytes: int = SECTOR_BYTES) -> bytes:
    """The sector that says this."""
    head = _BALLOT.pack(
        BALLOT_MAGIC,
        UUID(block.generation).bytes,
        block.host,
        block.sector,
        block.doubtful,
        block.value is not None,
        block.number,
        *_ballot_fields(block.mbal),
        *_ballot_fields(block.bal),
    )
    return _sealed(head + (b"" if block.value is None else _encode_epoch(block.value, MAX_HOSTS)), unit_bytes)


def decode_ballot(data: bytes, hosts: int) -> BallotBlock:
    """What the sector says, in a table of so many hosts; BadBlock."""
    body = _opened(data, BALLOT_MAGIC)
    _, generation, host, sector, doubtful, has_value, number, *ballots = _BALLOT.unpack_from(body)
    value = _decode_epoch(body, _BALLOT.size, hosts, MAX_HOSTS)[0] if has_value else None
    bal = Ballot(*ballots[3:])
    if (value is None) != (bal == NO_BALLOT):
        raise BadBlock("ballot: accepted without a value, or the reverse")
    if value is not None and value.number != number:
        raise BadBlock(f"ballot: a value for epoch {value.number} in a ballot for {number}")
    return BallotBlock(
        generation=str(UUID(bytes=generation)),
        host=_host(host, hosts),
        number=number,
        mbal=Ballot(*ballots[:3]),
        bal=bal,
        value=value,
        sector=sector,
        doubtful=doubtful,
    )


def decode_slot_area(data: bytes, *, host: int, hosts: int, generation: str, unit_bytes: int) -> Slot | None:
    """The newest valid slot of a host's area; None when there is none of this generation."""
    sectors = _sectors(data, unit_bytes, lambda piece: decode_slot(piece, hosts))
    return newest_slot(
        slot for at, slot in sectors if (slot.host, slot.sector, slot.generation) == (host, at, generation)
    )


def decode_ballot_area(data: bytes, *, host: int, hosts: int, generation: str, unit_bytes: int) -> BallotBlock | None:
    """The ballot block of a host, merged over its sectors; None when there is none of this generation."""
    sectors = _sectors(data, unit_bytes, lambda piece: decode_ballot(piece, hosts))
    return merged_block(
        block for at, block in sectors if (block.host, block.sector, block.generation) == (host, at, generation)
    )


def encode_datagram(datagram: Datagram) -> bytes:
    """The heartbeat without its HMAC."""
    hosts = len(datagram.heard)
    head = _DATAGRAM.pack(
        DATAGRAM_MAGIC,
        UUID(datagram.generation).bytes,
        datagram.host,
        datagram.state,
        datagram.storage_ok,
        hosts,
        UUID(datagram.boot_id).bytes,
        datagram.life,
        datagram.number,
        datagram.written,
        datagram.uplinks_down,
    )
    heard = b"".join(_HEARD.pack(entry.life, entry.number, entry.lag_ms) for entry in datagram.heard)
    return head + _encode_epoch(datagram.epoch, hosts) + heard


def decode_datagram(data: bytes, hosts: int) -> Datagram:
    """What the heartbeat says, when its HMAC was right; BadBlock."""
    if len(data) < _DATAGRAM.size or data[:4] != DATAGRAM_MAGIC:
        raise BadBlock("datagram: not a heartbeat of this version")
    _, generation, host, state, storage_ok, count, boot_id, life, number, written, uplinks = _DATAGRAM.unpack_from(data)
    size = _DATAGRAM.size + _EPOCH.size + count * (4 + _HEARD.size)
    if count != hosts or len(data) != size:
        raise BadBlock(f"datagram: {len(data)} bytes for {count} hosts, the table has {hosts}")
    epoch, end = _decode_epoch(data, _DATAGRAM.size, hosts, hosts)
    return Datagram(
        generation=str(UUID(bytes=generation)),
        host=_host(host, hosts),
        boot_id=str(UUID(bytes=boot_id)),
        life=life,
        number=number,
        state=_enum(SlotState, state),
        epoch=epoch,
        heard=tuple(Heard(*_HEARD.unpack_from(data, end + at * _HEARD.size)) for at in range(hosts)),
        written=written,
        storage_ok=bool(storage_ok),
        uplinks_down=uplinks,
    )


def _encode_epoch(epoch: EpochRecord, room: int) -> bytes:
    head = _EPOCH.pack(
        epoch.number,
        epoch.kind,
        _NOBODY if epoch.master is None else epoch.master,
        _NOBODY if epoch.witness is None else epoch.witness,
        epoch.reason,
        _bits(epoch.live),
        _bits(epoch.unproven),
        _bits(epoch.about),
    )
    return head + struct.pack(f"<{room}I", *epoch.lives, *(0,) * (room - len(epoch.lives)))


def _decode_epoch(data: bytes, at: int, hosts: int, room: int) -> tuple[EpochRecord, int]:
    number, kind, master, witness, reason, live, unproven, about = _EPOCH.unpack_from(data, at)
    lives = struct.unpack_from(f"<{room}I", data, at + _EPOCH.size)
    if (live | unproven | about) >> hosts or any(lives[hosts:]):
        raise BadBlock(f"epoch {number}: hosts beyond the table of {hosts}")
    record = EpochRecord(
        number=number,
        kind=_enum(EpochKind, kind),
        live=_hosts(live),
        lives=lives[:hosts],
        unproven=_hosts(unproven),
        master=None if master == _NOBODY else _host(master, hosts),
        witness=None if witness == _NOBODY else _host(witness, hosts),
        reason=_enum(Reason, reason),
        about=_hosts(about),
    )
    return record, at + _EPOCH.size + 4 * room


def _sealed(body: bytes, unit_bytes: int) -> bytes:
    padded = body.ljust(SECTOR_BYTES - _CRC.size, b"\0")
    assert len(padded) == SECTOR_BYTES - _CRC.size, "a block is larger than its sector"
    return (padded + _CRC.pack(crc32c(padded))).ljust(unit_bytes, b"\0")


def _opened(data: bytes, magic: bytes) -> bytes:
    if len(data) < SECTOR_BYTES or not data.startswith(magic):
        raise BadBlock(f"sector: does not begin with {magic.decode()}")
    body = data[: SECTOR_BYTES - _CRC.size]
    (crc,) = _CRC.unpack_from(data, SECTOR_BYTES - _CRC.size)
    if crc32c(body) != crc:
        raise BadBlock("sector: its checksum is wrong")
    return body


def _sectors(data: bytes, unit_bytes: int, decode: Callable[[bytes], T]) -> Iterable[tuple[int, T]]:
    for at in range(SECTORS):
        try:
            yield at, decode(data[at * unit_bytes : at * unit_bytes + SECTOR_BYTES])
        except BadBlock:
            continue  # never written, or of somebody else: as if it were not there


def _ballot_fields(ballot: Ballot) -> tuple[int, int, int]:
    return ballot.round, ballot.host, ballot.life


def _bits(hosts: Iterable[int]) -> int:
    return sum(1 << host for host in hosts)


def _hosts(bits: int) -> frozenset[int]:
    return frozenset(host for host in range(MAX_HOSTS) if bits >> host & 1)


def _host(host: int, hosts: int) -> int:
    if host >= hosts:
        raise BadBlock(f"host {host} is beyond the table of {hosts}")
    return host


def _enum(kind: type[E], value: int) -> E:
    try:
        return kind(value)
    except ValueError as error:
        raise BadBlock(str(error)) from error
